"""Single-column metrics: SDMetrics' figures, and laws that hold for all data."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.synth.metrics.coverage import (
    boundary_adherence,
    category_adherence,
    column_scores,
    range_coverage,
    statistic_similarity,
)

METADATA = Metadata(
    {"t": Table("t", {"amount": Column("amount", "numerical"), "city": Column("city")})}
)


def test_metrics_agree_with_sdmetrics(oracle_case):
    """Every metric of every column is SDMetrics', and the same ones have a value."""
    scores = column_scores(oracle_case.real, oracle_case.synthetic, oracle_case.metadata)
    expected = oracle_case.recorded["columns"]
    flat = {(c, m): score for c, found in scores.items() for m, score in found.items()}
    assert {(c, m): s for c, found in expected.items() for m, s in found.items()} == pytest.approx(
        flat, abs=1e-6
    )


@st.composite
def tables(draw):
    """Small tables with nulls."""
    rows = draw(st.integers(0, 30))
    numbers = st.none() | st.floats(-1e308, 1e308)
    cities = st.none() | st.sampled_from("abc")
    return pa.table(
        {
            "amount": pa.array(draw(st.lists(numbers, min_size=rows, max_size=rows)), pa.float64()),
            "city": pa.array(draw(st.lists(cities, min_size=rows, max_size=rows)), pa.string()),
        }
    )


@settings(deadline=None, max_examples=80)
@given(tables(), tables())
def test_all_metrics_lie_between_zero_and_one(real, synthetic):
    """Whatever the data, no metric leaves [0, 1]."""
    scores = column_scores({"t": real}, {"t": synthetic}, METADATA)
    assert [s for found in scores.values() for s in found.values() if not 0 <= s <= 1] == []


@settings(deadline=None, max_examples=40)
@given(tables())
def test_a_table_covers_itself(table):
    """A table compared with itself scores 1 in everything that has a value."""
    scores = column_scores({"t": table}, {"t": table}, METADATA)
    assert {1.0} >= {score for found in scores.values() for score in found.values()}


def test_values_outside_the_real_range_are_counted():
    """One of four values beyond the real bounds costs a quarter; a null beside nulls costs none."""
    real, synthetic = np.array([0.0, 10.0, np.nan]), np.array([0.0, 5.0, 10.0, 11.0, np.nan])
    assert boundary_adherence(real, synthetic) == 0.75


def test_nulls_are_outside_where_the_real_column_has_none():
    """A null where there is none in the real data is not within its bounds."""
    assert boundary_adherence(np.array([0.0, 1.0]), np.array([0.5, np.nan])) == 0.5


def test_half_of_the_range_is_covered():
    """Values that reach from a quarter to three quarters of the range cover half of it."""
    assert range_coverage(np.array([0.0, 8.0]), np.array([2.0, 6.0])) == 0.5


def test_a_shifted_mean_costs_its_share_of_the_range():
    """A mean that moved by a tenth of the real range scores nine tenths."""
    real = np.array([0.0, 10.0])
    assert statistic_similarity(real, real + 1)["mean"] == pytest.approx(0.9)


def test_a_new_category_does_not_adhere():
    """Rows with a category the real column lacks are counted against it."""
    assert category_adherence(np.array([5, 0, 0]), np.array([3, 1, 0])) == 0.75


def test_columns_on_disk_score_like_those_in_memory(tmp_path):
    """A bounded draw from a file gives what one from the table gives."""
    table = pa.table({"amount": np.arange(500.0), "city": ["a", "b"] * 250})
    pq.write_table(table, tmp_path / "t.parquet")
    on_disk = {"t": tmp_path / "t.parquet"}
    expected = column_scores({"t": table}, {"t": table.slice(0, 300)}, METADATA, rows=100)
    assert expected == column_scores(on_disk, {"t": table.slice(0, 300)}, METADATA, rows=100)
