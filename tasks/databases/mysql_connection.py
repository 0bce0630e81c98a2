"""Connecting to MySQL or MariaDB by a URL."""

from __future__ import annotations

from typing import Any

import pymysql
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from prefect_synth.tasks.databases.errors import TargetUrlError
from prefect_synth.tasks.databases.mysql_errors import connection_error

_SECONDS_TO_CONNECT = 10


def connected(url: str) -> pymysql.Connection[Any]:
    """Connect to a database.

    Raises:
        TargetUrlError: The URL cannot be read or names no database.
        TargetConnectionError: There is no connection.
    """
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        raise TargetUrlError(
            "The MySQL URL cannot be read. Write mysql://user:password@host:3306/database, with "
            "/ @ : # ? in the password percent-encoded."
        ) from None
    if not parts.database:
        raise TargetUrlError("The MySQL URL names no database: write its name after the host.")
    socket = parts.query.get("unix_socket")
    try:
        return pymysql.connect(
            host=parts.host or "localhost",
            port=parts.port or 3306,
            user=parts.username,
            password=str(parts.password or "").encode(),  # as text it would have to be Latin-1
            database=parts.database,
            unix_socket=str(socket) if socket else None,
            charset="utf8mb4",
            connect_timeout=_SECONDS_TO_CONNECT,
        )
    except pymysql.Error as error:
        raise connection_error(error, url) from None  # its text may hold the password
