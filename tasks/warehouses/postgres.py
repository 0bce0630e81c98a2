"""PostgreSQL as a warehouse: reflection by SQLAlchemy, bulk by ADBC, one snapshot for all."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as adbc
import psycopg
import pyarrow as pa
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from prefect_synth.synth.metadata import Metadata
from prefect_synth.tasks.warehouses.catalogue import Catalogue
from prefect_synth.tasks.warehouses.choice import choose_tables
from prefect_synth.tasks.warehouses.errors import (
    ConnectionFailed,
    QueryFailed,
    UnrepresentableValue,
    without_values,
)
from prefect_synth.tasks.warehouses.postgres_reflection import read_catalogue
from prefect_synth.tasks.warehouses.postgres_roles import refuse_writable_role
from prefect_synth.tasks.warehouses.reader import SqlSnapshot
from prefect_synth.tasks.warehouses.url import postgres_uri, redact, scrub

_READER_SETTINGS = (
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL DateStyle = 'ISO'",
    # rows of a table without a key come in the same order every time
    "SET LOCAL synchronize_seqscans = off",
    "SET LOCAL max_parallel_workers_per_gather = 0",
)


class PostgresWarehouse:
    """A PostgreSQL database, read in read-only transactions.

    Args:
        url: `postgresql://user:password@host:port/database`.
        allow_writable: Accept a role that can write.

    Raises:
        InvalidUrl: The URL cannot be read.
        ConnectionFailed: The server is not there, or refuses the role.
    """

    def __init__(self, url: str, *, allow_writable: bool = False) -> None:
        self._uri = postgres_uri(url)
        self._shown = redact(url)
        self._allow_writable = allow_writable
        self._lock = threading.Lock()
        self._known: Catalogue | None = None
        self._engine = create_engine(
            "postgresql+psycopg://", creator=self._connect, poolclass=NullPool
        )
        self._connect().close()

    def reflect(
        self,
        schemas: Sequence[str] | None = None,
        include: Sequence[str] = ("*",),
        exclude: Sequence[str] = (),
    ) -> Metadata:
        """What the catalogue says of tables, keys and relationships."""
        catalogue = self._catalogue()
        return catalogue.metadata(choose_tables(catalogue, schemas, include, exclude))

    def schemas(self, metadata: Metadata) -> dict[str, pa.Schema]:
        """The exact Arrow schema of each table."""
        return self._catalogue().schemas(metadata)

    def check_read_only(self) -> None:
        """Refuse a role that could change the database, unless that was allowed.

        Raises:
            WritableRoleError: The role can write; the message says what, and how to make one that
                cannot.
        """
        if not self._allow_writable:
            with self._engine.connect() as connection:
                refuse_writable_role(connection)

    @contextmanager
    def snapshot(self) -> Iterator[PostgresSnapshot]:
        """One exported snapshot that every reader joins, so that all tables are of one instant.

        The leading connection stays open meanwhile, which holds back vacuum on the server.

        Raises:
            WritableRoleError: The role can write.
        """
        self.check_read_only()
        catalogue = self._catalogue()
        with self._connect() as lead:
            lead.execute("SET idle_in_transaction_session_timeout = 0")
            lead.commit()
            lead.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            lead.read_only = True
            exported = lead.execute("SELECT pg_export_snapshot()").fetchone()
            try:
                yield PostgresSnapshot(catalogue, self._uri, str(exported and exported[0]))
            finally:
                lead.rollback()

    def close(self) -> None:
        """Nothing stays open between two uses."""
        self._engine.dispose()

    def _connect(self) -> psycopg.Connection:
        try:
            return psycopg.connect(self._uri)
        except psycopg.Error as error:
            # not `from` the error: its text is not ours to vouch for
            raise ConnectionFailed(
                f"Cannot connect to {self._shown}: {scrub(str(error), self._uri)} "
                "Check host, port, database, user and password in warehouse.url."
            ) from None

    def _catalogue(self) -> Catalogue:
        with self._lock:
            if self._known is None:
                try:
                    with self._engine.connect() as connection:
                        self._known = read_catalogue(connection)
                except DBAPIError as error:
                    raise QueryFailed(
                        f"The catalogue of {self._shown} cannot be read: {error.orig}"
                    ) from error
            return self._known


class PostgresSnapshot(SqlSnapshot):
    """One instant of a PostgreSQL database; every query has a connection of its own."""

    def __init__(self, catalogue: Catalogue, uri: str, snapshot: str) -> None:
        super().__init__(catalogue, collation=' COLLATE "C"')
        self._uri = uri
        self._snapshot = snapshot

    @contextmanager
    def _query(
        self, sql: str, about: str, spill: Path | None = None
    ) -> Iterator[Iterator[pa.RecordBatch]]:
        try:
            with adbc.connect(self._uri) as connection, connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                cursor.execute(f"SET TRANSACTION SNAPSHOT '{self._snapshot}'")
                for setting in _READER_SETTINGS:
                    cursor.execute(setting)
                cursor.execute(sql)
                yield iter(cursor.fetch_record_batch())
        except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
            raise _explained(scrub(str(error), self._uri), about) from None


def _explained(reason: str, about: str) -> QueryFailed | UnrepresentableValue:
    flattened = re.search("column (.*) is an array of several dimensions", reason)
    if flattened:
        return UnrepresentableValue(
            f"Column '{flattened[1]}' of {about} holds an array of several dimensions, which "
            "would be flattened. Cast it in a view, or exclude the column in synth.yaml."
        )
    return QueryFailed(f"PostgreSQL could not read {about}: {without_values(reason)}")
