"""Profiles of real tables."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.expectations.columns import category_shares, share_complement
from prefect_synth.expectations.profile import TableProfile, profile_table
from prefect_synth.synth.metadata import Column, Table


def test_a_profile_survives_its_folder(shop, tmp_path: Path) -> None:
    """What is saved in private staging is loaded the same, hashes included."""
    profile = shop.profiles["customers"]
    loaded = TableProfile.load(profile.save(tmp_path / "customers"))
    assert loaded.columns == profile.columns
    assert (loaded.rows, loaded.rows_error) == (profile.rows, profile.rows_error)
    assert np.array_equal(loaded.copies.hashes, profile.copies.hashes)
    assert replace(loaded.copies, hashes=None) == replace(profile.copies, hashes=None)
    assert np.array_equal(loaded.pii["email"], profile.pii["email"])


def test_kinds_follow_the_metadata(shop) -> None:
    """Keys and personal data are generated, lists are opaque, the rest is compared."""
    kinds = {name: column.kind for name, column in shop.profiles["orders"].columns.items()}
    assert kinds == {
        "id": "generated",
        "customer_id": "generated",
        "status": "category",
        "amount": "number",
        "day": "number",
        "tags": "opaque",
    }


def test_a_number_has_201_quantiles_without_interpolation(tmp_path: Path) -> None:
    """A column of two values has quantiles of those two only."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": [0.0, 0.0, 0.0, 7.0, None]}), path)
    profile = profile_table(path, Table("t", {"x": Column("x", "numerical")})).columns["x"]
    assert len(profile.quantiles) == 201
    assert set(profile.quantiles) == {0.0, 7.0}
    assert profile.nulls == pytest.approx(0.2)


def test_a_profile_names_categories_by_hashes_only(shop, tmp_path: Path) -> None:
    """No text of a category is written, even into private staging."""
    folder = shop.profiles["customers"].save(tmp_path / "customers")
    assert "Oslo" not in (folder / "profile.json").read_text()


def test_a_profile_is_strict_json(tmp_path: Path) -> None:
    """NaN and infinity in the data do not get into the file."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": [1.0, float("nan"), float("inf"), None]}), path)
    profile = profile_table(path, Table("t", {"x": Column("x", "numerical")}))
    text = (profile.save(tmp_path / "profile") / "profile.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["rows"] == 4


def test_an_empty_table_has_a_profile(shop, tmp_path: Path) -> None:
    """No rows, no distributions, no error."""
    path = tmp_path / "orders.parquet"
    pq.write_table(shop.table("orders").slice(0, 0), path)
    profile = profile_table(path, shop.metadata.tables["orders"], shop.metadata)
    assert (profile.rows, profile.rows_error, profile.copies.unique) == (0, 0.0, 0.0)


def categories(counts: dict[str, int]) -> pa.ChunkedArray:
    """A column with each value so many times."""
    return pa.chunked_array([[value for value, count in counts.items() for _ in range(count)]])


RARE = {f"rare {i}": 1 for i in range(40)}


@pytest.mark.parametrize(
    ("synthetic", "score"),
    [
        ({"a": 40, "b": 20, **RARE}, 1.0),  # as it was
        ({"a": 200, "b": 100}, 1.0),  # the rare ones withheld
        ({"a": 40, "b": 20, "made up": 40}, 1.0),  # the rare ones made up
        ({"a": 60}, 2 / 3),  # a common one lost
        ({"a": 20, "b": 10, "made up": 70}, 0.7),  # more made up than there were
        ({"made up": 100}, 0.4),
    ],
)
def test_rare_categories_may_be_withheld(synthetic: dict[str, int], score: float) -> None:
    """A synthesizer that keeps rare values to itself is not blamed; any other change counts."""
    reference = category_shares(categories({"a": 40, "b": 20, **RARE}))
    assert share_complement(reference, categories(synthetic)) == pytest.approx(score)


@pytest.mark.parametrize(
    ("values", "bounds"),
    [
        (
            pa.array([1_700_000_000_000_000_123], pa.timestamp("ns", "UTC")),
            ("2023-11-14T22:13:20+00:00", "2023-11-14T22:13:20.000001+00:00"),
        ),
        (
            pa.array([-1], pa.timestamp("ns")),
            ("1969-12-31T23:59:59.999999", "1970-01-01T00:00:00"),
        ),
        (pa.array([2**53 + 1]), (2**53 + 1, 2**53 + 1)),
        (
            pa.array([f"{2**53 + 1}"]).cast(pa.decimal128(20, 0)),
            (float(2**53), float(2**53 + 2)),
        ),
        (pa.array([0.5, float("nan"), 2.5]), (0.5, 2.5)),
    ],
)
def test_bounds_lie_outside_of_every_value(
    values: pa.Array, bounds: object, tmp_path: Path
) -> None:
    """What a bound cannot hold exactly is rounded outwards."""
    time = pa.types.is_timestamp(values.type)
    pq.write_table(pa.table({"v": values}), tmp_path / "v.parquet")
    table = Table("v", {"v": Column("v", "datetime" if time else "numerical")})
    assert profile_table(tmp_path / "v.parquet", table).columns["v"].bounds == bounds
