"""Singling out, linkability and inference: anonymeter's figures, and their errors."""

import json
import runpy
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.metadata import Column
from prefect_synth.synth.metrics.clusters import design_effect, quantile, standard_error
from prefect_synth.synth.metrics.distances import Sided
from prefect_synth.synth.metrics.gower import GowerSpace
from prefect_synth.synth.metrics.inference_risk import inference_risks
from prefect_synth.synth.metrics.linkability import linkability, split_columns
from prefect_synth.synth.metrics.risk import risk, wilson, worst_risk
from prefect_synth.synth.metrics.singling_out import (
    first_rows,
    multivariate,
    singling_out,
    univariate,
)

ORACLE = Path(__file__).parents[2] / "oracle" / "anonymeter_risks.py"
RECORDED = json.loads(ORACLE.with_suffix(".json").read_text())
NAMES = runpy.run_path(str(ORACLE))


@pytest.fixture(scope="module")
def cases():
    """The oracle's tables, encoded: by case, (space, both sides, synthetic)."""
    return {case: encoded(*tables) for case, tables in NAMES["cases"]().items()}


def encoded(training, holdout, synthetic):
    """A case's tables in the space of its training rows."""
    columns = [Column(c, "numerical") for c in NAMES["NUMBERS"]]
    columns += [Column(c, "categorical") for c in NAMES["CATEGORIES"]]
    tables = [pa.table(table) for table in (training, holdout, synthetic)]
    space = GowerSpace.fit(tables[0], columns)
    left, right, rows = (space.encode(table) for table in tables)
    return space, Sided(left, right), rows


@pytest.fixture(scope="module")
def risks(cases):
    """Our risks of each case, by anonymeter's names."""
    found = {}
    for case, (space, sides, synthetic) in cases.items():
        attacked = sides.training, sides.holdout, synthetic
        inferred = inference_risks(*attacked, space)
        found[case] = {
            "linkability": linkability(*attacked, NAMES["PARTS"]),
            **{f"inference {secret}": inferred[secret] for secret in NAMES["SECRETS"]},
        }
    return found


@pytest.mark.parametrize("case", RECORDED)
@pytest.mark.parametrize("attack", ["linkability", "inference education", "inference income"])
def test_risks_agree_with_anonymeter(risks, case, attack):
    """Our interval and anonymeter's overlap, and so do the success rates on strangers."""
    ours, theirs = risks[case][attack], RECORDED[case][attack]
    assert ours.low <= theirs["high"]
    assert theirs["low"] <= ours.high
    assert ours.control == pytest.approx(theirs["control"], abs=0.05)


@pytest.mark.parametrize("case", ["half copied", "copied"])
def test_singling_out_agrees_with_anonymeter(cases, case):
    """Where rows were copied, our interval overlaps that of the worse kind of predicate."""
    _, sides, synthetic = cases[case]
    ours = singling_out(sides, synthetic, attacks=NAMES["ATTACKS"])
    kinds = [RECORDED[case][f"singling out {kind}"] for kind in ("univariate", "multivariate")]
    theirs = max(kinds, key=lambda found: found["low"])
    assert ours.low <= theirs["high"]
    assert theirs["low"] <= ours.high


def test_risks_rank_the_tables_as_anonymeter_does(cases, risks):
    """More copies, more risk, by each attack."""
    out = [singling_out(sides, synthetic) for _, sides, synthetic in cases.values()]
    assert [r.value for r in out] == sorted(r.value for r in out)
    for attack in risks["honest"]:
        values = [risks[case][attack].value for case in ("honest", "half copied", "copied")]
        assert values == sorted(values)


def test_fresh_rows_single_nobody_out(cases):
    """Of an honest table no singling-out risk is certain."""
    _, sides, synthetic = cases["honest"]
    assert singling_out(sides, synthetic).low == 0.0


@pytest.mark.parametrize("kind", [univariate, multivariate])
def test_predicates_isolate_one_synthetic_row_each(cases, kind):
    """Each predicate holds for one synthetic row, and no two for the same."""
    synthetic = cases["honest"][2]
    rows = synthetic.take(first_rows(synthetic))
    found = kind(rows, 200, seed=0).isolated(rows)
    assert len(found) > 100
    assert found.min() >= 0
    assert len(np.unique(found)) == len(found)


def test_predicates_hold_where_their_words_say(cases):
    """A predicate isolates the row that a search by hand finds."""
    synthetic = cases["honest"][2]
    rows = synthetic.take(first_rows(synthetic))
    predicates = multivariate(rows, 50, seed=0)
    compare = {0: np.equal, 1: np.less_equal, 2: np.greater_equal}
    columns = [*rows.numbers, *rows.codes]
    terms = (predicates.columns, predicates.operators, predicates.values)
    for column, operator, value, at in zip(*terms, predicates.isolated(rows), strict=True):
        holds = [compare[o](columns[c], v) for c, o, v in zip(column, operator, value, strict=True)]
        assert np.flatnonzero(np.all(holds, axis=0)).tolist() == [at]


def test_the_interval_of_a_rate_is_wilsons():
    """Ten of a hundred are between 5.5 % and 17.4 %, as tables of Wilson's interval say."""
    middle, half = wilson(10, 100, quantile())
    assert (middle - half, middle + half) == pytest.approx((0.0552, 0.1744), abs=1e-4)


def test_a_risk_is_what_is_left_above_strangers():
    """60 % against 20 % is half of what could be gained, and the interval holds it."""
    hits = np.r_[np.ones(600), np.zeros(400)], np.r_[np.ones(200), np.zeros(800)]
    found = risk(*hits)
    assert found.value == pytest.approx(0.5, abs=0.002)
    assert found.low < 0.5 < found.high
    assert (found.attack, found.control, found.attacks) == (0.6, 0.2, 1_000)


def test_families_and_comparisons_widen_the_interval():
    """Ten families of ten tell as much as ten rows where all of a family succeed or fail."""
    hits = np.repeat([1.0, 0.0], 50)
    family = np.repeat(np.arange(10), 10)
    assert len(hits) / design_effect(hits, family) == pytest.approx(100 * 9 / 99)
    alone, together = risk(hits, hits), risk(hits, hits, (family, family))
    assert together.high > alone.high
    assert risk(hits, hits, comparisons=10).high > alone.high


def test_units_of_one_row_change_no_error():
    """Where each row is a unit, the error is that of independent rows."""
    values = np.random.default_rng(0).normal(size=50)
    assert standard_error(values, np.arange(50)) == pytest.approx(standard_error(values))


def test_the_worst_risk_is_the_most_certain_one():
    """A small certain risk is worse than a large one of which nothing is certain."""
    certain = risk(np.repeat([1.0, 0.0], [200, 800]), np.zeros(1_000))
    unsure = risk(np.repeat([1.0, 0.0], [3, 7]), np.repeat([1.0, 0.0], [1, 9]))
    assert worst_risk([unsure, certain]) is certain
    assert worst_risk([]) is None


def test_columns_are_split_into_halves():
    """Each column is known to one of the two sources."""
    left, right = split_columns(list("abcde"), seed=0)
    assert (sorted(left + right), len(left)) == (list("abcde"), 2)


def test_nulls_are_guessed_as_nulls_only():
    """A null is no guess of a number, nor a number of a null."""
    table = pa.table({"k": [1.0, 2.0, 3.0], "s": [1.0, None, 5.0]})
    space = GowerSpace.fit(table, [Column(c, "numerical") for c in "ks"])
    rows = space.encode(table)
    swapped = space.encode(table.set_column(1, "s", pa.array([None, 1.0, 5.0])))
    assert inference_risks(rows, swapped, rows, space)["s"].attack == 1.0
    assert inference_risks(rows, swapped, rows, space)["s"].control == pytest.approx(1 / 3)
