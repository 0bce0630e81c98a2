"""Which columns belong to keys that are not in force, by their names of today."""

from __future__ import annotations

from prefect_synth.tasks.drift.changes import Change, Drift
from prefect_synth.tasks.drift.facts import ColumnFacts, ForeignKeyFacts, TableFacts
from prefect_synth.tasks.drift.keys import lost_keys


def table(*columns: str, primary: str = "", unique: str = "", to: str = "") -> TableFacts:
    """A table whose keys have one column each; `to` is `column -> table.column`."""
    left, _, right = to.partition(" -> ")
    parent, _, referred = right.partition(".")
    key = ForeignKeyFacts(columns=(left,), table=parent, referred=(referred,))
    return TableFacts(
        columns=tuple(ColumnFacts(name=name, type="text") for name in columns),
        primary_key=(primary,) if primary else (),
        unique=((unique,),) if unique else (),
        foreign_keys=(key,) if to else (),
    )


BEFORE = {
    "people": table("code", "mail", primary="code", unique="mail"),
    "notes": table("person", "text", to="person -> people.code"),
}


def test_every_key_that_was_accepted_counts() -> None:
    """Also one that is there still, and the columns that another table refers to."""
    now = {"people": table("code", "mail"), "notes": table("person", "text")}
    lost = lost_keys(BEFORE, now, Drift(), now)
    assert lost.gone == {"people": {"code", "mail"}, "notes": {"person"}}
    assert lost.unread == {"people": set(), "notes": set()}


def test_a_suspected_renaming_takes_the_key_along() -> None:
    """A renamed table, and a renamed column: nobody has said that they are others."""
    now = {"folk": table("code", "mail"), "notes": table("human", "text")}
    changes = (
        Change(kind="table_renamed", table="folk", old="people", new="folk"),
        Change(kind="column_renamed", table="notes", column="human", old="person", new="human"),
    )
    gone = lost_keys(BEFORE, now, Drift(changes=changes), now).gone
    assert gone["folk"] == {"code", "mail"}
    assert "human" in gone["notes"]


def test_a_key_to_a_table_that_a_person_left_out_is_not_lost() -> None:
    """It is there as it was accepted, and only its table is not read."""
    for drift in (Drift(), Drift(excluded_tables=("people",))):
        lost = lost_keys(BEFORE, BEFORE, drift, ["notes"])
        assert (lost.gone["notes"], lost.unread["notes"]) == (set(), {"person"})


def test_a_key_to_a_table_that_waits_is_lost() -> None:
    """What comes of the table is not decided yet."""
    drift = Drift(changes=(Change(kind="table_added", table="people", effect="waits"),))
    assert lost_keys(BEFORE, BEFORE, drift, ["notes"]).gone["notes"] == {"person"}
