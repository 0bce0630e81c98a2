"""Which row model `auto` takes, and the sentence that says why."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.row_models import choice
from prefect_synth.synth.row_models.choice import FEWEST_FOR_TREES, Choice, choose, tree_seconds


@pytest.mark.parametrize(
    ("rows", "columns", "budget", "expected"),
    [
        (50, 9, None, Choice("copula", "Of 50 rows trees learn nothing: they need 300.")),
        (
            16_000, 15, None,
            Choice("trees", "Trees take about 1.0 cpu seconds for 16,000 rows and 15 columns."),
        ),
        (
            1_000_000, 20, 30,
            Choice(
                "copula",
                "Trees would take about 80.1 cpu seconds for 1,000,000 rows and 20 columns; "
                "the budget is 30.0.",
            ),
        ),
    ],
)  # fmt: skip
def test_rows_and_budget_decide(rows, columns, budget, expected):
    """Few rows and a small budget take the copula, all else trees."""
    assert choose(rows, columns, budget) == expected


@pytest.mark.parametrize("name", ["copula", "trees", "argn", "independent"])
def test_a_name_is_taken_at_its_word(name):
    """What was asked for is chosen, however many rows there are."""
    assert choose(3, 2, 0.001, name) == Choice(name, f"{name} was asked for.")


def test_the_cost_is_linear():
    """Twice the rows or the columns cost about twice as much."""
    assert tree_seconds(20_000, 30) == pytest.approx(2 * tree_seconds(20_000, 15))
    assert tree_seconds(2_000_000, 15) == pytest.approx(2 * tree_seconds(1_000_000, 15), rel=0.01)


def test_a_network_needs_a_device(monkeypatch):
    """Without a device file torch is not even asked."""
    monkeypatch.setattr(choice, "_DEVICES", ("/nowhere/device",))
    assert not choice.has_cuda()
    assert choose(10_000_000, 10).row_model == "trees"


def test_a_budget_is_kept_to(schema_of):
    """Where trees would take longer than they may, the copula is fitted."""
    table = pa.table({"id": list(range(400)), "x": np.random.default_rng(0).normal(size=400)})
    metadata = schema_of({"t": "id"}, {"t": table}, [])
    model = HMASynthesizer(metadata, budget_seconds=0.001).fit({"t": table})
    assert model.parts_["t"].choice.row_model == "copula"


def test_the_reason_is_stored_for_each_table(schema_of, tmp_path):
    """A model tells of each table which row model it has and why, also when read from disk."""
    rng = np.random.default_rng(0)
    n = FEWEST_FOR_TREES + 100
    tables = {
        "small": pa.table({"id": list(range(40)), "x": rng.normal(size=40)}),
        "large": pa.table({"id": list(range(n)), "x": rng.normal(size=n)}),
    }
    metadata: Metadata = schema_of({"small": "id", "large": "id"}, tables, [])
    HMASynthesizer(metadata).fit(tables).save(tmp_path)
    parts = HMASynthesizer.load(tmp_path).parts_
    chosen = {name: part.choice for name, part in parts.items()}
    assert chosen["small"] == Choice("copula", "Of 40 rows trees learn nothing: they need 300.")
    assert chosen["large"].row_model == "trees"
    assert chosen["large"].reason.startswith("Trees take less than a cpu second for 400 rows")
