"""PostgreSQL as a warehouse: reflection by SQLAlchemy, bulk by ADBC, one snapshot for all."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as adbc
import psycopg
import pyarrow as pa
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from prefect_synth.synth.metadata import Metadata
from prefect_synth.tasks.warehouses.catalogue import Catalogue, CatalogueTable
from prefect_synth.tasks.warehouses.choice import choose_tables
from prefect_synth.tasks.warehouses.errors import ConnectionFailed
from prefect_synth.tasks.warehouses.postgres_errors import reading_error
from prefect_synth.tasks.warehouses.postgres_reflection import read_catalogue
from prefect_synth.tasks.warehouses.postgres_roles import refuse_writable_role
from prefect_synth.tasks.warehouses.reader import SAMPLE_SEED, SqlSnapshot
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
        self._accepted: Catalogue | None = None
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
        catalogue = self._in_force()
        return catalogue.metadata(choose_tables(catalogue, schemas, include, exclude))

    def schemas(self, metadata: Metadata) -> dict[str, pa.Schema]:
        """The exact Arrow schema of each table."""
        return self._in_force().schemas(metadata)

    def check_read_only(self) -> None:
        """Refuse a role that could change the database, unless that was allowed.

        Raises:
            WritableRoleError: The role can write; the message says what, and how to make one that
                cannot.
        """
        if not self._allow_writable:
            with self._reading("the role's rights"), self._engine.connect() as connection:
                refuse_writable_role(connection)

    @contextmanager
    def snapshot(self) -> Iterator[PostgresSnapshot]:
        """One exported snapshot that every reader joins, so that all tables are of one instant.

        The leading connection stays open meanwhile, which holds back vacuum on the server.

        Raises:
            WritableRoleError: The role can write.
            ConnectionFailed: The server is not there any more.
        """
        self.check_read_only()
        catalogue = self._in_force()
        # closed, not rolled back: the server may have ended it before
        with closing(self._connect()) as lead:
            yield PostgresSnapshot(catalogue, self._uri, self._export(lead), lead)

    def _export(self, lead: psycopg.Connection) -> str:
        with self._reading("the snapshot's name"):
            lead.execute("SET idle_in_transaction_session_timeout = 0")
            lead.commit()
            lead.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            lead.read_only = True
            exported = lead.execute("SELECT pg_export_snapshot()").fetchone()
        return str(exported and exported[0])

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

    def catalogue(self) -> Catalogue:
        """All that the catalogue says, system schemas apart; read once."""
        with self._lock:
            if self._known is None:
                with self._reading("the catalogue"), self._engine.connect() as connection:
                    self._known = read_catalogue(connection)
            return self._known

    def go_by(self, catalogue: Catalogue) -> None:
        """Reflect and read by another catalogue from now on; `catalogue` stays what it is."""
        self._accepted = catalogue

    def _in_force(self) -> Catalogue:
        return self._accepted or self.catalogue()

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, psycopg.Error) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            raise reading_error(cause or error, f"{what} of {self._shown}", self._uri) from None


class PostgresSnapshot(SqlSnapshot):
    """One instant of a PostgreSQL database; every query has a connection of its own.

    Args:
        catalogue: The warehouse's tables.
        uri: Where the readers connect to.
        snapshot: Name of the exported snapshot.
        lead: The connection that holds it.
    """

    def __init__(
        self, catalogue: Catalogue, uri: str, snapshot: str, lead: psycopg.Connection
    ) -> None:
        super().__init__(catalogue, collation=' COLLATE "C"')
        self._uri = uri
        self._snapshot = snapshot
        self._lead = lead

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
            raise reading_error(error, about, self._uri, self._is_held) from None

    def _sampled(self, sql: str, table: CatalogueTable, share: float) -> str:
        if not table.listed:  # a view has no blocks to sample
            return f"{sql} WHERE random() < {share:.8f}"
        return f"{sql} TABLESAMPLE BERNOULLI ({share * 100:.6f}) REPEATABLE ({SAMPLE_SEED})"

    def _is_held(self) -> bool:
        try:
            self._lead.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True
