"""What is held of a DuckDB warehouse: never read, published as NULL, or left out."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from prefect_synth.tasks.drift.accepted import accepted_catalogue
from prefect_synth.tasks.drift.changes import Drift
from prefect_synth.tasks.drift.detecting import Baseline, schema_drift
from prefect_synth.tasks.drift.facts import schema_facts
from prefect_synth.tasks.drift.policies import DriftPolicies
from prefect_synth.tasks.warehouses.choice import choose_tables
from prefect_synth.tasks.warehouses.duckdb import DuckDBWarehouse
from prefect_synth.tasks.warehouses.selection import Rule, Selection

TABLES = """
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR);
CREATE TABLE notes (text VARCHAR, person INTEGER REFERENCES people (id), mood mood);
INSERT INTO people SELECT i, 'p' || i FROM range(300) t(i);
INSERT INTO notes SELECT 'note', i % 300, 'good' FROM range(900) t(i);
"""


class Moved:
    """A warehouse that moved after it was accepted."""

    def __init__(self, file: Path, sql: str, policies: DriftPolicies) -> None:
        self.file = file
        with duckdb.connect(str(file)) as connection:
            connection.execute(TABLES)
        with closing(self.open()) as warehouse:
            self.before = before = schema_facts(
                warehouse.catalogue(), choose_tables(warehouse.catalogue())
            )
        with duckdb.connect(str(file)) as connection:
            connection.execute(sql)
        with closing(self.open()) as warehouse:
            tables = choose_tables(warehouse.catalogue())
            baseline = Baseline("synth.lock", before)
            self.drift: Drift = schema_drift(baseline, warehouse.catalogue(), tables, policies)
            self.accepted = accepted_catalogue(warehouse.catalogue(), tables, before, self.drift)

    def open(self) -> DuckDBWarehouse:
        return DuckDBWarehouse(f"duckdb:///{self.file}")

    def pull(self, table: str, selection: Selection | None = None) -> pa.Table:
        with closing(self.open()) as warehouse:
            warehouse.go_by(self.accepted)
            schema = warehouse.schemas(warehouse.reflect())[table]
            file = self.file.with_name("pulled.parquet")
            with warehouse.snapshot() as snapshot:
                snapshot.pull(table, schema, file, selection=selection)
        return pq.read_table(file)


ADD = "ALTER TABLE notes ADD COLUMN ssn VARCHAR; UPDATE notes SET ssn = '078-05-1120'"


def test_a_new_column_is_pulled_as_nulls_of_its_type(tmp_path: Path) -> None:
    """The real values are not in what is staged."""
    moved = Moved(tmp_path / "w.duckdb", ADD, DriftPolicies())
    pulled = moved.pull("notes")
    assert moved.drift.held_columns == {"notes": ("ssn",)}
    assert (pulled["ssn"].type, pulled["ssn"].null_count) == (pa.string(), 900)


def test_rows_are_chosen_without_a_held_column(tmp_path: Path) -> None:
    """A row limit on a table without a key hashes the other columns only."""
    moved = Moved(tmp_path / "w.duckdb", ADD, DriftPolicies())
    with closing(moved.open()) as warehouse:
        warehouse.go_by(moved.accepted)
        metadata = warehouse.reflect().subset(["notes"])
    selection = Selection(metadata, {"notes": Rule("hashed", 300)}, ("notes",))
    assert moved.pull("notes", selection)["ssn"].null_count >= 300


def test_a_new_column_that_must_not_be_null_is_left_out(tmp_path: Path) -> None:
    """It can be no NULL, so it is not there."""
    recreated = """
    CREATE TABLE other AS SELECT *, 7 AS code FROM notes; DROP TABLE notes;
    CREATE TABLE notes (
        text VARCHAR, person INTEGER REFERENCES people (id), mood mood, code INT NOT NULL
    );
    INSERT INTO notes SELECT * FROM other; DROP TABLE other;
    """
    moved = Moved(tmp_path / "w.duckdb", recreated, DriftPolicies())
    assert moved.drift.left_out_columns == {"notes": ("code",)}
    assert moved.pull("notes").column_names == ["text", "person", "mood"]


def test_a_new_label_under_quarantine_is_read_as_null(tmp_path: Path) -> None:
    """Neither the rows nor the metadata tell it."""
    policies = DriftPolicies(enum_value_added="quarantine")
    sql = """
    CREATE TYPE mood3 AS ENUM ('good', 'bad', 'it''s secret');
    ALTER TABLE notes ALTER mood TYPE mood3;
    UPDATE notes SET mood = 'it''s secret' WHERE person < 10;
    """
    moved = Moved(tmp_path / "w.duckdb", sql, policies)
    pulled = moved.pull("notes")["mood"]
    assert (pulled.null_count, set(pulled.to_pylist())) == (30, {None, "good"})
    assert moved.accepted.find("notes").columns["mood"].categories == ("good", "bad")


def told(moved: Moved) -> str:
    """All that may be published of the tables' meaning: metadata, and fields of Parquet files."""
    with closing(moved.open()) as warehouse:
        warehouse.go_by(moved.accepted)
        metadata = warehouse.reflect()
        schemas = warehouse.schemas(metadata)
    fields = [field.metadata for schema in schemas.values() for field in schema]
    return f"{metadata.to_dict()} {fields}"


ILLS = """
ALTER TABLE notes ADD COLUMN ill ENUM('hiv''s positive', 'cancer');
ALTER TABLE notes ADD COLUMN ills ENUM('hiv''s positive', 'cancer')[];
UPDATE notes SET ill = 'cancer', ills = ['cancer'];
"""


def test_no_label_of_a_held_enum_is_told(tmp_path: Path) -> None:
    """Neither by its type, which lists them, nor, of one inside another type, by the drift."""
    moved = Moved(tmp_path / "w.duckdb", ILLS, DriftPolicies())
    pulled = moved.pull("notes")
    assert moved.drift.held_columns == {"notes": ("ill", "ills")}
    assert pulled["ill"].null_count == pulled["ills"].null_count == 900
    assert "cancer" not in told(moved)
    assert "positive" not in told(moved)
    assert "cancer" not in moved.drift.model_dump_json()


def test_no_label_in_quarantine_is_told(tmp_path: Path) -> None:
    """The type lists the accepted ones."""
    policies = DriftPolicies(enum_value_added="quarantine")
    sql = """
    CREATE TYPE mood3 AS ENUM ('good', 'bad', 'secret'); ALTER TABLE notes ALTER mood TYPE mood3;
    """
    moved = Moved(tmp_path / "w.duckdb", sql, policies)
    assert "secret" not in told(moved)
    assert "ENUM('good', 'bad')" in told(moved)


def test_no_maximum_of_a_held_column_is_read(tmp_path: Path) -> None:
    """A look at the rows asks for the largest value of the column that tells new ones."""
    moved = Moved(tmp_path / "w.duckdb", ADD, DriftPolicies())
    with closing(moved.open()) as warehouse:
        with warehouse.snapshot() as snapshot:
            assert snapshot.highest("notes", "ssn") == "078-05-1120"
        warehouse.go_by(moved.accepted)
        with warehouse.snapshot() as snapshot:
            assert snapshot.highest("notes", "ssn") is None
            assert snapshot.highest("people", "id") == "299"


def test_a_column_of_another_type_that_blocks_is_not_read(tmp_path: Path) -> None:
    """Nor one with new labels: a look at the rows goes on where a refresh does not."""
    policies = DriftPolicies(type_changed="block", enum_value_added="block")
    sql = """
    ALTER TABLE notes ALTER text TYPE INTEGER USING length(text);
    CREATE TYPE mood3 AS ENUM ('good', 'bad', 'secret'); ALTER TABLE notes ALTER mood TYPE mood3;
    """
    moved = Moved(tmp_path / "w.duckdb", sql, policies)
    assert {c.kind for c in moved.drift.blocked} == {"type_changed", "enum_value_added"}
    assert moved.accepted.find("notes").held == {"text", "mood"}


VIEW = """
CREATE SCHEMA kept; CREATE TABLE kept.notes AS FROM notes; DROP TABLE notes;
CREATE VIEW notes AS FROM kept.notes;
"""


def test_a_table_that_becomes_a_view_is_gone(tmp_path: Path) -> None:
    """Patterns do not reach it, and nobody has left it out."""
    moved = Moved(tmp_path / "w.duckdb", VIEW, DriftPolicies(table_dropped="block"))
    assert [(c.kind, c.table) for c in moved.drift.changes] == [("table_dropped", "notes")]
    assert moved.drift.blocked
    with closing(moved.open()) as warehouse:
        catalogue, baseline = warehouse.catalogue(), Baseline("synth.lock", moved.before)
    chosen, named = choose_tables(catalogue), ["people"]  # the project file leaves `notes` out
    assert not schema_drift(baseline, catalogue, chosen, DriftPolicies(), {}, named)
