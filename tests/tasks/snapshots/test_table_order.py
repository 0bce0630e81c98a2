"""The order in which tables are loaded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.tasks.snapshots.table_order import parents_first

Key = tuple[str, str, bool]


def schema(tables: str, keys: list[Key]) -> Metadata:
    """Tables of these letters, and foreign keys (child, parent, whether it may be null)."""
    columns = {
        child: {
            "id": Column("id", "id"),
            **{p: Column(p, "id", n) for c, p, n in keys if c == child},
        }
        for child in tables
    }
    return Metadata(
        {name: Table(name, columns[name], ("id",)) for name in tables},
        tuple(Relationship(child, (parent,), parent, ("id",)) for child, parent, _ in keys),
    )


@st.composite
def trees(draw: st.DrawFn) -> tuple[str, list[Key]]:
    """Tables in any order, whose foreign keys lead to letters before their own, or to itself."""
    tables = "abcdef"
    pairs = [(child, parent) for child in tables for parent in tables if parent <= child]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True))
    return "".join(draw(st.permutations(tables))), [(c, p, draw(st.booleans())) for c, p in chosen]


@given(trees())
def test_every_table_comes_after_its_parents(drawn: tuple[str, list[Key]]) -> None:
    """Whatever the order of the metadata; self references do not count."""
    tables, keys = drawn
    order = parents_first(schema(tables, keys))
    assert sorted(order) == sorted(tables)
    assert all(order.index(p) < order.index(c) for c, p, _ in keys if c != p)


def test_a_cycle_is_opened_at_a_key_that_may_be_null() -> None:
    """Departments have managers, who are employees of departments."""
    keys = [("e", "d", False), ("d", "e", True)]
    assert parents_first(schema("ed", keys)) == ("d", "e")
    assert parents_first(schema("de", [("d", "e", False), ("e", "d", True)])) == ("e", "d")


def test_a_cycle_that_cannot_be_opened_has_an_order_all_the_same() -> None:
    """That of the metadata, and what refers to the cycle comes after it."""
    keys = [("a", "b", False), ("b", "a", False), ("c", "a", True)]
    assert parents_first(schema("cab", keys)) == ("a", "c", "b")
