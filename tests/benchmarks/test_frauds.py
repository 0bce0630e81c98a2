"""What the benchmark on card frauds counts, on made rows of which the answer is known."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from frauds import (
    CLASS,
    COLUMNS,
    COMPONENTS,
    average_precision,
    find_modes,
    halves,
    ks_complements,
    numbers,
    of_class,
)
from neural_creditcard import as_text, fidelity_of, oversampled

from prefect_synth.synth.inference import infer_metadata

CENTRES = np.array([-8.0, 0.0, 9.0])


def rows(count: int, seed: int, centres: np.ndarray = CENTRES, fraud: bool = True) -> pa.Table:
    """Rows about some centres, as many about each."""
    rng = np.random.default_rng(seed)
    at = np.tile(centres, count)[:count, None] + rng.normal(size=(count, 28))
    spread = dict(zip(COMPONENTS, at.T, strict=True))
    label = np.full(count, int(fraud), np.int16)
    amounts = np.round(rng.exponential(90, count), 2)
    times = rng.integers(0, 172_800, count).astype(np.int32)
    return pa.table({"Time": times, **spread, "Amount": amounts, CLASS: label})


def both(seed: int, genuine_at: float = 30.0) -> pa.Table:
    """60 frauds about three centres, and 300 genuine rows about another."""
    others = rows(300, seed + 1, np.array([genuine_at]), fraud=False)
    return pa.concat_tables([rows(60, seed), others])


def test_halves_are_all_the_rows_with_each_class_in_two() -> None:
    """No row is in both halves, and none is missing."""
    table = both(0)
    train, test = halves([table], 5)
    parts = [half.to_pylist() for half in (train, test)]
    assert sorted(map(str, parts[0] + parts[1])) == sorted(map(str, table.to_pylist()))
    assert [of_class(half, 1).num_rows for half in (train, test)] == [30, 30]


def test_equal_rows_go_to_the_same_half() -> None:
    """A classifier is never asked about a row that it has learned."""
    table = both(1)
    train, test = halves([pa.concat_tables([table, table.slice(0, 40)])], 3)
    seen = {str(row) for row in train.to_pylist()}
    assert not seen & {str(row) for row in test.to_pylist()}


def test_a_row_of_both_tables_counts_once() -> None:
    """The second table brings only what the first does not have."""
    table, more = both(2), rows(50, 9, np.array([3.0]), fraud=False)
    again = table.slice(10, 7)  # as another file writes it: the last bit of a number differs
    last = np.nextafter(np.asarray(again["V3"]), np.inf)
    again = again.set_column(again.column_names.index("V3"), "V3", pa.array(last))
    train, test = halves([table, pa.concat_tables([more, again])], 0)
    assert len(train) + len(test) == len(table) + len(more)


def test_modes_are_the_groups_that_the_frauds_have() -> None:
    """Three groups of equal size are three modes, and other rows of them lose none."""
    modes = find_modes(rows(240, 0))
    assert modes.shares[modes.kept] == pytest.approx([1 / 3] * 3)
    assert modes.lost(rows(600, 7)) == 0
    assert modes.ratios(rows(600, 7)) == pytest.approx([1, 1, 1], abs=0.1)


def test_a_group_that_is_not_drawn_is_a_lost_mode() -> None:
    """Rows of two of three groups lose one; rows elsewhere are in none."""
    modes = find_modes(rows(240, 0))
    assert modes.lost(rows(600, 7, CENTRES[:2])) == 1
    shares, outside = modes.found(rows(300, 7, np.array([60.0])))
    assert (shares.sum(), outside) == (0, 1)


def test_equal_rows_make_no_mode() -> None:
    """A row that is there twenty times is no group of its own."""
    frauds = rows(240, 0)
    again = pa.concat_tables([frauds, *[frauds.slice(0, 1)] * 20])
    assert len(find_modes(again).kept) == len(find_modes(frauds).kept)


def test_columns_are_compared_by_name() -> None:
    """A column that moved by more than its range is 0 alike, and the others as before."""
    frauds = rows(90, 0)
    at = frauds.column_names.index("V10")
    moved = frauds.set_column(at, "V10", pa.array(np.asarray(frauds["V10"]) + 99))
    assert ks_complements(frauds, moved) == {name: float(name != "V10") for name in COLUMNS}
    drawn = pa.concat_tables([moved, rows(90, 1, fraud=False)])
    found = fidelity_of(of_class(drawn, 1), frauds, frauds, find_modes(frauds))
    assert (found["ks V10"], found["ks V17"], found["worst ks"]) == (0, 1, 0)
    assert found["ks"] == pytest.approx((len(COLUMNS) - 1) / len(COLUMNS))


def test_frauds_that_stand_apart_are_all_found() -> None:
    """Average precision is 1 where classes are apart, and low where labels say nothing."""
    train, test = halves([both(3)], 0)
    apart = average_precision(numbers(train), np.asarray(train[CLASS]), test, 0)
    assert list(apart.values()) == pytest.approx([1, 1, 1])
    shuffled = np.random.default_rng(0).permutation(np.asarray(train[CLASS]))
    assert average_precision(numbers(train), shuffled, test, 0)["trees"] < 0.6


@pytest.mark.parametrize("method", ["smote", "adasyn"])
def test_oversamplers_add_frauds_among_the_frauds(method) -> None:
    """As many as make the classes about equal, each within the range of the real ones."""
    train, _ = halves([both(4, genuine_at=9)], 0)
    frauds, made = numbers(of_class(train, 1)), oversampled(train, method, 0)
    assert len(made) == pytest.approx(120, abs=15)
    tiny = 1e-9
    assert ((made >= frauds.min(0) - tiny) & (made <= frauds.max(0) + tiny)).all()


def test_the_class_as_text_is_a_category() -> None:
    """So that trees can be asked for it."""
    columns = infer_metadata({"rows": as_text(both(5))}).tables["rows"].columns
    assert columns[CLASS].sdtype == "categorical"
