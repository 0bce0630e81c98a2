"""Feeding PostgreSQL: exact, whole, and with everything that its schema can have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from prefect_synth.tasks.databases.errors import (
    FeedRequestError,
    RowsRefusedError,
    TargetPermissionError,
    TargetSchemaError,
)
from prefect_synth.tasks.databases.feeding import feed_snapshot

SCHEMAS = ["public", "sales"]

OTHER = """
CREATE SCHEMA sales;
CREATE TABLE sales.house (
    note text DEFAULT 'none', shout text GENERATED ALWAYS AS (upper(note)) STORED, head_id integer,
    id serial PRIMARY KEY
);
CREATE TABLE sales.person (
    house_id integer NOT NULL REFERENCES sales.house, id integer PRIMARY KEY, name text
);
ALTER TABLE sales.house ADD FOREIGN KEY (head_id) REFERENCES sales.person;
"""


def rows(url: str, query: str) -> list[Any]:
    """What a query says."""
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def execute(url: str, sql: str) -> None:
    """Change the database."""
    with psycopg.connect(url) as connection:
        connection.execute(sql)


@pytest.mark.parametrize("times", [1, 2])
def test_what_is_fed_is_what_was_pulled(
    everything: Any, postgres_database: str, read: Any, tmp_path: Path, times: int
) -> None:
    """Types, keys, comments, identity and every value come back, also from a second feeding."""
    for _ in range(times):
        feed_snapshot(everything, postgres_database)
    metadata, tables = read(postgres_database, tmp_path, SCHEMAS)
    assert metadata == everything.metadata
    assert {n: t.schema for n, t in tables.items()} == {
        n: everything.table(n).schema for n in everything.tables
    }
    assert {n: repr(t.to_pylist()) for n, t in tables.items()} == {
        n: repr(everything.table(n).to_pylist()) for n in everything.tables
    }


def test_numbering_goes_on(everything: Any, postgres_database: str) -> None:
    """A row without a number gets the next one, also in a table that was fed twice."""
    for _ in range(2):
        feed_snapshot(everything, postgres_database)
        execute(postgres_database, 'INSERT INTO "Order" ("select") VALUES (\'new\')')
        execute(postgres_database, "INSERT INTO sales.house DEFAULT VALUES")
        execute(postgres_database, "INSERT INTO sales.person (house_id) VALUES (3)")
    assert rows(postgres_database, 'SELECT max(id) FROM "Order"') == [(4,)]
    assert rows(postgres_database, "SELECT max(id), max(house_id) FROM sales.person") == [(3, 3)]


def test_an_existing_schema_is_left_as_it_is(everything: Any, postgres_database: str) -> None:
    """Other order, columns with a default or computed: the rows find their places, in a cycle."""
    execute(postgres_database, OTHER)
    feed_snapshot(everything, postgres_database, tables=["sales.person"])
    assert rows(postgres_database, "SELECT * FROM sales.house ORDER BY id") == [
        ("none", "NONE", 1, 1),
        ("none", "NONE", 2, 2),
    ]
    execute(postgres_database, "INSERT INTO sales.house DEFAULT VALUES")
    assert rows(postgres_database, "SELECT max(id) FROM sales.house") == [(3,)]


def test_upsert_updates_and_keeps(everything: Any, postgres_database: str) -> None:
    """Rows with the same key are updated, others stay."""
    feed_snapshot(everything, postgres_database, tables=["sales.line"])
    execute(postgres_database, "INSERT INTO sales.line VALUES (9, 9, 'mine', 1)")
    execute(postgres_database, "UPDATE sales.line SET note = 'changed' WHERE x = 1")
    feed_snapshot(everything, postgres_database, tables=["sales.line"], mode="upsert")
    found = rows(postgres_database, "SELECT x, y, note FROM sales.line ORDER BY x, y")
    assert found == [(1, 1, "p"), (1, 2, "q"), (9, 9, "mine")]


def test_append_adds(everything: Any, postgres_database: str) -> None:
    """Rows are added; the same keys again are refused, and the database is as it was."""
    feed_snapshot(everything, postgres_database, tables=["sales.line"])
    execute(postgres_database, "UPDATE sales.line SET x = 5")
    with pytest.raises(RowsRefusedError, match=r"constraint '(house|person)_pkey'"):
        feed_snapshot(everything, postgres_database, tables=["sales.line"], mode="append")
    feed_snapshot(
        everything, postgres_database, tables=["sales.line"], mode="append", closure=False
    )
    assert rows(postgres_database, "SELECT count(*) FROM sales.line") == [(4,)]


def test_a_table_brings_what_it_refers_to(everything: Any, postgres_database: str) -> None:
    """The chosen table comes with its parents and theirs."""
    result = feed_snapshot(everything, postgres_database, tables=["sales.part"])
    assert {table.name for table in result.tables} == {
        "sales.part",
        "sales.line",
        "sales.house",
        "sales.person",
    }


def test_a_missing_column_is_told(everything: Any, postgres_database: str) -> None:
    """A column that the target lacks is named, unless it shall be left out."""
    execute(postgres_database, "CREATE SCHEMA sales; CREATE TABLE sales.part (x integer)")
    with pytest.raises(TargetSchemaError, match=r"'sales\.part' .* no column 'y'"):
        feed_snapshot(everything, postgres_database)
    assert rows(postgres_database, "SELECT to_regclass('sales.line')") == [(None,)]
    result = feed_snapshot(everything, postgres_database, leave_out=True)
    assert result.left_out == ("sales.part.y", "sales.part.doubled")


def test_a_required_column_is_told(everything: Any, postgres_database: str) -> None:
    """A column that the snapshot lacks must have a default or be nullable."""
    execute(
        postgres_database,
        "CREATE SCHEMA sales; CREATE TABLE sales.part "
        "(x integer, y integer, doubled integer, more integer NOT NULL)",
    )
    with pytest.raises(TargetSchemaError, match="'more' is NOT NULL without a default"):
        feed_snapshot(everything, postgres_database)


def test_rows_that_refer_from_outside_are_not_broken(
    everything: Any, postgres_database: str
) -> None:
    """A table that is not fed keeps its rows, even where they would be deleted along."""
    feed_snapshot(everything, postgres_database, tables=["sales.line"])
    execute(
        postgres_database,
        "CREATE TABLE mine (id int REFERENCES sales.house ON DELETE CASCADE);"
        "INSERT INTO mine VALUES (1)",
    )
    with pytest.raises(FeedRequestError, match=r"'public\.mine' has rows that refer"):
        feed_snapshot(everything, postgres_database, tables=["sales.line"])
    assert rows(postgres_database, "SELECT * FROM mine") == [(1,)]


def test_a_missing_right_is_named(everything: Any, postgres_database: str) -> None:
    """The message is the statement that grants it."""
    feed_snapshot(everything, postgres_database, tables=["sales.line"])
    execute(postgres_database, "CREATE ROLE nobody_in_particular LOGIN")
    url = postgres_database.replace("//postgres", "//nobody_in_particular")
    with pytest.raises(TargetPermissionError, match="CREATE ON SCHEMA"):
        feed_snapshot(everything, url)
    execute(
        postgres_database,
        "GRANT USAGE ON SCHEMA sales TO nobody_in_particular;"
        "GRANT SELECT ON ALL TABLES IN SCHEMA sales TO nobody_in_particular",
    )
    with pytest.raises(TargetPermissionError, match=r"may not INSERT .* GRANT SELECT, INSERT"):
        feed_snapshot(everything, url, tables=["sales.line"])
    execute(postgres_database, "DROP OWNED BY nobody_in_particular; DROP ROLE nobody_in_particular")
