"""What is told of networks that were not trained well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.hierarchy.alarms import alarms
from prefect_synth.synth.hierarchy.summary import summarize
from prefect_synth.synth.single import ARGNSynthesizer, TreesSynthesizer


@pytest.fixture(scope="module")
def trained():
    """A network of two epochs over three columns, two of them null together."""
    rng = np.random.default_rng(0)
    absent = rng.random(200) < 0.3
    table = pa.table(
        {
            "size": rng.choice(["S", "M", "L"], 200),
            "a": pa.array(rng.normal(size=200), mask=absent),
            "b": pa.array(rng.normal(size=200), mask=absent),
        }
    )
    return ARGNSynthesizer(epochs=2).fit(table)


def with_history(synthesizer, **changes):
    """The same part, of a training that went otherwise."""
    part = synthesizer.part_
    history = replace(part.row_model.history, **changes)
    return replace(part, row_model=replace(part.row_model, history=history))


def test_collapsed_columns_are_named(trained):
    """Once each, by the table's own names."""
    modelled = trained.part_.codec.modelled
    columns = (modelled.index("size"), modelled.index("size"))
    told = alarms(with_history(trained, collapsed=columns))
    assert len(told) == 1
    assert told[0].startswith("'table.size' has collapsed")
    assert len(alarms(with_history(trained, collapsed=(0, 1, 2, 3)[: len(modelled)]))) >= 3


def test_a_training_that_the_clock_cut_off_is_told(trained):
    """With the epochs that it had; the summary has it too."""
    part = with_history(trained, stopped="time")
    assert summarize(part).alarms == alarms(part)
    assert "cut off by the clock after 2 epochs" in alarms(part)[0]


def test_losses_are_told_by_epoch(trained):
    """And a model that is no network has none, nor alarms."""
    losses = trained.get_loss_values()
    assert losses["epoch"].to_pylist() == [1, 2]
    assert losses["loss"][1].as_py() < losses["loss"][0].as_py()
    trees = TreesSynthesizer().fit(pa.table({"x": range(50)}))
    assert (len(trees.get_loss_values()), trees.alarms, trained.alarms) == (0, (), ())
