"""Columns in unique keys of several columns keep their rules and their dependence."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.hierarchy.key_codes import KeyPart, repeated
from prefect_synth.synth.hierarchy.nudging import Nudger
from prefect_synth.synth.hierarchy.own_parts import tied_columns
from prefect_synth.synth.hierarchy.uniqueness import repair, step_aside
from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.synth.rules.inference import infer_rules
from prefect_synth.synth.rules.ruleset import TableRules
from prefect_synth.synth.single import GaussianCopulaSynthesizer

ROWS, PEOPLE, ITEMS = 3000, 40, 30
START = np.datetime64("2024-01-01")


def dates(days):
    """Dates, by days from the first."""
    return pa.array(START + np.asarray(days).astype("timedelta64[D]"))


def days(table, column):
    """A date column in days."""
    return np.asarray(table[column].cast(pa.int32())).astype(int)


def once(table, key):
    """The first row of each key."""
    frame = table.select(list(key)).to_pandas()
    return table.filter(pa.array(~frame.duplicated().to_numpy()))


@pytest.fixture(scope="module")
def rentals(not_null):
    """Rentals by day, so that keys of a date and of foreign keys often meet."""
    rng = np.random.default_rng(31)
    rented, lasting = rng.integers(0, 60, ROWS), rng.integers(1, 9, ROWS)
    weight = lasting * 2.0 + rng.normal(0, 0.5, ROWS)
    opened = rng.integers(0, 60, PEOPLE)
    person = rng.integers(0, PEOPLE, ROWS)
    rented = rented + opened[person]
    return {
        "person": not_null(pa.table({"id": np.arange(PEOPLE) + 1, "opened": dates(opened)})),
        "item": not_null(pa.table({"id": np.arange(ITEMS) + 1, "size": rng.normal(size=ITEMS)})),
        "rental": not_null(
            pa.table(
                {
                    "id": np.arange(ROWS) + 1,
                    "person": person + 1,
                    "item": rng.integers(1, ITEMS + 1, ROWS),
                    "rented": dates(rented),
                    "returned": dates(rented + lasting),
                    "weight": weight,
                }
            )
        ),
    }


KEYS = {"person": "id", "item": "id", "rental": "id"}
RELATIONS = ["rental.person -> person.id", "rental.item -> item.id"]


def with_key(rentals, *keys):
    """The tables, where each of the keys is unique, without ids that would change."""
    rental = rentals["rental"]
    for key in keys:
        rental = once(rental, key)
    return rentals | {"rental": rental}


@pytest.mark.parametrize(
    "keys",
    [
        (("rented", "item", "person"),),
        (("item", "rented"),),
        (("person", "rented"),),
        (("item", "returned"),),
        (("person", "returned"),),
        (("item", "rented", "returned"),),
        (("item", "rented"), ("person", "returned")),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_dates_in_a_key_keep_their_rule_and_their_dependence(copy, schema_of, rentals, keys, scale):
    """A loan's days, and what goes with them, are as real whatever key its dates are in."""
    tables = with_key(rentals, *keys)
    metadata = schema_of(KEYS, tables, RELATIONS, {"rental": [", ".join(k) for k in keys]})
    real, made = tables["rental"], copy(metadata, tables, scale)["rental"]
    lasting, seen = (days(t, "returned") - days(t, "rented") for t in (real, made))
    assert seen.min() >= 1
    assert seen.std() == pytest.approx(lasting.std(), rel=0.1)
    assert np.corrcoef(seen, made["weight"])[0, 1] > 0.85


@pytest.mark.parametrize("keys", [("person", "rented"), ("item", "rented")])
def test_a_date_in_a_key_is_never_before_its_parents(copy, schema_of, rentals, keys):
    """An order with a parent's date holds on every row of a repaired table."""
    tables = with_key(rentals, keys)
    metadata = schema_of(KEYS, tables, RELATIONS, {"rental": [", ".join(keys)]})
    made = copy(metadata, tables, 1.5)
    opened = dict(
        zip(made["person"]["id"].to_pylist(), days(made["person"], "opened"), strict=True)
    )
    first = np.array([opened[p] for p in made["rental"]["person"].to_pylist()])
    assert (days(made["rental"], "rented") >= first).all()


def test_a_key_of_own_columns_alone(copy, schema_of, not_null):
    """Where only the columns of a rule make the key, rows that repeat are pushed on by days."""
    rng = np.random.default_rng(5)
    start = rng.integers(0, 400, 1500)
    table = pa.table({"id": np.arange(1500), "start": dates(start),
                      "end": dates(start + rng.integers(1, 20, 1500))})  # fmt: skip
    tables = {"season": not_null(once(table, ("start", "end")))}
    metadata = schema_of({"season": "id"}, tables, [], {"season": ["start, end"]})
    made = copy(metadata, tables, 2.0)["season"]
    lasting = days(made, "end") - days(made, "start")
    assert lasting.min() >= 1
    assert lasting.max() <= 19
    assert days(made, "start").max() < days(tables["season"], "start").max() + 40


def test_a_date_in_a_primary_key_keeps_its_rule(copy, schema_of, rentals):
    """A primary key of a date and a foreign key is like any unique key."""
    tables = with_key(rentals, ("item", "rented"))
    tables["rental"] = tables["rental"].drop_columns(["id"])
    place = Column("rented", "datetime", nullable=False)
    keys = KEYS | {"rental": "item, rented"}
    metadata = schema_of(keys, tables, RELATIONS, rental__rented=place)
    made = copy(metadata, tables)["rental"]
    lasting = days(made, "returned") - days(made, "rented")
    assert (lasting.min(), lasting.max()) == (1, 8)


def test_what_is_computed_follows_a_repair(copy, schema_of, rentals):
    """A declared sum of a repaired number is right on every row."""
    rental = once(rentals["rental"], ("item", "rented"))
    part = pa.array(np.random.default_rng(3).integers(1, 80, len(rental)))
    rental = rental.append_column("part", part)
    rental = once(rental, ("item", "part"))
    total = np.asarray(rental["part"]) + days(rental, "rented")
    rental = rental.append_column("count", pa.array(days(rental, "rented").astype(np.int64)))
    rental = rental.append_column("total", pa.array(total))
    tables = rentals | {"rental": rental.cast(
        pa.schema([f.with_nullable(False) for f in rental.schema]))}  # fmt: skip
    metadata = schema_of(KEYS, tables, RELATIONS, {"rental": ["item, part"]})
    rules = {"rental": ["total = part + count"]}
    made = copy(metadata, tables, rules=rules)["rental"].to_pandas()
    assert (made["total"] == made["part"] + made["count"]).all()


@pytest.mark.parametrize("shards", [2, 5])
def test_repaired_rows_are_the_same_in_any_shard(schema_of, rentals, shards):
    """What follows a repair does so in every shard alike."""
    tables = with_key(rentals, ("item", "returned"))
    metadata = schema_of(KEYS, tables, RELATIONS, {"rental": ["item, returned"]})
    model = HMASynthesizer(metadata).fit(tables)
    whole = model.sample(2.0)["rental"]
    drawn = [b for s in range(shards) for n, b in model.sample_batches(2.0, shard=(s, shards))
             if n == "rental"]  # fmt: skip
    assert pa.Table.from_batches(drawn).combine_chunks().equals(whole)


def test_rules_hold_in_a_repaired_table_alone(rentals, not_null):
    """A single table's columns change together with what is computed from them."""
    table = once(rentals["rental"].select(["rented", "returned", "weight"]), ("rented", "weight"))
    weeks = pa.array(np.round(np.asarray(table["weight"])).astype(int))
    table = not_null(once(table.set_column(2, "weight", weeks), ("rented", "weight")))
    columns = {"rented": "datetime", "returned": "datetime", "weight": "numerical"}
    made = {n: Column(n, kind, nullable=False) for n, kind in columns.items()}
    metadata = Metadata({"t": Table("t", made, (), (("rented", "weight"),))})
    drawn = GaussianCopulaSynthesizer(metadata, seed=1).fit(table).sample(len(table))
    assert (days(drawn, "returned") > days(drawn, "rented")).all()
    assert len(once(drawn, ("rented", "weight"))) == len(table)


def test_rules_of_columns_in_keys_are_found(schema_of, rentals):
    """A unique key of several columns hides no rule; a unique key of one does."""
    found = []
    for key in ("rented, item", "returned, person", "rented"):
        metadata = schema_of(KEYS, rentals, RELATIONS, {"rental": [key]})
        found.append(infer_rules(metadata, {"rental": rentals["rental"]}).of("rental").texts())
    assert found == [["rented < returned"], ["rented < returned"], []]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(0, 5))
def test_stepping_aside_moves_repeating_rows_by_little(values, seed):
    """Rows go to a near neighbour, and those that did not repeat stay."""
    before, other = np.array(values), np.random.default_rng(seed).integers(0, 3, len(values))
    parts = [KeyPart(before.copy(), np.arange(31), ordered=True), KeyPart(other, np.arange(3))]
    bad = repeated([before, other])
    step_aside(parts, 0, np.random.default_rng(0))
    moved = np.flatnonzero(parts[0].choice != before)
    assert set(moved) <= set(bad)
    assert np.abs(parts[0].choice - before).max() <= 10
    assert len(repeated([p.row_codes for p in parts])) <= len(bad)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=50))
def test_pushing_makes_any_key_unique_and_keeps_distances(pairs):
    """Dates of a row move by as much, and no two rows are equal afterwards."""
    start, apart = np.array(pairs).T
    columns = {"a": dates(start), "b": dates(start + apart)}
    made = Nudger(columns, ["a", "b"], [], TableRules(), upwards=False).park()
    table = pa.table(made)
    assert (days(table, "b") - days(table, "a")).tolist() == apart.tolist()
    assert len(once(table, ("a", "b"))) == len(start)


def test_few_repeats_change_few_rows():
    """A repair of a sparse key leaves all rows alone but those that repeat, and their partners."""
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 200, 2000), rng.integers(0, 200, 2000)
    parts = [KeyPart(first.copy(), np.arange(200)), KeyPart(second.copy(), np.arange(200))]
    bad = len(repeated([first, second]))
    assert repair(parts, [1], rng)
    assert 0 < (parts[1].choice != second).sum() <= 4 * bad
    assert (parts[0].choice == first).all()


def test_tied_columns_are_those_of_one_rule(schema_of, rentals):
    """What computes a held column is tied to it; others stand alone."""
    metadata = schema_of(KEYS, rentals, RELATIONS)
    rules = infer_rules(metadata, {"rental": rentals["rental"]}).of("rental")
    assert tied_columns(rules, ["weight", "returned"]) == [("weight",), ("rented", "returned")]
    assert tied_columns(rules, ["rented"]) == [("rented",)]
