"""A sample of a table, taken in the warehouse: the same rows every time, a share of them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb
import psycopg
import pyarrow.parquet as pq
import pytest

from prefect_synth.tasks.warehouses.warehouse import open_warehouse

ROWS = 20_000
TABLE = "CREATE TABLE things (id integer PRIMARY KEY, word varchar)"
VIEW = "CREATE VIEW seen AS SELECT * FROM things"


@pytest.fixture(params=["duckdb", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A warehouse with a table of 20,000 rows, and a view of it."""
    if request.param == "duckdb":
        with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
            connection.execute(f"{TABLE}; {VIEW}")
            connection.execute(f"INSERT INTO things SELECT i, 'w' || i FROM range({ROWS}) t(i)")
        return f"duckdb:///{tmp_path / 'w.duckdb'}"
    uri: str = request.getfixturevalue("postgres_database")
    with psycopg.connect(uri) as server:
        server.execute(f"{TABLE}; {VIEW}")
        server.execute(f"INSERT INTO things SELECT i, 'w' || i FROM generate_series(1, {ROWS}) i")
    return uri


def sample(url: str, table: str, file: Path, rows: int) -> tuple[int, list[int]]:
    """Rows of the whole table, and the keys of the sample."""
    with closing(open_warehouse(url, allow_writable=True)) as warehouse:
        schema = warehouse.schemas(warehouse.reflect(include=[table]))[table]
        with warehouse.snapshot() as snapshot:
            count = snapshot.sample(table, schema, file, rows)
    return count, pq.read_table(file)["id"].to_pylist()


def test_a_sample_is_a_share_of_the_rows_and_the_same_every_time(url: str, tmp_path: Path) -> None:
    """So that what did not change shows no drift."""
    count, keys = sample(url, "things", tmp_path / "sample.parquet", 1_000)
    _, again = sample(url, "things", tmp_path / "again.parquet", 1_000)
    assert (count, sorted(keys)) == (ROWS, sorted(again))
    assert 800 < len(keys) < 1_200
    assert 0.4 < sum(key > ROWS / 2 for key in keys) / len(keys) < 0.6


def test_a_small_table_is_its_own_sample(url: str, tmp_path: Path) -> None:
    """Nothing is left out that need not be."""
    assert len(sample(url, "things", tmp_path / "sample.parquet", ROWS)[1]) == ROWS


def test_a_view_can_be_sampled(url: str, tmp_path: Path) -> None:
    """It has no blocks to sample, and a share of its rows all the same."""
    count, keys = sample(url, "seen", tmp_path / "sample.parquet", 1_000)
    assert count == ROWS
    assert 800 < len(keys) < 1_200


def test_the_watermark_is_the_largest_value(url: str) -> None:
    """As a text, whatever its type."""
    with (
        closing(open_warehouse(url, allow_writable=True)) as warehouse,
        warehouse.snapshot() as snapshot,
    ):
        assert int(snapshot.highest("things", "id") or 0) in {ROWS - 1, ROWS}
