"""Rows on their way into MySQL: values, and the statements that take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.tasks.databases import plain
from prefect_synth.tasks.databases.errors import RowsRefusedError
from prefect_synth.tasks.databases.mysql_ddl import quoted
from prefect_synth.tasks.databases.plan import PlannedTable


def listed(columns: Sequence[str]) -> str:
    """Quoted names between commas."""
    return ", ".join(map(quoted, columns))


def insert_into(into: str, columns: Sequence[str]) -> str:
    """An INSERT with a place for each value.

    Args:
        into: The table's quoted name.
        columns: The columns that are written.
    """
    head = f"INSERT INTO {into} ({listed(columns)})".replace("%", "%%")
    return f"{head} VALUES ({', '.join(['%s'] * len(columns))})"


def merge(there: str, incoming: str, key: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """The statements that update rows of the same primary key and insert the others.

    Args:
        there: The quoted name of the table that is fed.
        incoming: The quoted name of a temporary table with the rows; it is dropped.
        key: The primary key.
        columns: The columns that are written.
    """
    same = " AND ".join(f"t.{quoted(c)} = i.{quoted(c)}" for c in key)
    new = ", ".join(f"t.{quoted(c)} = i.{quoted(c)}" for c in columns if c not in key)
    update = [f"UPDATE {there} t JOIN {incoming} i ON {same} SET {new}"] if new else []
    return (
        *update,
        f"INSERT INTO {there} ({listed(columns)}) "
        f"SELECT {', '.join(f'i.{quoted(c)}' for c in columns)} FROM {incoming} i "
        f"LEFT JOIN {there} t ON {same} WHERE t.{quoted(key[0])} IS NULL",
        f"DROP TEMPORARY TABLE {incoming}",
    )


def values_of(table: PlannedTable, column: str, array: pa.Array) -> list[Any]:
    """A column's values, as the driver takes them.

    Args:
        table: Whose column it is.
        column: Its name.
        array: The values.

    Raises:
        RowsRefusedError: MySQL has no such value.
    """
    if pa.types.is_floating(array.type) and pc.any(pc.invert(pc.is_finite(array))).as_py():
        raise RowsRefusedError(
            f"Column '{table.name}.{column}' holds infinity or NaN, for which MySQL has no value. "
            "Feed another kind of database, or leave the column out of the project."
        )
    if pa.types.is_timestamp(array.type) and array.type.tz:
        array = plain.naive_utc(array)
    found: list[Any] = plain.plain(array).to_pylist()
    return found
