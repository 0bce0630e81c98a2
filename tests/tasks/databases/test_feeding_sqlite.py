"""Feeding SQLite: whole, checked, and typed as well as SQLite allows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.tasks.databases.errors import (
    FeedRequestError,
    RowsRefusedError,
    TargetPermissionError,
    TargetSchemaError,
    TargetUrlError,
)
from prefect_synth.tasks.databases.feeding import feed_snapshot


def rows(path: Path, query: str) -> list[Any]:
    """What a query says, foreign keys on."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = ON")
        return connection.execute(query).fetchall()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database's file that is not there yet."""
    return tmp_path / "test.db"


def test_values_are_as_sqlite_has_them(everything: Any, file: Path) -> None:
    """What SQLite has no type for is text that says it all."""
    feed_snapshot(everything, f"sqlite:///{file}")
    [found] = rows(
        file,
        "SELECT feeling, doc, tags, numbers, length(token), raw, price, seen, made, took, born, at,"
        ' wide, ok, boss FROM "Order" WHERE "select" = \'a\'',
    )
    assert found == (
        "sad",
        '{"a": [1, "x"]}',
        '["a",null,"q\\"\\\\",""]',
        "[1,2,null]",
        36,
        b"\x00\xff",
        1.5,
        "2020-01-01 00:00:00.000000+00:00",
        "2020-01-01 01:02:03.456000",
        3456001000000,
        "2020-02-02",
        "23:59:59.500000",
        1e-300,
        1,
        3,
    )


@pytest.mark.parametrize("creates", [["missing"], ["missing"] * 2, ["missing", "always"]])
def test_all_constraints_hold_and_numbering_goes_on(
    everything: Any, file: Path, creates: list[Any]
) -> None:
    """Nothing dangles in a cycle, and a row without a number gets the next one."""
    for create in creates:
        feed_snapshot(everything, f"sqlite:///{file}", create=create)
    assert rows(file, "PRAGMA foreign_key_check") == []
    rows(file, 'INSERT INTO "Order" ("select") VALUES (\'new\')')
    rows(file, "INSERT INTO house DEFAULT VALUES")
    assert rows(file, 'SELECT max(id) FROM "Order"') == [(4,)]
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        rows(file, "INSERT INTO person (house_id) VALUES (99)")
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        rows(file, "UPDATE \"Order\" SET feeling = 'strange'")


def test_an_existing_schema_is_left_as_it_is(everything: Any, file: Path) -> None:
    """Other order, other case, computed columns: the rows find their places."""
    rows(
        file,
        "CREATE TABLE Part (more TEXT DEFAULT 'm', Y INTEGER, "
        "doubled INTEGER GENERATED ALWAYS AS (X * 2), X INTEGER)",
    )
    feed_snapshot(everything, f"sqlite:///{file}", tables=["sales.part"], closure=False)
    assert rows(file, "SELECT X, Y, doubled, more FROM Part") == [
        (1, 2, 2, "m"),
        (1, 1, 2, "m"),
        (None, 1, None, "m"),
    ]


def test_a_column_that_numbers_itself_may_be_missing(everything: Any, file: Path) -> None:
    """INTEGER PRIMARY KEY does so in SQLite; another required column is told."""
    rows(file, "CREATE TABLE part (row INTEGER PRIMARY KEY, x INT, y INT, doubled INT)")
    feed_snapshot(everything, f"sqlite:///{file}", tables=["sales.part"], closure=False)
    assert rows(file, "SELECT max(row) FROM part") == [(3,)]
    rows(file, "CREATE TABLE line (x INT, y INT, note TEXT, house_id INT, more TEXT NOT NULL)")
    with pytest.raises(TargetSchemaError, match="'more' is NOT NULL without a default"):
        feed_snapshot(everything, f"sqlite:///{file}", tables=["sales.line"])


def test_upsert_updates_and_keeps(everything: Any, file: Path) -> None:
    """Rows with the same key are updated, others stay."""
    feed_snapshot(everything, f"sqlite:///{file}", tables=["sales.line"])
    rows(file, "INSERT INTO line VALUES (9, 9, 'mine', 1)")
    rows(file, "UPDATE line SET note = 'changed' WHERE x = 1")
    feed_snapshot(everything, f"sqlite:///{file}", tables=["sales.line"], mode="upsert")
    found = rows(file, "SELECT x, y, note FROM line ORDER BY x, y")
    assert found == [(1, 1, "p"), (1, 2, "q"), (9, 9, "mine")]
    with pytest.raises(FeedRequestError, match="'part' has no primary key"):
        feed_snapshot(everything, f"sqlite:///{file}", mode="upsert")


def test_a_reader_sees_the_old_rows_until_the_end(everything: Any, file: Path) -> None:
    """An open transaction keeps its state, and a new one sees all that is new."""
    feed_snapshot(everything, f"sqlite:///{file}")
    rows(file, "DELETE FROM part")
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("PRAGMA journal_mode = wal")
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM part").fetchone() == (0,)
        feed_snapshot(everything, f"sqlite:///{file}")
        assert reader.execute("SELECT count(*) FROM part").fetchone() == (0,)
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM part").fetchone() == (3,)


def test_orphans_are_refused_and_nothing_is_left(publish: Any, file: Path) -> None:
    """Foreign keys are off while rows move, and checked before anything is seen."""
    metadata = Metadata(
        {
            "a": Table("a", {"id": Column("id", "id", False)}, ("id",)),
            "b": Table("b", {"a_id": Column("a_id", "id")}),
        },
        (Relationship("b", ("a_id",), "a", ("id",)),),
    )
    broken = publish(metadata, {"a": pa.table({"id": [1]}), "b": pa.table({"a_id": [1, 2]})})
    with pytest.raises(RowsRefusedError, match="'b' refer to rows of 'a' that are not there"):
        feed_snapshot(broken, f"sqlite:///{file}")
    assert not file.exists()


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("sqlite://", TargetUrlError, "names no SQLite file"),
        ("oracle://x/y", TargetUrlError, "of kind 'oracle' cannot be fed"),
        ("sqlite:////no/such/folder/x.db", TargetPermissionError, "folder must exist"),
    ],
)
def test_a_bad_address_is_told(everything: Any, url: str, error: Any, said: str) -> None:
    """What is wrong, and how to write it."""
    with pytest.raises(error, match=said):
        feed_snapshot(everything, url)


def test_nested_columns_are_refused(publish: Any, file: Path) -> None:
    """No database has structs alike; the column is named."""
    metadata = Metadata({"a": Table("a", {"s": Column("s")})})
    nested = publish(metadata, {"a": pa.table({"s": [{"x": 1}]})})
    with pytest.raises(FeedRequestError, match=r"'a\.s' has the type struct"):
        feed_snapshot(nested, f"sqlite:///{file}")
