"""The holdout: whole families, the same ones every night, and no key that dangles."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_synth.synth.holdout import hold_out
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table


def shop(customers: int = 2_000, seed: int = 0):
    """Customers, their orders, the orders' lines, and products that all share."""
    rng = np.random.default_rng(seed)
    orders, lines = 3 * customers, 8 * customers
    tables = {
        "customers": pa.table({"id": np.arange(customers)}),
        "products": pa.table({"id": np.arange(50)}),
        "orders": pa.table(
            {
                "id": np.arange(orders),
                "customer_id": pa.array(
                    rng.integers(0, customers, orders), mask=rng.random(orders) < 0.1
                ),
            }
        ),
        "lines": pa.table(
            {"order_id": rng.integers(0, orders, lines), "product_id": rng.integers(0, 50, lines)}
        ),
    }
    columns = {name: {c: Column(c, "id") for c in t.column_names} for name, t in tables.items()}
    keys = {"customers": ("id",), "products": ("id",), "orders": ("id",), "lines": ()}
    metadata = Metadata(
        {name: Table(name, columns[name], keys[name]) for name in tables},
        (
            Relationship("orders", ("customer_id",), "customers", ("id",)),
            Relationship("lines", ("order_id",), "orders", ("id",)),
            Relationship("lines", ("product_id",), "products", ("id",)),
        ),
    )
    return metadata, tables


def test_a_tenth_of_the_people_is_held_out() -> None:
    """The people are guessed by the table's name; what they share stays whole."""
    metadata, tables = shop()
    holdout = hold_out(metadata, tables, 0.1)
    assert holdout.units == ("customers",)
    assert set(holdout.held) == {"customers", "orders", "lines"}
    assert holdout.held["customers"].mean() == pytest.approx(0.1, abs=0.02)


def test_rows_without_a_family_choose_for_themselves() -> None:
    """Orders of nobody are held out as often as others."""
    metadata, tables = shop()
    nobody = np.asarray(tables["orders"]["customer_id"].is_null())
    held = hold_out(metadata, tables, 0.1).held["orders"]
    assert held[nobody].mean() == pytest.approx(0.1, abs=0.05)


@given(st.integers(0, 20), st.sampled_from([0.05, 0.1, 0.4]))
def test_families_stay_together(salt: int, fraction: float) -> None:
    """A child is held out exactly when its parent is; so no key dangles on either side."""
    metadata, tables = shop(100)
    held = hold_out(metadata, tables, fraction, salt=salt).held
    if held:
        owner = tables["orders"]["customer_id"].to_numpy()
        known = ~np.isnan(owner)
        parents = held["customers"][owner[known].astype(int)]
        assert (held["orders"][known] == parents).all()
        assert (held["lines"] == held["orders"][tables["lines"]["order_id"].to_numpy()]).all()


def test_the_same_people_are_held_out_when_others_come() -> None:
    """New customers change nothing for those that were there."""
    (metadata, before), (_, after) = shop(1_000), shop(2_000)
    first, second = (hold_out(metadata, t, 0.1).held["customers"] for t in (before, after))
    assert (first == second[:1_000]).all()


def test_the_order_of_rows_does_not_matter() -> None:
    """The key decides, not the place."""
    metadata, tables = shop()
    turned = {**tables, "customers": tables["customers"].take(np.arange(2_000)[::-1])}
    first, second = (hold_out(metadata, t, 0.1).held["customers"] for t in (tables, turned))
    assert (first == second[::-1]).all()


def test_another_salt_holds_out_others() -> None:
    """Five seeds are five holdouts."""
    metadata, tables = shop()
    chosen = {hold_out(metadata, tables, 0.1, salt=s).held["customers"].tobytes() for s in range(5)}
    assert len(chosen) == 5


def test_equal_rows_without_a_key_fall_on_both_sides() -> None:
    """Natural duplicates have their like in the holdout, or copies could not be told from them."""
    metadata = Metadata({"t": Table("t", {"x": Column("x", "numerical")})})
    held = hold_out(metadata, {"t": pa.table({"x": np.zeros(5_000)})}, 0.1).held["t"]
    assert held.mean() == pytest.approx(0.1, abs=0.02)


def test_kept_tables_are_shared() -> None:
    """What is published as it is is not held out, and its children choose for themselves."""
    metadata, tables = shop()
    holdout = hold_out(metadata, tables, 0.1, keep=["customers", "products"])
    assert (holdout.units, set(holdout.held)) == (("orders",), {"orders", "lines"})


def test_the_unit_that_was_declared_is_held_out() -> None:
    """A person's word counts more than the guess."""
    metadata, tables = shop()
    assert hold_out(metadata, tables, 0.1, unit="products").units == ("products",)


def test_a_handful_of_root_entities_is_not_cut() -> None:
    """Of nineteen people none can be spared."""
    metadata, tables = shop(19)
    assert hold_out(metadata, tables, 0.1, unit="customers").held == {}


def test_nothing_is_held_out_where_nothing_was_asked() -> None:
    """A share of nought is no holdout."""
    metadata, tables = shop(100)
    assert hold_out(metadata, tables, 0.0).held == {}


@given(st.integers(0, 400), st.integers(1, 3))
def test_every_table_keeps_a_row_to_train_on(salt: int, few: int) -> None:
    """Of a small table some family is spared, whole, and the others stay held out."""
    metadata, tables = shop(100)
    tables = {**tables, "lines": tables["lines"].slice(0, few)}
    held = hold_out(metadata, tables, 0.49, salt=salt).held
    assert held["customers"].any()
    assert not any(flags.all() for flags in held.values())
    owner = tables["orders"]["customer_id"].to_numpy()
    known = ~np.isnan(owner)
    assert (held["orders"][known] == held["customers"][owner[known].astype(int)]).all()
    assert (held["lines"] == held["orders"][tables["lines"]["order_id"].to_numpy()]).all()


def test_an_empty_table_spares_nobody() -> None:
    """There is nothing to train on anyway."""
    metadata, tables = shop(100)
    empty = {**tables, "lines": tables["lines"].slice(0, 0)}
    first, second = (hold_out(metadata, t, 0.1).held["customers"] for t in (tables, empty))
    assert (first == second).all()


def staff(chiefs: int):
    """A tree of employees for each chief."""
    boss = np.r_[np.full(chiefs, np.nan), np.arange(990) % chiefs]
    table = pa.table(
        {"id": np.arange(len(boss)), "boss_id": pa.array(boss, pa.int64(), from_pandas=True)}
    )
    columns = {c: Column(c, "id") for c in table.column_names}
    relation = Relationship("employees", ("boss_id",), "employees", ("id",))
    return Metadata({"employees": Table("employees", columns, ("id",))}, (relation,)), table


def test_a_single_tree_cannot_be_cut() -> None:
    """All employees hang on one chief: none can be held out without an orphan."""
    metadata, table = staff(1)
    assert hold_out(metadata, {"employees": table}, 0.3, salt=3).held == {}


def test_whole_trees_are_held_out() -> None:
    """Of many chiefs some are held out, with all who hang on them."""
    metadata, table = staff(60)
    held = hold_out(metadata, {"employees": table}, 0.2).held["employees"]
    assert 0 < held.sum() < len(held)
    assert (held[60:] == held[:60][np.arange(990) % 60]).all()
