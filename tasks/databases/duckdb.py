"""Feeding DuckDB: one transaction, in which existing tables are dropped and made again.

Only one process can have the file open; readers in this process see the old rows until the end.
DuckDB has no foreign keys that close a cycle or cross schemas: those are checked, not declared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from prefect_synth.tasks.databases import ddl
from prefect_synth.tasks.databases.address import file_of
from prefect_synth.tasks.databases.duckdb_ddl import (
    DuckdbSpelling,
    comments,
    is_numbered,
    sequence_of,
)
from prefect_synth.tasks.databases.duckdb_errors import told
from prefect_synth.tasks.databases.duckdb_kept import KeptTable, keep
from prefect_synth.tasks.databases.duckdb_levels import insert_levels
from prefect_synth.tasks.databases.duckdb_lock import locked
from prefect_synth.tasks.databases.duckdb_reflection import reflect
from prefect_synth.tasks.databases.duckdb_rows import extremes, reader, refers_to_itself
from prefect_synth.tasks.databases.duckdb_sequences import NumberSequence, go_on, numbering
from prefect_synth.tasks.databases.existing import Existing, TargetKey
from prefect_synth.tasks.databases.job import Job
from prefect_synth.tasks.databases.orphans import keys_of, orphan_query, orphaned
from prefect_synth.tasks.databases.places import with_schemas
from prefect_synth.tasks.databases.plan import Place, PlannedTable
from prefect_synth.tasks.warehouses.catalogue import quote

_SPELLING = DuckdbSpelling()
_INCOMING = "prefect_synth_incoming"


@contextmanager
def opened(url: str) -> Iterator[DuckdbTarget]:
    """Open a database, after another feed of it in this process has ended.

    A file that is not there is made, and taken away if nothing came of it.

    Raises:
        TargetConnectionError: The file cannot be opened, or somebody else has it open.
    """
    path = file_of(url)
    with locked(path) as connection:
        yield DuckdbTarget(path, connection)


@dataclass
class DuckdbTarget:
    """An open DuckDB database.

    Args:
        path: Its file.
        raw: The connection.
    """

    path: Path
    raw: duckdb.DuckDBPyConnection
    _kept: dict[Place, KeptTable] = field(default_factory=dict)
    _numbering: Sequence[NumberSequence] = ()

    def places(self, names: Sequence[str], schema: str | None) -> Mapping[str, Place]:
        """Where each table of a snapshot goes."""
        return with_schemas(names, schema, "main")

    def reflect(self, places: Sequence[Place]) -> Existing:
        """What the database has."""
        with told(self.path, "its tables are looked at"):
            return reflect(self.raw)

    def check_rights(self, job: Job) -> None:
        """Do nothing: whoever could open the file may write to it."""

    @contextmanager
    def whole(self, job: Job) -> Iterator[None]:
        """One transaction."""
        with told(self.path, "the feeding begins"):
            self.raw.execute("BEGIN TRANSACTION")
            self._numbering = numbering(self.raw, {job.place(table) for table in job.present()})
        try:
            yield
            with told(self.path, "the transaction is committed"):
                self.raw.execute("COMMIT")
        except BaseException:
            with told(self.path, "the transaction is rolled back"):
                self.raw.execute("ROLLBACK")
            raise

    def empty(self, job: Job) -> None:
        """Drop the tables, children first; `create` makes them again as they were."""
        for place in reversed(job.remade):
            with told(self.path, f"table '{place}' is dropped"):
                self.raw.execute(f"DROP TABLE {ddl.at(_SPELLING, place)}")
        for table in reversed(job.present()):
            place = job.place(table)
            with told(self.path, f"table '{place}' is emptied"):
                self._kept[place] = keep(self.raw, place)
                self.raw.execute(f"DROP TABLE {ddl.at(_SPELLING, place)}")

    def create(self, job: Job) -> None:
        """Set sequences; create missing tables and those that were dropped, parents first."""
        for sequence in self._numbering:
            with told(self.path, f"the sequence '{sequence.place}' is set"):
                go_on(self.raw, job, sequence)
        for table in job.plan.tables:
            kept = self._kept.get(job.place(table))
            with told(self.path, f"table '{table.place}' is created"):
                if kept is not None:
                    for statement in kept.statements:
                        self.raw.execute(statement)
                elif job.target(table) is None:
                    self._make(job, table)

    def fill(self, job: Job, tables: Sequence[PlannedTable]) -> None:
        """Load rows from Arrow; of a table that refers to itself, one level after the other."""
        for table in tables:
            levels = [k for k in self._own_keys(job, table) if k.child == k.parent]
            with told(self.path, f"table '{table.place}' is loaded"):
                self.raw.register(_INCOMING, reader(job, table))
                if levels:
                    insert_levels(self.raw, _INCOMING, levels, partial(self._insert, job, table))
                else:
                    self.raw.execute(self._insert(job, table, _INCOMING))
                self.raw.unregister(_INCOMING)

    def finish(self, job: Job) -> None:
        """Check all foreign keys; the sequences were set before, when the tables were created."""
        for key in keys_of(job):
            child, parent = (ddl.at(_SPELLING, place) for place in (key.child, key.parent))
            with told(self.path, "the foreign keys are checked"):
                if self.raw.execute(orphan_query(key, child, parent, quote)).fetchone():
                    raise orphaned(key)

    def count(self, place: Place) -> int:
        """How many rows a table has."""
        with told(self.path, f"the rows of '{place}' are counted"):
            return int(self._value(f"SELECT count(*) FROM {ddl.at(_SPELLING, place)}"))

    def refers(self, key: TargetKey) -> bool:
        """Whether any row refers by this foreign key."""
        filled = " AND ".join(f"{quote(column)} IS NOT NULL" for column in key.columns)
        name = ddl.at(_SPELLING, key.child)
        return bool(self._value(f"SELECT count(*) > 0 FROM {name} WHERE {filled}"))

    def _make(self, job: Job, table: PlannedTable) -> None:
        self.raw.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(str(table.place.schema))}")
        for f in table.schema:
            if is_numbered(ddl.column_of(table, f.name), f):
                sequence = ddl.at(_SPELLING, sequence_of(table, f.name))
                following = max([0, *extremes(job, table, f.name)]) + 1
                self.raw.execute(f"CREATE OR REPLACE SEQUENCE {sequence} START {following}")
        keys = [*ddl.keys(_SPELLING, table), *self._foreign_keys(job, table)]
        self.raw.execute(ddl.create_table(DuckdbSpelling(job.plan), table, keys))
        for statement in comments(table):
            self.raw.execute(statement)

    def _foreign_keys(self, job: Job, table: PlannedTable) -> list[str]:
        later = job.plan.closing()
        return [
            ddl.foreign_key(_SPELLING, key, job.plan[key.parent])
            for key in job.plan.parents(table.name)
            if key not in later
            and job.plan[key.parent].place.schema == table.place.schema
            and not (key.child == key.parent and refers_to_itself(job, table, key))
        ]

    def _own_keys(self, job: Job, table: PlannedTable) -> list[TargetKey]:
        place = job.place(table)
        return [key for key in reflect(self.raw).foreign_keys if key.child == place]

    def _insert(self, job: Job, table: PlannedTable, source: str) -> str:
        columns = job.written(table)
        listed = ", ".join(map(quote, columns))
        name = ddl.at(_SPELLING, job.place(table))
        insert = f"INSERT INTO {name} ({listed}) SELECT {listed} FROM {source}"
        if job.mode != "upsert" or job.target(table) is None:
            return insert
        key = job.key(table)
        new = ", ".join(f"{quote(c)} = EXCLUDED.{quote(c)}" for c in columns if c not in key)
        what = f"UPDATE SET {new}" if new else "NOTHING"
        return f"{insert} ON CONFLICT {ddl.listed(_SPELLING, key)} DO {what}"

    def _value(self, query: str) -> Any:
        row = self.raw.execute(query).fetchone()
        return row[0] if row else None
