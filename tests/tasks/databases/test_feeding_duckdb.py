"""Feeding DuckDB: exact, whole, and with the constraints that it knows."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.tasks.databases.errors import RowsRefusedError, TargetSchemaError
from prefect_synth.tasks.databases.feeding import feed_snapshot

MINE = """
CREATE SEQUENCE numbers START 1;
CREATE TYPE shade AS ENUM ('light', 'dark');
CREATE TABLE Parents (
    extra shade DEFAULT 'dark', NAME VARCHAR, twice INTEGER GENERATED ALWAYS AS (id * 2),
    id INTEGER PRIMARY KEY DEFAULT nextval('numbers'), CHECK (id > 0)
);
CREATE UNIQUE INDEX names ON Parents (NAME);
COMMENT ON COLUMN Parents.NAME IS 'mine';
CREATE TABLE children (parent_id INTEGER REFERENCES Parents (id));
"""


def rows(path: Path, query: str) -> list[Any]:
    """What a query says."""
    with closing(duckdb.connect(str(path))) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database's file that is not there yet."""
    return tmp_path / "test.duckdb"


@pytest.fixture(scope="module")
def family(publish: Any) -> Any:
    """Parents and children."""
    metadata = Metadata(
        {
            "parents": Table(
                "parents",
                {"id": Column("id", "id", False, identity=True), "name": Column("name")},
                ("id",),
            ),
            "children": Table("children", {"parent_id": Column("parent_id", "id")}),
        },
        (Relationship("children", ("parent_id",), "parents", ("id",)),),
    )
    tables = {
        "parents": pa.table({"id": pa.array([1, 7], pa.int32()), "name": ["a", "b"]}),
        "children": pa.table({"parent_id": pa.array([7, 7, None], pa.int32())}),
    }
    return publish(metadata, tables)


@pytest.mark.parametrize("creates", [["missing"], ["missing"] * 2, ["missing", "always"]])
def test_what_is_fed_is_what_was_published(
    everything: Any, file: Path, read: Any, tmp_path: Path, creates: list[Any]
) -> None:
    """Every type and value comes back, also from a second feeding."""
    for create in creates:
        feed_snapshot(everything, f"duckdb:///{file}", create=create)
    _, tables = read(f"duckdb:///{file}", tmp_path, ["public", "sales"])
    for name in everything.tables:
        published = everything.table(name)
        assert [f.type for f in tables[name].schema] == [f.type for f in published.schema]
        found = sorted(map(repr, tables[name].to_pylist()))
        assert found == sorted(map(repr, published.to_pylist()))


def test_the_keys_that_it_knows_are_declared(everything: Any, file: Path) -> None:
    """All but the one that closes the cycle, and numbering goes on."""
    feed_snapshot(everything, f"duckdb:///{file}")
    found = rows(
        file,
        "SELECT table_name, constraint_column_names FROM duckdb_constraints() "
        "WHERE constraint_type = 'FOREIGN KEY' ORDER BY ALL",
    )
    tables = [table for table, _ in found]
    assert tables in (["Order", "house", "line", "part"], ["Order", "line", "part", "person"])
    rows(file, 'INSERT INTO public."Order" ("select") VALUES (\'new\')')
    assert rows(file, 'SELECT max(id) FROM public."Order"') == [(4,)]
    rows(file, "INSERT INTO sales.house (head_id) VALUES (1)")
    assert rows(file, "SELECT max(id) FROM sales.house") == [(3,)]


@pytest.mark.parametrize("times", [1, 2])
def test_an_existing_schema_is_left_as_it_is(family: Any, file: Path, times: int) -> None:
    """It is dropped and made again as it was: defaults, checks, indexes, comments, sequences."""
    rows(file, MINE)
    kept = "SELECT sql FROM duckdb_tables() ORDER BY ALL"
    before = rows(file, kept)
    for _ in range(times):
        feed_snapshot(family, f"duckdb:///{file}")
    assert rows(file, kept) == before
    assert rows(file, "SELECT * FROM Parents ORDER BY id") == [
        ("dark", "a", 2, 1),
        ("dark", "b", 14, 7),
    ]
    assert rows(file, "SELECT comment FROM duckdb_columns() WHERE comment IS NOT NULL") == [
        ("mine",)
    ]
    rows(file, "INSERT INTO Parents (NAME) VALUES ('c')")
    assert rows(file, "SELECT max(id) FROM Parents") == [(8,)]
    with pytest.raises(duckdb.ConstraintException, match="Duplicate key"):
        rows(file, "INSERT INTO Parents (NAME) VALUES ('c')")


def test_upsert_and_append(family: Any, file: Path) -> None:
    """Rows with the same key are updated, others stay; the numbering moves on."""
    feed_snapshot(family, f"duckdb:///{file}", tables=["parents"])
    rows(file, "UPDATE parents SET name = 'changed' WHERE id = 1")
    rows(file, "INSERT INTO parents VALUES (3, 'mine')")
    feed_snapshot(family, f"duckdb:///{file}", tables=["parents"], mode="upsert")
    assert rows(file, "FROM parents ORDER BY id") == [(1, "a"), (3, "mine"), (7, "b")]
    rows(file, "DELETE FROM parents WHERE id IN (1, 7)")
    feed_snapshot(family, f"duckdb:///{file}", tables=["parents"], mode="append")
    rows(file, "INSERT INTO parents (name) VALUES ('next')")
    assert rows(file, "SELECT max(id) > 7 FROM parents") == [(True,)]


def test_a_reader_sees_the_old_rows_until_the_end(family: Any, file: Path) -> None:
    """A transaction that is open meanwhile keeps its state."""
    feed_snapshot(family, f"duckdb:///{file}")
    with closing(duckdb.connect(str(file))) as reader:
        reader.execute("DELETE FROM children WHERE parent_id IS NULL")
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM children").fetchone() == (2,)
        feed_snapshot(family, f"duckdb:///{file}")
        assert reader.execute("SELECT count(*) FROM children").fetchone() == (2,)
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM children").fetchone() == (3,)


def test_a_row_that_refers_to_itself_is_taken(publish: Any, file: Path) -> None:
    """DuckDB cannot declare that key: it is checked instead."""
    metadata = Metadata(
        {"a": Table("a", {c: Column(c, "id") for c in ("id", "boss")}, ("id",))},
        (Relationship("a", ("boss",), "a", ("id",)),),
    )
    own = publish(metadata, {"a": pa.table({"id": [1, 2], "boss": [1, 1]})})
    feed_snapshot(own, f"duckdb:///{file}")
    assert rows(file, "FROM a ORDER BY id") == [(1, 1), (2, 1)]
    broken = publish(metadata, {"a": pa.table({"id": [1, 2], "boss": [1, 9]})})
    with pytest.raises(RowsRefusedError, match=r"rows of 'main\.a' that are not there"):
        feed_snapshot(broken, f"duckdb:///{file}")
    assert rows(file, "SELECT max(boss) FROM a") == [(1,)]


def test_a_table_that_others_need_cannot_be_replaced_alone(family: Any, file: Path) -> None:
    """DuckDB's own rule is told, and everything is as it was."""
    feed_snapshot(family, f"duckdb:///{file}")
    rows(file, "DELETE FROM children")
    with pytest.raises(TargetSchemaError, match="main key table"):
        feed_snapshot(family, f"duckdb:///{file}", tables=["parents"])
    assert rows(file, "SELECT count(*) FROM parents") == [(2,)]


SEQUENCE = "CREATE SEQUENCE numbers INCREMENT BY 10 START 100 MAXVALUE 1000 CYCLE;"
NUMBERED = """
CREATE TABLE parents (id BIGINT DEFAULT nextval('main.numbers') PRIMARY KEY, name VARCHAR);
CREATE TABLE others (id BIGINT DEFAULT nextval('NUMBERS'), CHECK (id > 0));
CREATE VIEW seen AS SELECT * FROM parents;
"""
OPTIONS = "SELECT increment_by, min_value, max_value, cycle FROM duckdb_sequences()"


@pytest.mark.parametrize("mode", ["replace", "append", "upsert"])
def test_a_sequence_keeps_its_options_and_its_other_tables(
    family: Any, file: Path, mode: Any
) -> None:
    """It goes on in its own steps, past the numbers of tables that are not fed."""
    rows(file, SEQUENCE + NUMBERED + "INSERT INTO others VALUES (555)")
    kept = "SELECT sql FROM duckdb_tables() ORDER BY ALL"
    before = rows(file, kept)
    feed_snapshot(family, f"duckdb:///{file}", tables=["parents"], mode=mode)
    rows(file, "INSERT INTO parents (name) VALUES ('next')")
    rows(file, "INSERT INTO others DEFAULT VALUES")
    assert rows(file, "SELECT max(id) FROM parents") == [(560,)]
    assert rows(file, "SELECT max(id) FROM others") == [(570,)]
    assert rows(file, OPTIONS) == [(10, 1, 1000, True)]
    assert rows(file, kept) == before


def test_a_sequence_goes_down_as_well(family: Any, file: Path) -> None:
    """By its own steps, past the lowest number."""
    rows(
        file,
        "CREATE SEQUENCE numbers INCREMENT BY -2 MINVALUE -99 MAXVALUE 10 START 10;" + NUMBERED,
    )
    feed_snapshot(family, f"duckdb:///{file}", tables=["parents"])
    rows(file, "INSERT INTO parents (name) VALUES ('next')")
    assert rows(file, "SELECT min(id) FROM parents") == [(0,)]


def test_appending_never_turns_a_sequence_back(family: Any, file: Path) -> None:
    """Numbers that were given out once are not given out again."""
    rows(file, SEQUENCE + NUMBERED + "INSERT INTO parents (name) VALUES ('a'), ('b')")
    rows(file, "DELETE FROM parents")
    feed_snapshot(family, f"duckdb:///{file}", tables=["parents"], mode="append")
    rows(file, "INSERT INTO parents (name) VALUES ('next')")
    assert rows(file, "SELECT max(id) FROM parents") == [(120,)]


def test_a_sequence_that_is_used_up_keeps_nobody_from_appending(family: Any, file: Path) -> None:
    """It is past all numbers, and stays as it is."""
    rows(file, "CREATE SEQUENCE numbers START 8 MAXVALUE 9;" + NUMBERED)
    rows(file, "INSERT INTO parents (name) VALUES ('x'), ('y')")
    feed_snapshot(family, f"duckdb:///{file}", tables=["parents"], mode="append")
    assert rows(file, "SELECT last_value, max_value FROM duckdb_sequences()") == [(9, 9)]


def test_a_far_number_is_reached_at_once(family: Any, file: Path) -> None:
    """By making the sequence again, not by drawing from it."""
    rows(
        file, "CREATE SEQUENCE numbers;" + NUMBERED + "INSERT INTO parents VALUES (9000000000, '')"
    )
    feed_snapshot(family, f"duckdb:///{file}", tables=["parents"], mode="append")
    rows(file, "INSERT INTO parents (name) VALUES ('next')")
    assert rows(file, "SELECT max(id) FROM parents") == [(9000000001,)]


def test_a_sequence_that_ends_too_early_is_told(family: Any, file: Path) -> None:
    """And everything is as it was."""
    rows(
        file,
        "CREATE SEQUENCE numbers MAXVALUE 7;" + NUMBERED + "INSERT INTO parents VALUES (3, '')",
    )
    with pytest.raises(TargetSchemaError, match=r"sequence 'main\.numbers' ends before"):
        feed_snapshot(family, f"duckdb:///{file}", tables=["parents"])
    assert rows(file, "FROM parents") == [(3, "")]
