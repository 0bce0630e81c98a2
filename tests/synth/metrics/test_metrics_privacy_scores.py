"""All privacy figures of a table: copies are found, honest tables are not accused."""

import decimal
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.metadata import Column
from prefect_synth.synth.metrics.privacy_scores import Units, assess_table

SDTYPES = {
    "age": "numerical",
    "income": "numerical",
    "since": "datetime",
    "city": "categorical",
    "plan": "categorical",
    "active": "boolean",
    "tags": "categorical",
    "note": "text",
}
COLUMNS = [Column(name, sdtype) for name, sdtype in SDTYPES.items()]
NUMBERS = [Column(c, "numerical") for c in "abc"]


def people(seed, rows=1_500):
    """Rows of all types, with nulls, a list and a text."""
    rng = np.random.default_rng(seed)
    wealth = rng.normal(size=rows)
    age = pa.array(
        np.round(40 + 10 * wealth + 9 * rng.normal(size=rows)), mask=rng.random(rows) < 0.1
    )
    start = np.datetime64("2020-01-01") + rng.integers(0, 1_500, rows).astype("timedelta64[D]")
    return pa.table(
        {
            "age": age.cast(pa.int32()),
            "income": np.exp(wealth + rng.normal(size=rows) / 2),
            "since": pa.array(start, pa.date32()),
            "city": pa.array([f"city {x}" for x in rng.integers(0, 30, rows)]).dictionary_encode(),
            "plan": np.where(wealth > 0, "plus", "basic"),
            "active": rng.random(rows) < 0.8,
            "tags": [["a"]] * rows,
            "note": [f"note {x}" for x in rng.integers(0, 10**9, rows)],
        }
    )


@pytest.fixture(scope="module")
def sides():
    """Training and holdout rows of one population."""
    return people(1), people(2)


@pytest.fixture(scope="module")
def honest(sides):
    """The figures of fresh rows."""
    return assess_table(sides[0], people(3), sides[1], COLUMNS)


@pytest.fixture(scope="module")
def copied(sides):
    """The figures of the training rows themselves."""
    return assess_table(sides[0], sides[0], sides[1], COLUMNS)


def certain(privacy):
    """What is certainly above what an honest table has, by figure."""
    member, tells = privacy.membership, privacy.attribute_inference
    return {
        "nearer": privacy.nearer_to_training.low - 0.5,
        "subset": privacy.worst_subset.low - 0.5,
        "auc": member.auc - member.error - 0.5,
        "tpr": member.tpr_at_1_fpr - member.tpr_error - 0.01,
        "attribute": tells.excess - tells.error,
        "singling out": privacy.singling_out.low,
        "linkability": privacy.linkability.low,
        "inference": privacy.inference.low,
    }


def test_an_honest_table_is_not_accused(honest):
    """No figure of fresh rows is certainly above what the holdout has."""
    assert {name: round(x, 3) for name, x in certain(honest).items() if x > 0} == {}


def test_a_copied_table_is_accused_by_every_figure(copied):
    """Each figure of a copied table is far from that of an honest one."""
    assert {name: round(x, 3) for name, x in certain(copied).items() if x < 0.15} == {}
    assert copied.distance["synthetic to training"].median == 0


def test_a_tenth_that_was_copied_is_found(sides):
    """Of a table with one row in ten copied, members are told with certainty."""
    mixed = pa.concat_tables([sides[0].slice(0, 150), people(3).slice(150)])
    found = certain(assess_table(sides[0], mixed, sides[1], COLUMNS))
    assert found["tpr"] > 0.02


def test_copies_are_found_in_a_sample_of_a_large_table(tmp_path):
    """Where a side has more rows than are read, a tenth copied is found all the same."""
    training, fresh = people(1, 20_000), people(3, 20_000)
    mixed = pa.concat_tables([training.slice(0, 2_000), fresh.slice(2_000)])
    for name, table in {"t": training, "s": mixed, "h": people(2, 4_000)}.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    paths = [tmp_path / f"{name}.parquet" for name in "tsh"]
    found = assess_table(*paths, COLUMNS, rows=500, reference_rows=4_000)
    assert certain(found)["tpr"] > 0.02
    assert found.reference <= 4_000


def test_the_figures_are_plain_json_without_a_value(honest):
    """Aggregates alone are kept: names of columns, and numbers."""
    text = json.dumps(honest.to_dict())
    assert "city 1" not in text
    assert "note" not in text


def test_one_seed_gives_one_answer(sides, honest):
    """All draws come from the seed."""
    assert assess_table(sides[0], people(3), sides[1], COLUMNS) == honest


def test_types_of_the_sides_may_differ(sides, honest):
    """Integers of other widths, text instead of a dictionary, decimals: the same figures."""
    other = people(3)
    other = other.set_column(0, "age", other["age"].cast(pa.int64()))
    other = other.set_column(3, "city", other["city"].cast(pa.string()))
    assert assess_table(sides[0], other, sides[1], COLUMNS) == honest


def test_without_a_holdout_distances_alone_are_told(sides):
    """Attacks need strangers to compare with, and the reason is given."""
    found = assess_table(sides[0], people(3), None, COLUMNS)
    assert found.distance["synthetic to training"].median > 0
    assert (found.nearer_to_training, found.membership, found.inference) == (None, None, None)
    assert found.why_not.startswith("No holdout")


def test_a_small_holdout_is_as_none(sides):
    """Forty-nine rows are too few strangers."""
    found = assess_table(sides[0], people(3), sides[1].slice(0, 49), COLUMNS)
    assert found.why_not.startswith("Too few holdout rows")


@pytest.mark.parametrize(
    ("rows", "columns", "reason"),
    [(99, COLUMNS, "99 training and 99 synthetic rows"), (500, COLUMNS[:1], "1 comparable column")],
)
def test_tables_that_tell_nothing_say_why(rows, columns, reason):
    """Too few rows or columns give no figure, but a sentence."""
    found = assess_table(*(people(seed, rows) for seed in (1, 2, 3)), columns)
    assert reason in found.why_not
    assert found.distance == {}


@pytest.mark.parametrize(
    "cells",
    [
        {"a": [1] * 200, "b": [2] * 200, "c": [3] * 200},
        {"a": [None] * 200, "b": [None] * 200, "c": [1, 2] * 100},
        {"a": [1, 2] * 100, "b": [decimal.Decimal("1.5"), None] * 100, "c": [0.5, 1e300] * 100},
    ],
)
def test_poor_columns_tell_nobody_apart(cells):
    """Constant, empty and repeated rows are all ties: no member is told from others."""
    table = pa.table(cells)
    found = assess_table(table, table, table, NUMBERS)
    assert (found.nearer_to_training.share, found.membership.auc) == (0.5, 0.5)
    assert found.inference.low == 0.0


def families(seed, count, size=30):
    """Families of rows that are near each other, and the family of each row."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(count), size)
    draws = 10 * rng.normal(size=(3, count))[:, unit] + rng.normal(size=(3, len(unit)))
    return pa.table(dict(zip("abc", draws, strict=True))), unit


@pytest.mark.parametrize("seed", range(3))
def test_families_are_no_false_alarm(seed):
    """Rows of new families are not accused, though each family is nearest to one other."""
    sides = [families(100 * seed + i, count) for i, count in enumerate((80, 10, 10))]
    (training, holdout, synthetic), (left, right, own) = zip(*sides, strict=True)
    units = Units(left, own, right)
    found = assess_table(training, synthetic, holdout, NUMBERS, seed=seed, units=units)
    assert found.nearer_to_training.low < 0.5
    assert found.membership.auc - found.membership.error < 0.5
    without = assess_table(training, synthetic, holdout, NUMBERS, seed=seed)
    assert without.membership.error < found.membership.error


def test_moments_with_a_time_zone_are_compared(sides, honest):
    """A date column may be a timestamp with a zone on one side."""
    zoned = people(3)
    zoned = zoned.set_column(2, "since", zoned["since"].cast(pa.timestamp("ns", "UTC")))
    assert assess_table(sides[0], zoned, sides[1], COLUMNS) == honest
