"""Distances of columns, against SciPy's own."""

import doctest

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp, pearsonr
from scipy.stats.contingency import association

from prefect_synth.synth.metrics import shapes
from prefect_synth.synth.metrics.correlation import correlations
from prefect_synth.synth.metrics.kolmogorov import largest_gap
from prefect_synth.synth.metrics.shapes import ks_complement, tv_complement
from prefect_synth.synth.metrics.trends import cramers_v
from prefect_synth.synth.metrics.values import codes

numbers = st.lists(st.floats(-1e9, 1e9) | st.integers(0, 3).map(float), min_size=1, max_size=50)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of SciPy's p-value, which is not used
@settings(deadline=None)
@given(numbers, numbers)
def test_ks_complement_is_scipys(real, synthetic):
    """Our KS statistic is SciPy's, ties included."""
    expected = 1 - ks_2samp(np.round(real, 14), np.round(synthetic, 14)).statistic
    assert expected == pytest.approx(ks_complement(np.array(real), np.array(synthetic)))


@pytest.mark.parametrize("decimals", [0, 2, 12])
@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e15])
def test_largest_gap_of_many_rows_is_scipys(decimals, scale):
    """Buckets tell the statistic exactly, for few values and many, small and large."""
    rng = np.random.default_rng(0)
    real, synthetic = (np.round(rng.normal(m, 1, 20_000), decimals) * scale for m in (0, 0.02))
    expected = ks_2samp(real, synthetic, method="asymp").statistic
    assert expected == pytest.approx(largest_gap(real, synthetic), abs=1e-12)


@settings(deadline=None)
@given(
    st.lists(st.floats(allow_nan=False), min_size=1),
    st.lists(st.floats(allow_nan=False), min_size=1),
)
def test_largest_gap_is_that_of_all_points(first, second):
    """At no point of either sample do the two distribution functions differ by more."""
    first, second = np.array(first), np.array(second)
    points = np.concatenate([first, second])
    gaps = [abs((first <= p).mean() - (second <= p).mean()) for p in points]
    assert max(gaps) == pytest.approx(largest_gap(first, second), abs=1e-12)


def test_ks_complement_leaves_nulls_out():
    """NaN is no value: it changes neither distribution."""
    values = np.array([1.0, 2.0, 3.0])
    assert ks_complement(values, np.append(values, np.nan)) == 1.0


@pytest.mark.parametrize("metric", [ks_complement, tv_complement])
def test_nothing_to_compare_is_nan(metric):
    """A side without values has no score."""
    assert np.isnan(metric(np.array([1.0]), np.array([np.nan])))


def test_tv_complement_of_shares():
    """Half of the mass moved from one category to another costs one half."""
    real, synthetic = np.array(["a", "a", "b", "b"]), np.array(["a", "a", "a", "a"])
    assert tv_complement(real, synthetic) == 0.5


def test_tv_complement_takes_objects_with_none():
    """None and NaN among objects are nulls, and left out."""
    real, synthetic = np.array(["a", None, "b"], object), np.array(["a", np.nan, "b"], object)
    assert tv_complement(real, synthetic) == 1.0


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=60))
def test_cramers_v_is_scipys(pairs):
    """Our Cramer's V from filled cells is SciPy's from the whole contingency table."""
    cells, counts = np.unique(np.array(pairs), axis=0, return_counts=True)
    table = np.zeros((5, 4), int)
    table[cells[:, 0], cells[:, 1]] = counts
    table = table[table.any(axis=1)][:, table.any(axis=0)]
    expected = association(table, method="cramer") if min(table.shape) > 1 else np.nan
    assert expected == pytest.approx(cramers_v(cells[:, 0], cells[:, 1], counts), nan_ok=True)


def test_correlations_leave_nulls_out_pair_by_pair():
    """Each entry is Pearson's coefficient over the rows that both columns have."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=70_000) + 1e6  # more rows than one block, far from zero
    second = np.where(rng.random(70_000) < 0.2, np.nan, first + rng.normal(size=70_000))
    both = ~np.isnan(second)
    expected = pearsonr(first[both], second[both]).statistic
    assert expected == pytest.approx(correlations([first, second])[0, 1], abs=1e-9)


def test_constant_columns_have_no_correlation():
    """A constant column correlates with nothing, rounding noise included."""
    columns = [np.full(1_000, 0.1), np.arange(1_000.0)]
    assert np.isnan(correlations(columns)[0, 1])


def encoded(indices, dictionary):
    """A dictionary as some files have it: with values never used, null or twice there."""
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(dictionary))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (pa.array([1, 2, None], pa.int8()), pa.array([1, 2, None], pa.int64())),
        (pa.array([1, 2, None]), pa.array([1.0, 2.0, np.nan])),
        (pa.array([0.0, 1.0]), pa.array([-0.0, 1.0])),
        (pa.array(["a", "b"]), pa.array(["a", "b"], pa.large_string())),
        (pa.array(["a", "b"]), pa.array(["a", "b"]).dictionary_encode()),
        (encoded([0, 2, None], ["a", "x", "b"]), encoded([1, 0, None], ["b", "a", "y"])),
        (encoded([0, 1], ["a", None]), pa.array(["a", None]).dictionary_encode()),
        (encoded([0, 1], ["a", "a"]), encoded([0, 0], ["a", "b"])),
        (pa.array([1, 2]), pa.array(["1", "2"])),
        (pa.array([[1, 2], None]), pa.array([[1, 2], None])),
        (pa.array([None, None]), pa.array([None, None], pa.string())),
        (pa.array([True, None]), pa.array([True, None])),
    ],
)
def test_equal_values_have_equal_codes(left, right):
    """Values are numbered by what they mean, not by how they are stored."""
    (first, second), _ = codes(pa.chunked_array([left]), pa.chunked_array([right]))
    assert first.tolist() == second.tolist()


def test_examples_are_true():
    """The examples in the docstrings give what they say."""
    assert doctest.testmod(shapes).failed == 0
