"""Sampling error."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.expectations.families import count_error, design_effect
from prefect_synth.expectations.margins import (
    absence,
    category_margin,
    coverage_margin,
    mean_margin,
    two_sample_margin,
)
from prefect_synth.expectations.profile import profile_table
from prefect_synth.synth.metadata import Column, Table
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


def test_a_category_that_came_once_may_never_come_again() -> None:
    """Where each family has a city of its own, an honest sample may have none of them."""
    shares = {str(i): 0.02 for i in range(50)}
    once, often = (coverage_margin(dict.fromkeys(shares, n), shares, 50, 50, 0.001) for n in (1, 9))
    assert once == 1.0
    assert often < 1.0


def test_large_samples_cover_what_is_common() -> None:
    """Chance leaves no common category out of thousands of rows."""
    assert coverage_margin({"a": 9_000.0}, {"a": 0.9}, 10_000, 10_000, 0.001) < 0.04


def test_what_may_be_missing_is_a_share_of_what_is_counted() -> None:
    """Ten districts of six rows among 480: of sixty fresh rows most districts have none."""
    shares = {str(i): 6 / 480 for i in range(10)}
    assert coverage_margin(dict.fromkeys(shares, 6.0), shares, 480, 60, 0.001) > 0.5


def test_what_is_absent_by_chance_is_counted_as_fisher_does() -> None:
    """Both samples of one size: a coin for each of the rows."""
    assert absence(10, 500, 500) == pytest.approx(0.5**10)


def test_a_mean_of_one_row_tells_nothing() -> None:
    """Without a spread there is no error to allow for: anything may be chance."""
    assert mean_margin(1, 100, 0.001) == math.inf
    assert mean_margin(2, 100, 0.001) > 100 * mean_margin(50, 100, 0.001)


@pytest.mark.parametrize(("rows", "categories"), [(20, 40), (200, 300), (5_000, 1_000)])
def test_chance_stays_within_the_coverage_margin(rows: int, categories: int) -> None:
    """Of 300 pairs of honest samples none lacks more than the margin for one in 10,000."""
    rng = np.random.default_rng(rows)
    for real, synthetic in rng.zipf(1.3, (300, 2, rows)) % categories:
        names, counts = np.unique(real, return_counts=True)
        found = dict(zip(names.astype(str).tolist(), counts.tolist(), strict=True))
        shares = {name: count / rows for name, count in found.items()}
        lacking = counts[~np.isin(names, synthetic)].sum() / rows
        assert lacking <= coverage_margin(found, shares, rows, rows, 1e-4)


@pytest.mark.parametrize("rows", [3, 20, 500])
def test_chance_stays_within_the_margin_of_the_mean(rows: int) -> None:
    """Nor is any mean further away, in the real sample's standard deviations."""
    real, synthetic = np.random.default_rng(rows).normal(size=(2, 300, rows))
    shifts = np.abs(real.mean(axis=1) - synthetic.mean(axis=1)) / real.std(axis=1)
    assert shifts.max() <= mean_margin(rows, rows, 1e-4)


def test_nulls_that_come_with_their_family_count_by_families(tmp_path: Path) -> None:
    """A hundred rows of an artist who is never null are one artist, two foreign keys up."""
    artists = np.repeat(np.arange(20), 100)
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": pa.array(np.ones(2_000), mask=artists % 2 == 0)}), path)
    table = Table("t", {"x": Column("x", "numerical")})
    alone, related = (profile_table(path, table, families=f) for f in (None, artists))
    assert alone.columns["x"].null_effect == 1.0
    assert related.columns["x"].null_effect == pytest.approx(100, rel=0.1)
