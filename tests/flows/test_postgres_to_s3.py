"""The whole way with real parts: a PostgreSQL server, Prefect, an S3 server, and back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3fs
from databases import database

from prefect_synth.flows.outcome import Outcome
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.structure import key_duplicates, orphans
from prefect_synth.tasks.warehouses.warehouse import open_warehouse

SHARED = Path(os.environ.get("PREFECT_SYNTH_SHARED") or Path(__file__).parents[3] / "shared")
DATA_SETS = ("chinook", "sakila")

STAFF = """
CREATE SCHEMA "Staff";
CREATE TYPE "Staff".rank AS ENUM ('junior', 'senior');
CREATE TABLE "Staff".teams (team_id smallint PRIMARY KEY, name varchar(40) NOT NULL, lead int);
CREATE TABLE "Staff"."People" (
    person_id int PRIMARY KEY, boss int REFERENCES "Staff"."People", email varchar(60) UNIQUE,
    team_id smallint NOT NULL REFERENCES "Staff".teams, rank "Staff".rank NOT NULL,
    salary numeric(9, 2), joined timestamptz NOT NULL, tags text[]
);
ALTER TABLE "Staff".teams ADD FOREIGN KEY (lead) REFERENCES "Staff"."People";
CREATE SCHEMA sales;
CREATE TABLE sales.orders (
    person_id int NOT NULL REFERENCES "Staff"."People", no int NOT NULL, placed date NOT NULL,
    PRIMARY KEY (person_id, no)
);
CREATE TABLE sales.lines (
    line_id bigint PRIMARY KEY, person_id int, no int, amount numeric(10, 2) NOT NULL, note json,
    FOREIGN KEY (person_id, no) REFERENCES sales.orders
);
CREATE TABLE sales.empty (id int PRIMARY KEY, line_id bigint REFERENCES sales.lines);
INSERT INTO "Staff".teams SELECT i, 'Team ' || i FROM generate_series(1, 30) i;
INSERT INTO "Staff"."People" SELECT i, CASE WHEN i > 10 THEN 1 + i % 10 END,
    'p' || i || '@corp.test', 1 + i % 30,
    (CASE WHEN i % 4 = 0 THEN 'senior' ELSE 'junior' END)::"Staff".rank,
    30000 + (i * 7919) % 50000, timestamptz '2020-01-01 UTC' + i * interval '31 hours',
    CASE WHEN i % 3 = 0 THEN ARRAY['a', 'b'] END FROM generate_series(1, 300) i;
UPDATE "Staff".teams SET lead = team_id * 2;
INSERT INTO sales.orders SELECT 1 + i % 250, 1 + i / 250, date '2024-01-01' + i % 300
    FROM generate_series(0, 749) i;
INSERT INTO sales.lines SELECT i, 1 + i % 250, 1 + i % 3, (i * 31) % 9000 / 100.0, '{"k": 1}'
    FROM generate_series(1, 2000) i;
"""


@dataclass(frozen=True)
class Production:
    """A database that holds production tables, its owner, and who may read them."""

    owner: str
    reader: str
    schemas: tuple[str, ...]


def load_data_set(uri: str, name: str, into: str, tables: dict[str, pa.Table]) -> None:
    """Fill a schema with tables of a shared data set, every constraint on in the end."""
    folder = SHARED / "data" / name
    ddl = (folder / "schema.sql").read_text()
    with psycopg.connect(uri) as connection:
        connection.execute(f"CREATE SCHEMA {into}; SET search_path TO {into};")
        connection.execute(ddl)
    with adbc.connect(uri) as connection, connection.cursor() as cursor:
        for table in [s.split('"')[1] for s in ddl.splitlines() if s.startswith("CREATE TABLE")]:
            cursor.adbc_ingest("incoming", plain(tables[table]), "replace")
            cursor.execute(f'INSERT INTO {into}."{table}" SELECT * FROM incoming')
        cursor.execute("DROP TABLE incoming")
        connection.commit()
    with psycopg.connect(uri) as connection:
        connection.execute(f"SET search_path TO {into}")
        connection.execute((folder / "schema_cycles.sql").read_text())


def plain(table: pa.Table) -> pa.Table:
    """The same rows under a schema without metadata, as the driver takes them."""
    fields = [pa.field(f.name, f.type) for f in table.schema]
    return pa.Table.from_arrays(table.columns, schema=pa.schema(fields))


def real_tables(name: str) -> dict[str, pa.Table]:
    """A shared data set."""
    files = (SHARED / "data" / name).glob("*.parquet")
    return {file.stem: pq.read_table(file) for file in files}


def reader_of(uri: str, schemas: tuple[str, ...]) -> str:
    """The URI of a role that may read these schemas and nothing else, as the docs grant it."""
    role = f"reader_{uri.split('/')[3].split('?')[0]}"
    with psycopg.connect(uri) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'reads-only'")
        for schema in schemas:
            admin.execute(f'GRANT USAGE ON SCHEMA "{schema}" TO {role}')
            admin.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO {role}')
    return uri.replace("postgres:", f"{role}:").replace("postgres@", f"{role}:reads-only@")


@pytest.fixture(params=["made here", "real"])
def production(request: pytest.FixtureRequest, postgres_database: str) -> Iterator[Production]:
    """Two schemas in one PostgreSQL, with cycles, self references and composite keys."""
    if request.param == "real":
        if not (SHARED / "data").is_dir():
            pytest.skip("the shared data sets are not here")
        for name in DATA_SETS:
            load_data_set(postgres_database, name, name, real_tables(name))
        schemas = DATA_SETS
    else:
        with psycopg.connect(postgres_database) as connection:
            connection.execute(STAFF)
        schemas = ("Staff", "sales")
    reader = reader_of(postgres_database, schemas)
    yield Production(postgres_database, reader, schemas)
    with psycopg.connect(postgres_database) as connection:
        role = f"reader_{postgres_database.split('/')[3].split('?')[0]}"
        connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def refresh(
    folder: Path, production: Production, server: Any, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, Outcome]:
    """Write a project that takes its secrets from the environment, and run the flow on it."""
    from prefect_synth.flows.refresh import refresh as flow

    monkeypatch.setenv("WAREHOUSE_URL", production.reader)
    monkeypatch.setenv("SANDBOX_SECRET", server.secret)
    (folder / "synth.yaml").write_text(
        "project: corp\n"
        f"warehouse: {{url: '${{WAREHOUSE_URL}}', schemas: {list(production.schemas)}}}\n"
        f"sandbox: {{url: 's3://{server.fresh_bucket()}/corp', key: {server.key},\n"
        f"  secret: '${{SANDBOX_SECRET}}', endpoint_url: '{server.endpoint_url}'}}\n"
    )
    state = flow(str(folder), return_state=True)
    return state.name, state.result(raise_on_failure=state.name != "Rejected")


def read_back(outcome: Outcome, metadata: Metadata, server: Any) -> dict[str, pa.Table]:
    """The published tables, read from the bucket."""
    files = s3fs.S3FileSystem(**server.storage_options)
    url = outcome.url.removeprefix("s3://")
    return {
        name: pq.read_table(files.glob(f"{url}/{name}/*.parquet")[0], filesystem=files)
        for name in metadata.tables
    }


def test_a_database_arrives_in_a_bucket(
    production: Production,
    postgres_uri: str,
    s3_server: Any,
    prefect_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All tables of both schemas are published: equal schemas, unique keys, no orphan; and fed."""
    name, outcome = refresh(tmp_path, production, s3_server, monkeypatch)
    assert (name, [str(f) for f in outcome.failures]) == ("Published", [])
    with closing(open_warehouse(production.reader)) as warehouse:
        metadata = warehouse.reflect(production.schemas)
        schemas = warehouse.schemas(metadata)
    tables = read_back(outcome, metadata, s3_server)
    for table, schema in schemas.items():
        found = tables[table].schema.remove_metadata()  # of the file as a whole, not of columns
        assert found.equals(schema, check_metadata=True)
        for key in (metadata.tables[table].primary_key, *metadata.tables[table].unique):
            assert not key or key_duplicates(tables[table], key) == 0
    for r in metadata.relationships:
        lost = orphans(tables[r.child], r.child_columns, tables[r.parent], r.parent_columns)
        assert (str(r), lost) == (str(r), 0)
    if production.schemas == DATA_SETS:  # and they load again, with every constraint on
        for data_set in DATA_SETS:
            own = {n.split(".")[1]: t for n, t in tables.items() if n.startswith(f"{data_set}.")}
            load_data_set(production.owner, data_set, f"{data_set}_again", own)
    with database(postgres_uri) as own:
        feed_from(tmp_path, own)
        with closing(open_warehouse(own, allow_writable=True)) as fed:
            assert fed.reflect(production.schemas).relationships == metadata.relationships


def feed_from(project: Path, target: str) -> None:
    """Feed an empty database with what the project has published, by the flow."""
    from prefect_synth.flows.feed import feed

    file = project / "synth.yaml"
    file.write_text(f"{file.read_text()}feeds: {{test: {{url: '{target}'}}}}\n")
    state = feed(str(project), return_state=True)
    assert (state.name, list(state.result())) == ("Fed", ["test"])
