"""What is in a MariaDB database already: it is never broken, nor changed by a feed that fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pymysql
import pytest

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.tasks.databases.errors import (
    RowsRefusedError,
    TargetPermissionError,
    TargetSchemaError,
)
from prefect_synth.tasks.databases.feeding import feed_snapshot
from prefect_synth.tasks.databases.mysql_aside import aside_name, left_over
from prefect_synth.tasks.snapshots.reading_snapshot import Snapshot

CUSTOMERS = "CREATE TABLE customers (id INT PRIMARY KEY, email VARCHAR(20) UNIQUE)"
ORDERS = "CREATE TABLE orders (id INT PRIMARY KEY, customer_id INT REFERENCES customers (id))"
OLD = "INSERT INTO customers VALUES (77, 'old')"


def rows(url: str, *statements: str) -> Any:
    """What the last of some statements says."""
    head, _, socket = url.partition("?unix_socket=")
    name = head.rpartition("/")[2]
    with (
        pymysql.connect(unix_socket=socket, user="root", database=name) as connection,
        connection.cursor() as cursor,
    ):
        for statement in statements:
            cursor.execute(statement)
        connection.commit()
        return list(cursor.fetchall())


@pytest.fixture(scope="module")
def shop(publish: Any) -> Any:
    """Two customers with an order each."""
    metadata = Metadata(
        {
            "customers": Table(
                "customers", {"id": Column("id", "id", False), "email": Column("email")}, ("id",)
            ),
            "orders": Table(
                "orders",
                {"id": Column("id", "id", False), "customer_id": Column("customer_id", "id")},
                ("id",),
            ),
        },
        (Relationship("orders", ("customer_id",), "customers", ("id",)),),
    )
    ids = pa.array([1, 2], pa.int32())
    tables = {
        "customers": pa.table({"id": ids, "email": ["a", "b"]}),
        "orders": pa.table({"id": ids, "customer_id": ids}),
    }
    return publish(metadata, tables)


def test_a_key_into_a_table_that_is_not_fed_holds(shop: Any, mariadb_database: str) -> None:
    """Keys are not looked at while rows move; those that only the database has count too."""
    rows(mariadb_database, CUSTOMERS, ORDERS)
    with pytest.raises(RowsRefusedError, match="'orders' refer by customer_id to rows of 'custom"):
        feed_snapshot(shop, mariadb_database, tables=["orders"], closure=False)
    assert rows(mariadb_database, "SELECT * FROM orders") == []
    rows(mariadb_database, "INSERT INTO customers VALUES (1, 'x'), (2, 'y')")
    feed_snapshot(shop, mariadb_database, tables=["orders"], closure=False)
    assert rows(mariadb_database, "SELECT count(*) FROM orders") == [(2,)]


def test_a_key_into_another_database_holds(shop: Any, mariadb_database: str) -> None:
    """InnoDB has such keys; a table of the same name here is not meant."""
    other = f"{mariadb_database.partition('?')[0].rpartition('/')[2]}_other"
    try:
        rows(
            mariadb_database,
            f"CREATE DATABASE {other}",
            f"CREATE TABLE {other}.regions (id INT PRIMARY KEY)",
            f"INSERT INTO {other}.regions VALUES (1)",
            "CREATE TABLE customers (id INT PRIMARY KEY, email VARCHAR(20), "
            f"FOREIGN KEY (id) REFERENCES {other}.regions (id))",
        )
        with pytest.raises(RowsRefusedError, match=f"rows of '{other}.regions' that are not"):
            feed_snapshot(shop, mariadb_database, tables=["customers"])
        rows(mariadb_database, f"INSERT INTO {other}.regions VALUES (2)")
        feed_snapshot(shop, mariadb_database, tables=["customers"])
    finally:
        rows(mariadb_database, "DROP TABLE customers", f"DROP DATABASE {other}")


def test_an_upsert_lets_nothing_dangle(shop: Any, mariadb_database: str) -> None:
    """A value that a table which is not fed refers to may not change."""
    rows(
        mariadb_database,
        CUSTOMERS,
        "INSERT INTO customers VALUES (1, 'was')",
        "CREATE TABLE letters (email VARCHAR(20) REFERENCES customers (email))",
        "INSERT INTO letters VALUES ('was')",
    )
    with pytest.raises(RowsRefusedError, match="'letters' refer by email"):
        feed_snapshot(shop, mariadb_database, tables=["customers"], mode="upsert")
    assert rows(mariadb_database, "SELECT * FROM customers") == [(1, "was")]


def test_an_upsert_changes_rows_of_the_same_primary_key_alone(
    shop: Any, mariadb_database: str
) -> None:
    """Another unique key that is taken is refused; without, rows are updated and added."""
    rows(mariadb_database, CUSTOMERS, "INSERT INTO customers VALUES (77, 'a'), (2, 'x')")
    with pytest.raises(RowsRefusedError, match="Duplicate entry"):
        feed_snapshot(shop, mariadb_database, tables=["customers"], mode="upsert")
    held = "SELECT * FROM customers ORDER BY id"
    assert rows(mariadb_database, held) == [(2, "x"), (77, "a")]
    rows(mariadb_database, "UPDATE customers SET email = 'c' WHERE id = 77")
    feed_snapshot(shop, mariadb_database, tables=["customers"], mode="upsert")
    assert rows(mariadb_database, held) == [(1, "a"), (2, "b"), (77, "c")]


def test_a_view_in_the_way_is_told_beforehand(shop: Any, mariadb_database: str) -> None:
    """The rows of the table that could have been fed are the old ones."""
    rows(mariadb_database, CUSTOMERS, OLD, "CREATE VIEW orders AS SELECT 1 AS id")
    with pytest.raises(TargetSchemaError, match=r"'orders' cannot be created: .* \(VIEW\)"):
        feed_snapshot(shop, mariadb_database)
    assert rows(mariadb_database, "SELECT * FROM customers") == [(77, "old")]


@pytest.mark.parametrize("lacking", ["ALTER", "DROP", "CREATE"])
def test_rights_for_new_tables_are_asked_for_beforehand(
    shop: Any, mariadb_database: str, lacking: str
) -> None:
    """Who may not rename a table changes no row, and leaves nothing behind."""
    given = {"SELECT", "INSERT", "DELETE", "UPDATE", "CREATE", "REFERENCES", "ALTER", "DROP"}
    rights = ", ".join(sorted(given - {lacking}))
    rows(
        mariadb_database,
        CUSTOMERS,
        OLD,
        "CREATE USER feeder",
        f"GRANT {rights} ON `{mariadb_database.partition('?')[0].rpartition('/')[2]}`.* TO feeder",
    )
    try:
        with pytest.raises(TargetPermissionError, match=f"{lacking}.* command denied"):
            feed_snapshot(shop, mariadb_database.replace("//root@", "//feeder@"))
    finally:
        rows(mariadb_database, "DROP USER feeder")
    assert rows(mariadb_database, "SELECT * FROM customers") == [(77, "old")]
    assert rows(mariadb_database, "SHOW TABLES") == [("customers",)]


def test_a_feed_killed_after_its_commit_is_made_good(shop: Any, mariadb_database: str) -> None:
    """What it left refers to fed tables, and the next feed clears it away by itself."""
    rows(mariadb_database, CUSTOMERS, OLD)
    child = Path(__file__).with_name("dying_at_rename.py")
    words = [str(shop.store.url), shop.snapshot_id, mariadb_database]
    done = subprocess.run(
        [sys.executable, str(child), *words], check=False, capture_output=True, env=os.environ
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    left = {name for (name,) in rows(mariadb_database, "SHOW TABLES")}
    assert left == {"customers", aside_name("new", 0)}
    feed_snapshot(shop, mariadb_database)
    assert {n for (n,) in rows(mariadb_database, "SHOW TABLES")} == {"customers", "orders"}


class Meanwhile(Snapshot):
    """A snapshot during whose reading something happens."""

    happens: Callable[[], Any]

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        if name == "orders":
            self.happens()
        return super().batches(name, columns)


def test_a_name_that_is_taken_meanwhile_is_told_truly(shop: Any, mariadb_database: str) -> None:
    """The one thing that cannot be undone, and the message does not say otherwise."""
    rows(mariadb_database, CUSTOMERS, OLD)
    overtaken = Meanwhile(shop.manifest, shop.local, shop.store)
    overtaken.happens = lambda: rows(mariadb_database, "CREATE VIEW orders AS SELECT 1 AS id")
    with pytest.raises(TargetSchemaError, match="hold the new rows already"):
        feed_snapshot(overtaken, mariadb_database)
    assert rows(mariadb_database, "SELECT count(*) FROM customers") == [(2,)]
    rows(mariadb_database, "DROP VIEW orders")
    feed_snapshot(shop, mariadb_database)
    assert {n for (n,) in rows(mariadb_database, "SHOW TABLES")} == {"customers", "orders"}


@pytest.mark.parametrize("create", ["missing", "always"])
def test_tables_of_somebody_else_stay(shop: Any, mariadb_database: str, create: Any) -> None:
    """However much their names look like ours."""
    rows(
        mariadb_database,
        "CREATE TABLE prefect_synth__mine (id INT)",
        "CREATE TABLE prefect_synth__new_0 (id INT)",
        "CREATE TABLE prefect_synth__new_0_0123456789abcdef (id INT)",
    )
    for _ in range(2):
        feed_snapshot(shop, mariadb_database, create=create)
    assert len(rows(mariadb_database, "SHOW TABLES")) == 5


def test_names_that_lie_aside_are_known() -> None:
    """By their checksum, and MySQL takes 64 characters."""
    names = [aside_name("new", 0), aside_name("old", 12345)]
    assert left_over([*names, f"{names[0]}0", names[0].replace("new_0", "new_1")]) == names
    assert max(map(len, names)) < 64


def test_a_table_that_undoes_nothing_is_refused(shop: Any, mariadb_database: str) -> None:
    """MyISAM would keep half of a feed that fails."""
    rows(mariadb_database, f"{CUSTOMERS} ENGINE=MyISAM", OLD)
    with pytest.raises(TargetSchemaError, match="'customers' has the engine MyISAM"):
        feed_snapshot(shop, mariadb_database)
    assert rows(mariadb_database, "SELECT * FROM customers") == [(77, "old")]
    feed_snapshot(shop, mariadb_database, create="always")
    assert rows(mariadb_database, "SELECT count(*) FROM customers") == [(2,)]


def test_a_time_stamp_of_any_zone_is_the_same_instant(publish: Any, mariadb_database: str) -> None:
    """Stored in UTC."""
    metadata = Metadata({"t": Table("t", {"at": Column("at", "datetime")})})
    berlin = pa.array([1577836800000000], pa.timestamp("us", "Europe/Berlin"))
    feed_snapshot(publish(metadata, {"t": pa.table({"at": berlin})}), mariadb_database)
    found = rows(mariadb_database, "SELECT CAST(at AS CHAR) FROM t")
    assert found == [("2020-01-01 00:00:00.000000",)]


def test_another_feed_is_waited_for(shop: Any, mariadb_database: str) -> None:
    """Before the tables are looked at, so that those which the other one made are seen."""
    head, _, socket = mariadb_database.partition("?unix_socket=")
    name = head.rpartition("/")[2]
    lock = "SELECT GET_LOCK(concat('prefect_synth.feed.', md5(database())), 0)"
    with ThreadPoolExecutor(1) as threads:
        with (
            pymysql.connect(unix_socket=socket, user="root", database=name) as other,
            other.cursor() as cursor,
        ):
            cursor.execute(lock)
            feeding = threads.submit(feed_snapshot, shop, mariadb_database)
            with pytest.raises(TimeoutError):
                feeding.result(timeout=1)
            cursor.execute(CUSTOMERS)
        created = {table.name: table.created for table in feeding.result(timeout=30).tables}
    assert created == {"customers": False, "orders": True}
