"""Each kind of change, told from two states of a catalogue, and what comes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from prefect_synth.tasks.drift.changes import Change, DriftBlockedError
from prefect_synth.tasks.drift.detecting import Baseline, schema_drift
from prefect_synth.tasks.drift.differences import differences
from prefect_synth.tasks.drift.facts import SchemaFacts, schema_facts
from prefect_synth.tasks.drift.policies import KINDS, DriftPolicies, Kind, Policy
from prefect_synth.tasks.drift.widening import compare_types
from prefect_synth.tasks.warehouses.catalogue import (
    Catalogue,
    CatalogueColumn,
    CatalogueTable,
    ForeignKey,
    Translation,
)


def column(name: str, kind: str = "text", **more: Any) -> CatalogueColumn:
    """A column that is read as a text."""
    return CatalogueColumn(name, kind, Translation(pa.string(), "categorical"), **more)


def table(name: str, *columns: CatalogueColumn, **more: Any) -> CatalogueTable:
    """A table of the default schema."""
    return CatalogueTable("main", name, {c.name: c for c in columns}, **more)


ID = column("id", "bigint", nullable=False)
MOOD = column("mood", "mood", categories=("good", "bad"))
PEOPLE = (ID, column("name"), column("age", "integer"), MOOD)
NOTES = table("notes", ID, column("person", "bigint"), column("text"), primary_key=("id",))
KEY = ForeignKey(("person",), "main", "people", ("id",))


def catalogue(
    *columns: CatalogueColumn, others: tuple[CatalogueTable, ...] = (NOTES,), **more: Any
) -> Catalogue:
    """A warehouse with a table of people, whose columns these are."""
    people = table("people", *columns, **{"primary_key": ("id",), **more})
    return Catalogue((people, *others), "main")


def facts(of: Catalogue) -> SchemaFacts:
    """What a catalogue says of all its tables."""
    return schema_facts(of, {t.name: t for t in of.tables})


BEFORE = catalogue(*PEOPLE)


def drift(now: Catalogue, before: Catalogue = BEFORE, **policies: Policy) -> tuple[Change, ...]:
    """What moved, and what comes of it."""
    chosen = {t.name: t for t in now.tables}
    baseline = Baseline("synth.lock", facts(before))
    return schema_drift(baseline, now, chosen, DriftPolicies(**policies)).changes


def test_equal_catalogues_have_no_drift() -> None:
    """Nothing moved where nothing moved."""
    assert drift(BEFORE) == ()


def swapped(**new: CatalogueColumn) -> Catalogue:
    """The people with some columns replaced."""
    return catalogue(*(new.get(c.name, c) for c in PEOPLE))


CASES: dict[Kind, tuple[Catalogue, str]] = {
    "table_added": (catalogue(*PEOPLE, others=(NOTES, table("coupons", ID))), "waits"),
    "table_dropped": (catalogue(*PEOPLE, others=()), "blocks"),
    "table_renamed": (
        catalogue(*PEOPLE, others=(table("memos", *NOTES.columns.values()),)),
        "waits",
    ),
    "column_added": (catalogue(*PEOPLE, column("ssn")), "held"),
    "column_dropped": (catalogue(*PEOPLE[:2], MOOD), "blocks"),
    "column_renamed": (catalogue(ID, column("full_name"), *PEOPLE[2:]), "held"),
    "columns_reordered": (catalogue(ID, PEOPLE[2], PEOPLE[1], MOOD), "kept"),
    "type_widened": (swapped(age=column("age", "bigint")), "held"),
    "type_narrowed": (swapped(age=column("age", "smallint")), "held"),
    "type_changed": (swapped(age=column("age", "text")), "held"),
    "nullability_changed": (swapped(age=column("age", "integer", nullable=False)), "kept"),
    "default_changed": (swapped(age=column("age", "integer", default="18")), "kept"),
    "comment_changed": (swapped(age=column("age", "integer", comment="in years")), "kept"),
    "primary_key_changed": (catalogue(*PEOPLE, primary_key=("id", "name")), "blocks"),
    "unique_key_changed": (catalogue(*PEOPLE, unique=(("name",),)), "kept"),
    "foreign_key_changed": (
        catalogue(
            *PEOPLE,
            others=(
                table("notes", *NOTES.columns.values(), primary_key=("id",), foreign_keys=(KEY,)),
            ),
        ),
        "kept",
    ),
    "enum_value_added": (
        swapped(mood=column("mood", "mood", categories=("good", "so so", "bad"))),
        "kept",
    ),
    "enum_value_dropped": (swapped(mood=column("mood", "mood", categories=("good",))), "kept"),
}


@pytest.mark.parametrize("kind", CASES)
def test_each_kind_is_told_with_what_quarantine_makes_of_it(kind: Kind) -> None:
    """One change of a catalogue is one change, and waits where it can."""
    now, effect = CASES[kind]
    [change] = drift(now, **{kind: "quarantine"})
    assert (change.kind, change.policy, change.effect) == (kind, "quarantine", effect)


@pytest.mark.parametrize("kind", CASES)
def test_each_kind_can_be_followed_or_end_the_refresh(kind: Kind) -> None:
    """Policies are the project file's."""
    [followed] = drift(CASES[kind][0], **{kind: "evolve"})
    [blocked] = drift(CASES[kind][0], **{kind: "block"})
    assert (followed.effect, blocked.effect) == ("followed", "blocks")


def test_every_kind_of_the_catalogue_is_tried() -> None:
    """The other three are seen in the rows."""
    assert {*KINDS} - {*CASES} == {"category_added", "distribution_moved", "volume_jumped"}


def test_a_new_column_that_must_not_be_null_is_left_out_and_one_of_the_key_blocks() -> None:
    """A key cannot be left out."""
    code = column("code", nullable=False)
    [left_out] = drift(catalogue(*PEOPLE, code))
    added, _ = sorted(
        drift(catalogue(*PEOPLE, code, primary_key=("id", "code"))), key=lambda c: c.kind
    )
    assert (left_out.effect, added.kind, added.effect) == ("left out", "column_added", "blocks")


def test_a_new_key_over_a_held_column_waits_with_it() -> None:
    """The key is not followed before its column is there."""
    changes = drift(catalogue(*PEOPLE, column("ssn"), unique=(("ssn",),)))
    assert {c.kind: c.effect for c in changes} == {
        "column_added": "held",
        "unique_key_changed": "kept",
    }


def test_a_foreign_key_to_a_table_that_waits_waits_with_it() -> None:
    """The parent is not read."""
    key = ForeignKey(("age",), "main", "coupons", ("id",))
    now = catalogue(*PEOPLE, others=(NOTES, table("coupons", ID)), foreign_keys=(key,))
    assert [c.effect for c in drift(now)] == ["waits", "kept"]


def test_a_key_whose_type_changes_blocks() -> None:
    """Keys cannot be published as NULL."""
    now = catalogue(column("id", "text", nullable=False), *PEOPLE[1:])
    assert [c.effect for c in drift(now)] == ["blocks"]


def test_a_column_that_becomes_nullable_blocks_where_it_is_to_be_held_back() -> None:
    """That a column is never NULL cannot be promised any longer."""
    before = swapped(age=column("age", "integer", nullable=False))
    [change] = drift(BEFORE, before, nullability_changed="quarantine")
    assert change.effect == "blocks"


def test_a_lost_key_blocks_where_it_is_to_be_held_back() -> None:
    """Nobody keeps the promise any more."""
    before = catalogue(*PEOPLE, unique=(("name",),))
    [change] = drift(BEFORE, before, unique_key_changed="quarantine")
    assert change.effect == "blocks"


def test_a_blocked_refresh_is_told_each_change_and_the_remedy() -> None:
    """One sentence names what moved, how to accept it and which policy to change."""
    changes = drift(catalogue(*PEOPLE, column("ssn")), column_added="block")
    message = str(DriftBlockedError(changes))
    assert "column 'people.ssn' is new (text)" in message
    assert "prefect-synth drift accept people.ssn" in message
    assert "on_drift in synth.yaml (column_added)" in message


def test_defaults_and_comments_are_never_told() -> None:
    """Their texts may quote real values, so facts have hashes and changes have nothing."""
    secret = column("age", "integer", default="'Zyzzyva-4711'", comment="Zyzzyva-4711")
    now = swapped(age=secret)
    assert "Zyzzyva" not in str(facts(now)) + str(drift(now))


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("smallint", "integer", "type_widened"),
        ("bigint", "integer", "type_narrowed"),
        ("UTINYINT", "SMALLINT", "type_widened"),
        ("UINTEGER", "INTEGER", "type_changed"),
        ("integer", "double precision", "type_widened"),
        ("bigint", "double precision", "type_changed"),
        ("integer", "numeric(12,2)", "type_widened"),
        ("integer", "numeric(5,0)", "type_changed"),
        ("real", "double precision", "type_widened"),
        ("numeric(10,2)", "numeric(12,2)", "type_widened"),
        ("numeric(10,2)", "numeric(12,4)", "type_widened"),
        ("numeric(10,2)", "numeric(10,4)", "type_changed"),
        ("numeric(10,2)", "numeric", "type_widened"),
        ("character varying(20)", "character varying(40)", "type_widened"),
        ("character varying(40)", "character varying(20)", "type_narrowed"),
        ("character varying(40)", "text", "type_widened"),
        ("text", "character varying", "type_widened"),
        ("character(3)", "text", "type_widened"),
        ("date", "timestamp without time zone", "type_widened"),
        ("timestamp without time zone", "date", "type_narrowed"),
        ("timestamp(3) without time zone", "timestamp without time zone", "type_widened"),
        ("timestamp without time zone", "timestamp with time zone", "type_changed"),
        ("TIMESTAMP_S", "TIMESTAMP", "type_widened"),
        ("TIMESTAMP", "TIMESTAMP_NS", "type_changed"),
        ("integer[]", "bigint[]", "type_widened"),
        ("integer", "integer[]", "type_changed"),
        ("boolean", "integer", "type_changed"),
        ("mood", "humour", "type_changed"),
    ],
)
def test_a_type_is_wider_when_it_takes_every_value_of_the_other(
    old: str, new: str, kind: str
) -> None:
    """The rules by type family."""
    assert compare_types(old, new) == kind


def test_a_table_that_the_project_file_does_not_read_any_more_is_not_gone() -> None:
    """To leave a table out is a decision, not a drift."""
    chosen = {"people": BEFORE.tables[0]}
    found = schema_drift(Baseline("synth.lock", facts(BEFORE)), BEFORE, chosen, DriftPolicies())
    assert not found


def test_what_is_left_out_for_good_is_no_drift() -> None:
    """Nobody is asked again."""
    now = catalogue(*PEOPLE, column("ssn"), others=(NOTES, table("coupons", ID)))
    baseline = Baseline("synth.lock", facts(BEFORE), ("people.ssn", "coupons"))
    found = schema_drift(baseline, now, {t.name: t for t in now.tables}, DriftPolicies())
    assert (found.changes, found.unread_tables) == ((), ("coupons",))
    assert found.excluded_columns == {"people": ("ssn",)}


def test_a_change_has_a_sentence() -> None:
    """People read it in logs and events."""
    [change] = differences(facts(BEFORE), facts(CASES["column_added"][0]))
    assert str(change) == "Column 'people.ssn' is new (text): it is followed."


def test_tables_of_one_schema_that_is_not_the_default_are_told_apart_from_gone_ones() -> None:
    """They go by their bare names, and refer to each other with their schema."""
    key = ForeignKey(("person",), "sales", "people", ("code",))
    code = column("code", nullable=False)
    people = replace(table("people", code, unique=(("code",),)), schema="sales")
    notes = replace(table("notes", column("person"), foreign_keys=(key,)), schema="sales")
    before = Catalogue((people, notes), "main")
    known = schema_facts(before, {"people": people, "notes": notes})
    changed = replace(people, columns={"code": replace(code, source_type="integer")})
    now = Catalogue((changed, notes), "main")
    found = schema_drift(Baseline("synth.lock", known), now, {"people": changed}, DriftPolicies())
    assert [(c.kind, c.effect) for c in found.changes] == [("type_changed", "blocks")]
