"""What SQLite means when it refuses to be fed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from prefect_synth.tasks.databases.errors import (
    FeedError,
    RowsRefusedError,
    TargetConnectionError,
    TargetPermissionError,
    TargetSchemaError,
    TargetUrlError,
)


@contextmanager
def told(path: Path, about: str) -> Iterator[None]:
    """Raise our own error for the driver's, without the values that it may quote."""
    try:
        yield
    except (sqlite3.Error, OverflowError) as error:
        raise _meaning(error, path, about) from None
    except DBAPIError as error:  # from the inspector
        if not isinstance(error.orig, sqlite3.Error):
            raise
        raise _meaning(error.orig, path, about) from None


def _meaning(error: Exception, path: Path, about: str) -> FeedError:
    code = getattr(error, "sqlite_errorname", "") or ""
    where = f"the SQLite file '{path}'"
    if code.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN", "SQLITE_AUTH")):
        return TargetPermissionError(
            f"{where[0].upper()}{where[1:]} cannot be written while {about}: {error}. Its folder "
            "must exist, and this user needs the right to write to the file and to the folder."
        )
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return TargetConnectionError(
            f"Somebody else holds {where} while {about}. End that transaction and feed again."
        )
    if code.startswith("SQLITE_CONSTRAINT") or isinstance(error, OverflowError):
        return RowsRefusedError(f"SQLite refused rows while {about}: {error}.")
    if code == "SQLITE_NOTADB":
        return TargetUrlError(
            f"The file '{path}' is not an SQLite database. Name another, or remove that one."
        )
    if code.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CORRUPT")):
        return TargetConnectionError(f"SQLite failed in {where} while {about}: {error}.")
    return TargetSchemaError(f"SQLite refused while {about} in {where}: {error}.")
