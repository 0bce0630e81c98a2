"""Encoded columns as numbers for networks, and back."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.encoding.columns import fit_category, fit_number
from prefect_synth.synth.encoding.layout import Encoded, Layout
from prefect_synth.synth.row_models.dense import FEW, fit_dense
from prefect_synth.synth.storage import load_state, save_state

both_kinds = pytest.mark.parametrize("numbers", ["scores", "modes"])
weights = st.lists(st.floats(0, 1), min_size=1, max_size=200).filter(lambda w: sum(w) > 0.1)


def encoded(values, kind=None):
    """One encoded column and its encoder."""
    array = pa.array(values, kind)
    encoder = fit_category(array) if pa.types.is_string(array.type) else fit_number(array)
    pieces, places = encoder.encode(array, np.random.default_rng(0))
    return Encoded(pieces[:, None], places[:, None], (encoder.layout,)), encoder


def there_and_back(rows, numbers):
    """The columns as numbers, and the rows that come back."""
    dense = fit_dense(rows, numbers, np.random.default_rng(1))
    modes, scalars = dense.encode(rows)
    return dense, modes, dense.decode(modes, scalars, rows.layouts, np.random.default_rng(2))


def middles(rows):
    """Middle of each value's interval of [0, 1]."""
    return np.mean(rows.intervals(), axis=0)


@settings(max_examples=80, deadline=None)
@given(weights, st.booleans(), st.booleans(), st.sampled_from(["scores", "modes"]), st.data())
def test_encoding_and_decoding_keep_a_column(parts, nominal, null, numbers, data):
    """Categories, spikes and null keep their piece, other numbers their place in [0, 1]."""
    shares = np.array(parts) / np.sum(parts)
    ranges = np.array([data.draw(st.booleans()) and not nominal for _ in parts])
    ranges[0] &= not null
    values = np.concatenate([[0.0], np.cumsum(shares)]) * 1000 - 500
    layout = Layout(shares, ranges, nominal, null, values=values)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    pieces = rng.choice(len(parts), 300, p=shares)
    rows = Encoded(pieces[:, None], rng.random((300, 1)), (layout,))
    dense, modes, back = there_and_back(rows, numbers)
    scalar = modes >= dense.columns[0].first
    assert np.array_equal(back.pieces[~scalar], rows.pieces[~scalar])
    assert not scalar[(pieces == 0) & null].any()
    assert np.abs(middles(back) - middles(rows))[scalar].max(initial=0) < 1e-4
    assert np.all((back.places >= 0) & (back.places <= 1))
    flat = dense.flat(rows)
    assert flat.shape == (300, dense.width)
    assert flat.dtype == np.float32
    assert np.array_equal(flat[:, : dense.starts[-1]].sum(axis=1), np.ones(300))
    assert np.abs(flat).max() <= 1


@both_kinds
def test_numbers_come_back(numbers, rng):
    """Values of two far clusters, with nulls and a frequent zero, come back as they were."""
    values = np.where(rng.random(3000) < 0.5, rng.normal(5, 1, 3000), rng.normal(90, 4, 3000))
    values = np.where(rng.random(3000) < 0.3, 0.0, np.round(values, 3))
    array = pa.array(values, mask=rng.random(3000) < 0.1)
    rows, encoder = encoded(array)
    dense, modes, back = there_and_back(rows, numbers)
    made = encoder.decode(back.pieces[:, 0], back.places[:, 0], rng)
    assert made.is_null().equals(array.is_null())
    off = np.abs(np.array(made.drop_null()) - np.array(array.drop_null()))
    assert np.quantile(off, 0.99) < 0.2  # the extremes are protected
    assert dense.columns[0].first == 2
    assert (np.array(array.fill_null(-1)) == 0).sum() == (modes == 1).sum()


def test_scores_are_standard_normal(rng):
    """Whatever the marginal, scalars of the ranks are a normal distribution of deviation 1/4."""
    rows, _ = encoded(np.exp(rng.normal(size=4000)))
    _, scalars = fit_dense(rows, "scores", rng).encode(rows)
    assert 4 * scalars.mean() == pytest.approx(0, abs=0.02)
    assert 4 * scalars.std() == pytest.approx(1, abs=0.02)


def test_modes_find_what_is_there(rng):
    """Three clusters of values are three modes, not ten, and their scalars stay inside."""
    centres = np.array([-50.0, 0.0, 200.0])
    rows, _ = encoded(rng.choice(centres, 6000) + rng.normal(size=6000))
    dense = fit_dense(rows, "modes", rng)
    _, scalars = dense.encode(rows)
    found = dense.columns[0].mixture.centres
    assert 3 <= dense.widths[0] <= 5
    assert all(np.abs(found - c).min() < 1 for c in centres)
    assert np.abs(scalars).max() < 1


def test_columns_without_a_line_are_ranks(rng):
    """Ordered columns whose layout knows no values are written as scores, either way."""
    layout = Layout(np.full(50, 0.02), np.ones(50, bool), False, False)
    rows = Encoded(rng.integers(0, 50, (500, 1)), rng.random((500, 1)), (layout,))
    dense = fit_dense(rows, "modes", rng)
    assert dense.columns[0].scores
    assert dense.widths == [1]


def test_few_whole_numbers_are_categories(rng):
    """A number of few values has a mode for each, and no scalar."""
    rows, _ = encoded(rng.integers(0, FEW, 3000))
    assert fit_dense(rows, "scores", rng).widths == [FEW]
    assert fit_dense(rows, "scores", rng).scalars == []


def test_rare_categories_share_a_mode(rng):
    """Of many categories the frequent ones and null stand alone; the others come back by share."""
    share = np.concatenate([[0.001], np.linspace(1, 3, 99)])
    layout = Layout(share / share.sum(), np.zeros(100, bool), True, True)
    pieces = rng.choice(100, 20_000, p=layout.probabilities)
    rows = Encoded(pieces[:, None], np.full((20_000, 1), 0.5), (layout,))
    dense = fit_dense(rows, "scores", rng, most=10)
    modes, scalars = dense.encode(rows)
    back = dense.decode(modes, scalars, rows.layouts, rng).pieces[:, 0]
    assert dense.widths == [10]
    assert np.array_equal(
        back[(pieces == 0) | (pieces > 91)], pieces[(pieces == 0) | (pieces > 91)]
    )
    got = np.bincount(back, minlength=100) / len(back)
    assert np.abs(got - layout.probabilities).max() < 5e-3


@both_kinds
@pytest.mark.parametrize("n", [0, 1, 5])
def test_few_rows_are_written(n, numbers, rng):
    """From no row on columns can be written, and anything can be read."""
    layout = Layout(np.full(40, 1 / 40), np.ones(40, bool), False, False, values=np.arange(41.0))
    rows = Encoded(rng.integers(0, 40, (n, 1)), rng.random((n, 1)), (layout,))
    dense = fit_dense(rows, numbers, rng)
    wild = rng.normal(size=(9, 1)) * 5
    made = dense.decode(np.zeros((9, 1), np.int64), wild, rows.layouts, rng)
    assert np.all((made.pieces >= 0) & (made.pieces < 40))
    assert dense.flat(rows).shape == (n, 2)


def test_no_columns(rng):
    """A context without columns is a vector of no length."""
    dense = fit_dense(Encoded.empty(4), "scores", rng)
    assert dense.flat(Encoded.empty(4)).shape == (4, 0)
    assert dense.decode(np.zeros((4, 0), int), np.zeros((4, 0)), (), rng).pieces.shape == (4, 0)


def test_a_stored_form_writes_the_same(rng, tmp_path):
    """Saved and read, columns are written as before."""
    rows = Encoded.beside(
        [encoded(rng.normal(size=500))[0], encoded(rng.choice(["a", "b", "c"], 500))[0]], 500
    )
    dense = fit_dense(rows, "modes", rng)
    save_state(tmp_path, "d", dense)
    assert np.array_equal(load_state(tmp_path, "d").flat(rows), dense.flat(rows))


def test_layouts_know_the_values_of_their_pieces(rng):
    """Edges of a column of numbers are on its own scale, with the null before them."""
    rows, encoder = encoded([None, *range(1000)])
    (layout,) = rows.layouts
    assert len(layout.values) == len(layout.probabilities) + 1
    assert layout.values[0] == layout.values[1]
    assert np.all(np.diff(layout.values[1:]) > 0)
    at = encoder.decode(
        np.arange(1, len(layout.probabilities)), np.full(len(layout.ranges), 0.5)[1:], rng
    )
    inside = np.array(at)
    assert np.all((inside > layout.values[1:-1]) & (inside < layout.values[2:]))
    assert not len(encoded(["a", "b"] * 20)[0].layouts[0].values)
