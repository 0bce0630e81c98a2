"""What rows are worth that come in families."""

import numpy as np
import pytest

from prefect_synth.expectations.families import carriers, mean_effect, occurrences
from prefect_synth.synth.metrics.values import NULL


def test_a_category_has_as_many_carriers_as_parents() -> None:
    """Rows of one parent count once, a row without a parent for itself; nulls not at all."""
    values = np.array([0, 0, 0, 1, 1, NULL])
    parents = np.array([7, 7, 8, NULL, NULL, 9])
    assert carriers(values, 3, [parents]).tolist() == [2, 2, 0]


def test_of_several_parents_the_fewest_count() -> None:
    """Two stores, however many customers."""
    values, stores = np.zeros(4, dtype=np.int64), np.array([0, 0, 1, 1])
    assert carriers(values, 1, [np.arange(4), stores]).tolist() == [2]


def test_without_parents_rows_count() -> None:
    """Nobody stands behind them."""
    assert carriers(np.array([0, 1, 1]), 2, []).tolist() == [1, 2]


def test_what_all_of_few_parents_have_was_not_brought_by_them() -> None:
    """A category in half the rows of two stores occurred in each row by itself."""
    values, stores = np.tile([0, 1], 50), np.repeat([0, 1], 50)
    assert occurrences(values, 2, [stores]).tolist() == [50, 50]


def test_what_one_of_many_parents_has_was_brought_by_it() -> None:
    """A hundred baskets of one household are one occurrence, and so are those of one store."""
    values, households = np.repeat([0, 1], [900, 100]), np.repeat(np.arange(10), 100)
    assert occurrences(values, 2, [households]).tolist() == [9, 1]


def test_a_row_without_a_parent_occurs_by_itself() -> None:
    """It came with nobody; a null is no category."""
    values, parents = np.array([0] * 20 + [1] * 20 + [NULL]), np.array([7] * 20 + [NULL] * 20 + [3])
    assert occurrences(values, 3, [parents]).tolist() == [1, 20, 0]


@pytest.mark.parametrize(("siblings", "effect"), [(1, 1.0), (5, 5.0)])
def test_rows_that_are_alike_in_a_family_are_worth_one(siblings: int, effect: float) -> None:
    """The variance of a sum of five equal siblings is five times that of five rows."""
    numbers = np.random.default_rng(0).normal(size=200).repeat(siblings)
    parents = np.arange(200).repeat(siblings)
    found = mean_effect(numbers - numbers.mean(), [parents])
    assert found == pytest.approx(effect)
