"""Attribute inference by exact matching: SDMetrics' figures, and what copies give away."""

import json
import runpy
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.metadata import Column
from prefect_synth.synth.metrics.attribute_inference import attribute_inference, categorical_cap
from prefect_synth.synth.metrics.bins import Bins, associations
from prefect_synth.synth.metrics.gower import GowerSpace

ORACLE = Path(__file__).parents[2] / "oracle" / "sdmetrics_cap.py"
RECORDED = json.loads(ORACLE.with_suffix(".json").read_text())
SDTYPES = {"a": "numerical", "b": "numerical", "c": "categorical", "d": "categorical"}


@pytest.fixture(scope="module")
def oracle():
    """The oracle's tables, made anew, and its fields."""
    names = runpy.run_path(str(ORACLE))
    return names["cases"](), names["FIELDS"]


@pytest.mark.parametrize("case", RECORDED)
@pytest.mark.parametrize("fields", RECORDED["honest"])
def test_cap_agrees_with_sdmetrics(oracle, case, fields):
    """CategoricalCAP is what SDMetrics 0.32 gives."""
    real, synthetic = (pa.table(table) for table in oracle[0][case])
    found = categorical_cap(real, synthetic, *oracle[1][fields])
    assert found == pytest.approx(RECORDED[case][fields], abs=1e-9)


def test_keys_that_never_occur_tell_nothing():
    """Where no key is found, the score is not a number."""
    real, synthetic = (pa.table({"k": [x], "s": [1]}) for x in "ab")
    assert np.isnan(categorical_cap(real, synthetic, ["k"], ["s"]))


def cells(seed, rows=2_000):
    """Cells of rows of two numbers and two categories."""
    rng = np.random.default_rng(seed)
    table = pa.table(
        {
            "a": rng.normal(size=rows),
            "b": rng.normal(size=rows),
            "c": rng.integers(0, 4, rows),
            "d": rng.integers(0, 4, rows),
        }
    )
    space = GowerSpace.fit(table, [Column(name, sdtype) for name, sdtype in SDTYPES.items()])
    rows = space.encode(table)
    return Bins.fit(rows).cut(rows)


def test_copies_tell_more_about_members():
    """A copied table tells a column of training rows that it does not tell of others."""
    found = attribute_inference(cells(1), cells(2), cells(1), list(SDTYPES))
    assert found.excess - found.error > 0.1


def test_fresh_rows_tell_members_and_others_alike():
    """The excess of an honest table is within its error."""
    found = attribute_inference(cells(1), cells(2), cells(3), list(SDTYPES))
    assert abs(found.excess) < found.error


def test_too_few_matches_give_no_figure():
    """With a handful of rows nothing is said."""
    few = cells(1)[:, :20]
    assert attribute_inference(few, few, few, list(SDTYPES)) is None


def test_associations_tell_what_goes_together():
    """A column goes with a copy of itself wholly, and with an independent one hardly."""
    one, other = cells(1)[:2], cells(2)[:2]
    found = associations(np.stack([one[0], one[0], other[0]]))
    assert found[0, 1] == pytest.approx(1.0)
    assert found[0, 2] < 0.1
