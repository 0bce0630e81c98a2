"""What holds in every kind of database, with a schema of sakila's kind."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pyarrow as pa
import pytest

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.tasks.databases.errors import FeedRequestError
from prefect_synth.tasks.databases.feeding import feed_snapshot

PARTS = {name: Column(name, "id", False) for name in ("film_id", "actor_id")}
METADATA = Metadata(
    {
        "credit": Table("credit", {**PARTS, "note": Column("note")}),
        "film_actor": Table("film_actor", PARTS, ("actor_id", "film_id")),
        "film": Table(
            "film",
            {
                "film_id": Column("film_id", "id", False, identity=True),
                "title": Column("title"),
                "rating": Column("rating", "categorical", categories=("G", "PG-13", "R")),
            },
            ("film_id",),
        ),
        "staff": Table(
            "staff",
            {
                "staff_id": Column("staff_id", "id", False, identity=True),
                "store_id": Column("store_id", "id"),
                "boss_id": Column("boss_id", "id"),
            },
            ("staff_id",),
        ),
        "store": Table(
            "store",
            {
                "store_id": Column("store_id", "id", False, identity=True),
                "manager_id": Column("manager_id", "id"),
            },
            ("store_id",),
        ),
    },
    (
        Relationship("credit", ("actor_id", "film_id"), "film_actor", ("actor_id", "film_id")),
        Relationship("film_actor", ("film_id",), "film", ("film_id",)),
        Relationship("staff", ("store_id",), "store", ("store_id",)),
        Relationship("staff", ("boss_id",), "staff", ("staff_id",)),
        Relationship("store", ("manager_id",), "staff", ("staff_id",)),
    ),
)


@pytest.fixture(scope="module")
def films(publish: Any) -> Any:
    """A circle, a reference to the table itself, keys of two columns, enumerated values."""
    return publish(
        METADATA,
        {
            "credit": pa.table({"film_id": [2, 1], "actor_id": [7, 7], "note": ["a", None]}),
            "film_actor": pa.table({"film_id": [1, 2, 2], "actor_id": [7, 7, 8]}),
            "film": pa.table({"film_id": [1, 2], "title": ["x", "y"], "rating": ["PG-13", None]}),
            "staff": pa.table(
                {"staff_id": [1, 2, 3], "store_id": [1, 2, 2], "boss_id": [3, None, 2]}
            ),
            "store": pa.table({"store_id": [1, 2], "manager_id": [2, 3]}),
        },
    )


@pytest.fixture
def run(place: Any) -> Any:
    """Run a statement with foreign keys on."""
    url, connect = place

    def run(statement: str) -> Any:
        with closing(connect()) as connection, closing(connection.cursor()) as cursor:
            if url.startswith("sqlite"):
                cursor.execute("PRAGMA foreign_keys = ON")
            cursor.execute(statement)
            found = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
            if not url.startswith(("duckdb", "postgresql")):
                connection.commit()
            return found

    return run


@pytest.mark.parametrize("create", ["missing", "always"])
def test_every_row_is_accepted_with_all_constraints_on(
    films: Any, place: Any, run: Any, create: Any
) -> None:
    """Into an empty database, and over what is there; then the constraints are at work."""
    url, _ = place
    for _ in range(2):
        result = feed_snapshot(films, url, create=create)
        assert {t.name: t.rows for t in result.tables} == {
            name: films.table(name).num_rows for name in films.tables
        }
    assert run("SELECT film_id, rating FROM film ORDER BY film_id") == [(1, "PG-13"), (2, None)]
    staff = run("SELECT staff_id, store_id, boss_id FROM staff ORDER BY staff_id")
    assert staff == [(1, 1, 3), (2, 2, None), (3, 2, 2)]
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        run("INSERT INTO credit (film_id, actor_id) VALUES (1, 8)")
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        run("INSERT INTO film_actor VALUES (9, 9)")
    with pytest.raises(Exception, match=r"(?i)duplicate|unique"):
        run("INSERT INTO film_actor VALUES (1, 7)")
    with pytest.raises(Exception, match=r"(?i)enum|check|truncated|convert"):
        run("INSERT INTO film (rating) VALUES ('X')")
    for table, column in (("film", "title"), ("store", "manager_id"), ("staff", "store_id")):
        run(f"INSERT INTO {table} ({column}) VALUES (NULL)")
    assert run("SELECT max(film_id) FROM film") == [(3,)]
    assert run("SELECT max(store_id) FROM store") == [(3,)]
    assert run("SELECT max(staff_id) FROM staff") == [(4,)]


def test_a_foreign_key_that_only_the_database_has_counts_for_the_order(
    publish: Any, place: Any, run: Any
) -> None:
    """The child's name comes first, and the snapshot knows nothing of the reference."""
    url, _ = place
    tables = {
        "a_orders": Table(
            "a_orders",
            {"id": Column("id", "id", False), "customer_id": Column("customer_id", "id")},
            ("id",),
        ),
        "customers": Table("customers", {"id": Column("id", "id", False)}, ("id",)),
    }
    snapshot = publish(
        Metadata(tables),
        {
            "a_orders": pa.table({"id": [1, 2], "customer_id": [2, 1]}),
            "customers": pa.table({"id": [1, 2]}),
        },
    )
    run("CREATE TABLE customers (id BIGINT PRIMARY KEY)")
    run(
        "CREATE TABLE a_orders (id BIGINT PRIMARY KEY, customer_id BIGINT, "
        "FOREIGN KEY (customer_id) REFERENCES customers (id))"
    )
    run("INSERT INTO customers VALUES (9)")
    run("INSERT INTO a_orders VALUES (9, 9)")
    for mode in ("replace", "replace", "upsert"):
        feed_snapshot(snapshot, url, mode=mode)
    assert run("SELECT id, customer_id FROM a_orders ORDER BY id") == [(1, 2), (2, 1)]
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        run("INSERT INTO a_orders VALUES (3, 9)")
    with pytest.raises(FeedRequestError, match="a_orders' has rows that refer"):
        feed_snapshot(snapshot, url, tables=["customers"])
