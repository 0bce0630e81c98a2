"""A small extract: closed under every foreign key, small, and the same one every night."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_synth.synth.errors import RequestError
from prefect_synth.synth.extract import extract_rows
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table


def described(tables, relations, keys=None):
    """Metadata of tables whose columns are all ids."""
    return Metadata(
        {
            name: Table(name, {c: Column(c, "id") for c in t.column_names}, (keys or {})[name])
            for name, t in tables.items()
        },
        tuple(relations),
    )


@st.composite
def schemas(draw):
    """Up to five tables that refer to each other and to themselves in any direction.

    Keys have one column or two; a reference may be null, and polymorphic with another one.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    count = draw(st.integers(1, 5))
    sizes = [draw(st.sampled_from([0, 1, 3, 20, 80])) for _ in range(count)]
    wide = [draw(st.booleans()) for _ in range(count)]
    tables, relations = {}, []
    for at, size in enumerate(sizes):
        columns = {"no": np.arange(size) // (2 if wide[at] else 1)}
        if wide[at]:
            columns["shop"] = np.arange(size) % 2
        for number, parent in enumerate(draw(st.lists(st.integers(0, count - 1), max_size=3))):
            when = ("kind", str(number)) if draw(st.booleans()) else None
            referred = rng.integers(-1, sizes[parent], size) if sizes[parent] else -np.ones(size)
            if parent == at and draw(st.booleans()):
                referred = np.arange(size) - 1  # a chain as long as the table
            names = [f"f{number}"] + ([f"s{number}"] if wide[parent] else [])
            referred = referred.astype(np.int64)
            parts = (referred // 2, referred % 2) if wide[parent] else (referred,)
            for name, part in zip(names, parts, strict=True):
                columns[name] = pa.array(part, mask=referred < 0)
            target = ("no", "shop") if wide[parent] else ("no",)
            relations.append(Relationship(f"t{at}", tuple(names), f"t{parent}", target, when))
        columns["kind"] = pa.array([str(i) for i in rng.integers(0, 3, size)], pa.string())
        order = rng.permutation(size)
        tables[f"t{at}"] = pa.table(columns).take(pa.array(order))
    keys = {f"t{at}": ("no", "shop") if w else ("no",) for at, w in enumerate(wide)}
    return described(tables, relations, keys), tables


def keys_of(table, columns, when=None):
    """Keys as tuples, those with a null and those of other kinds left out."""
    rows = table.to_pylist()
    kept = [r for r in rows if when is None or r[when[0]] == when[1]]
    found = [tuple(r[c] for c in columns) for r in kept]
    return [key for key in found if None not in key]


def taken(tables, rows):
    """The rows themselves."""
    return {name: table.take(pa.array(rows[name])) for name, table in tables.items()}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(schemas(), st.sampled_from([1, 4, 30, 1000]))
def test_any_extract_is_closed_and_small(schema, rows):
    """Every key resolves, keys stay unique, no table is lost, and few rows are too many."""
    metadata, tables = schema
    found = extract_rows(metadata, tables, rows)
    small = taken(tables, found)
    for relation in metadata.relationships:
        above = set(keys_of(small[relation.parent], relation.parent_columns))
        below = keys_of(small[relation.child], relation.child_columns, relation.when)
        assert set(below) <= above, str(relation)
    for name, table in tables.items():
        assert (np.diff(found[name]) > 0).all()
        assert bool(len(found[name])) == bool(len(table))
        most = len(found[name])
        assert most <= rows or most <= rows + sum(
            largest_need(metadata, tables, other, name) for other in tables
        )


def largest_need(metadata, tables, start, wanted):
    """How many rows of a table one row of another one needs at most, followed one by one."""
    places = {
        (r.parent, r.parent_columns): {
            tuple(row[c] for c in r.parent_columns): at
            for at, row in reversed(list(enumerate(tables[r.parent].to_pylist())))
        }
        for r in metadata.relationships
    }
    rows = {name: table.to_pylist() for name, table in tables.items()}
    most = 0
    for first in range(len(rows[start])):
        needed, border = {(start, first)}, [(start, first)]
        while border:
            name, at = border.pop()
            for r in metadata.parents(name):
                key = tuple(rows[name][at][c] for c in r.child_columns)
                if None in key or (r.when and rows[name][at][r.when[0]] != r.when[1]):
                    continue
                above = (r.parent, places[r.parent, r.parent_columns][key])
                if above not in needed:
                    needed.add(above)
                    border.append(above)
        most = max(most, sum(name == wanted for name, _ in needed))
    return most


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(schemas(), st.sampled_from([4, 30]), st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(schema, rows, seed):
    """Keys decide, not places: the same rows are chosen wherever they stand."""
    metadata, tables = schema
    rng = np.random.default_rng(seed)
    turned = {n: t.take(pa.array(rng.permutation(len(t)))) for n, t in tables.items()}
    first = taken(tables, extract_rows(metadata, tables, rows))
    second = taken(turned, extract_rows(metadata, turned, rows))
    for name, table in metadata.tables.items():
        keys = [set(keys_of(side[name], table.primary_key)) for side in (first, second)]
        assert keys[0] == keys[1]


def shop(customers, orders_each, lines_each=1, products=500):
    """Customers with as many orders each, the orders' lines, and what is bought."""
    orders, lines = customers * orders_each, customers * orders_each * lines_each
    tables = {
        "customers": pa.table({"id": np.arange(customers)}),
        "orders": pa.table({"id": np.arange(orders), "customer": np.arange(orders) // orders_each}),
        "lines": pa.table(
            {
                "id": np.arange(lines),
                "order": np.arange(lines) // lines_each,
                "product": np.arange(lines) * 7 % products,
            }
        ),
        "products": pa.table({"id": np.arange(products), "kind": np.arange(products) % 9}),
        "kinds": pa.table({"id": np.arange(9)}),
    }
    relations = (
        Relationship("orders", ("customer",), "customers", ("id",)),
        Relationship("lines", ("order",), "orders", ("id",)),
        Relationship("lines", ("product",), "products", ("id",)),
        Relationship("products", ("kind",), "kinds", ("id",)),
    )
    return described(tables, relations, dict.fromkeys(tables, ("id",))), tables


def test_families_come_whole_where_some_fit():
    """A customer that is taken has all orders and lines."""
    metadata, tables = shop(100, 4, 5)
    small = taken(tables, extract_rows(metadata, tables, 200))
    counts = {name: len(table) for name, table in small.items()}
    assert (counts["customers"], counts["orders"], counts["lines"]) == (10, 40, 200)


def test_large_families_are_cut_evenly():
    """Where one family alone is too large, several customers keep some orders, each one whole."""
    metadata, tables = shop(100, 400, 3)
    small = taken(tables, extract_rows(metadata, tables, 200))
    orders = np.bincount(small["orders"]["customer"].to_numpy())
    lines = np.bincount(small["lines"]["order"].to_numpy())
    assert len(small["customers"]) == 8
    assert orders[orders > 0].tolist() == [8] * 8
    assert lines[lines > 0].tolist() == [3] * 64


def test_small_tables_beside_the_families_are_whole():
    """Of products come those bought, then others as far as there is room; kinds are few."""
    metadata, tables = shop(100, 400, 3)
    small = taken(tables, extract_rows(metadata, tables, 200))
    assert (len(small["kinds"]), len(small["products"])) == (9, 200)


def test_new_rows_move_few():
    """A night with a hundredth more customers leaves nearly all that were chosen."""
    (metadata, before), (_, after) = shop(1_000, 3), shop(1_010, 3)
    first, second = (
        set(t["customers"].take(extract_rows(metadata, t, 300)["customers"])["id"].to_pylist())
        for t in (before, after)
    )
    assert len(first) == 100
    assert len(first & second) >= 96


def test_the_root_can_be_chosen():
    """With products as the root, what is bought and not who buys decides."""
    metadata, tables = shop(1_000, 3)
    small = taken(tables, extract_rows(metadata, tables, 60, root="products"))
    bought = np.bincount(small["lines"]["product"].to_numpy())
    assert bought[bought > 0].tolist() == [6] * 10


def test_rows_that_are_always_taken_come_first():
    """With what they refer to, whatever else is taken; they count among the others."""
    metadata, tables = shop(100, 4, 5)
    always = {"lines": np.array([7, 1999]), "products": np.array([499])}
    found = extract_rows(metadata, tables, 200, always=always)
    assert {7, 1999} <= set(found["lines"].tolist())
    assert 499 in found["products"]
    assert {1, 399} <= set(found["orders"].tolist())
    assert {0, 99} <= set(found["customers"].tolist())
    assert len(found["lines"]) <= 200


def test_a_long_chain_is_followed_in_few_steps():
    """A hundred thousand rows, each after the one before it, are closed at once."""
    at = np.arange(100_000)
    tables = {"events": pa.table({"id": at, "before": pa.array(at - 1, mask=at == 0)})}
    relation = Relationship("events", ("before",), "events", ("id",))
    metadata = described(tables, [relation], {"events": ("id",)})
    rows = extract_rows(metadata, tables, 100_000)["events"]
    assert rows.tolist() == at.tolist()


@pytest.mark.parametrize(("rows", "root"), [(0, None), (9, "nobody")])
def test_what_cannot_be_is_refused(rows, root):
    """No rows, and no such table."""
    metadata, tables = shop(10, 1)
    with pytest.raises(RequestError, match=r"at least 1 row, got 0|no such table"):
        extract_rows(metadata, tables, rows, root=root)
