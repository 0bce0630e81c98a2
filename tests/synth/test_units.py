"""Whose rows they are: what is rare is counted in people, where people are known."""

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.hierarchy.styles import is_reference
from prefect_synth.synth.hierarchy.units import people_of, units_of
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table

CUSTOMERS, ORDERS = 300, 3000


def _metadata() -> Metadata:
    number = {c: Column(c, "id", nullable=False) for c in ("customer_id", "order_id")}
    plain = {c: Column(c, "categorical") for c in ("region", "shop")}
    amount = Column("amount", "numerical")
    customers = {"customer_id": number["customer_id"], "region": plain["region"]}
    orders = {**number, "shop": plain["shop"], "amount": amount}
    return Metadata(
        {
            "customers": Table("customers", customers, ("customer_id",)),
            "orders": Table("orders", orders, ("order_id",)),
        },
        (Relationship("orders", ("customer_id",), "customers", ("customer_id",)),),
    )


def _tables() -> dict[str, pa.Table]:
    """Customer 7 alone orders from 'hideaway', a hundred times, and for a million."""
    rng = np.random.default_rng(0)
    owner = rng.integers(0, CUSTOMERS, ORDERS)
    owner[:100] = 7
    shop = rng.choice(["high street", "station"], ORDERS).astype(object)
    shop[:100] = "hideaway"
    amount = rng.integers(1, 50, ORDERS)
    amount[:100] = 1_000_000
    customers = {
        "customer_id": np.arange(CUSTOMERS),
        "region": rng.choice(["north", "south"], CUSTOMERS),
    }
    orders = {
        "customer_id": owner, "order_id": np.arange(ORDERS), "shop": shop, "amount": amount,
    }  # fmt: skip
    return {"customers": pa.table(customers), "orders": pa.table(orders)}


def test_a_value_of_one_person_is_rare_however_often_it_comes() -> None:
    """A category and a number of a hundred rows of one customer are not published."""
    drawn = HMASynthesizer(_metadata(), unit="customers").fit(_tables()).sample()["orders"]
    assert set(drawn["shop"].to_pylist()) == {"high street", "station"}
    assert max(drawn["amount"].to_pylist()) < 1_000_000


def test_people_are_known_by_their_tables_name() -> None:
    """Without a declared unit the customers are counted all the same."""
    part = HMASynthesizer(_metadata()).fit(_tables()).parts_["orders"]
    assert "hideaway" not in part.codec.encoders["shop"].values.to_pylist()


def test_rows_are_counted_where_nobody_is_known() -> None:
    """A table of things, or a handful of people, leaves rows to be counted."""
    things = Metadata({"parts": Table("parts", {"colour": Column("colour")})})
    assert people_of(things, {"parts": 500}) is None
    assert people_of(_metadata(), {"customers": 3, "orders": 500}) is None


@pytest.mark.parametrize(
    ("table", "column", "expected"),
    [
        ("airports", "altitude", True),
        ("doctors", "ward", False),
        ("codes", "salary", False),
        ("codes", "date_of_birth", False),
    ],
)
def test_people_have_no_style_of_their_own(table: str, column: str, expected: bool) -> None:
    """A small table with a key of letters is a reference only where nothing tells of people."""
    names = [f"{a}{b}{c}" for a in "ABCD" for b in "EFGHI" for c in "JKLMN"]
    columns = {"code": Column("code", "id", nullable=False), column: Column(column, "numerical")}
    metadata = Metadata({table: Table(table, columns, ("code",))})
    data = pa.table({"code": names, column: np.arange(len(names))})
    assert is_reference(metadata, table, data) is expected


def test_a_row_that_hangs_on_nobody_counts_for_itself() -> None:
    """An order without a customer is a unit of its own."""
    links = {"orders.customer_id": np.array([0, -1, 0, -1])}
    rows = {"customers": 1, "orders": 4}
    found = units_of(_metadata(), ("customers", "orders"), rows, links, "customers")
    assert found["orders"].tolist() == [0, -2, 0, -4]


def test_of_several_ways_up_the_one_to_most_people_counts() -> None:
    """An order hangs on its customer, not on the shop that a customer happens to keep."""
    tables = {
        n: Table(n, {f"{n}_id": Column(f"{n}_id", "id"), "customers_id": Column("customers_id")})
        for n in ("customers", "shops")
    }
    orders = {c: Column(c, "id") for c in ("shops_id", "customers_id")}
    keys = tuple(
        Relationship(child, (f"{parent}_id",), parent, (f"{parent}_id",))
        for child, parent in (("shops", "customers"), ("orders", "shops"), ("orders", "customers"))
    )
    metadata = Metadata({**tables, "orders": Table("orders", orders)}, keys)
    links = {
        "shops.customers_id": np.array([0]),
        "orders.shops_id": np.zeros(5, np.int64),
        "orders.customers_id": np.arange(5),
    }
    rows = {"customers": 5, "shops": 1, "orders": 5}
    found = units_of(metadata, ("customers", "shops", "orders"), rows, links, "customers")
    assert found["orders"].tolist() == [0, 1, 2, 3, 4]


def test_an_unknown_unit_is_refused() -> None:
    """The error names what was asked for and what there is."""
    with pytest.raises(SynthesisError, match="'people', but there is no such table"):
        HMASynthesizer(_metadata(), unit="people").fit(_tables())
