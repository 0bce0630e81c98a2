"""Membership inference: curves, errors, and what copies give away."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from prefect_synth.synth.metadata import Column
from prefect_synth.synth.metrics.distances import Sided
from prefect_synth.synth.metrics.gower import GowerSpace
from prefect_synth.synth.metrics.membership import membership, placements, true_positives

SCORES = st.lists(st.integers(0, 9), min_size=2, max_size=30).map(
    lambda x: np.array(x, dtype=float)
)


def points(seed, rows=500):
    """Independent rows of three numbers."""
    draws = np.random.default_rng(seed).normal(size=(3, rows))
    return pa.table(dict(zip("abc", draws, strict=True)))


@pytest.fixture(scope="module")
def space():
    """A space that was fitted to the training rows."""
    return GowerSpace.fit(points(1), [Column(c, "numerical") for c in "abc"])


@pytest.fixture(scope="module")
def sides(space):
    """Members and others."""
    return Sided(space.encode(points(1)), space.encode(points(2)))


@given(SCORES, SCORES)
@settings(deadline=None)
def test_the_area_is_that_of_scikit_learn(members, others):
    """Both means of placements are the area under the curve, ties half."""
    truth = np.r_[np.ones(len(members)), np.zeros(len(others))]
    expected = roc_auc_score(truth, np.r_[members, others])
    assert [x.mean() for x in placements(members, others)] == pytest.approx([expected] * 2)


@given(SCORES, SCORES)
def test_more_accused_find_more_members(members, others):
    """The curve rises from 0 to 1."""
    found = [true_positives(members, others, rate) for rate in (0.0, 0.01, 0.5, 1.0)]
    assert found == sorted(found)
    assert found[-1] == 1.0


def test_scores_that_tell_nothing_find_as_many_as_are_accused():
    """Where all scores are equal, one in a hundred members is found."""
    assert true_positives(np.ones(50), np.ones(50)) == pytest.approx(0.01)


@pytest.mark.parametrize("with_reference", [True, False])
def test_members_of_copied_data_are_found(space, sides, with_reference):
    """Of a table that was copied every member is told, with or without a reference."""
    reference = space.encode(points(4)) if with_reference else None
    found = membership(sides, space.encode(points(1)), reference)
    assert (found.auc, found.tpr_at_1_fpr, found.rows) == (1.0, 1.0, 500)


@pytest.mark.parametrize("with_reference", [True, False])
def test_members_of_fresh_data_are_not_found(space, sides, with_reference):
    """Of fresh data nothing is told, within the error."""
    reference = space.encode(points(4)) if with_reference else None
    found = membership(sides, space.encode(points(3)), reference)
    assert abs(found.auc - 0.5) < 1.5 * found.error
    assert 0.02 < found.error < 0.06
    assert found.tpr_at_1_fpr - found.tpr_error < 0.01


def test_a_tenth_that_was_copied_is_found_among_the_nearest(space, sides):
    """Few copies hardly move the area, but are what is found with few false accusations."""
    mixed = pa.concat_tables([points(1, 500).slice(0, 50), points(3).slice(50)])
    found = membership(sides, space.encode(mixed), space.encode(points(4)))
    assert found.tpr_at_1_fpr - found.tpr_error > 0.05


def test_one_seed_gives_one_answer(space, sides):
    """The resampled error depends on the seed alone."""
    synthetic = space.encode(points(3))
    assert membership(sides, synthetic, seed=5) == membership(sides, synthetic, seed=5)
