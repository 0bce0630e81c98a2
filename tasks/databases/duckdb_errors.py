"""What DuckDB means when it refuses to be fed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from prefect_synth.tasks.databases.errors import (
    FeedError,
    RowsRefusedError,
    TargetConnectionError,
    TargetPermissionError,
    TargetSchemaError,
    TargetUrlError,
)
from prefect_synth.tasks.warehouses.errors import without_values


@contextmanager
def told(path: Path, about: str) -> Iterator[None]:
    """Raise our own error for DuckDB's, without the values that it may quote."""
    try:
        yield
    except duckdb.Error as error:
        raise _meaning(error, path, about) from None


def _meaning(error: duckdb.Error, path: Path, about: str) -> FeedError:
    said = without_values(" ".join(str(error).split())).rstrip(". ")
    where = f"the DuckDB file '{path}'"
    if isinstance(error, duckdb.IOException):
        if "lock" in said:
            return TargetConnectionError(
                f"Another process has {where} open, and DuckDB lets in one alone. End it and feed "
                "again."
            )
        if "not a valid DuckDB database" in said:
            return TargetUrlError(
                f"The file '{path}' is not a DuckDB database. Name another, or remove that one."
            )
        return TargetPermissionError(
            f"{where[0].upper()}{where[1:]} cannot be written while {about}: {said}. Its folder "
            "must exist, and this user needs the right to write to it."
        )
    if isinstance(error, duckdb.TransactionException | duckdb.OutOfMemoryException):
        return TargetConnectionError(f"DuckDB failed in {where} while {about}: {said}.")
    if isinstance(error, duckdb.ConstraintException | duckdb.ConversionException):
        return RowsRefusedError(f"DuckDB refused rows while {about}: {said}.")
    return TargetSchemaError(f"DuckDB refused while {about} in {where}: {said}.")
