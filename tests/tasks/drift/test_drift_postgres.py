"""Every kind of change, made in a real PostgreSQL and told from its catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
import pytest

from prefect_synth.tasks.drift.accepted import accepted_catalogue
from prefect_synth.tasks.drift.changes import Drift
from prefect_synth.tasks.drift.detecting import Baseline, schema_drift
from prefect_synth.tasks.drift.facts import SchemaFacts, schema_facts
from prefect_synth.tasks.drift.policies import DriftPolicies
from prefect_synth.tasks.warehouses.choice import choose_tables
from prefect_synth.tasks.warehouses.warehouse import open_warehouse

SCHEMA = """
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE teams (id int PRIMARY KEY, code varchar(10));
CREATE TABLE people (
    id int PRIMARY KEY, team int, name varchar(20) NOT NULL, age smallint, mood mood,
    born date, tags text[], paid numeric(8, 2)
);
INSERT INTO teams VALUES (1, 'a'), (2, 'b');
INSERT INTO people SELECT i, 1 + i % 2, 'n' || i, i, 'good', '2000-01-01', '{x}', i
    FROM generate_series(1, 50) i;
"""
CHANGES = {
    "CREATE TABLE coupons (id int)": ["table_added coupons"],
    "ALTER TABLE teams RENAME TO groups": ["table_renamed groups"],
    "DROP TABLE teams": ["table_dropped teams"],
    "ALTER TABLE people ADD ssn text": ["column_added people.ssn"],
    "ALTER TABLE people RENAME name TO full_name": ["column_renamed people.full_name"],
    "ALTER TABLE people DROP born": ["column_dropped people.born"],
    "ALTER TABLE people ALTER age TYPE int": ["type_widened people.age"],
    "ALTER TABLE people ALTER name TYPE varchar(10)": ["type_narrowed people.name"],
    "ALTER TABLE people ALTER born TYPE text": ["type_changed people.born"],
    "ALTER TABLE people ALTER born TYPE timestamp": ["type_widened people.born"],
    "ALTER TABLE people ALTER tags TYPE varchar[]": ["type_widened people.tags"],
    "ALTER TABLE people ALTER paid TYPE numeric(10, 2)": ["type_widened people.paid"],
    "ALTER TABLE people ALTER name DROP NOT NULL": ["nullability_changed people.name"],
    "ALTER TABLE people ALTER age SET NOT NULL": ["nullability_changed people.age"],
    "ALTER TABLE people ALTER age SET DEFAULT 18": ["default_changed people.age"],
    "ALTER TABLE people ALTER id ADD GENERATED ALWAYS AS IDENTITY": ["default_changed people.id"],
    "COMMENT ON COLUMN people.age IS 'years'": ["comment_changed people.age"],
    "COMMENT ON TABLE people IS 'ours'": ["comment_changed people"],
    "ALTER TABLE people DROP CONSTRAINT people_pkey": ["primary_key_changed people"],
    "ALTER TABLE people ADD UNIQUE (name)": ["unique_key_changed people"],
    "CREATE UNIQUE INDEX ON people (age)": ["unique_key_changed people"],
    "ALTER TABLE people ADD FOREIGN KEY (team) REFERENCES teams": ["foreign_key_changed people"],
    "ALTER TYPE mood ADD VALUE 'so so'": ["enum_value_added people.mood"],
    "ALTER TYPE mood RENAME VALUE 'bad' TO 'sad'": [
        "enum_value_added people.mood",
        "enum_value_dropped people.mood",
    ],
    "CREATE INDEX ON people (age)": [],
    "UPDATE people SET name = 'other'": [],
    "CREATE SCHEMA s; ALTER TABLE people SET SCHEMA s; CREATE VIEW people AS TABLE s.people": [
        "table_dropped people"
    ],
    "CREATE TABLE every (LIKE teams); ALTER TABLE teams INHERIT every": ["table_renamed every"],
}
DOMAINS = """
CREATE DOMAIN told AS varchar(20) CHECK (value IS NOT NULL);
CREATE DOMAIN many AS int[] CHECK (value IS NOT NULL);
CREATE DOMAIN price AS numeric(9, 2); CREATE DOMAIN priced AS price CHECK (value IS NOT NULL);
"""


@pytest.fixture
def server(postgres_database: str) -> Iterator[psycopg.Connection]:
    """The owner's connection to a database of two tables."""
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(SCHEMA)
        yield connection


def facts(url: str) -> SchemaFacts:
    """What the catalogue says."""
    with closing(open_warehouse(url, allow_writable=True)) as warehouse:
        catalogue = warehouse.catalogue()
        return schema_facts(catalogue, choose_tables(catalogue))


def drift(url: str, before: SchemaFacts, policies: DriftPolicies) -> Drift:
    """What moved since then."""
    with closing(open_warehouse(url, allow_writable=True)) as warehouse:
        catalogue = warehouse.catalogue()
        chosen = choose_tables(catalogue)
        return schema_drift(Baseline("synth.lock", before), catalogue, chosen, policies)


def test_every_statement_is_told_by_its_kind(
    server: psycopg.Connection, postgres_database: str
) -> None:
    """What is no change of the catalogue that counts is none."""
    before, told = facts(postgres_database), {}
    for statement in CHANGES:
        server.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        server.execute(SCHEMA)
        server.execute(statement)
        found = drift(postgres_database, before, DriftPolicies()).changes
        told[statement] = sorted(f"{change.kind} {change.place}" for change in found)
    assert told == CHANGES


def test_columns_of_every_type_are_held_as_nulls(
    server: psycopg.Connection, postgres_database: str, tmp_path: Path
) -> None:
    """The expression by which a type is read takes a NULL of that type."""
    types = {
        "int": "1", "numeric(8,2)": "1", "numeric": "1", "text": "'x'", "mood": "'good'",
        "date": "now()", "timestamptz": "now()", "interval": "'1 day'", "time": "'10:00'",
        "inet": "'::1'", "uuid": "gen_random_uuid()", "jsonb": "'1'", "bytea": "'x'",
        "text[]": "'{x}'", "numeric[]": "'{1}'", "date[]": "'{2000-01-01}'", "mood[]": "'{good}'",
        "told": "'x'", "many": "'{1}'", "priced": "1",
    }  # fmt: skip
    before = facts(postgres_database)
    server.execute(DOMAINS)  # a cast to one of them would be refused
    for number, (kind, value) in enumerate(types.items()):
        server.execute(f"ALTER TABLE people ADD c{number} {kind} DEFAULT {value}")
    server.execute("ALTER TABLE people ADD area point DEFAULT '(1, 2)'")  # no Arrow type has it
    with closing(open_warehouse(postgres_database, allow_writable=True)) as warehouse:
        catalogue, chosen = warehouse.catalogue(), choose_tables(warehouse.catalogue())
        baseline = Baseline("synth.lock", before)
        found = schema_drift(baseline, catalogue, chosen, DriftPolicies())
        warehouse.go_by(accepted_catalogue(catalogue, chosen, before, found))
        schema = warehouse.schemas(warehouse.reflect())["people"]
        with warehouse.snapshot() as snapshot:
            snapshot.pull("people", schema, tmp_path / "people.parquet")
    assert found.left_out_columns == {"people": ("area",)}
    held = pq.read_table(tmp_path / "people.parquet").select([f"c{n}" for n in range(len(types))])
    assert {column.null_count for column in held.columns} == {50}
