"""CREATE TABLE from a snapshot's metadata, in the spelling of each dialect."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import pyarrow as pa

from prefect_synth.synth.metadata import Column, Relationship
from prefect_synth.tasks.databases.plan import Place, PlannedTable


class Spelling(Protocol):
    """How a dialect spells a definition."""

    def quoted(self, name: str) -> str:
        """A name as an identifier."""

    def column(self, table: PlannedTable, column: Column, field: pa.Field) -> str:
        """A column's definition."""


def column_of(table: PlannedTable, name: str) -> Column:
    """The meaning of a column; the files may hold one that the metadata do not know."""
    return table.meaning.columns.get(name) or Column(name)


def is_required(table: PlannedTable, column: Column) -> bool:
    """Whether a column is NOT NULL."""
    return not column.nullable or column.name in table.meaning.primary_key


def create_table(spelling: Spelling, table: PlannedTable, constraints: Iterable[str] = ()) -> str:
    """The statement that creates a table.

    Args:
        spelling: The dialect's.
        table: What is fed.
        constraints: Lines that follow the columns.
    """
    columns = [spelling.column(table, column_of(table, f.name), f) for f in table.schema]
    lines = ",\n  ".join([*columns, *constraints])
    return f"CREATE TABLE {at(spelling, table.place)} (\n  {lines}\n)"


def at(spelling: Spelling, place: Place) -> str:
    """A table's quoted name."""
    name = spelling.quoted(place.name)
    return name if place.schema is None else f"{spelling.quoted(place.schema)}.{name}"


def listed(spelling: Spelling, names: Iterable[str]) -> str:
    """Column names in parentheses."""
    return f"({', '.join(spelling.quoted(name) for name in names)})"


def keys(spelling: Spelling, table: PlannedTable) -> list[str]:
    """The primary and unique keys of a table."""
    meaning = table.meaning
    unique = [f"UNIQUE {listed(spelling, key)}" for key in meaning.unique]
    primary = [f"PRIMARY KEY {listed(spelling, meaning.primary_key)}"]
    return [*(primary if meaning.primary_key else ()), *unique]


def foreign_key(spelling: Spelling, key: Relationship, parent: PlannedTable) -> str:
    """A foreign key."""
    return (
        f"FOREIGN KEY {listed(spelling, key.child_columns)} REFERENCES "
        f"{at(spelling, parent.place)} {listed(spelling, key.parent_columns)}"
    )


def wants_index(table: PlannedTable, columns: tuple[str, ...]) -> bool:
    """Whether no key of a table begins with these columns, so that they need an index."""
    known = (table.meaning.primary_key, *table.meaning.unique)
    return not any(set(key[: len(columns)]) == set(columns) for key in known)


def literal(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"
