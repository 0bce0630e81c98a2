"""Columns that are held by a pool of whole rows: against conditionals known exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from prefect_synth.synth.encoding.layout import Encoded, Layout
from prefect_synth.synth.row_models.base import Among
from prefect_synth.synth.row_models.held_pool import hold, nearness

ROWS = 4000
CATEGORY = Layout(np.array([0.6, 0.3, 0.1]), np.zeros(3, bool), True, False)
NUMBER = Layout(np.full(100, 0.01), np.ones(100, bool), False, False)
ODD = Layout(np.array([0.2, 0.0, 0.3, *[0.01] * 50]), np.arange(53) > 2, False, True)
OTHER = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.0, 0.0, 1.0]])  # b given a


def draw(context, rng):
    """a, then b given a, and two numbers correlated 0.9; a context is what a is in 9 of 10 rows."""
    n = len(context)
    a = rng.choice(3, n, p=CATEGORY.probabilities)
    if context.width:
        a = np.where(rng.random(n) < 0.9, context.pieces[:, 0], a)
    b = (rng.random((n, 1)) > np.cumsum(OTHER[a], axis=1)[:, :2]).sum(axis=1)
    x = rng.standard_normal(n)
    y = 0.9 * x + np.sqrt(1 - 0.9**2) * rng.standard_normal(n)
    u = np.column_stack([ndtr(x), ndtr(y)])
    pieces = np.minimum((u * 100).astype(int), 99)
    return Encoded(
        np.column_stack([a, b, pieces]),
        np.column_stack([np.full((n, 2), 0.5), u * 100 - pieces]),
        (CATEGORY, CATEGORY, NUMBER, NUMBER),
    )


def held_rows(held, context=None, rows=ROWS):
    """Rows of the model above with columns held, and their odds."""
    context = Encoded.empty(rows) if context is None else context
    layouts = (CATEGORY, CATEGORY, NUMBER, NUMBER)
    return hold(draw, layouts, context, held, np.random.default_rng(4))


def shares(pieces):
    """Share of each of the three pieces."""
    return np.bincount(pieces, minlength=3) / len(pieces)


@pytest.mark.parametrize("b", [0, 1, 2])
def test_other_columns_follow_bayes(b):
    """Given b, the shares of a are the posterior ones, and the odds are b's share."""
    made, odds = held_rows({1: (b, 0.5)})
    joint = CATEGORY.probabilities * OTHER[:, b]
    assert set(made.pieces[:, 1]) == {b}
    assert shares(made.pieces[:, 0]) == pytest.approx(joint / joint.sum(), abs=0.04)
    assert odds == pytest.approx(np.full(ROWS, joint.sum()), rel=0.08)


def test_numbers_follow_a_held_number():
    """Given a place of a number, the other has the conditional mean and spread."""
    made, _ = held_rows({2: (93, 0.25)})
    assert set(made.pieces[:, 2]) == {93}
    assert set(made.places[:, 2]) == {0.25}
    y = ndtri((made.pieces[:, 3] + made.places[:, 3]) / 100)
    assert y.mean() == pytest.approx(0.9 * ndtri(0.9325), abs=0.06)
    assert y.std() == pytest.approx(np.sqrt(1 - 0.9**2), abs=0.06)


def test_stretches_are_held():
    """Columns held in stretches lie there, rows as frequent as in the model."""
    among = Among(np.arange(80, 100), np.zeros(20), np.ones(20), np.ones(20))
    made, odds = held_rows({2: among, 0: Among(*_stretch(1), np.zeros(1), np.ones(1))})
    assert made.pieces[:, 2].min() >= 80
    assert set(made.pieces[:, 0]) == {1}
    assert odds[0] == pytest.approx(0.2 * 0.3, rel=0.15)
    assert made.pieces[:, 3].mean() > 75


def _stretch(piece):
    return np.array([piece]), np.zeros(1)


def test_a_part_of_a_piece_is_held():
    """Places lie inside the stretch of the piece."""
    among = Among(np.array([40]), np.array([0.5]), np.array([0.6]), np.array([0.1]))
    made, _ = held_rows({3: among}, rows=100)
    assert set(made.pieces[:, 3]) == {40}
    assert (made.places[:, 3] >= 0.5).all()
    assert (made.places[:, 3] <= 0.6).all()


def test_contexts_have_pools_of_their_own():
    """A row follows its own context, and contexts that make the held value likely say so."""
    context = Encoded(np.repeat([0, 1, 2], 3000)[:, None], np.full((9000, 1), 0.5), (CATEGORY,))
    made, odds = held_rows({1: (1, 0.5)}, context)
    assert set(made.pieces[:, 1]) == {1}
    by_context = [odds[context.pieces[:, 0] == c].mean() for c in range(3)]
    a_given_context = 0.9 * np.eye(3) + 0.1 * CATEGORY.probabilities
    assert by_context == pytest.approx(a_given_context @ OTHER[:, 1], abs=0.02)
    assert (made.pieces[3000:6000, 0] == 1).mean() > 0.97


def test_what_never_comes_is_held_all_the_same():
    """A combination that the model does not draw is written on rows that have part of it."""
    made, odds = held_rows({0: (2, 0.5), 1: (0, 0.5)}, rows=50)
    assert set(made.pieces[:, 0]) == {2}
    assert set(made.pieces[:, 1]) == {0}
    assert (odds < 1e-3).all()


def test_the_nearest_counts_where_the_held_place_is_empty():
    """Of ordered pieces near ones weigh more than far ones, and null is near nothing."""
    pieces = np.array([0, 2, 3, 30, 52])[:, None]
    column = Encoded(pieces, np.full((5, 1), 0.5), (ODD,))
    weights = nearness(column, {0: (50, 0.5)})
    assert list(np.argsort(weights)) == [0, 1, 2, 3, 4]
    assert nearness(column, {0: (0, 0.5)})[0] == 0
    assert (nearness(column, {0: (0, 0.5)})[1:] < np.log(1e-3)).all()
    among = Among(np.array([50]), np.zeros(1), np.ones(1), np.ones(1))
    assert list(np.argsort(nearness(column, {0: among}))) == [0, 1, 2, 3, 4]


@settings(max_examples=30)
@given(
    st.integers(0, 40),
    st.booleans(),
    st.dictionaries(st.integers(0, 3), st.tuples(st.integers(0, 2), st.floats(0, 1)), min_size=1),
)
def test_any_condition_holds_on_every_row(rows, told, held):
    """All rows asked for come, with exactly what was asked for, and odds that are numbers."""
    context = Encoded.empty(rows)
    if told:
        context = Encoded(np.zeros((rows, 1), int), np.zeros((rows, 1)), (CATEGORY,))
    made, odds = held_rows(held, context)
    assert len(made) == len(odds) == rows
    assert np.isfinite(odds).all()
    assert (odds > 0).all()
    for column, (piece, place) in held.items():
        assert (made.pieces[:, column] == piece).all()
        assert (made.places[:, column] == place).all()
