"""Letting DuckDB's sequences go on where the rows of a snapshot end.

A sequence cannot be set, and cannot be made again while a column's default draws from it. So the
defaults are taken away, the sequence is made again with all its options, and they are given back.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import duckdb

from prefect_synth.tasks.databases import ddl
from prefect_synth.tasks.databases.duckdb_ddl import DuckdbSpelling
from prefect_synth.tasks.databases.duckdb_rows import extremes
from prefect_synth.tasks.databases.errors import TargetSchemaError
from prefect_synth.tasks.databases.job import Job
from prefect_synth.tasks.databases.plan import Place
from prefect_synth.tasks.warehouses.catalogue import quote

_DRAWN = re.compile(r"nextval\('((?:[^']|'')+)'\)")
_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
_SPELLING = DuckdbSpelling()
_SEQUENCES = """
SELECT schema_name, sequence_name, increment_by, min_value, max_value, cycle,
    coalesce(last_value + increment_by, start_value)
FROM duckdb_sequences() WHERE database_name = current_database() AND NOT temporary
"""
_DEFAULTS = """
SELECT schema_name, table_name, column_name, column_default FROM duckdb_columns()
WHERE database_name = current_database() AND column_default LIKE '%nextval(%'
"""


@dataclass(frozen=True)
class NumberedColumn:
    """A column whose default draws from a sequence.

    Args:
        place: Its table.
        name: Its name.
        default: The default as SQL.
    """

    place: Place
    name: str
    default: str


@dataclass(frozen=True)
class NumberSequence:
    """A sequence that numbers columns of fed tables.

    Args:
        place: Where it lies.
        increment: From one number to the next.
        least: The lowest number.
        most: The highest number.
        cycles: Whether it begins again at its end.
        following: The number that it gives next.
        columns: All columns that draw from it, of fed tables and others.
    """

    place: Place
    increment: int
    least: int
    most: int
    cycles: bool
    following: int
    columns: tuple[NumberedColumn, ...]

    def is_past(self, numbers: Collection[int]) -> bool:
        """Whether the sequence gives none of these numbers as it is, nor one before them."""
        return all((self.following - number) * self.increment > 0 for number in numbers)

    def after(self, numbers: Collection[int]) -> int:
        """The first number of the sequence's own that is past all of these.

        Raises:
            TargetSchemaError: It ends before.
        """
        step = abs(self.increment)
        if self.increment > 0:
            past = max([self.least, *(n + 1 for n in numbers)])
            found = past + (self.following - past) % step
        else:
            past = min([self.most, *(n - 1 for n in numbers)])
            found = past - (past - self.following) % step
        if not self.least <= found <= self.most:
            raise TargetSchemaError(
                f"The sequence '{self.place}' ends before the numbers of the snapshot do. Widen it,"
                " or take it away from the column that it numbers."
            )
        return found


def numbering(
    connection: duckdb.DuckDBPyConnection, fed: Collection[Place]
) -> tuple[NumberSequence, ...]:
    """The sequences that number columns of fed tables, as they are before anything is dropped."""
    drawn: dict[Place, list[NumberedColumn]] = {}
    for schema, table, column, default in connection.execute(_DEFAULTS).fetchall():
        for match in _DRAWN.finditer(default):
            found = NumberedColumn(Place(schema, table), column, default)
            drawn.setdefault(_folded(_named(match[1])), []).append(found)
    sequences = []
    for schema, name, step, least, most, cycles, following in connection.execute(
        _SEQUENCES
    ).fetchall():
        place = Place(schema, name)
        columns = tuple(drawn.get(_folded(place), ()))
        sequences.append(NumberSequence(place, step, least, most, cycles, following, columns))
    return tuple(s for s in sequences if {column.place for column in s.columns} & set(fed))


def go_on(connection: duckdb.DuckDBPyConnection, job: Job, sequence: NumberSequence) -> None:
    """Make a sequence again so that it goes on after all numbers that there will be.

    Where rows are replaced it may go back, but not past those of tables that are not fed.

    Args:
        connection: The database; tables that are replaced are dropped already.
        job: What is fed.
        sequence: As it was before.

    Raises:
        TargetSchemaError: It ends before.
    """
    dropped = {job.place(t) for t in job.present()} if job.mode == "replace" else set()
    staying = [column for column in sequence.columns if column.place not in dropped]
    numbers = [n for column in staying for n in _held(connection, column)]
    numbers += _coming(job, sequence)
    if job.mode != "replace" and sequence.is_past(numbers):
        return
    following = sequence.after(numbers)
    for column in staying:
        connection.execute(f"{_alter(column)} DROP DEFAULT")
    connection.execute(
        f"CREATE OR REPLACE SEQUENCE {ddl.at(_SPELLING, sequence.place)} "
        f"INCREMENT BY {sequence.increment} MINVALUE {sequence.least} MAXVALUE {sequence.most} "
        f"START {following} {'CYCLE' if sequence.cycles else 'NO CYCLE'}"
    )
    for column in staying:
        connection.execute(f"{_alter(column)} SET DEFAULT {column.default}")


def _coming(job: Job, sequence: NumberSequence) -> Iterator[int]:
    """The lowest and the highest number of the snapshot in each column of a sequence."""
    drawn = {(column.place, column.name) for column in sequence.columns}
    for table in job.present():
        for ours, theirs in job.columns[table.name].items():
            if (job.place(table), theirs) in drawn:
                yield from extremes(job, table, ours)


def _held(connection: duckdb.DuckDBPyConnection, column: NumberedColumn) -> list[int]:
    name, table = quote(column.name), ddl.at(_SPELLING, column.place)
    found = connection.execute(f"SELECT min({name}), max({name}) FROM {table}").fetchone()
    return [number for number in found or () if number is not None]


def _alter(column: NumberedColumn) -> str:
    return f"ALTER TABLE {ddl.at(_SPELLING, column.place)} ALTER COLUMN {quote(column.name)}"


def _named(said: str) -> Place:
    """The sequence that a default names, as in `sales."my seq"`."""
    parts = _PART.findall(said.replace("''", "'"))
    names = [quoted.replace('""', '"') or bare for quoted, bare in parts]
    return Place(names[-2] if len(names) > 1 else "main", names[-1])


def _folded(place: Place) -> Place:
    return Place(str(place.schema).lower(), place.name.lower())
