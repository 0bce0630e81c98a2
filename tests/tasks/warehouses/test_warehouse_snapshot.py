"""One instant for all readers, one order of rows, and counts of what dangles."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.metadata import Relationship
from prefect_synth.tasks.warehouses.errors import QueryFailed
from prefect_synth.tasks.warehouses.warehouse import Warehouse, WarehouseSnapshot, open_warehouse

Build = Callable[[str], Warehouse]

MANY = "CREATE TABLE t (id integer PRIMARY KEY, v varchar); INSERT INTO t "
SERIES = {
    "duckdb": "SELECT i, 'v' || i FROM range(300000) AS r(i) ORDER BY hash(i)",
    "postgres": "SELECT i, 'v' || i FROM generate_series(0, 299999) AS i ORDER BY md5(i::text)",
}


def pull(warehouse: Warehouse, snapshot: WarehouseSnapshot, path: Path, table: str = "t") -> int:
    """Pull one table whole."""
    schema = warehouse.schemas(warehouse.reflect(include=[table]))[table]
    return snapshot.pull(table, schema, path)


def test_postgres_readers_share_an_instant(postgres_database: str, tmp_path: Path) -> None:
    """What is committed while the snapshot is open is seen by none of its readers."""
    with psycopg.connect(postgres_database, autocommit=True) as writer:
        writer.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
        warehouse = open_warehouse(postgres_database, allow_writable=True)
        with warehouse.snapshot() as snapshot, ThreadPoolExecutor(3) as pool:
            writer.execute("INSERT INTO t VALUES (3); DELETE FROM t WHERE id = 1")
            paths = [tmp_path / f"{i}.parquet" for i in range(3)]
            assert list(pool.map(lambda p: pull(warehouse, snapshot, p), paths)) == [2, 2, 2]
            assert snapshot.count("t") == 2
        with warehouse.snapshot() as snapshot:
            pull(warehouse, snapshot, paths[0])
    assert pq.read_table(paths[0])["id"].to_pylist() == [2, 3]
    assert pq.read_table(paths[1])["id"].to_pylist() == [1, 2]


def test_duckdb_lets_no_writer_in(tmp_path: Path) -> None:
    """While the warehouse is open no writer can open the file; afterwards it can."""
    path = tmp_path / "w.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS id")
    insert = f"import duckdb; duckdb.connect({str(path)!r}).execute('INSERT INTO t VALUES (2)')"
    command = [sys.executable, "-c", insert]
    warehouse = open_warehouse(f"duckdb:///{path}")
    with warehouse.snapshot() as snapshot, ThreadPoolExecutor(3) as pool:
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
        assert list(pool.map(snapshot.count, ["t"] * 3)) == [1, 1, 1]
    warehouse.close()
    assert "Could not set lock" in refused.stderr
    assert subprocess.run(command, check=False).returncode == 0


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_rows_come_in_key_order(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Rows are sorted by primary key, row groups have one size, and the bytes repeat."""
    warehouse = request.getfixturevalue(f"build_{engine}")(MANY + SERIES[engine])
    first, second = tmp_path / "first.parquet", tmp_path / "second.parquet"
    with warehouse.snapshot() as snapshot:
        assert pull(warehouse, snapshot, first) == pull(warehouse, snapshot, second) == 300_000
    parquet = pq.ParquetFile(first)
    assert parquet.read(["id"])["id"].equals(pa.chunked_array([range(300_000)], pa.int32()))
    groups = [parquet.metadata.row_group(i).num_rows for i in range(parquet.num_row_groups)]
    assert groups == [131_072, 131_072, 37_856]
    assert first.read_bytes() == second.read_bytes()


def test_progress_is_told(build: Build, tmp_path: Path) -> None:
    """The callback hears of every row that was written."""
    warehouse = build("CREATE TABLE t (a integer); INSERT INTO t VALUES (1), (2)")
    heard: list[int] = []
    schema = warehouse.schemas(warehouse.reflect())["t"]
    with warehouse.snapshot() as snapshot:
        snapshot.pull("t", schema, tmp_path / "new" / "t.parquet", on_batch=heard.append)
    assert sum(heard) == 2


def test_orphans_are_counted(build: Build) -> None:
    """Rows that refer to nothing are counted; a null in the key refers to nothing wrongly."""
    warehouse = build(
        "CREATE TABLE p (a integer, b integer); INSERT INTO p VALUES (1, 1), (NULL, 2);"
        "CREATE TABLE c (x integer, y integer);"
        "INSERT INTO c VALUES (1, 1), (1, 2), (9, 9), (NULL, 9), (NULL, NULL)"
    )
    with warehouse.snapshot() as snapshot:
        assert snapshot.orphans(Relationship("c", ("x", "y"), "p", ("a", "b"))) == 2
        assert snapshot.orphans(Relationship("c", ("x",), "p", ("a",))) == 1


def test_a_failing_query_names_the_table(build: Build, tmp_path: Path) -> None:
    """An error in the middle of the stream names the table, tells no value, and leaves no file."""
    if "duckdb" in build.__qualname__:
        sql = "CREATE TABLE t (a varchar); CREATE VIEW v AS SELECT CAST(a AS integer) AS a FROM t;"
    else:
        sql = "CREATE TABLE t (a text); CREATE VIEW v AS SELECT a::integer AS a FROM t;"
    warehouse = build(sql + "INSERT INTO t VALUES ('1'), ('Ann''s')")
    with (
        warehouse.snapshot() as snapshot,
        pytest.raises(QueryFailed, match="could not read table 'v'") as caught,
    ):
        pull(warehouse, snapshot, tmp_path / "v.parquet", "v")
    assert "Ann" not in "".join(traceback.format_exception(caught.value))
    assert not list(tmp_path.glob("v.parquet*"))


def test_an_orphan_count_between_unlike_types_is_explained(build: Build) -> None:
    """A declared relationship whose sides cannot be compared is named."""
    warehouse = build(
        "CREATE TABLE p (a date); INSERT INTO p VALUES ('2020-01-01');"
        "CREATE TABLE c (x integer); INSERT INTO c VALUES (1)"
    )
    with (
        warehouse.snapshot() as snapshot,
        pytest.raises(QueryFailed, match=r"relationship 'c\.x -> p\.a'"),
    ):
        snapshot.orphans(Relationship("c", ("x",), "p", ("a",)))
