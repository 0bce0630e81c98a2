"""Feeding PostgreSQL: one transaction, so that readers see the old rows until it is committed.

Rows that are there are deleted, not truncated: a reader is neither blocked nor shown an empty
table. New tables get their keys after their rows, which is quicker and knows no cycles. Into
existing tables the rows of a cycle go by one statement, at whose end its keys are checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from prefect_synth.tasks.databases import ddl
from prefect_synth.tasks.databases.address import server_uri
from prefect_synth.tasks.databases.errors import TargetConnectionError
from prefect_synth.tasks.databases.existing import Existing, TargetKey
from prefect_synth.tasks.databases.job import Job
from prefect_synth.tasks.databases.places import with_schemas
from prefect_synth.tasks.databases.plan import Place, PlannedTable
from prefect_synth.tasks.databases.postgres_aside import aside, check_schemas, take_places
from prefect_synth.tasks.databases.postgres_copy import csv_of
from prefect_synth.tasks.databases.postgres_ddl import (
    PostgresSpelling,
    comments,
    foreign_keys,
    keys,
)
from prefect_synth.tasks.databases.postgres_errors import connection_error, told
from prefect_synth.tasks.databases.postgres_indexes import HelperIndexes
from prefect_synth.tasks.databases.postgres_names import shortened
from prefect_synth.tasks.databases.postgres_numbering import go_on_numbering
from prefect_synth.tasks.databases.postgres_rights import check_rights
from prefect_synth.tasks.databases.postgres_types import drop_unused, known_types
from prefect_synth.tasks.databases.reflection import reflect
from prefect_synth.tasks.warehouses.catalogue import quote
from prefect_synth.tasks.warehouses.postgres_reflection import USER_SCHEMA

_ONE_FEED_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('prefect_synth.feed'))"
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '60s'"


@contextmanager
def opened(url: str) -> Iterator[PostgresTarget]:
    """Open a database; two feeds of one come one after the other.

    Raises:
        TargetConnectionError: There is no connection, or another feed takes too long.
    """
    uri = server_uri(url)
    try:
        # statements and rows are written in UTF-8, whatever the database or PGCLIENTENCODING says
        raw = psycopg.connect(uri, client_encoding="utf8")
    except psycopg.Error as error:
        raise connection_error(error, uri) from None  # its text may hold the password
    engine = create_engine("postgresql+psycopg://", creator=lambda: raw, poolclass=StaticPool)
    try:
        with engine.connect() as connection:
            # before anything is looked at, and until the transaction ends
            with told(uri, "another feed is waited for"):
                raw.execute(_LOCK_TIMEOUT)
                raw.execute(_ONE_FEED_AT_A_TIME)
            yield PostgresTarget(raw, connection, uri)
    finally:
        engine.dispose()
        raw.close()


@dataclass
class PostgresTarget:
    """An open PostgreSQL database.

    Args:
        raw: The driver's connection.
        connection: The same, for SQLAlchemy's inspector.
        uri: Its address, with password.
    """

    raw: psycopg.Connection[Any]
    connection: Connection
    uri: str
    _spelling: PostgresSpelling = field(default_factory=PostgresSpelling)

    def places(self, names: Sequence[str], schema: str | None) -> Mapping[str, Place]:
        """Where each table of a snapshot goes."""
        default = self._value("SELECT coalesce(current_schema(), 'public')")
        return with_schemas(names, schema, str(default))

    def reflect(self, places: Sequence[Place]) -> Existing:
        """What the database has, system schemas apart."""
        found = self.raw.execute(f"SELECT nspname FROM pg_namespace n WHERE {USER_SCHEMA}".encode())
        schemas = [str(row[0]) for row in found.fetchall()]
        return reflect(self.connection, schemas)

    def check_rights(self, job: Job) -> None:
        """See that this role may do what feeding needs.

        Raises:
            TargetPermissionError: A right is missing.
            TargetSchemaError: A name that is needed for a while is taken.
        """
        with told(self.uri, "the rights are checked"):
            check_rights(self.raw, job)
            check_schemas(self.raw, job)

    @contextmanager
    def whole(self, job: Job) -> Iterator[None]:
        """One transaction, which began when the database was opened."""
        helpers = HelperIndexes(self.raw)
        try:
            with told(self.uri, "the feeding begins"):
                self._do("SET CONSTRAINTS ALL DEFERRED")
            if job.mode == "replace":
                with told(self.uri, "indexes for the deletion are made"):
                    helpers.create(job.foreign_keys())
            yield
            with told(self.uri, "the transaction is committed"):
                self.raw.commit()
        except BaseException:
            if not self.raw.closed:
                self.raw.rollback()
            raise
        helpers.drop()

    def empty(self, job: Job) -> None:
        """Delete all rows by one statement, at whose end the foreign keys are checked."""
        tables = [ddl.at(self._spelling, table.place) for table in job.present()]
        if tables:
            with told(self.uri, "old rows are deleted"):
                self._do(_together([f"DELETE FROM {name}" for name in tables]))

    def create(self, job: Job) -> None:
        """Create the missing tables, with no key yet."""
        wanted, job = job.missing(), aside(job)
        missing = job.missing()
        self._spelling.homes = {
            str(a.place.schema): str(t.place.schema) for a, t in zip(missing, wanted, strict=True)
        }
        with told(self.uri, "tables are created"):
            self._spelling.taken = known_types(self.raw) | {table.place: () for table in wanted}
            tables = [ddl.create_table(self._spelling, table) for table in missing]
            self._do(
                *self._new_schemas([*wanted, *missing]), *self._spelling.create_types(), *tables
            )

    def fill(self, job: Job, tables: Sequence[PlannedTable]) -> None:
        """Load by COPY, straight or by way of temporary tables."""
        job = aside(job)
        tables = [job.plan[table.name] for table in tables]
        staged = [table for table in tables if self._needs_stage(job, table, tables)]
        for table in tables:
            name = _stage(table) if table in staged else ddl.at(self._spelling, table.place)
            with told(self.uri, f"table '{table.place}' is loaded"):
                if table in staged:
                    self._do(self._create_stage(job, table))
                self._copy(job, table, name)
        if staged:
            named = ", ".join(f"'{table.place}'" for table in staged)
            with told(self.uri, f"the rows of {named} are inserted"):
                self._do(_together([self._insert(job, table) for table in staged]))
                self._do(*(f"DROP TABLE {_stage(table)}" for table in staged))

    def finish(self, job: Job) -> None:
        """Give new tables their keys, check those that were deferred, set the sequences."""
        remade, job = job.remade, aside(job)
        missing = job.missing()
        for table in missing:
            with told(self.uri, f"table '{table.place}' gets its keys"):
                self._do(*keys(self._spelling, table))
        for table in missing:
            with told(self.uri, f"table '{table.place}' gets its foreign keys"):
                self._do(*foreign_keys(self._spelling, job.plan, table))
                self._do(*comments(self._spelling, table))
        with told(self.uri, "the foreign keys are checked"):
            self._do("SET CONSTRAINTS ALL IMMEDIATE")
        with told(self.uri, "the sequences are set"):
            places = [table.place for table in job.plan.tables]
            go_on_numbering(self.raw, places, replaced=job.mode == "replace")
        if remade:
            with told(self.uri, "new tables take the places of the old ones"):
                self._do(*take_places(self._spelling, remade, job))
                drop_unused(self.raw, list(self._spelling.homes.values()))

    def count(self, place: Place) -> int:
        """How many rows a table has."""
        with told(self.uri, f"the rows of '{place}' are counted"):
            return int(self._value(f"SELECT count(*) FROM {ddl.at(self._spelling, place)}"))

    def refers(self, key: TargetKey) -> bool:
        """Whether any row refers by this foreign key."""
        filled = " AND ".join(f"{quote(column)} IS NOT NULL" for column in key.columns)
        name = ddl.at(self._spelling, key.child)
        with told(self.uri, f"table '{key.child}' is looked at"):
            return bool(self._value(f"SELECT EXISTS (SELECT FROM {name} WHERE {filled})"))

    def _new_schemas(self, tables: Sequence[PlannedTable]) -> list[str]:
        known = {row[0] for row in self.raw.execute("SELECT nspname FROM pg_namespace")}
        wanted = dict.fromkeys(str(table.place.schema) for table in tables)
        return [f"CREATE SCHEMA {quote(name)}" for name in wanted if name not in known]

    def _needs_stage(self, job: Job, table: PlannedTable, group: Sequence[PlannedTable]) -> bool:
        """Whether a plain COPY would break a key or cannot update: rows go by a temporary table."""
        if job.target(table) is None:
            return False
        places = {other.place for other in group}
        inner = [k for k in job.foreign_keys() if {k.child, k.parent} <= places]
        circle = len(group) > 1 and not all(k.deferrable for k in inner)
        return job.mode == "upsert" or circle

    def _create_stage(self, job: Job, table: PlannedTable) -> str:
        columns = ", ".join(map(quote, job.written(table)))
        return (
            f"CREATE TEMPORARY TABLE {_stage(table)} ON COMMIT DROP AS "
            f"SELECT {columns} FROM {ddl.at(self._spelling, table.place)} WITH NO DATA"
        )

    def _copy(self, job: Job, table: PlannedTable, name: str) -> None:
        into = f"{name} {ddl.listed(self._spelling, job.written(table))}"
        with (
            self.raw.cursor() as cursor,
            cursor.copy(f"COPY {into} FROM STDIN (FORMAT csv)") as copy,
        ):
            for batch in job.batches(table):
                copy.write(csv_of(batch))

    def _insert(self, job: Job, table: PlannedTable) -> str:
        columns = job.written(table)
        listed = ", ".join(map(quote, columns))
        insert = (
            f"INSERT INTO {ddl.at(self._spelling, table.place)} ({listed}) OVERRIDING SYSTEM VALUE "
            f"SELECT {listed} FROM {_stage(table)}"
        )
        if job.mode != "upsert":
            return insert
        key = job.key(table)
        new = ", ".join(f"{quote(c)} = EXCLUDED.{quote(c)}" for c in columns if c not in key)
        what = f"UPDATE SET {new}" if new else "NOTHING"
        return f"{insert} ON CONFLICT {ddl.listed(self._spelling, key)} DO {what}"

    def _do(self, *statements: str) -> None:
        for statement in statements:
            self.raw.execute(statement.encode())

    def _value(self, query: str) -> Any:
        row = self.raw.execute(query.encode()).fetchone()
        if row is None:
            raise TargetConnectionError("PostgreSQL gave no answer. Feed again.")
        return row[0]


def _stage(table: PlannedTable) -> str:
    return quote(shortened(f"prefect_synth {table.name}"))


def _together(statements: Sequence[str]) -> str:
    """Several statements as one: what they break is looked at when all are done."""
    parts = ", ".join(f"s{place} AS ({text})" for place, text in enumerate(statements))
    return f"WITH {parts} SELECT 1"
