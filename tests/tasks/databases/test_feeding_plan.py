"""Order, choice and places of tables: plain facts about a schema, no database needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.tasks.databases.address import based_at, dialect_of, file_of
from prefect_synth.tasks.databases.errors import FeedRequestError, TargetUrlError
from prefect_synth.tasks.databases.places import with_schemas, without_schemas
from prefect_synth.tasks.databases.plan import Place, chosen_tables, grouped

NAMES = [f"t{number}" for number in range(7)]


@st.composite
def schemas(draw: st.DrawFn) -> Metadata:
    """Any graph of foreign keys among a few tables."""
    pairs = draw(st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=14))
    columns = {name: Column(name, "id") for name in ["id", *NAMES]}
    tables = {name: Table(name, columns, ("id",)) for name in draw(st.permutations(NAMES))}
    return Metadata(tables, tuple(Relationship(c, (p,), p, ("id",)) for c, p in sorted(pairs)))


@given(schemas())
def test_parents_come_first_or_in_the_same_group(metadata: Metadata) -> None:
    """Whatever the graph, each table once, and no group refers to a later one."""
    groups = grouped(metadata.tables, metadata.relationships)
    position = {name: place for place, group in enumerate(groups) for name in group}
    assert sorted(position) == sorted(metadata.tables)
    assert all(position[key.parent] <= position[key.child] for key in metadata.relationships)


@given(schemas())
def test_a_group_is_one_circle(metadata: Metadata) -> None:
    """From each table of a group one comes to each other one."""
    parents = {name: {k.parent for k in metadata.parents(name)} for name in metadata.tables}
    for group in grouped(metadata.tables, metadata.relationships):
        for name in group:
            reached: set[str] = set()
            ahead = [name]
            while ahead:
                ahead += (found := parents[ahead.pop()] - reached)
                reached |= found
            assert len(group) == 1 or set(group) <= reached


@given(schemas(), st.sets(st.sampled_from(NAMES), min_size=1))
def test_a_choice_is_closed(metadata: Metadata, wanted: set[str]) -> None:
    """What is chosen is there, with all that it refers to, and nothing that nobody needs."""
    chosen = set(chosen_tables(metadata, wanted))
    assert wanted <= chosen
    assert all(k.parent in chosen for k in metadata.relationships if k.child in chosen)
    for name in chosen - wanted:
        assert any(k.parent == name and k.child in chosen for k in metadata.relationships)
    assert set(chosen_tables(metadata, wanted, closure=False)) == wanted


def test_each_table_goes_to_its_schema() -> None:
    """`schema.table` where all are named so; else a dot is part of the name."""
    assert with_schemas(["a.x", "b.x"], None, "public")["b.x"] == Place("b", "x")
    assert with_schemas(["x", "b.x"], None, "public")["b.x"] == Place("public", "b.x")
    assert with_schemas(["a.x", "b.y"], "test", "public")["b.y"] == Place("test", "y")
    with pytest.raises(FeedRequestError, match=r"'a\.x' and 'b\.x' would both be 'test\.x'"):
        with_schemas(["a.x", "b.x"], "test", "public")


def test_without_schemas_names_stay_apart() -> None:
    """The bare name, or both where two tables would be one."""
    places = without_schemas(["a.x", "b.x", "b.y"], None, "SQLite")
    assert [place.name for place in places.values()] == ["a_x", "b_x", "y"]
    with pytest.raises(FeedRequestError, match="SQLite has no schemas"):
        without_schemas(["x"], "test", "SQLite")


def test_relative_files_start_at_a_base(tmp_path: Path) -> None:
    """Servers have none; what is absolute stays."""
    assert file_of(based_at("sqlite:///test.db", tmp_path)) == tmp_path / "test.db"
    assert based_at("duckdb:////a/b.duckdb", tmp_path) == "duckdb:////a/b.duckdb"
    assert based_at("mysql://a@b/c", tmp_path) == "mysql://a@b/c"


def test_a_wrong_scheme_tells_nothing_else() -> None:
    """A URL may hold a password."""
    with pytest.raises(TargetUrlError) as caught:
        dialect_of("oracle://ann:s3cret@db/shop")
    assert "s3cret" not in str(caught.value)
