"""Columns that are held, by importance resampling: against conditionals known exactly."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.encoding.columns import fit_category, fit_number
from prefect_synth.synth.encoding.layout import Encoded, Layout
from prefect_synth.synth.row_models.argn import ARGNRowModel
from prefect_synth.synth.row_models.base import Among
from prefect_synth.synth.row_models.copula import CopulaRowModel
from prefect_synth.synth.row_models.importance import sample_held, sample_with_odds, systematic
from prefect_synth.synth.row_models.sequential import neighbours
from prefect_synth.synth.row_models.trees import TreesRowModel

ROWS = 4000


@dataclass
class Chain:
    """a -> b -> c, each of three values: p(next | before) is a table; a may follow a context."""

    table: np.ndarray

    order = (2, 0, 1)  # the columns of a, b and c

    def _probabilities(self, column, given):
        if column == 2:
            before = (
                given.context.pieces[:, 0] if given.context.width else np.zeros(len(given), int)
            )
        else:
            before = given.pieces[:, {0: 2, 1: 0}[column]]
        return self.table[before]

    def draw(self, column, given, rng):
        """By inverse cumulative probability."""
        below = np.cumsum(self._probabilities(column, given), axis=1)
        pieces = (rng.random((len(given), 1)) > below[:, :2]).sum(axis=1)
        return pieces, np.full(len(given), 0.5)

    def likelihood(self, column, given, piece):
        """From the table."""
        return self._probabilities(column, given)[:, piece]

    def restrict(self, column, given, among, rng):
        """From the table, by inverse cumulative probability."""
        odds = self._probabilities(column, given)[:, among.pieces] * among.shares
        below = np.cumsum(odds, axis=1)
        at = (rng.random((len(given), 1)) * below[:, -1:] > below[:, :-1]).sum(axis=1)
        return below[:, -1], among.pieces[at]


LAYOUT = Layout(np.full(3, 1 / 3), np.array([False, True, False]), False, False)
TABLE = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.01, 0.19, 0.8]])


def held_rows(held, context=None, table=TABLE, rows=ROWS):
    """Rows of the chain with columns held."""
    context = Encoded.empty(rows) if context is None else context
    rng = np.random.default_rng(4)
    return sample_held(Chain(table), (LAYOUT,) * 3, context, held, rng)


def shares(pieces):
    """Share of each of the three pieces."""
    return np.bincount(pieces, minlength=3) / len(pieces)


@pytest.mark.parametrize("piece", [0, 1, 2])
def test_what_stands_before_follows_bayes(piece):
    """Given c, the shares of a and of b are the posterior ones."""
    made = held_rows({1: (piece, 0.5)})
    joint = TABLE[0][:, None, None] * TABLE[:, :, None] * TABLE[None]  # a, b, c
    posterior = joint[:, :, piece] / joint[:, :, piece].sum()
    assert shares(made.pieces[:, 2]) == pytest.approx(posterior.sum(axis=1), abs=0.03)
    assert shares(made.pieces[:, 0]) == pytest.approx(posterior.sum(axis=0), abs=0.03)


def test_what_stands_behind_is_drawn_forwards():
    """Given a, c follows two steps of the chain."""
    made = held_rows({2: (2, 0.5)})
    assert shares(made.pieces[:, 1]) == pytest.approx((TABLE @ TABLE)[2], abs=0.03)


def test_two_columns_are_held_at_once():
    """Given a and c, b follows both."""
    made = held_rows({2: (0, 0.5), 1: (2, 0.5)})
    both = TABLE[0] * TABLE[:, 2]
    assert shares(made.pieces[:, 0]) == pytest.approx(both / both.sum(), abs=0.03)


def test_the_place_is_held_exactly():
    """Inside a range the very place stays."""
    made = held_rows({0: (1, 0.123456789)}, rows=50)
    assert np.all(made.pieces[:, 0] == 1)
    assert np.all(made.places[:, 0] == 0.123456789)


def test_every_row_keeps_its_own_context():
    """With contexts, each row's conditional is its context's, in the order of the contexts."""
    before = np.repeat([0, 2], ROWS)
    context = Encoded(before[:, None], np.full((2 * ROWS, 1), 0.5), (LAYOUT,))
    made = held_rows({0: (1, 0.5)}, context)
    for value in (0, 2):
        expected = TABLE[value] * TABLE[:, 1]
        drawn = shares(made.pieces[before == value, 2])
        assert drawn == pytest.approx(expected / expected.sum(), abs=0.04)


@pytest.mark.parametrize("rows", [0, 1, 3, 1000])
def test_the_rows_asked_for_always_come(rows):
    """A rare value, and even an impossible one, gives exactly the rows asked for."""
    rare = np.array([[0.9999, 0.0001, 0], [0.5, 0.5, 0], [1, 0, 0.0]])
    for piece in (1, 2):
        made = held_rows({1: (piece, 0.5)}, table=rare, rows=rows)
        assert np.array_equal(made.pieces[:, 1], np.full(rows, piece))
        assert len(made) == rows


def test_equal_seeds_hold_equally():
    """The same generator draws the same rows."""
    first, second = (held_rows({1: (2, 0.5)}, rows=300) for _ in range(2))
    assert np.array_equal(first.pieces, second.pieces)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=20), st.integers(1, 30), st.integers())
def test_systematic_resampling_rounds_each_weight(weights, draws, seed):
    """Each row comes as often as its share of the draws, rounded down or up."""
    rng = np.random.default_rng(abs(seed))
    chosen = systematic(np.array(weights), np.zeros(len(weights), int), draws, rng)
    expected = draws * np.array(weights) / np.sum(weights)
    assert len(chosen) == draws
    assert np.all(np.abs(np.bincount(chosen, minlength=len(weights)) - expected) < 1 + 1e-9)


@pytest.mark.parametrize("make", [TreesRowModel, partial(ARGNRowModel, epochs=8)])
def test_fitted_models_condition_as_the_data_do(make, rng):
    """Held last, a category and a number move the columns before them as among the real rows."""
    n = 3000
    kind = rng.integers(0, 3, n)
    size = rng.integers(0, 40, n)
    near = np.round(9 + size + 5 * kind + rng.normal(size=n)).astype(int)
    columns = [fit_column(v) for v in (kind.astype(str), size, near)]
    rows = Encoded.beside(columns, n)
    model = make().fit(rows, Encoded.empty(n), np.random.default_rng(0))
    at = int(np.argmax(np.bincount(near)))
    piece = int(columns[2].pieces[near == at][0, 0])
    made = model.sample(Encoded.empty(600), np.random.default_rng(1), {2: (piece, 0.5)})
    real = rows.take(np.flatnonzero(np.abs(near - at) <= 1))
    assert np.all(made.pieces[:, 2] == piece)
    for column in (0, 1):
        expected, drawn = real.pieces[:, column], made.pieces[:, column]
        assert drawn.mean() == pytest.approx(expected.mean(), abs=0.35 * expected.std())
    assert made.pieces[:, 1].std() == pytest.approx(real.pieces[:, 1].std(), rel=0.35)


@pytest.mark.parametrize("make", [TreesRowModel, partial(ARGNRowModel, epochs=8), CopulaRowModel])
def test_fitted_models_hold_a_set_and_a_range_as_the_data_do(make, rng):
    """A tail of a number, and two of three categories: all rows lie there, by the data's shares."""
    n = 3000
    kind = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    size = np.round(rng.gamma(2, 10, n) + 30 * (kind == 2), 1)
    rows = Encoded.beside([fit_column(v) for v in (kind.astype(str), size)], n)
    model = make().fit(rows, Encoded.empty(n), np.random.default_rng(0))
    lower, _ = rows.columns(1, 2).intervals()
    cut = 0.8
    edges = rows.layouts[1].edges
    inside = np.flatnonzero(edges[1:] > cut)
    low = np.clip((cut - edges[inside]) / np.diff(edges)[inside], 0, 1)
    held = {
        0: Among(np.array([1, 2]), *np.full((2, 2), 0.5), np.ones(2)),
        1: Among(inside, low, np.ones(len(inside)), np.maximum(1 - low, 1e-6)),
    }
    made, odds = model.sample_held(Encoded.empty(800), np.random.default_rng(1), held)
    assert len(odds) == 800
    assert set(np.unique(made.pieces[:, 0])) == {1, 2}
    assert made.columns(1, 2).intervals()[0].min() >= cut - 1e-9
    real = (rows.pieces[:, 0] > 0) & (lower[:, 0] >= cut)
    expected = (rows.pieces[real, 0] == 2).mean()
    if make is not CopulaRowModel:  # it draws within a set as the column has it
        assert (made.pieces[:, 0] == 2).mean() == pytest.approx(expected, abs=0.12)


def test_contexts_tell_how_likely_they_make_a_set():
    """The odds of a set are those of the chain, context by context."""
    before = np.repeat([0, 1, 2], 200)
    context = Encoded(before[:, None], np.full((600, 1), 0.5), (LAYOUT,))
    held = {2: Among(np.array([1, 2]), *np.full((2, 2), 0.5), np.ones(2))}
    rng = np.random.default_rng(4)
    made, odds = sample_with_odds(Chain(TABLE), (LAYOUT,) * 3, context, held, rng)
    assert odds == pytest.approx(TABLE[before, 1:].sum(axis=1))
    assert set(np.unique(made.pieces[:, 2])) == {1, 2}
    for value in range(3):
        drawn = shares(made.pieces[before == value, 2])[1:]
        assert drawn == pytest.approx(TABLE[value, 1:] / TABLE[value, 1:].sum(), abs=0.1)


def test_places_are_drawn_in_their_stretches_by_length():
    """Of a piece with two stretches, the longer one comes as often as it is longer."""
    among = Among(
        np.array([4, 1, 4]),
        np.array([0.0, 0.2, 0.7]),
        np.array([0.1, 0.3, 1.0]),
        np.array([0.1, 0.1, 0.3]),
    )
    places = among.inside(np.repeat([1, 4], 4000), np.random.default_rng(0))
    assert ((places[:4000] >= 0.2) & (places[:4000] <= 0.3)).all()
    low, high = places[4000:] <= 0.1, places[4000:] >= 0.7
    assert (low | high).all()
    assert high.mean() == pytest.approx(0.75, abs=0.03)


def fit_column(values):
    """One encoded column of numbers or texts."""
    array = pa.array(values)
    encoder = fit_category(array) if pa.types.is_string(array.type) else fit_number(array)
    pieces, places = encoder.encode(array, np.random.default_rng(0))
    return Encoded(pieces[:, None], places[:, None], (encoder.layout,))


def test_neighbours_are_near_and_never_null():
    """A rare ordered piece counts with those near it; null, categories and frequent ones alone."""
    shares = np.array([0.1, *[0.02] * 20, 0.5])
    ordered = Layout(shares, np.zeros(22, bool), False, True)
    assert np.flatnonzero(neighbours(ordered, 10)).tolist() == [9, 10, 11]
    assert np.flatnonzero(neighbours(ordered, 1)).tolist() == [1, 2]
    assert np.flatnonzero(neighbours(ordered, 0)).tolist() == [0]
    assert np.flatnonzero(neighbours(ordered, 21)).tolist() == [21]
    nominal = Layout(shares, np.zeros(22, bool), True, True)
    assert np.flatnonzero(neighbours(nominal, 10)).tolist() == [10]
