"""The address of a database: reading it, and making it absolute."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, unquote

from prefect_synth.tasks.databases.errors import TargetUrlError
from prefect_synth.tasks.warehouses.errors import InvalidUrl
from prefect_synth.tasks.warehouses.url import duckdb_path, postgres_uri, redact, scheme_of

DIALECTS = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
    "duckdb": "duckdb",
}
"""Dialect by scheme of a URL."""

Read = TypeVar("Read")


def dialect_of(url: str) -> str:
    """The dialect that a URL means.

    Raises:
        TargetUrlError: It is none that can be fed; nothing of the URL but its scheme is repeated.
    """
    scheme = scheme_of(url)
    if scheme not in DIALECTS:
        raise TargetUrlError(
            f"A database of kind '{scheme or 'none'}' cannot be fed. Write a URL that begins with "
            "postgresql://, mysql://, sqlite:/// or duckdb:///."
        )
    return DIALECTS[scheme]


def file_of(url: str) -> Path:
    """The file of an SQLite or DuckDB database.

    Raises:
        TargetUrlError: The URL names no file, or carries parameters.
    """
    if dialect_of(url) == "duckdb":
        return _read(duckdb_path, url)
    match = re.fullmatch(r"sqlite(?:\+pysqlite)?:///([^?]+)", url, re.IGNORECASE)
    if match is None or match[1] == ":memory:":
        raise TargetUrlError(
            f"The URL '{redact(url)}' names no SQLite file. Write sqlite:///relative/path.db or "
            "sqlite:////absolute/path.db (four slashes)."
        )
    return Path(unquote(match[1])).expanduser()


def based_at(url: str, base: Path) -> str:
    """The URL with the path of a file made absolute.

    Args:
        url: A database's URL.
        base: Folder where relative paths start.
    """
    dialect = dialect_of(url)
    if dialect not in ("sqlite", "duckdb"):
        return url
    return f"{dialect}:///{quote(str(base.absolute() / file_of(url)))}"


def server_uri(url: str) -> str:
    """The URL of a PostgreSQL database as libpq reads it.

    Raises:
        TargetUrlError: It cannot be split with certainty; nothing of it is repeated.
    """
    return _read(postgres_uri, url)


def _read(reader: Callable[[str], Read], url: str) -> Read:
    try:
        return reader(url)
    except InvalidUrl as error:
        raise TargetUrlError(str(error).replace("warehouse", "database")) from None
