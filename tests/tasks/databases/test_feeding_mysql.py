"""Feeding MariaDB: whole, checked, and typed as well as it allows."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pymysql
import pytest

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.tasks.databases.errors import (
    RowsRefusedError,
    TargetConnectionError,
    TargetPermissionError,
    TargetUrlError,
)
from prefect_synth.tasks.databases.feeding import feed_snapshot


def connected(url: str, user: str = "root") -> Any:
    """A connection by the driver alone."""
    head, _, socket = url.partition("?unix_socket=")
    return pymysql.connect(unix_socket=socket, user=user, database=head.rpartition("/")[2])


def rows(url: str, *statements: str) -> Any:
    """What the last of some statements says."""
    with connected(url) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        connection.commit()
        return list(cursor.fetchall())


@pytest.fixture(scope="module")
def finite(everything: Any, publish: Any) -> Any:
    """The snapshot of everything, without the infinite number."""
    tables = {name: everything.table(name) for name in everything.tables}
    orders = tables["public.Order"]
    place = orders.schema.get_field_index("wide")
    capped = pc.min_element_wise(orders["wide"], 1e300, skip_nulls=False)
    tables["public.Order"] = orders.set_column(place, orders.schema.field(place), capped)
    return publish(everything.metadata, tables)


def test_infinity_is_told(everything: Any, mariadb_database: str) -> None:
    """MySQL has none."""
    with pytest.raises(RowsRefusedError, match=r"'public\.Order\.wide' holds infinity"):
        feed_snapshot(everything, mariadb_database)
    assert rows(mariadb_database, "SHOW TABLES") == []


def test_values_are_as_mysql_has_them(finite: Any, mariadb_database: str) -> None:
    """Time stamps are UTC; lists are JSON; durations are microseconds."""
    feed_snapshot(finite, mariadb_database)
    [found] = rows(
        mariadb_database,
        "SELECT feeling, tags, numbers, length(token), `raw`, price, seen, made, took, born, at,"
        " ok, boss FROM `Order` WHERE `select` = 'a'",
    )
    assert found == (
        "sad",
        '["a",null,"q\\"\\\\",""]',
        "[1,2,null]",
        36,
        b"\x00\xff",
        decimal.Decimal("1.5000"),
        datetime.datetime(2020, 1, 1),
        datetime.datetime(2020, 1, 1, 1, 2, 3, 456000),
        3456001000000,
        datetime.date(2020, 2, 2),
        datetime.timedelta(hours=23, minutes=59, seconds=59.5),
        1,
        3,
    )


@pytest.mark.parametrize("creates", [["missing"], ["missing"] * 2, ["missing", "always"]])
def test_all_constraints_hold_and_numbering_goes_on(
    finite: Any, mariadb_database: str, creates: list[Any]
) -> None:
    """Keys of every kind are declared, cycles too, and a row without a number gets the next one."""
    for create in creates:
        feed_snapshot(finite, mariadb_database, create=create)
    assert rows(
        mariadb_database,
        "SELECT count(*) FROM information_schema.referential_constraints "
        "WHERE constraint_schema = database()",
    ) == [(len(finite.metadata.relationships),)]
    rows(mariadb_database, "INSERT INTO `Order` (`select`) VALUES ('new')")
    rows(mariadb_database, "INSERT INTO house VALUES ()")
    assert rows(mariadb_database, "SELECT max(id) FROM `Order`") == [(4,)]
    with pytest.raises(pymysql.IntegrityError, match="foreign key constraint fails"):
        rows(mariadb_database, "INSERT INTO person (house_id) VALUES (99)")
    assert rows(mariadb_database, "SHOW TABLES LIKE 'prefect%'") == []


def test_an_existing_schema_is_left_as_it_is(everything: Any, mariadb_database: str) -> None:
    """Other order, columns with a default or computed: the rows find their places, in a cycle."""
    rows(
        mariadb_database,
        "CREATE TABLE house (note TEXT DEFAULT 'none', head_id INT, "
        "id INT PRIMARY KEY AUTO_INCREMENT, twice INT GENERATED ALWAYS AS (head_id * 2))",
        "CREATE TABLE person (house_id INT NOT NULL REFERENCES house (id), id INT PRIMARY KEY)",
        "ALTER TABLE house ADD FOREIGN KEY (head_id) REFERENCES person (id)",
    )
    feed_snapshot(everything, mariadb_database, tables=["sales.person"])
    assert rows(mariadb_database, "SELECT * FROM house ORDER BY id") == [
        ("none", 1, 1, 2),
        ("none", 2, 2, 4),
    ]


def test_upsert_updates_and_keeps(everything: Any, mariadb_database: str) -> None:
    """Rows with the same key are updated, others stay."""
    feed_snapshot(everything, mariadb_database, tables=["sales.line"])
    rows(mariadb_database, "INSERT INTO line VALUES (9, 9, 'mine', 1)")
    rows(mariadb_database, "UPDATE line SET note = 'changed' WHERE x = 1")
    feed_snapshot(everything, mariadb_database, tables=["sales.line"], mode="upsert")
    found = rows(mariadb_database, "SELECT x, y, note FROM line ORDER BY x, y")
    assert found == [(1, 1, "p"), (1, 2, "q"), (9, 9, "mine")]


def test_a_reader_sees_the_old_rows_until_the_end(everything: Any, mariadb_database: str) -> None:
    """A transaction that is open meanwhile keeps its state, and nobody waits."""
    feed_snapshot(everything, mariadb_database, tables=["sales.part"])
    rows(mariadb_database, "DELETE FROM part")
    with connected(mariadb_database) as reader, reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM part")
        assert cursor.fetchone() == (0,)
        feed_snapshot(everything, mariadb_database, tables=["sales.part"])
        cursor.execute("SELECT count(*) FROM part")
        assert cursor.fetchone() == (0,)
        reader.commit()
        cursor.execute("SELECT count(*) FROM part")
        assert cursor.fetchone() == (3,)


def test_orphans_are_refused_and_nothing_is_left(publish: Any, mariadb_database: str) -> None:
    """Foreign keys are not looked at while rows move, and checked before anything is seen."""
    metadata = Metadata(
        {
            "a": Table("a", {"id": Column("id", "id", False)}, ("id",)),
            "b": Table("b", {"a_id": Column("a_id", "id")}),
        },
        (Relationship("b", ("a_id",), "a", ("id",)),),
    )
    broken = publish(metadata, {"a": pa.table({"id": [1]}), "b": pa.table({"a_id": [1, 2]})})
    with pytest.raises(RowsRefusedError, match="'b' refer by a_id to rows of 'a'"):
        feed_snapshot(broken, mariadb_database)
    assert rows(mariadb_database, "SHOW TABLES") == []


def test_a_missing_right_is_named(everything: Any, mariadb_database: str) -> None:
    """MySQL's own words say which; nothing is changed."""
    feed_snapshot(everything, mariadb_database, tables=["sales.line"])
    rows(mariadb_database, "CREATE USER reader", "GRANT SELECT ON *.* TO reader")
    url = mariadb_database.replace("//root@", "//reader@")
    with pytest.raises(TargetPermissionError, match="DELETE command denied"):
        feed_snapshot(everything, url, tables=["sales.line"])
    with pytest.raises(TargetPermissionError, match="DROP command denied"):
        feed_snapshot(everything, url)
    rows(mariadb_database, "DROP USER reader")


def test_a_bad_address_tells_no_password(everything: Any) -> None:
    """Who answers not is told, with what password is not."""
    with pytest.raises(TargetConnectionError, match="No connection") as caught:
        feed_snapshot(everything, "mysql://ann:s3cret@127.0.0.1:1/shop")
    assert "s3cret" not in str(caught.value)
    with pytest.raises(TargetUrlError, match="names no database"):
        feed_snapshot(everything, "mysql://ann:s3cret@127.0.0.1:1")
