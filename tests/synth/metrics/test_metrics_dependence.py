"""How much of the real dependence is kept."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.metrics.cells import CutColumn, independent, joint, raked
from prefect_synth.synth.metrics.dependence import dependence
from prefect_synth.synth.metrics.halves import split

DATA = Path(__file__).parents[4] / "shared" / "data"
ON_REAL_DATA = pytest.mark.skipif(not DATA.is_dir(), reason="needs the data sets in ../shared/data")

PEOPLE = {
    "age": Column("age", "numerical"),
    "wage": Column("wage", "numerical"),
    "city": Column("city", "categorical"),
    "luck": Column("luck", "numerical"),
}
METADATA = Metadata({"people": Table("people", PEOPLE)})


def people(seed, rows=3_000):
    """Wage and city follow the age; luck follows nothing."""
    rng = np.random.default_rng(seed)
    age = rng.normal(size=rows)
    cities = np.array(["a", "b", "c"])[np.digitize(age + rng.normal(size=rows), (-1, 1))]
    return pa.table(
        {"age": age, "wage": age + rng.normal(size=rows), "city": cities, "luck": rng.random(rows)}
    )


def shuffled(table, *columns):
    """The table with the rows of some columns in another order, the same for all of them."""
    order = pa.array(np.random.default_rng(9).permutation(table.num_rows))
    for name in columns:
        table = table.set_column(table.column_names.index(name), name, table[name].take(order))
    return table


def kept(real, synthetic, **others):
    """What each column of the people keeps."""
    return dependence({"people": real}, {"people": synthetic}, METADATA, **others).per_column


def test_a_second_sample_keeps_all():
    """Another sample of the same process keeps what a sample can."""
    assert min(kept(people(0), people(1)).values()) > 0.9


def test_a_column_drawn_alone_keeps_nothing():
    """A column shuffled among rows keeps nothing, and the others less."""
    found = kept(people(0), shuffled(people(1), "wage"))
    assert found["people.wage"] < 0.1
    assert 0.1 < found["people.age"] < 0.9


def test_half_of_the_rows_shuffled_keeps_about_half():
    """Where half of the rows are drawn alone, about half of the dependence is kept."""
    whole = people(1)
    mixed = pa.concat_tables([shuffled(whole.slice(0, 1_500), "wage"), whole.slice(1_500)])
    assert kept(people(0), mixed)["people.wage"] == pytest.approx(0.5, abs=0.15)


def test_independent_columns_do_not_appear():
    """A column that depends on nothing has no entry, whatever the synthetic data are."""
    assert "people.luck" not in kept(people(0), shuffled(people(1), "luck"))


def test_a_collapsed_column_keeps_nothing():
    """A column that has become constant depends on nothing."""
    constant = people(1).set_column(1, "wage", pa.array([0.0] * 3_000))
    assert kept(people(0), constant)["people.wage"] < 0.1


def test_another_marginal_is_no_fault_here():
    """A city that has become commoner, with the dependence kept, is for shapes to tell."""
    other = people(1, 6_000)
    rare = np.flatnonzero(other["city"].to_numpy(False) != "c")
    more = other.take(
        pa.array(
            np.sort(
                np.concatenate(
                    [rare, np.flatnonzero(other["city"].to_numpy(False) == "c").repeat(2)]
                )
            )
        )
    )
    assert kept(people(0), more)["people.city"] > 0.8


@pytest.mark.parametrize("rows", [40, 80, 200])
def test_small_honest_samples_are_not_blamed(rows):
    """Of few rows, what chance explains is left out: no honest sample keeps little."""
    lowest = [
        min(kept(people(i, rows), people(i + 50, rows)).values(), default=1) for i in range(8)
    ]
    assert min(lowest) > 0.6


def test_the_holdouts_own_distance_is_no_fault():
    """Where unseen real rows differ as much from the training rows, all is kept."""
    drifted = pa.concat_tables([shuffled(people(1).slice(0, 900), "wage"), people(1).slice(900)])
    without, beside = (
        kept(people(0), drifted),
        kept(people(0), drifted, holdout={"people": drifted}),
    )
    assert without["people.wage"] < 0.85 < beside["people.wage"]


FAMILY = Metadata(
    {
        "people": Table("people", {"id": Column("id", "id"), **PEOPLE}),
        "visits": Table(
            "visits",
            {
                "who": Column("who", "id"),
                "cost": Column("cost", "numerical"),
                "mood": Column("mood", "numerical"),
            },
        ),
    },
    (Relationship("visits", ("who",), "people", ("id",)),),
)


def family(seed, per=4):
    """Visits whose cost follows the person's age, and whose mood is each person's own."""
    rng = np.random.default_rng(seed)
    above = people(seed, 800)
    who = np.repeat(np.arange(800), per)
    cost = above["age"].to_numpy()[who] + rng.normal(size=800 * per)
    mood = rng.normal(size=800)[who] + rng.normal(size=800 * per) / 9
    return {
        "people": above.add_column(0, "id", pa.array(np.arange(800))),
        "visits": pa.table({"who": who, "cost": cost, "mood": mood}),
    }


def test_children_keep_what_they_share_with_parents():
    """A second sample keeps it; children permuted against their parents keep nothing."""
    other = family(1)
    permuted = {**other, "visits": shuffled(other["visits"], "who")}
    honest, lost = (
        dependence(family(0), side, FAMILY).per_relationship["visits.who"]
        for side in (other, permuted)
    )
    assert honest > 0.9
    assert lost < 0.1


def test_likeness_of_siblings_is_no_dependence_on_the_parent():
    """A mood that siblings share, but that follows nothing of the parent, does not count."""
    found = dependence(family(0), family(1), FAMILY).per_pair
    assert [name for name in found if name.startswith("visits.who") and "mood" in name] == []


def test_dependence_is_plain_json_and_does_not_move():
    """Figures survive JSON, and equal arguments give equal figures, from files as from memory."""
    scores = [dependence(family(0), family(1), FAMILY, rows=500).to_dict() for _ in range(2)]
    assert scores[0] == json.loads(json.dumps(scores[1], allow_nan=False))


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_raking_meets_the_marginals(seed):
    """Raked shares have the marginals asked for, and independence stays independence."""
    rng = np.random.default_rng(seed)
    shares, to = (joint(*rng.integers(0, 4, (2, 60)), (4, 4)) for _ in range(2))
    assert raked(shares, to).sum(axis=0) == pytest.approx(to.sum(axis=0), abs=1e-6)
    assert raked(independent(shares), to) == pytest.approx(independent(to), abs=1e-2)


def test_spikes_have_a_cell_of_their_own():
    """A value that fills half of the column is told from its neighbours."""
    values = pa.chunked_array([pa.array([0.0] * 500 + list(np.linspace(-1, 1, 501)) + [None])])
    cut = CutColumn.cut(Column("n", "numerical"), [values])
    assert np.bincount(cut.sides[0]).max() == 501
    assert cut.sides[0][-1] == cut.size - 1


def test_rare_categories_share_a_cell():
    """Beyond the fifty commonest all are one, those of the other side too; null is the last."""
    real = pa.chunked_array([pa.array([f"c{i}" for i in range(60)] * 2 + ["c7", None])])
    cut = CutColumn.cut(Column("c", "categorical"), [real, pa.chunked_array([["new"]])])
    assert (cut.size, cut.sides[0][-1], cut.sides[1][0]) == (52, 51, 50)


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=50), st.integers(0, 2**32))
def test_halves_keep_families_together(families, seed):
    """A family is in one half, whole."""
    families = np.array(families)
    half = split(families, 0.5, np.random.default_rng(seed))
    assert all(len(set(half[families == f].tolist())) == 1 for f in np.unique(families))


@pytest.fixture(scope="module")
def adult():
    """The two halves of adult."""
    from prefect_synth.synth.sdv import metadata_from_sdv

    metadata = metadata_from_sdv(json.loads((DATA / "adult" / "metadata.json").read_text()))
    halves = [pq.read_table(DATA / "adult" / f"{half}50.parquet") for half in ("train", "holdout")]
    return Metadata({"t": Table("t", metadata.tables["train50"].columns)}), *halves


@ON_REAL_DATA
def test_unseen_half_of_adult_keeps_all(adult):
    """Real rows that were held out keep nearly all of the dependence of every column."""
    metadata, train, unseen = adult
    assert min(dependence({"t": train}, {"t": unseen}, metadata).per_column.values()) > 0.9


@ON_REAL_DATA
@pytest.mark.parametrize("column", ["capital_gain", "age", "income"])
def test_shuffled_column_of_adult_keeps_nothing(adult, column):
    """A column of real rows drawn alone keeps less than a tenth."""
    metadata, train, unseen = adult
    found = dependence({"t": train}, {"t": shuffled(unseen, column)}, metadata)
    assert found.per_column[f"t.{column}"] < 0.1


@pytest.fixture(params=["sakila", "chinook"])
def database(request):
    """A real database: metadata and tables."""
    from prefect_synth.synth.sdv import metadata_from_sdv

    folder = DATA / request.param
    metadata = metadata_from_sdv(json.loads((folder / "metadata.json").read_text()))
    return metadata, {t: pq.read_table(folder / f"{t}.parquet") for t in metadata.tables}


@ON_REAL_DATA
def test_held_out_families_keep_all(database):
    """Customers held out with all that hangs on them keep the dependence of what counts."""
    from prefect_synth.synth.holdout import hold_out

    metadata, tables = database
    held = hold_out(metadata, tables, 0.3).held
    seen, unseen = (
        {t: x.filter(pa.array(held[t] == side)) if t in held else x for t, x in tables.items()}
        for side in (False, True)
    )
    found = dependence(seen, unseen, metadata)
    figures = [*found.per_column.values(), *found.per_relationship.values()]
    assert min(figures) > 0.75


@ON_REAL_DATA
def test_permuted_children_keep_nothing(database):
    """Children permuted against their parents keep less than a tenth, wherever it can be told."""
    metadata, tables = database
    mixed = {t: shuffled(x, *sorted(metadata.foreign_key_columns(t))) for t, x in tables.items()}
    found = dependence(tables, mixed, metadata).per_relationship
    assert len(found) > 0
    assert max(found.values()) < 0.1
