"""Trends between grandchildren and grandparents."""

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.metrics.khop import khop_trends

METADATA = Metadata(
    {
        "regions": Table(
            "regions", {"id": Column("id", "id"), "rent": Column("rent", "numerical")}
        ),
        "shops": Table("shops", {"id": Column("id", "id"), "region": Column("region", "id")}),
        "sales": Table(
            "sales", {"shop": Column("shop", "id"), "price": Column("price", "numerical")}
        ),
    },
    (
        Relationship("shops", ("region",), "regions", ("id",)),
        Relationship("sales", ("shop",), "shops", ("id",)),
    ),
)
NAME = "sales.shop -> shops.region -> regions.rent ~ sales.price"


@pytest.fixture
def chain():
    """Sales whose price follows the rent of their shop's region."""
    rng = np.random.default_rng(0)
    rent, region = rng.normal(size=200), rng.integers(0, 200, 600)
    shop = rng.integers(0, 600, 3_000)
    return {
        "regions": pa.table({"id": np.arange(200), "rent": rent}),
        "shops": pa.table({"id": np.arange(600), "region": region}),
        "sales": pa.table({"shop": shop, "price": rent[region[shop]] + rng.normal(size=3_000) / 4}),
    }


def test_equal_tables_keep_the_trend(chain):
    """A copy keeps the trend with the grandparent, and no other pair is scored."""
    assert khop_trends(chain, chain, METADATA).per_pair == {NAME: pytest.approx(1.0)}


def test_a_shuffled_middle_loses_the_trend(chain):
    """Where shops change regions, prices no longer follow the rent: one half for no trend."""
    order = np.random.default_rng(1).permutation(600)
    shops = chain["shops"].set_column(1, "region", chain["shops"]["region"].take(pa.array(order)))
    score = khop_trends(chain, {**chain, "shops": shops}, METADATA)
    assert score.score == pytest.approx(0.5, abs=0.1)


def test_a_sample_is_near_the_whole(chain):
    """A bounded draw keeps children with all of their ancestors."""
    order = np.random.default_rng(1).permutation(600)
    shops = chain["shops"].set_column(1, "region", chain["shops"]["region"].take(pa.array(order)))
    whole, bounded = (
        khop_trends(chain, {**chain, "shops": shops}, METADATA, rows=rows).score
        for rows in (None, 800)
    )
    assert bounded == pytest.approx(whole, abs=0.1)


def test_grandparents_need_two_hops(chain):
    """One hop is no k-hop trend: nothing is scored."""
    assert khop_trends(chain, chain, METADATA, hops=1).score is None


def test_orphans_have_no_grandparent(chain):
    """Rows whose parent or grandparent does not exist are left out on their side."""
    shops = chain["shops"].set_column(
        1, "region", pa.array(np.where(np.arange(600) < 300, np.arange(600) % 200, 999))
    )
    score = khop_trends({**chain, "shops": shops}, {**chain, "shops": shops}, METADATA)
    assert {1.0} >= {round(trend, 9) for trend in score.per_pair.values()}


def test_a_name_of_each_ancestor_is_left_out():
    """Two customers a town tell nothing of towns in general, though they seem to."""
    rng = np.random.default_rng(0)
    towns = pa.table({"town_id": np.arange(100), "name": [f"town {i}" for i in range(100)]})
    streets = pa.table({"street_id": np.arange(100), "town_id": np.arange(100)})
    people = pa.table({"street_id": rng.integers(0, 100, 200), "active": rng.random(200) < 0.5})
    tables = {"towns": towns, "streets": streets, "people": people}
    sdtypes = {"name": "categorical", "active": "boolean"}
    metadata = Metadata(
        {
            name: Table(name, {c: Column(c, sdtypes.get(c, "id")) for c in table.column_names})
            for name, table in tables.items()
        },
        (
            Relationship("people", ("street_id",), "streets", ("street_id",)),
            Relationship("streets", ("town_id",), "towns", ("town_id",)),
        ),
    )
    assert khop_trends(tables, tables, metadata).per_pair == {}
