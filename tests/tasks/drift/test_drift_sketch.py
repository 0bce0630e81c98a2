"""What moved in the rows, told from samples of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.synth.randomness import stream
from prefect_synth.tasks.drift.policies import DriftPolicies
from prefect_synth.tasks.drift.sketch import TableSketch, compare_sketches, sketch_table

ORDERS = Table(
    "orders",
    {
        "id": Column("id", "id", nullable=False, source_type="bigint"),
        "status": Column("status", "categorical"),
        "total": Column("total", "numerical"),
    },
    primary_key=("id",),
)
METADATA = Metadata({"orders": ORDERS})


def orders(rows: int, seed: int, **columns: Any) -> dict[str, Any]:
    """Orders of one population, with some columns replaced."""
    dice = stream(seed, "orders")
    return {
        "id": np.arange(rows),
        "status": dice.choice(["open", "paid", "sent"], rows),
        "total": dice.lognormal(3, 1, rows),
        **columns,
    }


def sketch(folder: Path, rows: dict[str, Any], sample: int = 5_000) -> dict[str, TableSketch]:
    """The sketch of a table of these rows."""
    file = folder / "orders.parquet"
    pq.write_table(pa.table(rows), file)
    return {"orders": sketch_table(file, ORDERS, METADATA, sample=sample)}


def kinds(old: dict[str, TableSketch], new: dict[str, TableSketch]) -> list[tuple[str, str]]:
    """Kind and place of what moved."""
    return [(change.kind, change.place) for change in compare_sketches(old, new)]


@pytest.mark.parametrize("seed", range(6))
def test_two_samples_of_one_population_have_no_drift(seed: int, tmp_path: Path) -> None:
    """Chance is no drift, however large or small the samples are."""
    old = sketch(tmp_path, orders(9_000, seed))
    for rows in (7_000, 9_500):
        assert kinds(old, sketch(tmp_path, orders(rows, seed + 100))) == []


def test_a_new_category_is_counted_and_not_named(tmp_path: Path) -> None:
    """How many values are new, never which."""
    rows = orders(6_000, 1)
    changed = np.where(np.arange(6_000) % 20 == 0, "zyzzyva", rows["status"])
    old, new = sketch(tmp_path, rows), sketch(tmp_path, {**rows, "status": changed})
    [change] = [c for c in compare_sketches(old, new) if c.kind == "category_added"]
    assert (
        str(change) == "Column 'orders.status' holds 1 value that it did not hold: it is followed."
    )
    assert "zyzzyva" not in str(compare_sketches(old, new))


def test_a_moved_distribution_is_told_with_its_size(tmp_path: Path) -> None:
    """Numbers that doubled, and nulls that came."""
    rows = orders(6_000, 2)
    old = sketch(tmp_path, rows)
    assert kinds(old, sketch(tmp_path, {**rows, "total": rows["total"] * 2})) == [
        ("distribution_moved", "orders.total")
    ]
    gone = pa.array(rows["status"], mask=np.arange(6_000) % 3 == 0)
    assert kinds(old, sketch(tmp_path, {**rows, "status": gone})) == [
        ("distribution_moved", "orders.status")
    ]


def test_a_certain_but_small_move_is_no_drift(tmp_path: Path) -> None:
    """With enough rows everything is significant; what does not matter is not told."""
    rows = orders(60_000, 3)
    old = sketch(tmp_path, rows, 60_000)
    assert kinds(old, sketch(tmp_path, {**rows, "total": rows["total"] * 1.03}, 60_000)) == []


@pytest.mark.parametrize(
    ("rows", "jumped"), [(6_000, False), (8_000, False), (20_000, True), (900, True)]
)
def test_a_volume_jumps_when_it_is_half_as_much_again(
    rows: int, jumped: bool, tmp_path: Path
) -> None:
    """Growth of a night is none."""
    old, new = sketch(tmp_path, orders(6_000, 4)), sketch(tmp_path, orders(rows, 5))
    assert [c.kind for c in compare_sketches(old, new)] == ["volume_jumped"] * jumped


def test_a_few_rows_that_doubled_are_no_jump(tmp_path: Path) -> None:
    """Chance doubles four rows easily."""
    assert kinds(sketch(tmp_path, orders(4, 6)), sketch(tmp_path, orders(9, 6))) == []


def test_a_column_that_was_not_known_before_tells_nothing(tmp_path: Path) -> None:
    """What was held is accepted: its first values are no drift."""
    rows = orders(2_000, 7)
    held = sketch(tmp_path, {**rows, "status": pa.nulls(2_000, pa.string())})
    assert kinds(held, sketch(tmp_path, rows)) == []


def test_rows_that_move_block_under_block_and_under_quarantine(tmp_path: Path) -> None:
    """Nothing can be held back of rows that are wanted."""
    old, new = sketch(tmp_path, orders(6_000, 8)), sketch(tmp_path, orders(20_000, 8))
    for policy in ("block", "quarantine"):
        [change] = compare_sketches(old, new, DriftPolicies(volume_jumped=policy))
        assert change.effect == "blocks"


def test_a_sketch_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """And another version's is none."""
    [found] = sketch(tmp_path, orders(500, 9)).values()
    found.save(tmp_path / "sketch.json")
    assert TableSketch.load(tmp_path / "sketch.json") == found
    (tmp_path / "sketch.json").write_text('{"columns": {"a": {"odd": 1}}}')
    assert TableSketch.load(tmp_path / "sketch.json") is None
