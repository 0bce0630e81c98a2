"""Feeding MySQL and MariaDB (InnoDB): one transaction for the rows, one RENAME for new tables.

MySQL commits at every CREATE TABLE. So missing tables are made and filled under other names, and
all of them appear by one statement. Foreign keys are not looked at while rows move, and every one
of them is checked by a query before the commit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pymysql
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from prefect_synth.tasks.databases import ddl, plain
from prefect_synth.tasks.databases.errors import (
    RowsRefusedError,
    TargetConnectionError,
)
from prefect_synth.tasks.databases.existing import Existing, TargetKey
from prefect_synth.tasks.databases.job import Job
from prefect_synth.tasks.databases.mysql_connection import connected
from prefect_synth.tasks.databases.mysql_ddl import TABLE_OPTIONS, MysqlSpelling, literal, quoted
from prefect_synth.tasks.databases.mysql_errors import told
from prefect_synth.tasks.databases.orphans import keys_of, orphan_query, orphaned
from prefect_synth.tasks.databases.places import without_schemas
from prefect_synth.tasks.databases.plan import Place, PlannedTable
from prefect_synth.tasks.databases.reflection import reflect

_SESSION = (
    "SET SESSION foreign_key_checks = 0, SESSION time_zone = '+00:00', "
    "SESSION innodb_lock_wait_timeout = 60, SESSION lock_wait_timeout = 60, "
    "SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO'"
)
_ONE_FEED_AT_A_TIME = "SELECT GET_LOCK('prefect_synth.feed', 60)"
_ASIDE = "prefect_synth__"
_LEFT_OVER = f"SHOW TABLES LIKE '{_ASIDE.replace('_', chr(92) + '_')}%'"


@contextmanager
def opened(url: str) -> Iterator[MysqlTarget]:
    """Open a database.

    Raises:
        TargetUrlError: The URL cannot be read or names no database.
        TargetConnectionError: There is no connection.
    """
    raw = connected(url)
    engine = create_engine("mysql+pymysql://", creator=lambda: raw, poolclass=StaticPool)
    try:
        with told(url, "the session is opened"), raw.cursor() as cursor:
            cursor.execute(_SESSION)
        with engine.connect() as connection:
            yield MysqlTarget(raw, connection, url)
    finally:
        engine.dispose()
        if raw.open:
            raw.close()


@dataclass
class MysqlTarget:
    """An open MySQL or MariaDB database.

    Args:
        raw: The driver's connection.
        connection: The same, for SQLAlchemy's inspector.
        url: Its address, with password.
    """

    raw: pymysql.Connection[Any]
    connection: Connection
    url: str
    _aside: dict[Place, str] = field(default_factory=dict)

    def places(self, names: Sequence[str], schema: str | None) -> Mapping[str, Place]:
        """Where each table of a snapshot goes."""
        return without_schemas(names, schema, "MySQL")

    def reflect(self, places: Sequence[Place]) -> Existing:
        """What the database has."""
        with told(self.url, "its tables are looked at"):
            return reflect(self.connection, [None], folds_case=True)

    def check_rights(self, job: Job) -> None:
        """Do nothing: MySQL itself names the missing right at the first statement that needs it."""

    @contextmanager
    def whole(self, job: Job) -> Iterator[None]:
        """One transaction for rows; new tables get their names after it, by one statement."""
        with told(self.url, "another feed is waited for"):
            if not self._value(_ONE_FEED_AT_A_TIME):
                raise TargetConnectionError(
                    "Another feed of this MySQL server is going on. Wait for its end, then feed "
                    "again."
                )
        try:
            self._make_aside(job)
            yield
            with told(self.url, "the transaction is committed"):
                self.raw.commit()
                if self._aside:
                    self._take_places(job)
        finally:
            if self.raw.open:
                self.raw.rollback()
                self._drop_aside()

    def empty(self, job: Job) -> None:
        """Delete all rows."""
        for table in job.present():
            with told(self.url, f"old rows of '{table.place}' are deleted"):
                self._do(f"DELETE FROM {self._name(job.place(table))}")

    def create(self, job: Job) -> None:
        """Do nothing: MySQL would commit here, so it was done when the feeding began."""

    def fill(self, job: Job, tables: Sequence[PlannedTable]) -> None:
        """Load rows by statements of many rows each."""
        for table in tables:
            insert = self._insert(job, table)
            for batch in job.batches(table):
                values = [_values(table, f.name, batch.column(f.name)) for f in batch.schema]
                with told(self.url, f"table '{table.place}' is loaded"):
                    self._insert_many(insert, list(zip(*values, strict=True)))

    def finish(self, job: Job) -> None:
        """Check all foreign keys; InnoDB numbers on after the highest number by itself."""
        for key in keys_of(job):
            child, parent = self._name(key.child), self._name(key.parent)
            with told(self.url, "the foreign keys are checked"):
                if self._value(orphan_query(key, child, parent, quoted)):
                    raise orphaned(key)

    def count(self, place: Place) -> int:
        """How many rows a table has."""
        with told(self.url, f"the rows of '{place}' are counted"):
            return int(self._value(f"SELECT count(*) FROM {self._name(place)}"))

    def refers(self, key: TargetKey) -> bool:
        """Whether any row refers by this foreign key."""
        filled = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in key.columns)
        with told(self.url, f"table '{key.child}' is looked at"):
            query = f"SELECT EXISTS (SELECT 1 FROM {self._name(key.child)} WHERE {filled})"
            return bool(self._value(query))

    def _make_aside(self, job: Job) -> None:
        """Create missing tables under other names, after those that a killed feed left."""
        with told(self.url, "tables are created"):
            with self.raw.cursor() as cursor:
                cursor.execute(_LEFT_OVER)
                left = [row[0] for row in cursor.fetchall()]
            self._do(*(f"DROP TABLE {quoted(name)}" for name in left))
            spelling = MysqlSpelling(job.plan)
            for number, table in enumerate(job.missing()):
                self._aside[table.place] = f"{_ASIDE}{number}"
            for table in job.missing():
                comment = table.meaning.comment
                said = f" COMMENT {literal(comment)}" if comment else ""
                self._do(self._create(job, spelling, table) + f" {TABLE_OPTIONS}{said}")

    def _create(self, job: Job, spelling: MysqlSpelling, table: PlannedTable) -> str:
        foreign = [
            f"FOREIGN KEY {ddl.listed(spelling, key.child_columns)} REFERENCES "
            f"{self._name(job.plan[key.parent].place)} {ddl.listed(spelling, key.parent_columns)}"
            for key in job.plan.parents(table.name)
        ]
        made = ddl.create_table(spelling, table, [*ddl.keys(spelling, table), *foreign])
        head = f"CREATE TABLE {quoted(table.place.name)}"
        return f"CREATE TABLE {self._name(table.place)}{made.removeprefix(head)}"

    def _take_places(self, job: Job) -> None:
        """Give new tables their names by one statement, and drop those that had them."""
        gone = {place.name: f"{_ASIDE}old_{n}" for n, place in enumerate(job.remade)}
        moves = list(gone.items())
        moves += [(aside, place.name) for place, aside in self._aside.items()]
        self._do(f"RENAME TABLE {', '.join(f'{quoted(a)} TO {quoted(b)}' for a, b in moves)}")
        self._aside.clear()
        self._do(*(f"DROP TABLE {quoted(name)}" for name in gone.values()))

    def _drop_aside(self) -> None:
        for name in self._aside.values():
            with suppress(pymysql.Error):  # the next feed tries again
                self._do(f"DROP TABLE IF EXISTS {quoted(name)}")

    def _insert(self, job: Job, table: PlannedTable) -> str:
        columns = job.written(table)
        listed = ", ".join(map(quoted, columns))
        into = f"INSERT INTO {self._name(job.place(table))} ({listed})".replace("%", "%%")
        insert = f"{into} VALUES ({', '.join(['%s'] * len(columns))})"
        if job.mode != "upsert" or job.target(table) is None:
            return insert
        key = job.key(table)
        written = [c for c in columns if c not in key] or [columns[0]]
        new = ", ".join(f"{quoted(c)} = VALUES({quoted(c)})" for c in written)
        return f"{insert} ON DUPLICATE KEY UPDATE {new}"

    def _insert_many(self, insert: str, values: list[tuple[Any, ...]]) -> None:
        with self.raw.cursor() as cursor:
            cursor.executemany(insert, values)

    def _name(self, place: Place) -> str:
        """A table's quoted name, which is another one until new tables appear."""
        return quoted(self._aside.get(place, place.name))

    def _do(self, *statements: str) -> None:
        with self.raw.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def _value(self, query: str) -> Any:
        with self.raw.cursor() as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
        return row[0] if row else None


def _values(table: PlannedTable, column: str, array: pa.Array) -> list[Any]:
    if pa.types.is_floating(array.type) and pc.any(pc.invert(pc.is_finite(array))).as_py():
        raise RowsRefusedError(
            f"Column '{table.name}.{column}' holds infinity or NaN, for which MySQL has no value. "
            "Feed another kind of database, or leave the column out of the project."
        )
    if pa.types.is_timestamp(array.type) and array.type.tz:
        array = plain.naive_utc(array)
    found: list[Any] = plain.plain(array).to_pylist()
    return found
