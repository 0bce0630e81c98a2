"""What networks may spend on a table, wherever they are made."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.effort import Effort
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.inference import infer_metadata
from prefect_synth.synth.row_models.factory import LIBRARIES, MAKERS, Network, make_row_model


@pytest.fixture(scope="module")
def shop():
    """Customers, and their orders."""
    rng = np.random.default_rng(0)
    return {
        "customers": pa.table({"id": range(60), "vip": rng.random(60) < 0.5}),
        "orders": pa.table(
            {
                "id": range(300),
                "customer_id": rng.integers(0, 60, 300),
                "amount": rng.gamma(2, 9, 300).round(2),
            }
        ),
    }


def fitted(shop, effort):
    """All row models of the hierarchy, by table."""
    model = HMASynthesizer(infer_metadata(shop), row_model="argn", effort=effort).fit(shop)
    return {name: part.row_model for name, part in model.parts_.items()}


def test_epochs_reach_every_table(shop):
    """One epoch is one loss."""
    models = fitted(shop, Effort(epochs=1))
    assert {name: len(m.history.losses) for name, m in models.items()} == {
        "customers": 1,
        "orders": 1,
    }


def test_minutes_end_training_and_history_says_so(shop):
    """What was learned in the first epoch is kept."""
    history = fitted(shop, Effort(max_minutes=1e-9))["orders"].history
    assert (history.stopped, len(history.losses)) == ("time", 1)


def test_parts_depend_on_the_effort(shop):
    """A table that was trained for less is trained anew for more."""
    metadata = infer_metadata(shop)
    models = [
        HMASynthesizer(metadata, row_model="argn", effort=Effort(epochs=e)) for e in (1, 1, 2)
    ]
    prints = [m.fingerprint("orders", m.extend(shop)) for m in models]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize("name", [n for n in MAKERS if LIBRARIES.get(n) == "torch"])
def test_every_network_takes_an_effort(name):
    """Whatever is trained by torch has epochs, minutes and a device, and says what happened."""
    model = make_row_model(name, Effort(3, 0.5, "cpu"))
    assert isinstance(model, Network)
    assert (model.epochs, model.max_minutes, model.device) == (3, 0.5, "cpu")
    assert make_row_model(name).epochs > 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"max_minutes": 0.0}, "max_minutes must be above 0"),
        ({"device": "tpu"}, "device 'tpu' is not known"),
    ],
)
def test_impossible_efforts_are_refused(wrong, message):
    """With the number that cannot be."""
    with pytest.raises(SynthesisError, match=message):
        Effort(**wrong)
