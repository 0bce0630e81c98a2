"""Missing values that hang together stay together."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.encoding.layout import Encoded, from_uniform
from prefect_synth.synth.encoding.patterns import fit_patterns, implications
from prefect_synth.synth.encoding.table import EncodingSettings, TableCodec, fit_codec
from prefect_synth.synth.metadata import Column
from prefect_synth.synth.single import GaussianCopulaSynthesizer

some = settings(max_examples=40, deadline=None)


def codec_of(table: pa.Table) -> TableCodec:
    """A codec of numerical columns."""
    columns = [Column(c, "numerical") for c in table.column_names]
    return fit_codec("t", table, columns, (), EncodingSettings())


def drawn(codec: TableCodec, rows: int = 2000, seed: int = 0) -> pa.Table:
    """Rows of which every column is drawn alone, as the worst of row models would."""
    rng = np.random.default_rng(seed)
    layouts = codec.encode(pa.table({c: pa.nulls(0, pa.int64()) for c in codec.columns}), rng)
    parts = [from_uniform(layout, rng.random(rows)) for layout in layouts.layouts]
    pieces, places = (np.column_stack([p[i] for p in parts]) for i in (0, 1))
    return pa.table(codec.decode(Encoded(pieces, places, layouts.layouts), rng))


def holed(columns: dict[str, np.ndarray]) -> pa.Table:
    """Whole numbers with nulls where the flags are set."""
    rng = np.random.default_rng(1)
    return pa.table({c: pa.array(rng.integers(0, 99, len(f)), mask=f) for c, f in columns.items()})


@pytest.fixture
def flights(rng) -> pa.Table:
    """Cancelled flights have no times; diverted ones depart but have no arrival delay."""
    state = rng.choice(["flown", "cancelled", "diverted"], 3000, p=[0.9, 0.07, 0.03])
    off, bad = state == "cancelled", state != "flown"
    return holed({"month": off & False, "dep": off, "delay": off, "arr": bad, "tail": off ^ off})


def nulls(table: pa.Table, column: str) -> np.ndarray:
    """Where a column is null."""
    return np.asarray(table[column].is_null())


def test_patterns_are_one_column_before_the_others(flights):
    """Dependent nulls make one category of patterns, the first of the modelled columns."""
    codec = codec_of(flights)
    assert codec.modelled[1:] == flights.column_names
    assert codec.patterns[0].columns == ("dep", "delay", "arr")
    assert len(codec.patterns[0].absent) == 3


def test_nulls_are_those_of_the_pattern(flights):
    """Columns that are null together are so on every synthetic row, and as often as they were."""
    made = drawn(codec_of(flights), 5000)
    assert np.array_equal(nulls(made, "dep"), nulls(made, "delay"))
    assert not np.any(nulls(made, "dep") & ~nulls(made, "arr"))
    assert nulls(made, "arr").mean() == pytest.approx(0.1, abs=0.02)
    assert made["month"].null_count == 0


def test_encoding_keeps_nulls_and_values(flights):
    """Encoding and decoding returns the nulls exactly."""
    codec = codec_of(flights)
    rows = codec.encode(flights, np.random.default_rng(0))
    back = pa.table(codec.decode(rows, np.random.default_rng(1)))
    assert back.equals(flights)


def test_independent_nulls_make_no_pattern(rng):
    """Columns whose nulls have nothing to do with one another keep their own."""
    table = holed({c: rng.random(4000) < 0.1 for c in "abc"})
    assert codec_of(table).modelled == ["a", "b", "c"]


def test_exclusive_nulls_stay_exclusive(rng):
    """One of two columns is always there, and never both."""
    first = rng.random(1000) < 0.3
    made = drawn(codec_of(holed({"a": first, "b": ~first})))
    assert np.all(nulls(made, "a") ^ nulls(made, "b"))


def test_rare_patterns_go_to_the_nearest():
    """A pattern of four rows is in no model, and its rows are encoded as the nearest one."""
    absent = np.zeros((100, 3), bool)
    absent[:40] = True
    absent[40:44, :2] = True
    (patterns,) = fit_patterns(["a", "b", "c"], absent)
    assert patterns.absent.tolist() == [[False] * 3, [True] * 3]
    assert np.bincount(patterns.encode(absent)).tolist() == [56, 44]


def test_patterns_of_one_person_are_rare():
    """Twenty rows of one unit are one unit."""
    absent = np.zeros((100, 2), bool)
    absent[:20] = True
    units = np.where(np.arange(100) < 20, 0, np.arange(100))
    assert fit_patterns(["a", "b"], absent, units) == ()
    assert len(fit_patterns(["a", "b"], absent)) == 1


@some
@given(st.integers(0, 999), st.integers(2, 5), st.floats(0.01, 0.9))
def test_exact_implications_hold(seed, columns, share):
    """What held on every real row (a null, so b null) holds on every synthetic row."""
    rng = np.random.default_rng(seed)
    rank, level = rng.random(400), np.sort(rng.random(columns)) * share
    real = holed({f"c{j}": (rank < level[j]) | (rng.random(400) < 0.05 * (j % 2)) for j in
                  range(columns)})  # fmt: skip
    made = drawn(codec_of(real), 400, seed)
    flags = np.column_stack([nulls(real, c) for c in real.column_names])
    for first, second in implications(real.column_names, flags):
        assert not np.any(nulls(made, first) & ~nulls(made, second))


def test_conditions_bring_their_pattern(flights):
    """A held value makes the columns beside it present; a held null makes them null."""
    model = GaussianCopulaSynthesizer().fit(flights)
    there = model.sample(300, seed=1, conditions={"dep": 5})
    assert pc.unique(there["dep"]).to_pylist() == [5]
    assert there["delay"].null_count == 0
    gone = model.sample(300, seed=1, conditions={"dep": None})
    assert gone["delay"].null_count == gone["arr"].null_count == 300


def test_float_columns_share_their_holes(rng):
    """NaN in a column without nulls is missing too, and stays NaN."""
    hole = rng.random(2000) < 0.2
    table = pa.table(
        {
            "a": pa.array(np.where(hole, np.nan, rng.normal(size=2000))),
            "b": pa.array(rng.normal(size=2000), mask=hole),
        }
    )
    made = drawn(codec_of(table))
    assert made["a"].null_count == 0
    assert np.array_equal(np.isnan(np.array(made["a"])), nulls(made, "b"))
