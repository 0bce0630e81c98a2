"""Bounded samples of related tables, in memory and on disk."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.metrics.bound import choose_rows, chosen_parents
from prefect_synth.synth.metrics.quality import quality
from prefect_synth.synth.metrics.side import Side
from prefect_synth.synth.metrics.sources import count_rows, take_rows

LINK = Relationship("orders", ("customer",), "customers", ("id",))
METADATA = Metadata(
    {
        "customers": Table(
            "customers", {"id": Column("id", "id"), "age": Column("age", "numerical")}
        ),
        "orders": Table(
            "orders", {"customer": Column("customer", "id"), "price": Column("price", "numerical")}
        ),
    },
    (LINK,),
)


@pytest.fixture
def shop():
    """Customers and orders whose price follows the customer's age."""
    rng = np.random.default_rng(0)
    age = rng.normal(50, 9, 1_000)
    buyer = rng.integers(0, 1_000, 5_000)
    return {
        "customers": pa.table({"id": np.arange(1_000), "age": age}),
        "orders": pa.table({"customer": buyer, "price": age[buyer] + rng.normal(size=5_000)}),
    }


@pytest.fixture
def files(shop, tmp_path):
    """The same in Parquet files of several row groups."""
    for name, table in shop.items():
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=300)
    return {name: tmp_path / f"{name}.parquet" for name in shop}


def test_parents_of_chosen_children_are_chosen(shop):
    """Every child drawn keeps its parent, even where that exceeds the bound."""
    side = Side.open("real", shop, METADATA, 800, 0)
    parents = chosen_parents(side.parents[LINK], side.rows["orders"], side.rows["customers"])
    assert (len(parents), parents.min() >= 0) == (800, True)


def test_bound_is_kept_by_children_and_filled_up(shop):
    """A table is bounded where nothing more is referred to, and filled up to the bound."""
    rows = Side.open("real", shop, METADATA, 900, 0).rows
    assert [len(rows["orders"]), len(rows["customers"])] == [900, 900]


def test_small_tables_are_taken_whole(shop):
    """A table within the bound is compared whole."""
    counts = {"customers": 5, "orders": 9}
    assert choose_rows(counts, METADATA, {LINK: np.zeros(9, int)}, 10, 0) == dict.fromkeys(counts)


def test_rows_on_disk_are_those_in_memory(shop, files):
    """Taking rows of a file gives what taking them of the table gives."""
    rows = np.sort(np.random.default_rng(1).choice(5_000, 700, replace=False))
    expected = take_rows(shop["orders"], ["price"], rows).combine_chunks()
    assert expected == take_rows(files["orders"], ["price"], rows).combine_chunks()


def test_taking_no_row_gives_an_empty_table(files):
    """Taking no row of a file gives a table with the columns and no rows."""
    assert take_rows(files["orders"], ["price"], np.zeros(0, np.int64)).shape == (0, 1)


def test_files_score_like_tables(shop, files):
    """Paths and tables give the same score under the same bound."""
    in_memory = quality(shop, shop, METADATA, rows=500)
    assert in_memory == quality(files, files, METADATA, rows=500)


def test_bounded_score_is_near_the_whole(shop):
    """A sample's trend across tables is that of the whole, where it is strong."""
    other = {
        **shop,
        "customers": shop["customers"].set_column(1, "age", [shop["customers"]["age"][::-1]]),
    }
    whole, bounded = (quality(shop, other, METADATA, rows=rows) for rows in (None, 800))
    assert bounded.intertable_trends == pytest.approx(whole.intertable_trends, abs=0.05)


def test_folder_of_parts_is_one_table(shop, tmp_path):
    """A folder of Parquet parts is read as one table."""
    for part in range(2):
        pq.write_table(shop["orders"].slice(part * 2_500, 2_500), tmp_path / f"part-{part}.parquet")
    assert count_rows(tmp_path) == 5_000
