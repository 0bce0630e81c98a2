"""Gower's distance and the search for the nearest rows."""

import datetime as dt
import decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.metadata import Column
from prefect_synth.synth.metrics.gower import (
    GowerSpace,
    comparable_columns,
    nearest,
    nearest_but_one,
)

COLUMNS = [Column("n", "numerical"), Column("d", "datetime"), Column("c", "categorical")]
CELLS = {
    "n": st.none() | st.integers(-50, 50) | st.floats(-1e6, 1e6),
    "d": st.none() | st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2030, 1, 1)),
    "c": st.none() | st.sampled_from("abcd"),
}
ROWS = st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=12)
TYPES = pa.schema([("n", pa.float64()), ("d", pa.timestamp("us")), ("c", pa.string())])


def as_table(rows):
    """A table of drawn rows."""
    return pa.Table.from_pylist(rows, TYPES)


def number(cell):
    """A cell as a number: a point in time as microseconds."""
    epoch = dt.datetime(1970, 1, 1)
    return (cell - epoch) / dt.timedelta(microseconds=1) if isinstance(cell, dt.datetime) else cell


def width(rows, name):
    """The range of the middle 98 %, of all where that is none, else 1."""
    cells = [number(row[name]) for row in rows if row[name] is not None]
    if not cells:
        return 1.0
    low, high = np.quantile(np.array(cells, dtype=float), (0.01, 0.99))
    return (high - low if high > low else max(cells) - min(cells)) or 1.0


def naive(left, right, widths):
    """The distance of two rows, by its definition."""
    total = 0.0
    for name in ("n", "d", "c"):
        a, b = left[name], right[name]
        if a is None or b is None:
            total += (a is None) != (b is None)
        elif name == "c":
            total += a != b
        else:
            total += min(1.0, abs(number(a) - number(b)) / widths[name])
    return total / 3


@given(ROWS, ROWS)
@settings(deadline=None)
def test_the_search_finds_the_smallest_distance_of_the_definition(queries, reference):
    """The nearest two rows are at the two smallest distances that the definition gives."""
    space = GowerSpace.fit(as_table(reference), COLUMNS)
    widths = {name: width(reference, name) for name in ("n", "d")}
    found, positions = nearest(*(space.encode(as_table(x)) for x in (queries, reference)))
    for query, distances, at in zip(queries, found, positions, strict=True):
        every = [naive(query, row, widths) for row in reference]
        expected = [*sorted(every), np.inf][:2]
        assert distances.tolist() == pytest.approx(expected, abs=2e-4)
        assert every[at[0]] == pytest.approx(expected[0], abs=2e-4)


@given(ROWS)
@settings(deadline=None)
def test_distances_are_symmetric_within_one_and_nothing_to_itself(rows):
    """d(a, b) = d(b, a), 0 <= d <= 1, and d(a, a) = 0."""
    space = GowerSpace.fit(as_table(rows), COLUMNS)
    alone = [space.encode(as_table([row])) for row in rows]
    there = [[nearest(a, b, 1)[0].item() for b in alone] for a in alone]
    assert np.array_equal(there, np.transpose(there))
    assert np.diagonal(there).tolist() == [0.0] * len(rows)
    assert np.min(there) >= 0
    assert np.max(there) <= 1


@given(ROWS, ROWS)
@settings(deadline=None)
def test_leaving_a_column_out_is_a_search_by_the_others(queries, reference):
    """The nearest by all but one column is as near as the nearest by the selected others."""
    space = GowerSpace.fit(as_table(reference), COLUMNS)
    left, right = (space.encode(as_table(x)) for x in (queries, reference))
    for i, positions in enumerate(nearest_but_one(left, right)):
        others = set(space.names) - {space.names[i]}
        found, _ = nearest(left, right, 1, others)
        ours = [
            nearest(left.take(np.array([j])), right.take(np.array([p])), 1, others)[0].item()
            for j, p in enumerate(positions)
        ]
        assert ours == pytest.approx(found[:, 0].tolist(), abs=1e-5)


def test_outliers_do_not_stretch_the_range():
    """A value a million times as large leaves the distance of the others as it was."""
    values = [*range(1_000), 10**9]
    columns = [Column("n", "numerical")]
    space = GowerSpace.fit(pa.table({"n": values}), columns)
    left, right = (space.encode(pa.table({"n": [x]})) for x in (0, 98))
    assert nearest(left, right, 1)[0].item() == pytest.approx(0.1, abs=0.001)


@pytest.mark.parametrize(
    ("sdtype", "left", "right"),
    [
        ("numerical", pa.array([1, None], pa.int32()), pa.array([1, None], pa.int64())),
        ("numerical", pa.array([decimal.Decimal("1.5")]), pa.array([1.5], pa.float32())),
        ("categorical", pa.array(["a", None]), pa.array(["a", None]).dictionary_encode()),
        ("categorical", pa.array([1], pa.int8()), pa.array([1], pa.int64())),
        ("boolean", pa.array([True, None]), pa.array([True, None])),
        ("datetime", pa.array([dt.date(2024, 2, 29)]), pa.array([dt.datetime(2024, 2, 29)])),
    ],
)
def test_equal_values_of_other_types_are_at_no_distance(sdtype, left, right):
    """What is equal is at distance 0, however it is stored."""
    space = GowerSpace.fit(pa.table({"x": left}), [Column("x", sdtype)])
    found = nearest(*(space.encode(pa.table({"x": x})) for x in (left, right)), 1)
    assert found[0].ravel().tolist() == [0.0] * len(left)


def test_columns_that_hold_nothing_or_one_value_are_no_trouble():
    """A null column, a constant and infinities encode to finite distances."""
    table = pa.table({"null": pa.nulls(3), "one": [7, 7, 7], "far": [0.0, np.inf, -np.inf]})
    space = GowerSpace.fit(table, [Column(c, "numerical") for c in table.column_names])
    rows = space.encode(table)
    assert nearest(rows, rows, 1)[0].ravel().tolist() == [0.0, 0.0, 0.0]


def test_three_hundred_categories_do_not_overflow():
    """Rows that differ in each of 300 columns are at distance 1."""
    names = [f"c{i}" for i in range(300)]
    left, right = (pa.table({c: [x] for c in names}) for x in "ab")
    space = GowerSpace.fit(left, [Column(c, "categorical") for c in names])
    assert nearest(space.encode(left), space.encode(right), 1)[0].item() == 1.0


def test_text_nested_and_missing_columns_are_not_compared():
    """Only columns that all sides have, and that have a distance, are compared."""
    types = {"n": pa.int64(), "c": pa.string(), "t": pa.string(), "l": pa.list_(pa.string())}
    schema = pa.schema(types.items())
    sdtypes = {"n": "numerical", "c": "categorical", "t": "text", "l": "categorical"}
    columns = [Column(name, sdtype) for name, sdtype in sdtypes.items()]
    assert [c.name for c in comparable_columns(columns, schema)] == ["n", "c"]
    assert [c.name for c in comparable_columns(columns, schema, schema.remove(0))] == ["c"]
