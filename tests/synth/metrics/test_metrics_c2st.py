"""The classifier two-sample test."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.metrics.c2st import c2st
from prefect_synth.synth.metrics.classifier import group_folds
from prefect_synth.synth.metrics.families import _modes
from prefect_synth.synth.metrics.features import commonest

METADATA = Metadata(
    {
        "people": Table(
            "people",
            {
                "id": Column("id", "id"),
                "age": Column("age", "numerical"),
                "wage": Column("wage", "numerical"),
                "phone": Column("phone", "phone_number"),
                "code": Column("code", "categorical"),
            },
            ("id",),
        ),
        "visits": Table(
            "visits", {"who": Column("who", "id"), "cost": Column("cost", "numerical")}
        ),
    },
    (Relationship("visits", ("who",), "people", ("id",)),),
)


def shop(seed, follows=True, first=0):
    """People, and visits whose cost follows the person's age."""
    rng = np.random.default_rng(seed)
    age = rng.normal(size=400)
    who = rng.integers(0, 400, 1_500)
    cost = (age if follows else rng.permutation(age))[who] + rng.normal(size=1_500) / 4
    return {
        "people": pa.table(
            {
                "id": np.arange(400) + first,
                "age": age,
                "wage": age + rng.normal(size=400) / 4,
                "phone": [f"{seed}{i}" for i in range(400)],
                "code": [f"{seed}{i}" for i in range(400)],
            }
        ),
        "visits": pa.table({"who": who + first, "cost": cost}),
    }


def shuffled(tables, column):
    """People with one column drawn by itself."""
    people = tables["people"]
    order = pa.array(np.random.default_rng(9).permutation(people.num_rows))
    at = people.column_names.index(column)
    return {**tables, "people": people.set_column(at, column, people[column].take(order))}


def test_a_second_sample_is_not_told():
    """Two samples of one process are told no better than by chance, on every side."""
    score = c2st(shop(0), shop(1, first=1_000), METADATA)
    found = [*score.per_table.values(), *score.per_child.values(), *score.per_parent.values()]
    assert found == pytest.approx([0.5] * 4, abs=0.08)


def test_a_column_drawn_alone_is_told():
    """A wage that no longer follows the age gives a table away."""
    score = c2st(shop(0), shuffled(shop(1), "wage"), METADATA, sides=("table",))
    assert score.per_table["people"] > 0.75
    assert score.per_child == {}


def test_children_of_other_parents_are_told():
    """Costs that no longer follow the parent's age give children and parents away."""
    score = c2st(shop(0), shop(1, follows=False, first=1_000), METADATA)
    assert min(score.per_child["visits.who"], score.per_parent["people"]) > 0.75
    assert score.per_table["visits"] == pytest.approx(0.5, abs=0.08)


def test_keys_and_generated_columns_do_not_take_part():
    """Phone numbers, keys and categories that name a row differ wholly, and are not asked."""
    only = METADATA.subset(["people"])
    score = c2st(shop(0), shop(1, first=9_999), only)
    assert score.per_table["people"] == pytest.approx(0.5, abs=0.08)


def test_few_rows_tell_nothing():
    """Below fifty rows on a side there is no figure."""
    few = {**shop(1), "people": shop(1)["people"].slice(0, 49)}
    assert c2st(shop(0), few, METADATA, sides=("table",)).per_table["people"] is None


def test_few_parents_tell_nothing_of_children():
    """Children of fewer than six parents are not asked."""
    visits = shop(1)["visits"].set_column(0, "who", pa.array(np.arange(1_500) % 5))
    score = c2st(shop(0), {**shop(1), "visits": visits}, METADATA, sides=("child",))
    assert score.per_child["visits.who"] is None


def test_the_same_seed_gives_the_same_figures():
    """Figures are plain JSON and do not move."""
    scores = [c2st(shop(0), shop(1), METADATA, rows=200, seed=3).to_dict() for _ in range(2)]
    assert scores[0] == json.loads(json.dumps(scores[1]))


def test_only_the_tables_asked_for_are_asked():
    """A table that is not asked has no entry on any side."""
    score = c2st(shop(0), shop(1), METADATA, tables=["visits"])
    assert (list(score.per_table), list(score.per_parent)) == (["visits"], [])


groups = st.lists(st.integers(0, 8), min_size=1, max_size=40).map(np.array)


@settings(deadline=None)
@given(groups, groups, st.integers(0, 2**32))
def test_a_group_stays_in_one_fold(first, second, seed):
    """Rows of one group, on whichever side, are in one fold."""
    folds = group_folds([first, second], np.random.default_rng(seed))
    both = np.concatenate([first, second])
    assert [len(set(folds[both == group].tolist())) for group in np.unique(both)] == [1] * len(
        np.unique(both)
    )


def test_categories_beyond_the_commonest_are_one():
    """The commonest is 0; what only the second side has is with the rare; null stays null."""
    sides = [np.array([4, 4, 2, -1]), np.array([3])]
    first, second = commonest(sides, 5)
    assert (first[:3].tolist(), np.isnan(first[3]), second.tolist()) == ([0, 0, 1], True, [250])


def test_the_mode_of_each_parents_children():
    """The commonest code of each parent; null for a parent without any."""
    parents, coded = np.array([0, 0, 0, 2, -1]), np.array([1, 3, 3, 0, 1])
    assert _modes(coded, 4, parents, 3).tolist() == [3, -1, 0]
