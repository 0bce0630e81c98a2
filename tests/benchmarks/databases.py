"""Load tables of a shared data set into a real PostgreSQL, every constraint on."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

import adbc_driver_postgresql.dbapi as adbc
import psycopg
import pyarrow as pa
from places import SHARED

from prefect_synth.synth.metadata import Metadata
from prefect_synth.tasks.warehouses.warehouse import open_warehouse

DATA_SETS = ("chinook", "sakila")


@contextmanager
def database(uri: str) -> Iterator[str]:
    """The URI of an empty database of its own, dropped afterwards."""
    name = f"d{uuid.uuid4().hex[:12]}"
    with psycopg.connect(uri, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    try:
        yield uri.replace("/postgres?", f"/{name}?")
    finally:
        with psycopg.connect(uri, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def reflected(uri: str, name: str, real: Mapping[str, pa.Table]) -> Metadata:
    """What PostgreSQL's catalogue says of a data set, unique keys included."""
    with database(uri) as own:
        if refused := load(own, name, real):
            raise RuntimeError(f"the real tables of {name} do not load: {refused}")
        with closing(open_warehouse(own, allow_writable=True)) as warehouse:
            return warehouse.reflect()


def load(uri: str, name: str, tables: Mapping[str, pa.Table]) -> list[str]:
    """Load tables; what PostgreSQL refuses, tables or keys that close a cycle, each with a reason.

    Args:
        uri: An empty database.
        name: The data set, whose DDL stands in `shared/data`.
        tables: The rows.
    """
    ddl = SHARED / "data" / name
    created = (ddl / "schema.sql").read_text()
    with psycopg.connect(uri) as connection:
        connection.execute(created)
    listed = [s.split('"')[1] for s in created.splitlines() if s.startswith("CREATE TABLE")]
    refused = [f"{table}: {said}" for table in listed if (said := _copy(uri, table, tables[table]))]
    try:
        with psycopg.connect(uri) as connection:
            connection.execute((ddl / "schema_cycles.sql").read_text())
    except psycopg.Error as error:
        refused.append(f"keys that close a cycle: {error}")
    return refused


def _copy(uri: str, table: str, rows: pa.Table) -> str | None:
    """Insert all rows of a table; what the server says if it refuses them."""
    try:
        with adbc.connect(uri) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest("incoming", _plain(rows), "create")
            cursor.execute(f'INSERT INTO "{table}" SELECT * FROM incoming')
            cursor.execute("DROP TABLE incoming")
            connection.commit()
    except adbc.Error as error:
        return str(error)
    return None


def _plain(table: pa.Table) -> pa.Table:
    """The same rows under a schema without metadata, as the driver takes them."""
    fields = [pa.field(f.name, f.type) for f in table.schema]
    return pa.Table.from_arrays(table.columns, schema=pa.schema(fields))
