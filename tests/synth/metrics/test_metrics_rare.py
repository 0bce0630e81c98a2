"""Rare values: what counts as one, and how many chance explains."""

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.metrics.rare import RareProfile


def column(values):
    """An Arrow column."""
    return pa.chunked_array([pa.array(values)])


def zipf(seed, rows=5_000):
    """Categories with a long tail."""
    return column([f"v{x}" for x in np.random.default_rng(seed).zipf(1.5, rows)])


def test_values_of_fewer_than_k_rows_are_rare():
    """Four are rare and five are not."""
    profile = RareProfile.fit(column(["a"] * 4 + ["b"] * 5 + [None]))
    assert profile.hits(column(["a", "b", None, "a", "c"])) == 2


def test_units_count_instead_of_rows():
    """A value of a hundred rows of one person is rare; one of five people is not."""
    values, units = ["a"] * 100 + ["b"] * 5, np.r_[np.zeros(100), np.arange(5)].astype(np.int64)
    profile = RareProfile.fit(column(values), units)
    assert profile.hits(column(["a", "b"])) == 1
    assert profile.together == 100


def test_a_column_without_rare_values_allows_none():
    """Where nothing is rare, nothing can be hit."""
    profile = RareProfile.fit(column(["a", "b"] * 500))
    assert (profile.allowed(1_000), profile.hits(column(["z"]))) == (0, 0)


def test_one_rare_value_allows_few_hits():
    """A single rare value may turn up by chance, but not ten times."""
    profile = RareProfile.fit(column(["a"] * 999 + ["b"]))
    assert [profile.allowed(rows, 0.01) for rows in (1_000, 100, 10)] == [10, 3, 1]


@pytest.mark.parametrize("seed", range(5))
def test_a_fresh_sample_of_a_long_tail_is_allowed(seed):
    """An honest sample hits rare values often, and no more often than is allowed."""
    profile = RareProfile.fit(zipf(seed))
    hits = profile.hits(zipf(seed + 100))
    assert 100 < hits <= profile.allowed(5_000)


def test_a_copied_long_tail_is_not_allowed():
    """The training column itself has more rare values than chance brings to a fresh one."""
    values, fresh = (
        column(np.random.default_rng(seed).integers(0, 10**5, 5_000).tolist()) for seed in (0, 1)
    )
    profile = RareProfile.fit(values)
    assert profile.hits(fresh) <= profile.allowed(5_000) < profile.hits(values)


def test_families_bring_several_hits_at_once():
    """Where a person's ten rows share a value, ten hits are one coincidence."""
    people = np.repeat(np.arange(500), 10)
    towns = np.random.default_rng(0).zipf(1.5, 500)
    values = column([f"v{x}" for x in np.repeat(towns, 10)])
    profile = RareProfile.fit(values, people)
    assert profile.together == 10
    fresh = np.repeat(np.random.default_rng(1).zipf(1.5, 500), 10)
    assert profile.hits(column([f"v{x}" for x in fresh])) <= profile.allowed(5_000)


def test_a_smaller_alpha_allows_more():
    """The rarer a false alarm may be, the more hits are allowed; never more than rows."""
    profile = RareProfile.fit(zipf(0))
    found = [profile.allowed(500, alpha) for alpha in (0.1, 0.001, 1e-9)]
    assert found == sorted(found)
    assert profile.allowed(3, 1e-12) <= 3


def test_storage_does_not_matter():
    """A value is found in a dictionary, too."""
    profile = RareProfile.fit(column(["a", *"bbbbbb"]).dictionary_encode())
    assert profile.hits(column(["a"])) == 1
