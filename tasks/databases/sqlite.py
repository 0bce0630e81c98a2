"""Feeding SQLite: one transaction in a write-ahead log, so that readers see the old rows.

It begins before the tables are looked at, so that two feeds come one after the other. Foreign keys
are switched off for this connection while rows move, and all of them are checked
before the commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from prefect_synth.tasks.databases import ddl, plain
from prefect_synth.tasks.databases.address import file_of
from prefect_synth.tasks.databases.errors import RowsRefusedError
from prefect_synth.tasks.databases.existing import Existing, TargetKey
from prefect_synth.tasks.databases.job import Job
from prefect_synth.tasks.databases.places import without_schemas
from prefect_synth.tasks.databases.plan import Place, PlannedTable
from prefect_synth.tasks.databases.reflection import reflect
from prefect_synth.tasks.databases.sqlite_ddl import SqliteSpelling, constraints
from prefect_synth.tasks.databases.sqlite_errors import told
from prefect_synth.tasks.databases.sqlite_lock import locked
from prefect_synth.tasks.warehouses.catalogue import quote

_SPELLING = SqliteSpelling()


@contextmanager
def opened(url: str) -> Iterator[SqliteTarget]:
    """Open a database and lock it against other writers, after another feed of it has ended.

    A file that is not there is made, and taken away if nothing came of it.

    Raises:
        TargetUrlError: The file is not a database.
        TargetPermissionError: It cannot be written.
        TargetConnectionError: It cannot be opened, or somebody else keeps it locked.
    """
    path = file_of(url)
    with locked(path) as (raw, connection):
        yield SqliteTarget(path, raw, connection)


@dataclass(frozen=True)
class SqliteTarget:
    """An open SQLite database.

    Args:
        path: Its file.
        raw: The driver's connection.
        connection: The same, for SQLAlchemy's inspector.
    """

    path: Path
    raw: sqlite3.Connection
    connection: Connection

    def places(self, names: Sequence[str], schema: str | None) -> Mapping[str, Place]:
        """Where each table of a snapshot goes."""
        return without_schemas(names, schema, "SQLite")

    def reflect(self, places: Sequence[Place]) -> Existing:
        """What the database has."""
        with told(self.path, "its tables are looked at"):
            return reflect(self.connection, [None], folds_case=True)

    def check_rights(self, job: Job) -> None:
        """Do nothing: whoever holds the lock may write."""

    @contextmanager
    def whole(self, job: Job) -> Iterator[None]:
        """The transaction that began when the file was opened; it is undone unless it ends here."""
        yield
        with told(self.path, "the transaction is committed"):
            self._do("COMMIT")

    def empty(self, job: Job) -> None:
        """Delete all rows; drop what is made anew."""
        for place in job.remade:
            with told(self.path, f"table '{place}' is dropped"):
                self._do(f"DROP TABLE {ddl.at(_SPELLING, place)}")
        for table in job.present():
            with told(self.path, f"old rows of '{table.place}' are deleted"):
                self._do(f"DELETE FROM {ddl.at(_SPELLING, table.place)}")

    def create(self, job: Job) -> None:
        """Create the missing tables with all their keys."""
        for table in job.missing():
            parents = [
                ddl.foreign_key(_SPELLING, key, job.plan[key.parent])
                for key in job.plan.parents(table.name)
            ]
            lines = [*constraints(table), *parents]
            with told(self.path, f"table '{table.place}' is created"):
                self._do(ddl.create_table(_SPELLING, table, lines))

    def fill(self, job: Job, tables: Sequence[PlannedTable]) -> None:
        """Load rows, a batch at a time."""
        for table in tables:
            insert = self._insert(job, table)
            for batch in job.batches(table):
                values = (plain.plain(column).to_pylist() for column in batch.columns)
                with told(self.path, f"table '{table.place}' is loaded"):
                    self.raw.executemany(insert, zip(*values, strict=True))

    def finish(self, job: Job) -> None:
        """Index the foreign keys of new tables and check all of them."""
        for table in job.missing():
            for columns in {key.child_columns for key in job.plan.parents(table.name)}:
                if ddl.wants_index(table, columns):
                    name = quote(f"ix_{table.place.name}_{'_'.join(columns)}")
                    where = f"{ddl.at(_SPELLING, table.place)} {ddl.listed(_SPELLING, columns)}"
                    with told(self.path, f"table '{table.place}' is indexed"):
                        self._do(f"CREATE INDEX IF NOT EXISTS {name} ON {where}")
        with told(self.path, "the foreign keys are checked"):
            self._check_keys(job)

    def count(self, place: Place) -> int:
        """How many rows a table has."""
        return int(str(self._value(f"SELECT count(*) FROM {ddl.at(_SPELLING, place)}")))

    def refers(self, key: TargetKey) -> bool:
        """Whether any row refers by this foreign key."""
        filled = " AND ".join(f"{quote(column)} IS NOT NULL" for column in key.columns)
        name = ddl.at(_SPELLING, key.child)
        return bool(self._value(f"SELECT EXISTS (SELECT 1 FROM {name} WHERE {filled})"))

    def _insert(self, job: Job, table: PlannedTable) -> str:
        columns = job.written(table)
        insert = (
            f"INSERT INTO {ddl.at(_SPELLING, table.place)} {ddl.listed(_SPELLING, columns)} "
            f"VALUES ({', '.join('?' * len(columns))})"
        )
        if job.mode != "upsert":
            return insert
        key = job.key(table)
        new = ", ".join(f"{quote(c)} = excluded.{quote(c)}" for c in columns if c not in key)
        what = f"UPDATE SET {new}" if new else "NOTHING"
        return f"{insert} ON CONFLICT {ddl.listed(_SPELLING, key)} DO {what}"

    def _check_keys(self, job: Job) -> None:
        """Check all foreign keys; what is wrong between other tables was so before."""
        ours = {place.name.lower() for place in job.places()}
        for child, _, parent, _ in self.raw.execute("PRAGMA foreign_key_check"):
            if {child.lower(), parent.lower()} & ours:
                raise RowsRefusedError(
                    f"Rows of table '{child}' refer to rows of '{parent}' that are not there. Feed "
                    "both tables, or take the foreign key away."
                )

    def _do(self, *statements: str) -> None:
        for statement in statements:
            self.raw.execute(statement)

    def _value(self, query: str) -> object:
        return self.raw.execute(query).fetchone()[0]
