"""Distributions, degrees, associations and distances, as the private report shows them."""

from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.expectations.column_views import column_views
from prefect_synth.expectations.degrees import degree_view, degree_views
from prefect_synth.expectations.distance_views import distance_view
from prefect_synth.expectations.pairs import association_matrix, clustered_order, pair_view
from prefect_synth.expectations.report_content import ColumnView
from prefect_synth.expectations.shapes import table_shapes
from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.synth.metrics.compared import ComparedColumn


def view(
    folder: Path, column: Column, real: pa.Array, synthetic: pa.Array, holdout: pa.Array = None
) -> ColumnView:
    """The view of a table's only column."""
    paths = []
    for name, values in (("real", real), ("synthetic", synthetic), ("holdout", holdout)):
        if values is not None:
            paths.append(folder / f"{name}.parquet")
            pq.write_table(pa.table({column.name: values}), paths[-1])
    table = Table("t", {column.name: column})
    (found,) = column_views(table, Metadata({"t": table}), *paths, scores={"t.c": 0.9})
    return found


def test_few_whole_numbers_have_a_bin_each(tmp_path: Path) -> None:
    """Ratings from 1 to 3 are three bins, named by their values."""
    values = pa.array([1, 2, 2, 3])
    found = view(tmp_path, Column("c", "numerical"), values, pa.array([3, 3, None, 3]))
    assert found.labels == ("1", "2", "3")
    assert (found.real, found.synthetic) == ((0.25, 0.5, 0.25), (0.0, 0.0, 1.0))
    assert (found.axis[0], found.axis[2]) == ("1", "3")
    assert (found.nulls, found.score) == ((0.0, 0.25), 0.9)


def test_outliers_do_not_flatten_a_distribution(tmp_path: Path) -> None:
    """One far value joins the last bin, and every value is counted."""
    values = pa.array([*np.linspace(0, 1, 999), 1e9])
    found = view(tmp_path, Column("c", "numerical"), values, pa.array([-5.0, 0.5, 7.0]))
    assert max(found.real) < 0.1
    assert sum(found.real) == pytest.approx(1)
    assert sum(found.synthetic) == pytest.approx(1)
    assert sum(found.widths) == pytest.approx(1)


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([date(2020, 1, 1), date(2024, 1, 1)], ("2020-01-01", "2024-01-01")),
        (
            [datetime(2020, 1, 1, 8), datetime(2020, 1, 1, 20)],
            ("2020-01-01 08:00", "2020-01-01 20:00"),
        ),
        ([time(8, 30), time(17)], ("08:30", "17:00")),
        ([2006, 2011], ("2006", "2011")),
        ([10_000, 5_000_000], ("10,000", "5,000,000")),
    ],
)
def test_an_axis_is_written_in_its_own_terms(tmp_path: Path, values: list, ends: tuple) -> None:
    """Days, minutes, times of day, years and amounts are each written as people do."""
    sdtype = "numerical" if isinstance(values[0], int) else "datetime"
    found = view(tmp_path, Column("c", sdtype), pa.array(values), pa.array(values))
    assert (found.axis[0], found.axis[2]) == ends


def test_common_categories_come_first_and_the_others_together(tmp_path: Path) -> None:
    """Twelve categories have a bar, the holdout's too; what is rarer or new is among the others."""
    real = pa.array([f"k{i:02}" for i in range(20) for _ in range(21 - i)])
    found = view(tmp_path, Column("c"), real, pa.array(["k00", "new"]), pa.array(["k01"]))
    assert found.labels[:2] == ("k00", "k01")
    assert len(found.real) == 12
    assert found.others == (pytest.approx(1 - sum(found.real)), 0.5)
    assert found.holdout[:2] == (0.0, 1.0)


def test_a_column_without_values_has_no_view(tmp_path: Path) -> None:
    """There is nothing to draw."""
    table = Table("t", {"c": Column("c", "numerical")})
    pq.write_table(pa.table({"c": pa.array([None, None], pa.float64())}), tmp_path / "t.parquet")
    paths = (tmp_path / "t.parquet",) * 2
    assert column_views(table, Metadata({"t": table}), *paths) == ()


def test_keys_and_personal_data_have_no_view(shop) -> None:
    """Only learned columns are compared."""
    paths = shop.real["customers"], shop.synthetic["customers"]
    views = column_views(shop.metadata.tables["customers"], shop.metadata, *paths)
    assert [v.name for v in views] == ["city", "age", "income", "joined"]


def test_degrees_are_binned() -> None:
    """Childless parents have a bin; ever wider ones follow; the last has no end."""
    found = degree_view("t.c", np.array([0, 1, 2, 4]), np.array([0, 0, 9, 9]))
    assert found.labels == ("0", "1", "2", "3-4", "5-8", "9 or more")
    assert found.real == (0.25, 0.25, 0.25, 0.25, 0.0, 0.0)
    assert found.synthetic == (0.5, 0.0, 0.0, 0.0, 0.0, 0.5)


def test_each_foreign_key_has_its_degrees(shop) -> None:
    """Children are counted along every relationship, all parents included."""
    found = degree_views(shop.metadata, shop.real, shop.synthetic, {"orders.customer_id": 0.9})
    assert [v.name for v in found] == [r.name for r in shop.metadata.relationships]
    assert (found[0].parents, found[0].score) == (600, 0.9)
    assert sum(found[0].real) == pytest.approx(1)


def encoded(**columns: np.ndarray) -> list[ComparedColumn]:
    """Columns with the same values on both sides."""
    kinds = {"f": "numerical", "U": "categorical"}
    return [
        ComparedColumn.encode(
            Column(name, kinds[values.dtype.kind]), *[pa.chunked_array([values])] * 2
        )
        for name, values in columns.items()
    ]


def test_association_is_one_where_one_column_decides_another() -> None:
    """Numbers by correlation of either sign, categories by Cramer's V, constants not at all."""
    x = np.arange(100.0)
    columns = encoded(x=x, minus=-x, kind=np.where(x < 50, "a", "b"), same=np.zeros(100))
    matrix = association_matrix(columns, "real")
    assert matrix[0, 1] == pytest.approx(1)
    assert matrix[0, 2] == pytest.approx(1)
    assert np.isnan(matrix[0, 3])
    assert np.isnan(matrix[2, 3])
    assert np.diag(matrix).tolist() == [1, 1, 1, 1]


def test_alike_columns_become_neighbours() -> None:
    """Two groups of columns that alternate stand apart afterwards."""
    group = np.arange(10) % 2
    order = clustered_order(np.where(group[:, None] == group, 0.9, 0.1))
    assert np.abs(np.diff(group[order])).sum() == 1


def test_pairs_are_compared_on_a_bounded_sample(shop) -> None:
    """The same seed draws the same rows; scores are found by the columns' names."""
    table, name = shop.metadata.tables["orders"], "orders.status ~ orders.amount"
    sides = shop.real["orders"], shop.synthetic["orders"]
    first, again = (pair_view(table, *sides, rows=500, scores={name: 0.7}) for _ in range(2))
    assert first.columns == ("status", "amount", "day")
    assert first.real == again.real
    assert first.scores[0][1] == first.scores[1][0] == 0.7


def test_one_column_has_no_pairs(shop) -> None:
    """A table of keys has no heat map."""
    sides = shop.real["reviews"], shop.synthetic["reviews"]
    assert pair_view(shop.metadata.tables["reviews"], *sides) is None


def test_a_copied_table_lies_nearer_than_the_holdout() -> None:
    """Its rows are all at no distance; those never seen are not."""
    rng = np.random.default_rng(0)
    seen, unseen = (pa.table({c: rng.normal(size=300) for c in "abc"}) for _ in range(2))
    columns = [Column(c, "numerical") for c in "abc"]
    found = distance_view("t", seen, seen, unseen, columns)
    assert found.dcr_synthetic[0] == sum(found.dcr_synthetic) == 300
    assert found.dcr_holdout[0] < 100
    assert sum(found.dcr_holdout) == 300


def test_equal_rows_have_no_distances() -> None:
    """Where every row is like every other, there is nothing to draw."""
    table = pa.table({"a": np.ones(100)})
    found = distance_view("t", table, table, table, [Column("a", "numerical")])
    assert found.why_not.startswith("All rows lie at no distance")


@pytest.mark.parametrize(("rows", "why"), [(None, "No rows were held out"), (9, "Too few rows")])
def test_why_there_are_no_distances_is_said(rows: int | None, why: str) -> None:
    """Without rows never seen there is nothing to compare with."""
    table = pa.table({"a": np.arange(100.0)})
    holdout = None if rows is None else table.slice(0, rows)
    found = distance_view("t", table, table, holdout, [Column("a", "numerical")])
    assert found.why_not.startswith(why)
    assert found.dcr_edges == ()


def test_shapes_are_coarse(shop) -> None:
    """Every bin stands for twenty real rows, in shares of a tenth of a percent."""
    table, profile = shop.metadata.tables["customers"], shop.profiles["customers"]
    for shape in table_shapes(table, profile, shop.synthetic["customers"]):
        assert min(shape.real) >= round(20 / 600, 3)
        assert [round(share, 3) for share in shape.real] == list(shape.real)


def test_shapes_of_small_tables_are_left_out(shop) -> None:
    """Fewer than forty rows make no two bins."""
    table, profile = shop.metadata.tables["customers"], shop.profiles["customers"]
    few = {name: replace(column, rows=39) for name, column in profile.columns.items()}
    small = replace(profile, columns=few)
    assert table_shapes(table, small, shop.synthetic["customers"]) == []
