"""Merging a suite file with what is generated now: a person's edits win."""

from __future__ import annotations

import copy

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.suite_form import is_disabled, ours
from prefect_synth.expectations.suite_generate import generate_suite
from prefect_synth.expectations.suite_merge import Merge, merge_suites
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table

MEAN = "expect_column_mean_to_be_near"


def fresh(*columns: str, mean: float = 0.25, parent: bool = False) -> dict:
    """A generated suite of a table with these numbers."""
    table = Table("t", {c: Column(c, "numerical") for c in columns})
    metadata = Metadata({"t": table})
    if parent:
        p = Table("p", {"id": Column("id", "id", nullable=False)}, ("id",))
        metadata = Metadata({"t": table, "p": p}, (Relationship("t", ("a",), "p", ("id",)),))
    schema = pa.schema([(column, pa.float64()) for column in columns])
    gates = Gates.model_validate({"columns": {"mean": mean}})
    return generate_suite(table, metadata, schema, gates)


def merged(file: dict | None, now: dict) -> Merge:
    """The merge with a schema of the tables t and p."""
    return merge_suites(file, now, {"t", "p"})


def the(suite: dict, type_: str, column: str) -> dict:
    """The one expectation of a type on a column."""
    (found,) = [
        e
        for e in suite["expectations"]
        if e["type"] == type_ and e["kwargs"].get("column") == column
    ]
    return found


def edited(suite: dict, **change: object) -> dict:
    """The suite with the mean of `b` edited by hand."""
    suite = copy.deepcopy(suite)
    the(suite, MEAN, "b")["kwargs"].update(change)
    return suite


def written(suite: dict, *expectations: dict) -> dict:
    """The suite with expectations that a person added."""
    return {**suite, "expectations": [*suite["expectations"], *expectations]}


OWN = {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "b", "regex": "x"}}


def test_without_a_file_everything_is_added() -> None:
    """The first file is the generated suite."""
    merge = merged(None, fresh("a", "b"))
    assert merge.suite == fresh("a", "b")
    assert len(merge.added) == merge.behind == len(merge.suite["expectations"])


def test_nothing_changes_nothing() -> None:
    """The same schema and gates leave the file as it is."""
    merge = merged(fresh("a", "b"), fresh("a", "b"))
    assert (merge.suite, merge.behind) == (fresh("a", "b"), 0)


def test_what_nobody_touched_is_refreshed() -> None:
    """Another gate reaches the expectations that are as they were generated."""
    merge = merged(fresh("a", "b"), fresh("a", "b", mean=0.5))
    assert merge.suite == fresh("a", "b", mean=0.5)
    assert merge.refreshed == (f"{MEAN} (a)", f"{MEAN} (b)")


def test_an_edit_by_hand_is_kept() -> None:
    """A person's threshold is stronger than a gate that changes."""
    merge = merged(edited(fresh("a", "b"), tolerance=0.1), fresh("a", "b", mean=0.5))
    assert the(merge.suite, MEAN, "b")["kwargs"]["tolerance"] == 0.1
    assert (merge.kept, merge.refreshed) == ((f"{MEAN} (b)",), (f"{MEAN} (a)",))


@pytest.mark.parametrize(
    ("change", "mark"),
    [({"severity": "warning"}, {}), ({"notes": "as agreed"}, {}), ({}, {"disabled": True})],
)
def test_severity_notes_and_disabling_are_edits(change: dict, mark: dict) -> None:
    """Whatever a person changes makes the expectation theirs."""
    file = fresh("a", "b")
    one = the(file, MEAN, "b")
    one |= change
    one["meta"]["prefect_synth"] |= mark
    assert the(merged(file, fresh("a", "b", mean=0.5)).suite, MEAN, "b") == one


def test_an_expectation_written_by_hand_is_kept() -> None:
    """What was never generated stays, as it is."""
    merge = merged(written(fresh("a", "b"), OWN), fresh("a", "b"))
    assert merge.suite["expectations"][-1] == OWN
    assert (merge.behind, len(merge.kept)) == (0, 1)


def test_a_new_column_is_covered() -> None:
    """Its expectations are added at the end, and the list of columns is refreshed."""
    merge = merged(fresh("a", "b"), fresh("a", "b", "c"))
    types = {e["type"] for e in fresh("c")["expectations"]} - {"expect_table_columns_to_match_set"}
    assert set(merge.added) == {f"{type_} (c)" for type_ in types}
    assert merge.refreshed == ("expect_table_columns_to_match_set",)


def test_what_was_generated_for_a_vanished_column_is_dropped() -> None:
    """Nothing is left of it in the file."""
    merge = merged(fresh("a", "b"), fresh("a"))
    assert merge.suite == fresh("a")
    assert f"{MEAN} (b)" in merge.dropped


def test_a_persons_checks_of_a_vanished_column_are_disabled_and_reported() -> None:
    """They are work, so they are kept; nobody runs them."""
    file = written(edited(fresh("a", "b"), tolerance=0.1), OWN)
    merge = merged(file, fresh("a"))
    assert merge.orphaned == (f"{MEAN} (b)", f"{OWN['type']} (b)")
    assert [is_disabled(e) for e in merge.suite["expectations"][-2:]] == [True, True]
    assert merge.suite["expectations"][-1]["kwargs"] == OWN["kwargs"]


def test_a_column_that_is_back_enables_a_persons_checks_again() -> None:
    """They come back as they were."""
    file = written(edited(fresh("a", "b"), tolerance=0.1), OWN)
    gone = merged(file, fresh("a")).suite
    back = merged(gone, fresh("a", "b"))
    assert OWN in back.suite["expectations"]
    assert the(back.suite, MEAN, "b") == the(file, MEAN, "b")
    assert len(back.revived) == 2


def test_a_check_that_a_person_disabled_stays_disabled() -> None:
    """Only the mark of a vanished column is taken away again."""
    off = {**OWN, "meta": {"prefect_synth": {"disabled": True}}}
    gone = merged(written(fresh("a", "b"), off), fresh("a")).suite
    assert off in merged(gone, fresh("a", "b")).suite["expectations"]


def test_a_foreign_key_whose_parent_is_gone_is_dropped_or_disabled() -> None:
    """Generated it goes; edited by hand it waits."""
    file = fresh("a", parent=True)
    (key,) = [e for e in file["expectations"] if e["type"] == "expect_foreign_key_to_resolve"]
    assert key not in merge_suites(file, fresh("a"), {"t"}).suite["expectations"]
    key["severity"] = "warning"
    assert merge_suites(file, fresh("a"), {"t"}).orphaned == ("expect_foreign_key_to_resolve (a)",)


def test_what_a_person_deleted_comes_back() -> None:
    """So a file can be repaired; to do without a check it is disabled."""
    file = fresh("a", "b")
    file["expectations"].remove(the(file, MEAN, "b"))
    assert merged(file, fresh("a", "b")).added == (f"{MEAN} (b)",)


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["edit", "soften", "disable", "write", "delete", "write twice"]),
        st.integers(0, 30),
        st.floats(0, 1),
    ),
    max_size=8,
)
SCHEMAS = st.lists(st.sets(st.sampled_from("abcd"), min_size=1), min_size=1, max_size=4)


def changed(suite: dict, edits: list) -> tuple[dict, list[dict]]:
    """A suite after edits by hand, and what a person made of it."""
    suite, mine = copy.deepcopy(suite), []
    for what, place, number in edits:
        expectations = suite["expectations"]
        one = expectations[place % len(expectations)]
        if what.startswith("write"):
            new = {**copy.deepcopy(OWN), "kwargs": {"column": "b", "regex": f"{number}"}}
            expectations += [new] * (2 if what == "write twice" else 1)
        elif what == "delete" and len(expectations) > 1:
            expectations.remove(one)
        elif what == "soften":
            one["severity"] = "info"
        elif what == "disable":
            one["meta"] = {**one.get("meta", {}), "prefect_synth": {**ours(one), "disabled": True}}
        else:
            one["kwargs"]["mostly"] = number
    mine = [e for e in suite["expectations"] if e not in fresh(*"abcd")["expectations"]]
    return suite, mine


@given(EDITS, SCHEMAS)
def test_edits_survive_every_change_of_the_schema(edits: list, schemas: list[set[str]]) -> None:
    """Whatever columns come and go, in the end a person's work is as it was."""
    file, mine = changed(fresh(*"abcd"), edits)
    for columns in [*schemas, set("abcd")]:
        file = merged(file, fresh(*sorted(columns))).suite
    assert [e for e in file["expectations"] if e in mine] == mine


@given(EDITS, SCHEMAS)
def test_merging_again_changes_nothing(edits: list, schemas: list[set[str]]) -> None:
    """A merged file is up to date."""
    file, _ = changed(fresh(*"abcd"), edits)
    now = fresh(*sorted(schemas[0]))
    once = merged(file, now).suite
    again = merged(once, now)
    assert (again.suite, again.behind) == (once, 0)
