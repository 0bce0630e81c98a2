"""Feeding MySQL and MariaDB (InnoDB): one transaction for the rows, one RENAME for new tables.

MySQL commits at every CREATE TABLE. So missing tables are made and filled under other names, and
all of them appear by one statement, whose rights are asked for before any row moves. Foreign keys
are not looked at while rows move, and every one of them is checked by a query before the commit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pymysql
from pymysql.constants import ER
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from prefect_synth.tasks.databases import ddl
from prefect_synth.tasks.databases.errors import (
    FeedError,
    TargetConnectionError,
)
from prefect_synth.tasks.databases.existing import Existing, TargetKey
from prefect_synth.tasks.databases.job import Job
from prefect_synth.tasks.databases.mysql_aside import (
    KINDS_OF_TABLES,
    aside_name,
    check_kinds,
    left_over,
)
from prefect_synth.tasks.databases.mysql_connection import connected
from prefect_synth.tasks.databases.mysql_ddl import (
    TABLE_OPTIONS,
    MysqlSpelling,
    at,
    literal,
    quoted,
)
from prefect_synth.tasks.databases.mysql_errors import told
from prefect_synth.tasks.databases.mysql_rows import insert_into, listed, merge, values_of
from prefect_synth.tasks.databases.orphans import keys_of, orphan_query, orphaned
from prefect_synth.tasks.databases.places import without_schemas
from prefect_synth.tasks.databases.plan import Place, PlannedTable
from prefect_synth.tasks.databases.reflection import reflect

_SESSION = (
    "SET SESSION foreign_key_checks = 0, SESSION time_zone = '+00:00', "
    "SESSION innodb_lock_wait_timeout = 60, SESSION lock_wait_timeout = 60, "
    "SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO'"
)
_ONE_FEED_AT_A_TIME = "SELECT GET_LOCK(concat('prefect_synth.feed.', md5(database())), 60)"
_LOCKING = " LOCK IN SHARE MODE"  # understood by MariaDB and by every MySQL


@contextmanager
def opened(url: str) -> Iterator[MysqlTarget]:
    """Open a database, after another feed of it has ended.

    Raises:
        TargetUrlError: The URL cannot be read or names no database.
        TargetConnectionError: There is no connection, or another feed takes too long.
    """
    raw = connected(url)
    engine = create_engine("mysql+pymysql://", creator=lambda: raw, poolclass=StaticPool)
    try:
        with told(url, "the session is opened"), raw.cursor() as cursor:
            cursor.execute(_SESSION)
        with engine.connect() as connection:
            target = MysqlTarget(raw, connection, url)
            target.wait()
            yield target
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
    _incoming: dict[Place, str] = field(default_factory=dict)

    def wait(self) -> None:
        """Wait for another feed of this database, and clear away what a killed one left.

        Raises:
            TargetConnectionError: The other one does not end.
        """
        with told(self.url, "another feed is waited for"):
            if not self._value(_ONE_FEED_AT_A_TIME):
                raise TargetConnectionError(
                    "Another feed of this MySQL database is going on. Wait for its end, then feed "
                    "again."
                )
        with told(self.url, "tables of a killed feed are dropped"):
            names = left_over(name for name, *_ in self._rows(KINDS_OF_TABLES))
            self._do(*(f"DROP TABLE {quoted(name)}" for name in names))

    def places(self, names: Sequence[str], schema: str | None) -> Mapping[str, Place]:
        """Where each table of a snapshot goes."""
        return without_schemas(names, schema, "MySQL")

    def reflect(self, places: Sequence[Place]) -> Existing:
        """What the database has."""
        with told(self.url, "its tables are looked at"):
            return reflect(self.connection, [None], folds_case=True)

    def check_rights(self, job: Job) -> None:
        """See that every table can undo what fails, and that new ones can get their names.

        MySQL itself names any other missing right, at a statement that can be undone.

        Raises:
            TargetSchemaError: A table is not InnoDB's, or a view has a new table's name.
            TargetPermissionError: A right that new tables need is missing.
        """
        with told(self.url, "its tables are looked at"):
            check_kinds(job, self._rows(KINDS_OF_TABLES))
        if job.missing():
            there, back = quoted(aside_name("probe", 0)), quoted(aside_name("probe", 1))
            with told(self.url, "the rights to create tables are asked for"):
                self._do(f"DROP TABLE IF EXISTS {there}")
                try:  # rights are looked at before it is seen that no such table is there
                    self._do(f"RENAME TABLE {there} TO {back}")
                except pymysql.Error as error:
                    if error.args[0] not in (ER.NO_SUCH_TABLE, ER.FILE_NOT_FOUND):
                        raise

    @contextmanager
    def whole(self, job: Job) -> Iterator[None]:
        """One transaction for rows; new tables get their names after it, by one statement."""
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
            into = self._incoming.get(table.place) or self._name(job.place(table))
            insert = insert_into(into, job.written(table))
            for batch in job.batches(table):
                values = [values_of(table, f.name, batch.column(f.name)) for f in batch.schema]
                with told(self.url, f"table '{table.place}' is loaded"):
                    self._insert_many(insert, list(zip(*values, strict=True)))
            if table.place in self._incoming:
                with told(self.url, f"table '{table.place}' is updated"):
                    self._merge(job, table)

    def finish(self, job: Job) -> None:
        """Check all foreign keys; InnoDB numbers on after the highest number by itself."""
        fed = {job.place(table) for table in job.plan.tables}
        for key in keys_of(job):
            child, parent = self._name(key.child), self._name(key.parent)
            # of a table that is not fed, the rows as they are now count, not as we began
            locking = "" if {key.child, key.parent} <= fed else _LOCKING
            with told(self.url, "the foreign keys are checked"):
                if self._value(orphan_query(key, child, parent, quoted, locking)):
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
        """Create missing tables under other names, and such for rows that are to be merged."""
        with told(self.url, "tables are created"):
            spelling = MysqlSpelling(job.plan)
            for number, table in enumerate(job.missing()):
                self._aside[table.place] = aside_name("new", number)
            for table in job.missing():
                comment = table.meaning.comment
                said = f" COMMENT {literal(comment)}" if comment else ""
                self._do(self._create(job, spelling, table) + f" {TABLE_OPTIONS}{said}")
            for number, table in enumerate(job.present() if job.mode == "upsert" else ()):
                incoming, columns = quoted(aside_name("in", number)), listed(job.written(table))
                self._incoming[table.place] = incoming
                self._do(
                    f"CREATE TEMPORARY TABLE {incoming} ENGINE=InnoDB "
                    f"SELECT {columns} FROM {self._name(job.place(table))} WHERE FALSE"
                )
            self.raw.commit()

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
        """Give new tables their names by one statement, and drop those that had them.

        Raises:
            FeedError: They did not get them, although rows of other tables are committed.
        """
        gone = {place.name: aside_name("old", n) for n, place in enumerate(job.remade)}
        moves = list(gone.items())
        moves += [(aside, place.name) for place, aside in self._aside.items()]
        try:
            with told(self.url, "new tables get their names"):
                rename = ", ".join(f"{quoted(a)} TO {quoted(b)}" for a, b in moves)
                self._do(f"RENAME TABLE {rename}")
        except FeedError as error:
            if not job.present():
                raise
            raise type(error)(
                f"{error} The tables that were there hold the new rows already, those that were to "
                "be created are not there: feed again."
            ) from None
        self._aside.clear()
        with suppress(pymysql.Error):  # the next feed tries again
            self._do(*(f"DROP TABLE {quoted(name)}" for name in gone.values()))

    def _drop_aside(self) -> None:
        for name in self._aside.values():
            with suppress(pymysql.Error):  # the next feed tries again
                self._do(f"DROP TABLE IF EXISTS {quoted(name)}")

    def _merge(self, job: Job, table: PlannedTable) -> None:
        """Update rows of the same primary key, insert the others.

        ON DUPLICATE KEY UPDATE would change another row that holds the same value of any other
        unique key, which must be refused.
        """
        there, incoming = self._name(job.place(table)), self._incoming[table.place]
        self._do(*merge(there, incoming, job.key(table), job.written(table)))

    def _insert_many(self, insert: str, values: list[tuple[Any, ...]]) -> None:
        with self.raw.cursor() as cursor:
            cursor.executemany(insert, values)

    def _name(self, place: Place) -> str:
        """A table's quoted name, which is another one until new tables appear."""
        return quoted(self._aside[place]) if place in self._aside else at(place)

    def _do(self, *statements: str) -> None:
        with self.raw.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def _rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        with self.raw.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    def _value(self, query: str) -> Any:
        found = self._rows(query)
        return found[0][0] if found else None
