"""Feeding PostgreSQL: exact, whole, and with everything that its schema can have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.tasks.databases.errors import (
    FeedRequestError,
    RowsRefusedError,
    TargetPermissionError,
    TargetSchemaError,
)
from prefect_synth.tasks.databases.feeding import feed_snapshot
from prefect_synth.tasks.databases.postgres_copy import csv_of

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


@pytest.mark.parametrize("creates", [["missing"], ["missing"] * 2, ["missing", "always"]])
def test_what_is_fed_is_what_was_pulled(
    everything: Any, postgres_database: str, read: Any, tmp_path: Path, creates: list[Any]
) -> None:
    """Types, keys, comments, identity and every value come back, also from a second feeding."""
    for create in creates:
        feed_snapshot(everything, postgres_database, create=create)
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


def test_a_role_with_grants_alone_can_feed(everything: Any, postgres_database: str) -> None:
    """It need not own the tables; the sequences of others it sets all the same."""
    feed_snapshot(everything, postgres_database)
    execute(
        postgres_database,
        "CREATE ROLE feeder LOGIN; GRANT USAGE ON SCHEMA public, sales TO feeder;"
        "GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA public, sales TO feeder;"
        "GRANT USAGE, UPDATE ON ALL SEQUENCES IN SCHEMA public, sales TO feeder;"
        "INSERT INTO sales.house (head_id) SELECT 1 FROM generate_series(1, 9)",
    )
    feed_snapshot(everything, postgres_database.replace("//postgres", "//feeder"))
    execute(postgres_database, "INSERT INTO sales.house DEFAULT VALUES")
    assert rows(postgres_database, "SELECT max(id) FROM sales.house") == [(3,)]
    execute(postgres_database, "DROP OWNED BY feeder; DROP ROLE feeder")


def test_a_role_that_can_only_read_is_refused(everything: Any, postgres_database: str) -> None:
    """Also when it owns everything: the transaction is read only."""
    url = f"{postgres_database}&options=-c%20default_transaction_read_only%3Don"
    with pytest.raises(TargetPermissionError, match="can only read"):
        feed_snapshot(everything, url)


def test_one_schema_for_all(publish: Any, postgres_database: str) -> None:
    """`schema` is created if need be."""
    feed_snapshot(_large(publish, 3), postgres_database, schema="Test it")
    assert rows(postgres_database, 'SELECT count(*) FROM "Test it".child') == [(30,)]


def test_deleting_needs_no_index_of_the_schema(publish: Any, postgres_database: str) -> None:
    """Without one for the time of feeding, each deleted parent would read all children."""
    execute(
        postgres_database,
        "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (parent_id int, text text);"
        "ALTER TABLE child ADD FOREIGN KEY (parent_id) REFERENCES parent",
    )
    large = _large(publish, 10_000)
    feed_snapshot(large, postgres_database)
    assert feed_snapshot(large, postgres_database).seconds < 30
    assert rows(postgres_database, "SELECT count(*) FROM pg_indexes WHERE tablename = 'child'") == [
        (0,)
    ]


def test_tables_are_made_anew(publish: Any, postgres_database: str) -> None:
    """Whatever they were; nothing else is left, and numbering goes on."""
    execute(postgres_database, "CREATE TABLE parent (other text); CREATE TABLE mine (x int)")
    for parents in (3, 5):
        feed_snapshot(_large(publish, parents), postgres_database, create="always")
    assert rows(postgres_database, "SELECT count(*) FROM child") == [(50,)]
    assert rows(postgres_database, "INSERT INTO parent DEFAULT VALUES RETURNING id") == [(6,)]
    schemas = rows(postgres_database, "SELECT nspname FROM pg_namespace WHERE nspname ~ 'synth'")
    assert (schemas, rows(postgres_database, "SELECT * FROM mine")) == ([], [])


def test_what_hangs_on_a_table_keeps_it_from_being_made_anew(
    publish: Any, postgres_database: str
) -> None:
    """A foreign key from elsewhere, or a view: told, and everything is as it was."""
    feed_snapshot(_large(publish, 3), postgres_database)
    execute(postgres_database, "CREATE VIEW looking AS SELECT * FROM child")
    with pytest.raises(TargetSchemaError, match="view looking depends on table child"):
        feed_snapshot(_large(publish, 5), postgres_database, create="always")
    execute(postgres_database, "CREATE TABLE mine (id bigint REFERENCES parent)")
    with pytest.raises(FeedRequestError, match=r"'public\.mine' refers to 'public\.parent'"):
        feed_snapshot(_large(publish, 5), postgres_database, create="always")
    assert rows(postgres_database, "SELECT count(*) FROM looking") == [(30,)]


def test_making_anew_needs_the_owner(publish: Any, postgres_database: str) -> None:
    """The missing right is named before anything is loaded."""
    feed_snapshot(_large(publish, 3), postgres_database)
    execute(postgres_database, "CREATE ROLE guest LOGIN; GRANT CREATE ON SCHEMA public TO guest")
    url = postgres_database.replace("//postgres", "//guest")
    with pytest.raises(TargetPermissionError, match="GRANT CREATE ON DATABASE"):
        feed_snapshot(_large(publish, 5), url, create="always")
    name = postgres_database.split("/")[3].split("?")[0]
    execute(postgres_database, f"GRANT CREATE ON DATABASE {name} TO guest")
    with pytest.raises(TargetPermissionError, match=r"does not own table 'public\.parent'"):
        feed_snapshot(_large(publish, 5), url, create="always")
    execute(postgres_database, "DROP OWNED BY guest; DROP ROLE guest")


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL", "RESTRICT", "NO ACTION"])
def test_what_happens_on_deletion_does_not_matter(
    publish: Any, postgres_database: str, action: str
) -> None:
    """All tables are emptied by one statement, whatever their foreign keys would do."""
    execute(
        postgres_database,
        "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (text text, parent_id int);"
        "ALTER TABLE child ADD FOREIGN KEY (parent_id) REFERENCES parent "
        f"ON DELETE {action} ON UPDATE {action}",
    )
    for parents in (3, 5, 4):
        feed_snapshot(_large(publish, parents), postgres_database)
        found = rows(postgres_database, "SELECT count(*), count(parent_id) FROM child")
        assert found == [(10 * parents, 10 * parents)]


def test_an_empty_table_is_fed(publish: Any, postgres_database: str) -> None:
    """It has its schema and no rows, and numbering begins where it would."""
    feed_snapshot(_large(publish, 0), postgres_database)
    assert rows(postgres_database, "SELECT count(*) FROM child") == [(0,)]
    assert rows(postgres_database, "INSERT INTO parent DEFAULT VALUES RETURNING id") == [(1,)]


def test_rows_that_break_a_key_are_refused(publish: Any, postgres_database: str) -> None:
    """The table, the constraint and no value are named, and the database is as it was."""
    feed_snapshot(_large(publish, 3), postgres_database)
    broken = publish(
        LARGE, {"parent": pa.table({"id": [4711, 4711]}), "child": _children([1], ["x"])}
    )
    with pytest.raises(RowsRefusedError, match="table 'parent', constraint 'parent_pkey'") as told:
        feed_snapshot(broken, postgres_database)
    assert "4711" not in str(told.value)
    assert rows(postgres_database, "SELECT count(*) FROM child") == [(30,)]


LARGE = Metadata(
    {
        "parent": Table("parent", {"id": Column("id", "id", False, identity=True)}, ("id",)),
        "child": Table("child", {"parent_id": Column("parent_id", "id"), "text": Column("text")}),
    },
    (Relationship("child", ("parent_id",), "parent", ("id",)),),
)


def _large(publish: Any, parents: int) -> Any:
    ids = range(1, parents + 1)
    children = [parent for parent in ids for _ in range(10)]
    tables = {
        "parent": pa.table({"id": pa.array(ids, pa.int64())}),
        "child": _children(children, ["some text for size"] * len(children)),
    }
    return publish(LARGE, tables)


def _children(ids: list[int], texts: list[str]) -> pa.Table:
    return pa.table({"parent_id": pa.array(ids, pa.int64()), "text": pa.array(texts, pa.string())})


TEXTS = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXTS, st.none() | st.lists(TEXTS)), min_size=1))
def test_any_text_and_any_array_come_back(postgres_database: str, values: list[Any]) -> None:
    """Whatever quotes, commas, braces, backslashes and line ends they hold, NULL apart."""
    texts, lists = zip(*values, strict=True)
    batch = pa.record_batch(
        {
            "place": pa.array(range(len(values))),
            "text": pa.array(texts, pa.string()),
            "list": pa.array(lists, pa.list_(pa.string())),
        }
    )
    with psycopg.connect(postgres_database) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE written (place int, text text, list text[])")
        with cursor.copy("COPY written FROM STDIN (FORMAT csv)") as copy:
            copy.write(csv_of(batch))
        found = cursor.execute("SELECT text, list FROM written ORDER BY place").fetchall()
        connection.rollback()
    assert found == list(zip(texts, lists, strict=True))
