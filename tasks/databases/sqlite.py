"""Feeding SQLite: one transaction in a write-ahead log, so that readers see the old rows.

Foreign keys are switched off for this connection while rows move, and all of them are checked
before the commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from prefect_synth.tasks.databases import ddl, plain
from prefect_synth.tasks.databases.address import file_of
from prefect_synth.tasks.databases.errors import (
    FeedError,
    RowsRefusedError,
    TargetConnectionError,
    TargetPermissionError,
    TargetSchemaError,
)
from prefect_synth.tasks.databases.existing import Existing, TargetKey
from prefect_synth.tasks.databases.job import Job
from prefect_synth.tasks.databases.places import without_schemas
from prefect_synth.tasks.databases.plan import Place, PlannedTable
from prefect_synth.tasks.databases.reflection import reflect
from prefect_synth.tasks.databases.sqlite_ddl import SqliteSpelling, constraints
from prefect_synth.tasks.warehouses.catalogue import quote

_SECONDS_TO_WAIT = 30.0
_SPELLING = SqliteSpelling()


@contextmanager
def opened(url: str) -> Iterator[SqliteTarget]:
    """Open a database; a file that is not there is made, and taken away if nothing came of it.

    Raises:
        TargetConnectionError: The file cannot be opened.
    """
    path = file_of(url)
    is_new = not path.exists()
    with _told(path, "it is opened"):
        raw = sqlite3.connect(path, timeout=_SECONDS_TO_WAIT, isolation_level=None)
    engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool)
    fed = False
    try:
        with engine.connect() as connection:
            yield SqliteTarget(path, raw, connection)
        fed = True
    finally:
        engine.dispose()
        raw.close()
        if is_new and not fed:
            path.unlink(missing_ok=True)


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
        with _told(self.path, "its tables are looked at"):
            return reflect(self.connection, [None], folds_case=True)

    def check_rights(self, job: Job) -> None:
        """See that the file can be written, by taking its lock for a moment.

        Raises:
            TargetPermissionError: It cannot be written.
        """
        with _told(self.path, "its lock is taken"):
            self._do("BEGIN IMMEDIATE", "ROLLBACK")

    @contextmanager
    def whole(self, job: Job) -> Iterator[None]:
        """One transaction, in a write-ahead log: readers neither wait nor see half."""
        with _told(self.path, "the feeding begins"):
            before = self._value("PRAGMA journal_mode")
            self._do("PRAGMA journal_mode = wal", "PRAGMA foreign_keys = OFF", "BEGIN IMMEDIATE")
        try:
            yield
            with _told(self.path, "the transaction is committed"):
                self._do("COMMIT")
        finally:
            if self.raw.in_transaction:
                self._do("ROLLBACK")
            self._journal_as_before(str(before))

    def empty(self, job: Job) -> None:
        """Delete all rows; drop what is made anew."""
        for place in job.remade:
            with _told(self.path, f"table '{place}' is dropped"):
                self._do(f"DROP TABLE {ddl.at(_SPELLING, place)}")
        for table in job.present():
            with _told(self.path, f"old rows of '{table.place}' are deleted"):
                self._do(f"DELETE FROM {ddl.at(_SPELLING, table.place)}")

    def create(self, job: Job) -> None:
        """Create the missing tables with all their keys."""
        for table in job.missing():
            parents = [
                ddl.foreign_key(_SPELLING, key, job.plan[key.parent])
                for key in job.plan.parents(table.name)
            ]
            lines = [*constraints(table), *parents]
            with _told(self.path, f"table '{table.place}' is created"):
                self._do(ddl.create_table(_SPELLING, table, lines))

    def fill(self, job: Job, tables: Sequence[PlannedTable]) -> None:
        """Load rows, a batch at a time."""
        for table in tables:
            insert = self._insert(job, table)
            for batch in job.batches(table):
                values = (plain.plain(column).to_pylist() for column in batch.columns)
                with _told(self.path, f"table '{table.place}' is loaded"):
                    self.raw.executemany(insert, zip(*values, strict=True))

    def finish(self, job: Job) -> None:
        """Index the foreign keys of new tables and check all of them."""
        for table in job.missing():
            for columns in {key.child_columns for key in job.plan.parents(table.name)}:
                if ddl.wants_index(table, columns):
                    name = quote(f"ix_{table.place.name}_{'_'.join(columns)}")
                    where = f"{ddl.at(_SPELLING, table.place)} {ddl.listed(_SPELLING, columns)}"
                    with _told(self.path, f"table '{table.place}' is indexed"):
                        self._do(f"CREATE INDEX IF NOT EXISTS {name} ON {where}")
        with _told(self.path, "the foreign keys are checked"):
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

    def _journal_as_before(self, mode: str) -> None:
        """Give the file its kind of journal back; while others read, it keeps the log."""
        try:
            self._do(f"PRAGMA journal_mode = {mode}", "PRAGMA foreign_keys = ON")
        except sqlite3.OperationalError:
            return

    def _do(self, *statements: str) -> None:
        for statement in statements:
            self.raw.execute(statement)

    def _value(self, query: str) -> object:
        return self.raw.execute(query).fetchone()[0]


@contextmanager
def _told(path: Path, about: str) -> Iterator[None]:
    """Raise our own error for the driver's, without the values that it may quote."""
    try:
        yield
    except (sqlite3.Error, OverflowError) as error:
        raise _meaning(error, path, about) from None


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
    if code.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return TargetConnectionError(f"SQLite failed in {where} while {about}: {error}.")
    return TargetSchemaError(f"SQLite refused while {about} in {where}: {error}.")
