"""What readers see while a database is fed, and when the feeding is killed: whole states only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pymysql
import pytest

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.tasks.databases.feeding import feed_snapshot
from prefect_synth.tasks.snapshots.reading import Snapshots, snapshots
from prefect_synth.tasks.snapshots.store import open_store

METADATA = Metadata(
    {
        "customers": Table("customers", {"id": Column("id", "id", False, identity=True)}, ("id",)),
        "orders": Table(
            "orders",
            {c: Column(c, "id", False) for c in ("id", "customer_id")},
            ("id",),
        ),
    },
    (Relationship("orders", ("customer_id",), "customers", ("id",)),),
)
QUERY = "SELECT (SELECT count(*) FROM customers), (SELECT count(*) FROM orders)"
SMALL, LARGE = 30_000, 70_000
COUNTS = {(SMALL // 10, SMALL), (LARGE // 10, LARGE)}

Connect = Callable[[], Any]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Snapshots:
    """A sandbox of two snapshots, a small one and a large one."""
    folder = tmp_path_factory.mktemp("two")
    for rows, run in ((SMALL, "small"), (LARGE, "large")):
        ids = pa.array(range(1, rows + 1))
        customers = pa.array([i // 10 + 1 for i in range(rows)])
        tables = {
            "customers": pa.table({"id": ids.slice(0, rows // 10)}),
            "orders": pa.table({"id": ids, "customer_id": customers}),
        }
        files = {name: folder / f"{run}-{name}.parquet" for name in tables}
        for name, table in tables.items():
            pq.write_table(table, files[name], row_group_size=10_000)
        store = open_store(str(folder / "sandbox"))
        store.publish(run, files, {"metadata": METADATA.to_dict()})
    return snapshots(folder / "sandbox")


@pytest.fixture
def by_size(two: Snapshots) -> dict[str, Any]:
    """The two snapshots by name."""
    return {info.run_id: two.get(info.snapshot_id) for info in two.list()}


def counted(connect: Connect) -> tuple[int, ...]:
    """The numbers of rows of both tables, by one statement."""
    with closing(connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(QUERY)
        return tuple(cursor.fetchall()[0])


@contextmanager
def polling(connect: Connect) -> Iterator[list[tuple[float, tuple[int, ...]]]]:
    """Ask for the numbers of rows again and again in a thread; each with its time."""
    seen: list[tuple[float, tuple[int, ...]]] = []
    end = threading.Event()

    def poll() -> None:
        with closing(connect()) as connection, closing(connection.cursor()) as cursor:
            while not end.is_set():
                cursor.execute(QUERY)
                seen.append((time.monotonic(), tuple(cursor.fetchall()[0])))
                time.sleep(0.002)

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        yield seen
    finally:
        end.set()
        reader.join()


@pytest.mark.parametrize("create", ["missing", "always"])
def test_a_reader_sees_only_whole_states(place: Any, by_size: Any, create: Any) -> None:
    """Fed again and again with another number of rows: one number or the other, and never none."""
    url, connect = place
    feed_snapshot(by_size["small"], url)
    during = 0
    with polling(connect) as seen:
        for name in ("large", "small", "large"):
            started = time.monotonic()
            feed_snapshot(by_size[name], url, create=create)
            ended = time.monotonic()
            during += sum(started < moment < ended for moment, _ in seen)
    assert {numbers for _, numbers in seen} <= COUNTS
    assert len({numbers for _, numbers in seen}) == 2
    assert during > 10, "the reader was kept waiting"
    assert counted(connect) == (LARGE // 10, LARGE)


BEGIN = {
    "postgresql": ["BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT 1"],
    "mysql": ["START TRANSACTION WITH CONSISTENT SNAPSHOT"],
    "sqlite": ["PRAGMA journal_mode = wal", "BEGIN", "SELECT count(*) FROM sqlite_master"],
    "duckdb": ["BEGIN", QUERY],
}
"""How a transaction begins that shall see one state to its end."""


def test_a_transaction_sees_one_state_to_its_end(place: Any, by_size: Any) -> None:
    """It began before the feeding, comes to the tables after it, and finds the old rows."""
    url, connect = place
    feed_snapshot(by_size["small"], url)
    with closing(connect()) as connection, closing(connection.cursor()) as cursor:
        for statement in BEGIN[url.partition(":")[0]]:
            cursor.execute(statement)
            if cursor.description:
                cursor.fetchall()
        feed_snapshot(by_size["large"], url)
        cursor.execute(QUERY)
        assert tuple(cursor.fetchall()[0]) == (SMALL // 10, SMALL)
        cursor.execute("ROLLBACK")
    assert counted(connect) == (LARGE // 10, LARGE)


def test_killed_in_the_middle_all_is_as_it_was(place: Any, by_size: Any) -> None:
    """SIGKILL while rows are loaded: the old rows are there, and the next feeding is whole."""
    url, connect = place
    feed_snapshot(by_size["small"], url)
    large = by_size["large"]
    child = Path(__file__).with_name("dying_child.py")
    sandbox = str(large.store.url)
    done = subprocess.run(
        [sys.executable, str(child), sandbox, large.snapshot_id, url, "2"],
        check=False,
        capture_output=True,
        env=os.environ,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert counted(connect) == (SMALL // 10, SMALL)
    feed_snapshot(large, url)
    assert counted(connect) == (LARGE // 10, LARGE)


def test_killed_the_first_time_nothing_is_there(mariadb_database: str, by_size: Any) -> None:
    """New tables of MySQL appear together or not at all; what a killed feed left is cleared."""
    large = by_size["large"]
    child = Path(__file__).with_name("dying_child.py")
    words = [str(large.store.url), large.snapshot_id, mariadb_database, "1"]
    subprocess.run([sys.executable, str(child), *words], check=False, env=os.environ)
    head, _, socket = mariadb_database.partition("?unix_socket=")
    name = head.rpartition("/")[2]

    def tables() -> set[str]:
        with (
            pymysql.connect(unix_socket=socket, user="root", database=name) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SHOW TABLES")
            return {row[0] for row in cursor.fetchall()}

    assert not tables() & {"customers", "orders"}
    feed_snapshot(large, mariadb_database)
    assert tables() == {"customers", "orders"}


def test_a_feed_that_fails_at_the_end_changes_nothing(
    place: Any, by_size: Any, tmp_path: Any
) -> None:
    """A file with fewer rows than the manifest says: found by the last check, and undone."""
    url, connect = place
    feed_snapshot(by_size["small"], url)
    large = by_size["large"]
    tables = {**large.manifest["tables"]}
    tables["orders"] = {**tables["orders"], "rows": LARGE + 1}
    lying = type(large)({**large.manifest, "tables": tables}, large.local, large.store)
    with pytest.raises(Exception, match=f"would have {LARGE} rows, expected {LARGE + 1}"):
        feed_snapshot(lying, url)
    assert counted(connect) == (SMALL // 10, SMALL)
