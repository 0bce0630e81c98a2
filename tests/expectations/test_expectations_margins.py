"""Sampling error."""

import numpy as np
import pytest

from prefect_synth.expectations.families import count_error, design_effect
from prefect_synth.expectations.margins import category_margin, two_sample_margin
from prefect_synth.synth.metrics.shapes import ks_complement, tv_complement


@pytest.mark.parametrize("rows", [8, 50, 1_000])
def test_chance_stays_within_the_ks_margin(rows: int) -> None:
    """Of 300 pairs of honest samples none is further apart than the margin for one in 10,000."""
    rng = np.random.default_rng(rows)
    scores = [ks_complement(rng.normal(size=rows), rng.normal(size=rows)) for _ in range(300)]
    assert 1 - min(scores) <= two_sample_margin(rows, rows, 1e-4)


@pytest.mark.parametrize(("rows", "categories"), [(8, 4), (200, 100), (5_000, 20)])
def test_chance_stays_within_the_category_margin(rows: int, categories: int) -> None:
    """Many categories among few rows differ much by chance, and the margin knows."""
    rng = np.random.default_rng(rows)
    draws = rng.integers(0, categories, (300, 2, rows))
    scores = [tv_complement(real, synthetic) for real, synthetic in draws]
    shares = [1 / categories] * categories
    assert 1 - min(scores) <= category_margin(shares, rows, rows, 1e-4)


def test_a_large_table_has_a_small_margin() -> None:
    """With 100,000 rows on both sides less than a hundredth is left to chance."""
    assert two_sample_margin(100_000, 100_000, 1e-3) < 0.01


def test_no_rows_explain_everything() -> None:
    """An empty side cannot be told from any other."""
    assert two_sample_margin(0, 10, 1e-3) == 1.0


def test_rows_that_repeat_their_parent_count_once() -> None:
    """Ten children that all hold their parent's value are worth one row."""
    parents = np.repeat(np.arange(1_000), 10)
    values = np.random.default_rng(0).integers(0, 4, 1_000)[parents]
    assert design_effect(values, [parents]) == pytest.approx(10, rel=0.02)


def test_independent_rows_count_in_full() -> None:
    """Where siblings share nothing the effect is one."""
    rng = np.random.default_rng(0)
    parents, values = np.repeat(np.arange(1_000), 10), rng.integers(0, 4, 10_000)
    assert design_effect(values, [parents]) == pytest.approx(1, abs=0.05)


def test_a_count_of_families_strays_more_than_one_of_rows() -> None:
    """A hundred families of a hundred stray by a thousand rows, not by a hundred."""
    assert count_error([np.repeat(np.arange(100), 100)]) == 1_000
