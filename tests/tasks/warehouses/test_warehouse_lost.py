"""A connection that PostgreSQL breaks off: the reader's can be had again, the snapshot's cannot."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

from prefect_synth.tasks.warehouses.errors import ConnectionFailed, SnapshotLost
from prefect_synth.tasks.warehouses.warehouse import Warehouse, open_warehouse

SLOW = """
CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 9);
CREATE VIEW slow AS SELECT id, length((SELECT pg_sleep(60))::text) AS n FROM t;
"""
READER, LEADER = "%slow%", "%pg_export_snapshot%"

End = Callable[..., None]


@pytest.fixture
def end(postgres_database: str) -> Iterator[End]:
    """Ends the connections of this database whose last query is like one of the patterns."""
    with psycopg.connect(postgres_database, autocommit=True) as admin:

        def matching(what: str, patterns: tuple[str, ...]) -> int:
            sql = (
                f"SELECT count({what}) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND query LIKE ANY (%s)"
            )
            return admin.execute(sql, [list(patterns)]).fetchone()[0]

        def terminate(*patterns: str) -> None:
            while matching("pid", patterns) < len(patterns):
                time.sleep(0.05)
            matching("pg_terminate_backend(pid)", patterns)

        yield terminate


@pytest.fixture
def warehouse(postgres_database: str) -> Warehouse:
    """A warehouse with a view that is read for a minute."""
    with psycopg.connect(postgres_database) as connection:
        connection.execute(SLOW)
    return open_warehouse(postgres_database, allow_writable=True)


def slow(warehouse: Warehouse) -> pa.Schema:
    """The schema of the slow view."""
    return warehouse.schemas(warehouse.reflect(include=["slow"]))["slow"]


def test_a_lost_reader_can_read_again(warehouse: Warehouse, end: End, tmp_path: Path) -> None:
    """While the snapshot is held, it is a lost connection, and the next query has another."""
    schema, path = slow(warehouse), tmp_path / "slow.parquet"
    with warehouse.snapshot() as snapshot, ThreadPoolExecutor() as pool:
        reading = pool.submit(snapshot.pull, "slow", schema, path)
        end(READER)
        with pytest.raises(ConnectionFailed, match="lost while table 'slow' was read") as lost:
            reading.result()
        assert not isinstance(lost.value, SnapshotLost)
        assert (snapshot.count("t"), list(tmp_path.iterdir())) == (9, [])


def test_a_server_that_ends_all_has_ended_the_snapshot(
    warehouse: Warehouse, end: End, tmp_path: Path
) -> None:
    """Reader and snapshot gone together: what helps is a new snapshot, and it can be had."""
    schema, path = slow(warehouse), tmp_path / "slow.parquet"
    with warehouse.snapshot() as snapshot, ThreadPoolExecutor() as pool:
        reading = pool.submit(snapshot.pull, "slow", schema, path)
        end(READER, LEADER)
        with pytest.raises(SnapshotLost, match="from a new snapshot"):
            reading.result()
    with warehouse.snapshot() as snapshot:
        assert snapshot.count("t") == 9


def test_a_snapshot_that_is_gone_cannot_be_joined(warehouse: Warehouse, end: End) -> None:
    """A reader that comes later is told the same."""
    with warehouse.snapshot() as snapshot:
        end(LEADER)
        with pytest.raises(SnapshotLost):
            snapshot.count("t")


def test_what_was_read_of_a_lost_snapshot_counts(warehouse: Warehouse, end: End) -> None:
    """All rows were there before the snapshot was ended: nothing is wrong with them."""
    with warehouse.snapshot() as snapshot:
        count = snapshot.count("t")
        end(LEADER)
    assert count == 9
