"""Accepting what moved, the lock file, and random catalogues."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.tasks.drift.accepted import accepted_catalogue
from prefect_synth.tasks.drift.accepting import (
    DriftRequestError,
    accept_place,
    exclude_place,
    find_place,
)
from prefect_synth.tasks.drift.baseline import (
    FirstFactsError,
    read_baseline,
    read_facts,
    write_facts,
)
from prefect_synth.tasks.drift.detecting import Baseline, schema_drift
from prefect_synth.tasks.drift.differences import differences
from prefect_synth.tasks.drift.facts import (
    ColumnFacts,
    ForeignKeyFacts,
    SchemaFacts,
    TableFacts,
    schema_facts,
    schema_fingerprint,
)
from prefect_synth.tasks.drift.lock import Lock, LockError, read_lock, write_lock
from prefect_synth.tasks.drift.policies import DriftPolicies
from prefect_synth.tasks.warehouses.catalogue import (
    Catalogue,
    CatalogueColumn,
    CatalogueTable,
    Translation,
)
from prefect_synth.tasks.warehouses.reader import select_columns
from prefect_synth.tasks.warehouses.selection import Rule, Selection
from prefect_synth.tasks.warehouses.selection_sql import choose_rows

NAMES = ["id", "name", "email", "e_mail", "age", "city.zip"]
TABLES = ["people", "persons", "notes", "odd.name"]
COLUMNS = st.builds(
    ColumnFacts,
    name=st.sampled_from(NAMES),
    type=st.sampled_from(["integer", "bigint", "text", "mood"]),
    nullable=st.booleans(),
    labels=st.none() | st.permutations(["a", "b", "c"]).map(lambda p: tuple(p[:2])),
    identity=st.booleans(),
    default=st.none() | st.just("d"),
    comment=st.none() | st.just("c"),
)


@st.composite
def tables(draw: st.DrawFn) -> TableFacts:
    """A table with keys over its columns."""
    columns = draw(st.lists(COLUMNS, min_size=1, max_size=4, unique_by=lambda c: c.name))
    keys = st.lists(
        st.sampled_from([c.name for c in columns]), min_size=1, max_size=2, unique=True
    ).map(tuple)
    foreign = {
        ForeignKeyFacts(columns=key, table=draw(st.sampled_from(TABLES)), referred=key)
        for key in draw(st.lists(keys, max_size=2))
    }
    return TableFacts(
        columns=tuple(columns),
        primary_key=draw(st.just(()) | keys),
        unique=tuple(sorted(set(draw(st.lists(keys, max_size=2))))),
        foreign_keys=tuple(sorted(foreign, key=str)),
        comment=draw(st.none() | st.just("c")),
    )


SCHEMAS = st.dictionaries(st.sampled_from(TABLES), tables(), min_size=1, max_size=3)


@given(SCHEMAS, SCHEMAS)
@settings(max_examples=150)
def test_schemas_differ_exactly_where_their_fingerprints_do(a: SchemaFacts, b: SchemaFacts) -> None:
    """No difference goes untold, and equal ones have none."""
    assert bool(differences(a, b)) == (schema_fingerprint(a) != schema_fingerprint(b))


@given(SCHEMAS, SCHEMAS, st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_what_is_accepted_is_no_drift_any_more(
    a: SchemaFacts, b: SchemaFacts, dice: object
) -> None:
    """Whatever moved, accepting one change after the other in any order comes to an end."""
    accepted, steps = a, 0
    while changes := list(differences(accepted, b)):
        dice.shuffle(changes)
        place = find_place(changes[0].place, accepted, b)
        accepted = accept_place(accepted, b, place)
        assert changes[0] not in differences(accepted, b)
        steps += 1
        assert steps < 60
    assert schema_fingerprint(accepted) == schema_fingerprint(b)


@given(SCHEMAS)
def test_the_lock_file_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, schema: SchemaFacts
) -> None:
    """Also names that YAML would take for something else."""
    file = tmp_path_factory.mktemp("lock") / "synth.lock"
    lock = Lock(tables=dict(schema), excluded=("null", "people.no"))
    write_lock(file, lock)
    first = file.read_bytes()
    write_lock(file, lock)
    assert (read_lock(file), file.read_bytes()) == (lock, first)


def test_a_lock_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """The message names the file, the place and the cure."""
    file = tmp_path / "synth.lock"
    file.write_text("version: 1\ntables: {people: {colums: []}}\n")
    with pytest.raises(LockError, match=r"synth\.lock' is wrong at tables\.people\."):
        read_lock(file)


def test_the_lock_file_goes_before_what_the_first_refresh_saw(tmp_path: Path) -> None:
    """A person's word counts more than the first night's."""
    lock, first = tmp_path / "synth.lock", tmp_path / "catalogue.json"
    assert read_baseline(lock, first) == Baseline()
    write_facts(first, PEOPLE)
    assert read_baseline(lock, first) == Baseline("first refresh", PEOPLE)
    write_lock(lock, Lock(tables={}))
    assert read_baseline(lock, first) == Baseline("synth.lock", {})
    assert read_facts(first) == PEOPLE


@pytest.mark.parametrize(
    "text",
    [b'{"people": {"colu', b'{"people": {"columns": [], "more": 1}}', b"\xff\xfe", b"[]", b""],
)
def test_what_the_first_refresh_saw_is_not_passed_over_where_it_cannot_be_read(
    text: bytes, tmp_path: Path
) -> None:
    """All would be taken for accepted; a lock file stands for it."""
    lock, first = tmp_path / "synth.lock", tmp_path / "catalogue.json"
    first.write_bytes(text)
    with pytest.raises(FirstFactsError, match=r"catalogue\.json'.*drift accept --all"):
        read_baseline(lock, first)
    write_lock(lock, Lock(tables={}))
    assert read_baseline(lock, first) == Baseline("synth.lock", {})


def facts(*columns: str, **more: object) -> TableFacts:
    """A table of texts."""
    return TableFacts.model_validate(
        {"columns": [{"name": name, "type": "text"} for name in columns], **more}
    )


PEOPLE: SchemaFacts = {"people": facts("id", "name", primary_key=("id",))}


def test_accepting_a_column_leaves_the_others_undecided() -> None:
    """Only what was named is taken over."""
    now = {"people": facts("id", "name", "ssn", "iban", primary_key=("id",))}
    accepted = accept_place(PEOPLE, now, ("people", "ssn"))
    assert [c.place for c in differences(accepted, now)] == ["people.iban"]


def test_accepting_either_name_of_a_renamed_column_accepts_both() -> None:
    """One went, one came."""
    now = {"people": facts("id", "full_name", primary_key=("id",))}
    for name in ("name", "full_name"):
        assert accept_place(PEOPLE, now, ("people", name)) == now


def test_what_does_not_exist_cannot_be_accepted() -> None:
    """A typo is answered with the likely name."""
    with pytest.raises(DriftRequestError, match=r"'people\.nmae' is neither.*people\.name"):
        find_place("people.nmae", PEOPLE, PEOPLE)


def test_a_column_of_a_new_table_is_accepted_with_its_table() -> None:
    """Half a table cannot be read."""
    with pytest.raises(DriftRequestError, match=r"'notes' is new.*accept 'notes'"):
        accept_place(PEOPLE, {**PEOPLE, "notes": facts("text")}, ("notes", "text"))


def test_a_key_cannot_be_left_out_for_good() -> None:
    """Its table is nothing without it."""
    with pytest.raises(DriftRequestError, match=r"'people\.id' is part of a key"):
        exclude_place(PEOPLE, PEOPLE, ("people", "id"))
    assert exclude_place(PEOPLE, PEOPLE, ("people", None)) == {}


SECRET = "zq_secret_7"


@given(
    columns=st.lists(st.sampled_from(NAMES[1:]), min_size=1, max_size=4, unique=True),
    keyed=st.booleans(),
    limited=st.booleans(),
    place=st.integers(0, 4),
)
def test_a_held_column_is_in_the_sql_as_a_null_and_nowhere_else(
    columns: list[str], keyed: bool, limited: bool, place: int
) -> None:
    """The warehouse itself does not read its values: not to select, to sort nor to sample."""
    before = _catalogue(["id", *columns], keyed)
    now = _catalogue(["id", *columns[:place], SECRET, *columns[place:]], keyed)
    chosen = {"people": now.tables[0]}
    known = schema_facts(before, {"people": before.tables[0]})
    drift = schema_drift(Baseline("synth.lock", known), now, chosen, DriftPolicies())
    table = accepted_catalogue(now, chosen, known, drift).tables[0]
    rows = choose_rows(
        Selection(_metadata(table), {"people": Rule("hashed" if limited else "all", 5)}, ()),
        "people",
        {"people": table.sql},
        held={"people": table.held},
    )
    sql = select_columns(table, list(table.columns), rows)
    as_null = f'CAST(CAST(NULL AS text) AS varchar) AS "{SECRET}"'
    assert sql.count(as_null) == 1
    assert SECRET not in sql.replace(as_null, "")


def _catalogue(columns: list[str], keyed: bool) -> Catalogue:
    text = Translation(pa.string(), "categorical", "CAST({} AS varchar)")
    found = {name: CatalogueColumn(name, "text", text, name != "id") for name in columns}
    key = ("id",) if keyed else ()
    return Catalogue((CatalogueTable("main", "people", found, primary_key=key),), "main")


def _metadata(table: CatalogueTable) -> Metadata:
    columns = {name: Column(name, "categorical") for name in table.columns}
    return Metadata({"people": Table("people", columns, primary_key=table.primary_key)})
