"""What MySQL and MariaDB mean when they refuse to be fed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pymysql
from sqlalchemy.exc import DBAPIError

from prefect_synth.tasks.databases.errors import (
    FeedError,
    RowsRefusedError,
    TargetConnectionError,
    TargetPermissionError,
    TargetSchemaError,
)
from prefect_synth.tasks.warehouses.errors import without_values
from prefect_synth.tasks.warehouses.url import redact, scrub

# https://mariadb.com/docs/server/reference/error-codes
_RIGHTS = {1044, 1045, 1095, 1142, 1143, 1227, 1290, 1370, 1792, 1836}
_BUSY = {1205, 1213}
_LOST = {1040, 1053, 1927, 2002, 2003, 2006, 2013, 2055, 1021, 1114}
_ROWS = {1048, 1062, 1216, 1217, 1264, 1265, 1292, 1366, 1406, 1451, 1452, 3819, 4025, 1438}


@contextmanager
def told(url: str, about: str) -> Iterator[None]:
    """Raise our own error for the driver's, without the values that it may quote."""
    try:
        yield
    except pymysql.Error as error:
        raise _meaning(error, url, about) from None
    except DBAPIError as error:  # from the inspector
        if not isinstance(error.orig, pymysql.Error):
            raise
        raise _meaning(error.orig, url, about) from None


def connection_error(error: pymysql.Error, url: str) -> FeedError:
    """The error for a connection that could not be made."""
    said = scrub(str(error.args[-1]), url)
    return TargetConnectionError(f"No connection to the database {redact(url)}: {said}")


def _meaning(error: pymysql.Error, url: str, about: str) -> FeedError:
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    said = scrub(str(error.args[-1] if error.args else error), url).rstrip(". ")
    if code in _RIGHTS:
        return TargetPermissionError(
            f"MySQL refused while {about}: {said}. Grant that right to this user."
        )
    if code in _BUSY:
        return TargetConnectionError(
            f"MySQL stopped while {about}: {said}. Somebody else holds a lock there; end that "
            "transaction and feed again."
        )
    if code in _LOST:
        return TargetConnectionError(f"The database was lost while {about}: {said}.")
    if code in _ROWS or "can not be used with MySQL" in said:
        hidden = without_values(f"constraint: {said}").removeprefix("constraint: ")
        return RowsRefusedError(f"MySQL refused rows while {about}: {hidden}.")
    return TargetSchemaError(f"MySQL refused while {about}: {said}.")
