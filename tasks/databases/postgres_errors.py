"""What PostgreSQL means when it refuses to be fed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from prefect_synth.tasks.databases.errors import (
    FeedError,
    RowsRefusedError,
    TargetConnectionError,
    TargetPermissionError,
    TargetSchemaError,
)
from prefect_synth.tasks.warehouses.errors import without_values
from prefect_synth.tasks.warehouses.postgres_errors import is_lost
from prefect_synth.tasks.warehouses.url import redact, scrub

_COLUMN = re.compile(r"COPY [^,]+, line \d+, column ([^:]+)")
_READ_ONLY = "25006"
_NEEDED_BY_OTHERS = "2BP01"
_BUSY = ("55P03", "40P01", "40001", "57014")


@contextmanager
def told(uri: str, about: str) -> Iterator[None]:
    """Raise our own error for the driver's, without the values that it may quote.

    Args:
        uri: Whose passwords must not be told.
        about: What is being done, such as "table 'orders' is loaded".
    """
    try:
        yield
    except psycopg.Error as error:
        raise _meaning(error, uri, about) from None  # its text quotes values


def connection_error(error: psycopg.Error, uri: str) -> TargetConnectionError:
    """The error for a connection that could not be made."""
    return TargetConnectionError(
        f"No connection to the database {redact(uri.partition('?')[0])}: {scrub(str(error), uri)}"
    )


def _meaning(error: psycopg.Error, uri: str, about: str) -> FeedError:
    state = error.sqlstate or ""
    said = without_values(scrub(error.diag.message_primary or str(error), uri)).rstrip(". ")
    if state in ("42501", _READ_ONLY):
        return TargetPermissionError(
            f"PostgreSQL refused while {about}: {said}. Grant the right, or feed as the owner of "
            "the tables."
        )
    if state in _BUSY:
        return TargetConnectionError(
            f"PostgreSQL stopped while {about}: {said}. Somebody else holds a lock there; end that "
            "transaction and feed again."
        )
    if state == _NEEDED_BY_OTHERS:
        return TargetSchemaError(
            f"PostgreSQL refused while {about}: {scrub(error.diag.message_detail or said, uri)}. "
            "Drop what depends on them, or let existing tables stay (create: missing)."
        )
    if is_lost(error) or state.startswith("53"):
        return TargetConnectionError(f"The database was lost while {about}: {said}.")
    if state.startswith(("22", "23")):
        return RowsRefusedError(f"PostgreSQL refused rows while {about}{_where(error)}: {said}.")
    return TargetSchemaError(f"PostgreSQL refused while {about}{_where(error)}: {said}.")


def _where(error: psycopg.Error) -> str:
    diag = error.diag
    column = _COLUMN.search(diag.context or "")
    places = [
        f"table '{diag.table_name}'" if diag.table_name else "",
        f"column '{diag.column_name or (column[1] if column else '')}'",
        f"constraint '{diag.constraint_name}'" if diag.constraint_name else "",
    ]
    named = [place for place in places if place and not place.endswith("''")]
    return f" ({', '.join(named)})" if named else ""
