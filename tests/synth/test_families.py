"""Large tables are trained on whole families, chosen by a keyed hash."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.hierarchy.families import family_rows
from prefect_synth.synth.hierarchy.hma import HMASynthesizer

RNG = np.random.default_rng(2)


@pytest.fixture(scope="module")
def extended(schema_of):
    """2,000 customers, their 6,000 orders, and 20,000 lines of these; some have no parent."""
    tables = {
        "customers": pa.table({"id": np.arange(2000)}),
        "orders": pa.table({"id": np.arange(6000), "c": up(2000, 6000)}),
        "lines": pa.table({"o": up(6000, 20_000), "x": RNG.normal(size=20_000)}),
    }
    relations = ["orders.c -> customers.id", "lines.o -> orders.id"]
    metadata = schema_of({"customers": "id", "orders": "id"}, tables, relations)
    return metadata, HMASynthesizer(metadata, row_model="fast").extend(tables)


def up(parents, rows):
    """References, of which one in twenty is null."""
    return pa.array(RNG.integers(0, parents, rows), mask=RNG.random(rows) < 0.05)


@pytest.mark.parametrize("most", [500, 2000])
def test_families_are_whole(extended, most):
    """All lines of a chosen customer's orders are chosen, or none."""
    metadata, extensions = extended
    rows = family_rows(metadata, extensions, "lines", 3, most)
    order, customer = (
        extensions.tables[t].links[r] for t, r in (("lines", "lines.o"), ("orders", "orders.c"))
    )
    head = np.where(order < 0, -1, customer[order])
    chosen = np.isin(np.arange(len(head)), rows)
    inside, outside = (set(head[(head >= 0) & mask]) for mask in (chosen, ~chosen))
    assert not inside & outside
    assert len(rows) == pytest.approx(most, rel=0.2)
    assert ((head < 0) & chosen).any()


def test_families_of_a_smaller_table_contain_those_of_a_larger_one(extended):
    """What is chosen of the lines belongs to orders that are chosen too."""
    metadata, extensions = extended
    lines, orders = (family_rows(metadata, extensions, t, 3, 2000) for t in ("lines", "orders"))
    link = extensions.tables["lines"].links["lines.o"][lines]
    with_customer = link[(link >= 0)]
    customer = extensions.tables["orders"].links["orders.c"][with_customer]
    assert set(with_customer[customer >= 0]) <= set(orders)


def test_small_tables_are_taken_whole(extended):
    """Nothing is left out where there are few rows; few heads are divided further down."""
    metadata, extensions = extended
    assert family_rows(metadata, extensions, "orders", 3).tolist() == list(range(6000))
