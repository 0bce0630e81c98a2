"""What moved in the warehouse since the last snapshot is told, and chance is not."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.expectations.drift import changed_keys, drift_lines
from prefect_synth.expectations.profile import TableProfile, profile_table
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table


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


@pytest.mark.parametrize("rows", [(50, 50), (2_000, 2_000), (2_000, 2_600), (8_000, 500)])
def test_honest_samples_do_not_drift(profiled, rows: tuple[int, int]) -> None:
    """Neither the ends of a long tail nor rare categories, which always differ, are told."""
    shares = 1 / np.arange(1, 200) ** 1.3
    for seed in range(0, 40, 2):
        sides = []
        for place, size in enumerate(rows, start=seed):
            rng = np.random.default_rng([place, size])
            kind = rng.choice(199, size, p=shares / shares.sum()).astype(str)
            sides.append(profiled(place, size, x=rng.pareto(1, size), kind=kind))
        assert {what for column, what in told(*sides) if column} <= set(), seed


@pytest.mark.parametrize("moved", [50.0, -50.0])
def test_a_range_that_moved_is_told(profiled, moved: float) -> None:
    """Two rows in a hundred beyond all that was known, or gone from there."""
    x = np.random.default_rng(9).normal(size=2_000)
    x[:40] = moved
    before, now = profiled(1), profiled(2, x=x)
    assert told(before, now) == {("x", "range moved")}
    assert told(now, before) == {("x", "range moved")}


def test_a_spike_at_the_end_is_no_move(profiled) -> None:
    """The smallest value may be a common one."""
    sides = (np.random.default_rng(s).poisson(0.5, 2_000).astype(float) for s in (1, 2))
    assert told(*(profiled(seed, x=x) for seed, x in enumerate(sides))) == set()


def test_one_rare_category_is_not_gone(profiled) -> None:
    """Six rows of two thousand may well be four the next time; sixty may not."""
    few, many = ["rare"] * 6 + ["a", "b"] * 997, ["rare"] * 60 + ["a", "b"] * 970
    plain = ["a", "b"] * 998 + ["r1", "r2", "r3", "r4"]
    assert told(profiled(1, kind=few), profiled(2, kind=plain)) == set()
    assert ("kind", "categories gone") in told(profiled(1, kind=many), profiled(2, kind=plain))
    assert ("kind", "new categories") in told(profiled(1, kind=plain), profiled(2, kind=many))


def test_what_moved_counts_the_rows_that_decide(profiled) -> None:
    """So that the public report can leave out what few rows decide."""
    kind = ["new"] * 60 + ["a", "b", "c"] * 646 + ["a", "a"]
    lines = drift_lines({"t": profiled(1)}, {"t": profiled(2, kind=kind)})
    assert [(line.what, line.rows) for line in lines] == [("new categories", 60)]


def test_changed_keys_are_told() -> None:
    """Primary, unique and foreign keys of tables that are still there."""
    columns = {c: Column(c, "id") for c in ("id", "to")}
    before = Metadata({"t": Table("t", columns, ("id",)), "u": Table("u", columns, ("id",))})
    now = Metadata(
        {"t": Table("t", columns, ("id", "to"), (("to",),)), "u": before.tables["u"]},
        (Relationship("u", ("to",), "t", ("id",)),),
    )
    assert [(line.table, line.what, line.detail) for line in changed_keys(before, now)] == [
        ("t", "key changed", "primary key"),
        ("t", "key changed", "unique keys"),
        ("u", "key changed", "foreign keys"),
    ]
    assert changed_keys(before, before) == ()


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
