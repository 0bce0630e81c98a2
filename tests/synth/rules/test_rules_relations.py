"""Rules across relations are found, and hold between sampled tables."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.metadata import Metadata, Relationship


def shop(seed: int = 0) -> tuple[Metadata, dict[str, pa.Table]]:
    """Customers with orders with lines: copies, an order of dates, a total, a number of lines."""
    rng = np.random.default_rng(seed)
    customers, orders, lines = 150, 400, 1500
    joined = [dt.date(2015, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 1500, customers)]
    city = [f"c{v}" for v in rng.integers(0, 25, customers)]
    of = rng.integers(0, customers, orders)
    to = rng.integers(0, orders, lines)
    quantity, price = rng.integers(1, 9, lines), rng.integers(50, 5000, lines)
    total = np.bincount(to, quantity * price, minlength=orders)
    placed = [joined[c] + dt.timedelta(int(d)) for c, d in zip(of, to[:orders], strict=True)]
    people = {"customer_id": np.arange(customers), "joined": joined, "city": city}
    bought = {"line_id": np.arange(lines), "order_id": to, "quantity": quantity}
    tables = {
        "customers": pa.table(people),
        "orders": pa.table(
            {
                "order_id": np.arange(orders),
                "customer_id": of,
                "placed": placed,
                "ship_city": [city[c] for c in of],
                "total": total / 100,
                "items": np.bincount(to, minlength=orders),
            }
        ),
        "lines": pa.table({**bought, "price": price / 100}),
    }
    metadata = Metadata.from_tables(tables)
    relations = (
        Relationship("orders", ("customer_id",), "customers", ("customer_id",)),
        Relationship("lines", ("order_id",), "orders", ("order_id",)),
    )
    return metadata.with_relationships(relations), tables


@pytest.fixture(scope="module")
def model() -> HMASynthesizer:
    """The shop, fitted."""
    metadata, tables = shop()
    return HMASynthesizer(metadata, row_model="copula").fit(tables)


def joined(tables: dict[str, pa.Table]) -> pa.Table:
    """Orders beside their customers and the sums of their lines."""
    lines = tables["lines"]
    cents = pc.multiply(lines["quantity"], pc.round(pc.multiply(lines["price"], 100)))
    sums = (
        lines.append_column("cents", cents)
        .group_by("order_id")
        .aggregate([("cents", "sum"), ("cents", "count")])
    )
    beside = tables["orders"].join(tables["customers"], "customer_id")
    return beside.join(sums, "order_id").combine_chunks()


def test_rules_across_relations_are_found(model):
    """A copy of the parent's column, an order with its date, a sum and a number of children."""
    assert set(model.rules["orders"]) == {
        "ship_city = customers.city",
        "customers.joined < placed",
        "total = sum(lines.quantity * lines.price)",
        "items = count(lines)",
    }


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0])
def test_rules_across_relations_hold_in_samples(model, scale):
    """They are true of every row, at any scale."""
    found = joined(model.sample(scale, seed=3))
    assert found["ship_city"].equals(found["city"])
    assert pc.all(pc.less(found["joined"], found["placed"])).as_py()
    assert pc.fill_null(found["cents_count"], 0).equals(found["items"])
    cents = pc.fill_null(found["cents_sum"], 0)
    np.testing.assert_array_equal(cents, np.rint(np.asarray(found["total"]) * 100))


def test_shards_agree_about_other_tables(model):
    """A shard sums the lines of other shards too."""
    whole = model.sample(seed=3)["orders"]
    parts = [
        batch
        for at in range(3)
        for name, batch in model.sample_batches(seed=3, shard=(at, 3))
        if name == "orders"
    ]
    assert pa.Table.from_batches(parts).combine_chunks().equals(whole)


def test_rules_across_relations_can_be_declared():
    """The lines that are found can be written, and hold where the data do not obey them."""
    metadata, tables = shop()
    orders = tables["orders"]
    shuffled = {c: orders[c].take(pa.array(np.roll(np.arange(len(orders)), 7))) for c in LATE}
    broken = {**tables, "orders": pa.table({**_columns(orders), **shuffled})}
    lines = [
        "ship_city = customers.city",
        "customers.joined <= placed",
        "total = sum(lines.quantity * lines.price)",
        "items = count(lines)",
    ]
    made = HMASynthesizer(metadata, row_model="copula", rules={"orders": lines}).fit(broken)
    assert set(made.rules["orders"]) == set(lines)
    found = joined(made.sample(seed=3))
    assert found["ship_city"].equals(found["city"])
    assert pc.all(pc.less_equal(found["joined"], found["placed"])).as_py()
    assert pc.fill_null(found["cents_count"], 0).equals(found["items"])


LATE = ("ship_city", "placed", "total", "items")


def _columns(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return {c: table[c] for c in table.column_names}
