"""Distances to the closest record, and the side that rows are nearer to."""

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.metadata import Column
from prefect_synth.synth.metrics.distances import (
    Quantiles,
    Sided,
    closest,
    distance_ratios,
    nearer_to_training,
    worst_subset,
)
from prefect_synth.synth.metrics.gower import GowerSpace

COLUMNS = [Column(c, "numerical") for c in "abcd"]


def points(seed, rows=400):
    """Independent rows of four numbers."""
    draws = np.random.default_rng(seed).normal(size=(4, rows))
    return pa.table(dict(zip("abcd", draws, strict=True)))


@pytest.fixture(scope="module")
def space():
    """A space that was fitted to the training rows."""
    return GowerSpace.fit(points(1), COLUMNS)


@pytest.fixture(scope="module")
def sides(space):
    """Training and holdout rows of one population."""
    return Sided(space.encode(points(1)), space.encode(points(2)))


def test_copied_rows_are_nearer_to_training(space, sides):
    """Of a copied table every row is nearer to training, at no distance."""
    copied = space.encode(points(1))
    assert nearer_to_training(copied, sides).share == 1.0
    assert closest(copied, sides.training) == Quantiles(0.0, 0.0)


def test_fresh_rows_are_nearer_to_either_side_alike(space, sides):
    """Of fresh rows about half are nearer to training, within the error."""
    found = nearer_to_training(space.encode(points(3)), sides)
    assert abs(found.share - 0.5) < 2 * found.error
    assert 0.04 < found.error < 0.08


def test_ties_count_half(space, sides):
    """Where both sides are the same rows, the share is one half without error."""
    both = Sided(sides.training, sides.training)
    found = nearer_to_training(space.encode(points(3)), both)
    assert (found.share, found.error) == (0.5, 0.0)


def test_one_record_near_all_rows_makes_the_error_large(space, sides):
    """Where one record is the nearest of all rows, the share could as well be its opposite."""
    few = Sided(*(side.take(np.array([0])) for side in (sides.training, sides.holdout)))
    rows = space.encode(points(3)).take(np.zeros(100, dtype=np.int64))
    found = nearer_to_training(rows, few)
    assert found.share in (0.0, 1.0)
    assert found.error == pytest.approx(0.98, abs=0.001)  # 1.96 halves


def test_families_make_the_error_larger(space, sides):
    """Twenty families of twenty rows tell less than four hundred rows."""
    family = np.repeat(np.arange(20), 20)
    together = Sided(sides.training, sides.holdout, family, family)
    rows = space.encode(points(3))
    alone = nearer_to_training(rows, sides)
    assert nearer_to_training(rows, together).share == alone.share
    assert nearer_to_training(rows, together).error > alone.error


def test_a_copied_subset_of_columns_is_the_worst(space, sides):
    """Two copied columns beside two fresh ones are found as a subset."""
    mixed = points(3).set_column(0, "a", points(1)["a"]).set_column(1, "b", points(1)["b"])
    subsets = {"first": ["a", "b"], "last": ["c", "d"]}
    found = worst_subset(space.encode(mixed), sides, subsets)
    assert (found.columns, found.share) == (("a", "b"), 1.0)


def test_without_subsets_there_is_no_worst(space, sides):
    """A table of too few columns has no subset to try."""
    assert worst_subset(sides.training, sides, {}) is None


def test_a_ratio_is_small_where_one_record_is_near():
    """A row near one record and far from all others has a ratio near 0, one between two has 1."""
    columns = [Column("x", "numerical")]
    table = pa.table({"x": [0.0, 10.0, 10.0, 100.0]})
    space = GowerSpace.fit(table, columns)
    reference = space.encode(table)
    found = [distance_ratios(space.encode(pa.table({"x": [x]})), reference) for x in (0.1, 10.0)]
    assert [round(f.median, 3) for f in found] == [0.01, 1.0]
