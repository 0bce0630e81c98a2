"""Balanced tables: classes as asked, rows as valid as the table's own, and no row of it changed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_synth.synth.errors import ContractError
from prefect_synth.synth.hierarchy.balancing import Balancer
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.scenarios.balance import (
    Balance,
    check_balances,
    check_class_rows,
    class_rows,
    with_balanced,
)


@given(
    st.lists(st.integers(1, 10**6), min_size=2, max_size=9),
    st.floats(0.01, 1),
    st.integers(50, 10**5),
)
def test_classes_sum_to_the_rows_at_the_ratio(counts, ratio, rows):
    """No class is below its ratio, but for what rounding takes; larger shares stay."""
    found = class_rows(counts, ratio, rows)
    assert found.sum() == rows
    assert (found + 1 >= ratio * (found.max() - 1)).all()
    assert found[np.argmax(counts)] + 1 >= found.max()


def test_a_class_that_would_get_no_row_is_refused():
    """Too few rows at too small a ratio leave classes out, and that is no balance."""
    balance = Balance("balanced", "visits", "kind", 0.01, 2)
    with pytest.raises(ContractError, match="2 of 3 classes of 'kind' would get none of its 2"):
        check_class_rows(balance, class_rows([100, 3, 2], balance.ratio, 2))
    check_class_rows(balance, class_rows([100, 3, 2], 1.0, 3))


@pytest.fixture(scope="module")
def shop():
    """Customers, and visits that pay seldom, and nearly only by customers of one kind."""
    rng = np.random.default_rng(7)
    kind = rng.choice(["firm", "person"], 300, p=[0.3, 0.7])
    link = np.sort(rng.integers(0, 300, 4000))
    paid = rng.random(4000) < np.where(kind[link] == "firm", 0.09, 0.003)
    net = rng.integers(1, 900, 4000)
    tables = {
        "customers": pa.table({"id": np.arange(300), "kind": kind}),
        "visits": pa.table(
            {
                "id": np.arange(4000),
                "customer_id": link,
                "email": [f"v{i}@mail.test" for i in range(4000)],
                "paid": paid,
                "net": net,
                "gross": net * 2,
            }
        ),
    }
    kinds = {"id": "id", "customer_id": "id", "email": "email", "paid": "boolean"}
    described = {
        name: Table(
            name,
            {c: Column(c, kinds.get(c, "categorical"), nullable=False) for c in table.column_names},
            ("id",),
            (("email",),) if name == "visits" else (),
        )
        for name, table in tables.items()
    }
    for column in ("net", "gross"):
        described["visits"].columns[column] = Column(column, "numerical", nullable=False)
    relation = Relationship("visits", ("customer_id",), "customers", ("id",))
    return Metadata(described, (relation,)), tables


def drawn(sampler, rows, column="paid", classes=(False, True)):
    """A balanced table of visits."""
    balance = Balance("balanced", "visits", column)
    values = [pa.scalar(value) for value in classes]
    batches = list(Balancer(sampler, balance, values, np.array(rows)).batches())
    return pa.Table.from_batches(batches)


@pytest.mark.parametrize("row_model", ["trees", "copula"])
def test_a_balanced_table_is_valid_and_leaves_the_sample_alone(shop, row_model):
    """Exact classes, resolving keys, new keys and personal values, rules that hold."""
    metadata, tables = shop
    sampler = HMASynthesizer(metadata, row_model=row_model).fit(tables).sampler()
    before = sampler.tables()
    made = drawn(sampler, (500, 500))
    again = drawn(sampler, (500, 500))
    assert made.equals(again)
    assert sampler.tables()["visits"].equals(before["visits"])
    assert made.schema.equals(before["visits"].schema)
    assert pc.sum(made["paid"]).as_py() == 500
    assert pc.all(pc.is_in(made["customer_id"], before["customers"]["id"])).as_py()
    assert pc.all(pc.equal(pc.multiply(made["net"], 2), made["gross"])).as_py()
    for column in ("id", "email"):
        values = pa.chunked_array([*made[column].chunks, *before["visits"][column].chunks])
        assert pc.count_distinct(values).as_py() == len(values)


def test_rows_may_refer_to_a_table_that_is_kept(shop):
    """The reference is drawn with the row then, and leads to a row that is there."""
    metadata, tables = shop
    model = HMASynthesizer(metadata, row_model="trees", keep=["customers"]).fit(tables)
    made = drawn(model.sampler(), (200, 200))
    assert pc.sum(made["paid"]).as_py() == 200
    assert pc.all(pc.is_in(made["customer_id"], tables["customers"]["id"])).as_py()


def test_rows_that_were_appended_have_balanced_ones_too(shop):
    """A sample of several stages is balanced like any other."""
    metadata, tables = shop
    sampler = HMASynthesizer(metadata, row_model="copula").fit(tables).sampler(1.5, after=[1.0])
    made, customers = drawn(sampler, (200, 200)), sampler.tables()["customers"]
    assert pc.sum(made["paid"]).as_py() == 200
    assert pc.all(pc.is_in(made["customer_id"], customers["id"])).as_py()


def test_classes_keep_the_company_that_they_keep(shop):
    """Paid visits are those of firms, in the balanced table as in the data."""
    metadata, tables = shop
    sampler = HMASynthesizer(metadata, row_model="trees").fit(tables).sampler()
    made = drawn(sampler, (1000, 1000))
    joined = made.join(sampler.tables()["customers"], "customer_id", "id")
    firms = {
        paid: pc.mean(
            pc.cast(pc.equal(joined.filter(pc.equal(joined["paid"], paid))["kind"], "firm"), "int8")
        ).as_py()
        for paid in (True, False)
    }
    assert firms[True] > firms[False] + 0.2


@pytest.mark.parametrize(
    ("balance", "reason"),
    [
        (Balance("b", "visits", "colour"), "'colour', which the table does not have"),
        (Balance("b", "visits", "customer_id"), "is part of a key"),
        (Balance("b", "visit", "paid"), "no such table. Tables: customers, visits"),
        (Balance("b", "visits", "email"), "names the personal column 'email'"),
        (Balance("Customers", "visits", "paid"), "the name of the table 'customers'"),
    ],
)
def test_what_cannot_be_balanced_is_refused(shop, balance, reason):
    """Before any row is read."""
    with pytest.raises(ContractError, match=reason):
        check_balances(shop[0], [balance])


def test_the_schema_has_the_balanced_table_with_its_references(shop):
    """As a table like any other."""
    schema = with_balanced(shop[0], [Balance("b", "visits", "paid")])
    assert schema.tables["b"].primary_key == ("id",)
    assert [r.parent for r in schema.parents("b")] == ["customers"]
