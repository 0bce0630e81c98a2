"""What moved in the warehouse since the last snapshot is told, and chance is not."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.expectations.drift import drift_lines
from prefect_synth.expectations.profile import TableProfile, profile_table
from prefect_synth.synth.metadata import Column, Table


@pytest.fixture
def profiled(tmp_path: Path):
    """Profiles a table of a number and a category, drawn anew for each seed."""

    def profile(seed: int, rows: int = 2_000, **other: object) -> TableProfile:
        rng = np.random.default_rng(seed)
        columns = {"x": rng.normal(size=rows), "kind": rng.choice(["a", "b", "c"], rows)}
        table = pa.table({**columns, **other})
        path = tmp_path / f"{seed}.parquet"
        pq.write_table(table, path)
        meaning = {
            c: Column(c, "numerical" if pa.types.is_floating(table[c].type) else "categorical")
            for c in table.column_names
        }
        return profile_table(path, Table("t", meaning))

    return profile


def told(before: TableProfile, now: TableProfile) -> set[tuple[str | None, str]]:
    """Column and what moved."""
    return {(line.column, line.what) for line in drift_lines({"t": before}, {"t": now})}


def test_a_new_draw_of_the_same_population_does_not_drift(profiled) -> None:
    """But for the ends of a range, which always move."""
    assert told(profiled(1), profiled(2)) <= {("x", "range moved")}


def test_a_moved_number_and_a_moved_category_are_told(profiled) -> None:
    """Both distributions."""
    rng = np.random.default_rng(9)
    now = profiled(2, x=rng.normal(1, 1, 2_000), kind=rng.choice(["a", "b"], 2_000))
    assert {("x", "distribution moved"), ("kind", "distribution moved")} <= told(profiled(1), now)
    assert ("kind", "categories gone") in told(profiled(1), now)


def test_nulls_rows_and_columns_are_told(profiled) -> None:
    """More rows, a column that is new, and one that is half null."""
    x = pa.array(np.zeros(4_000), mask=np.arange(4_000) % 2 == 0)
    found = told(profiled(1), profiled(2, 4_000, x=x, extra=np.zeros(4_000)))
    assert {(None, "rows changed"), ("extra", "new column"), ("x", "nulls changed")} <= found


def test_tables_come_and_go(profiled) -> None:
    """Each is a line of its own."""
    lines = drift_lines({"old": profiled(1)}, {"t": profiled(1)})
    assert [(line.table, line.what) for line in lines] == [
        ("t", "new table"),
        ("old", "table gone"),
    ]
