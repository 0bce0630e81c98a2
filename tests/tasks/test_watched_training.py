"""Networks in training inside a refresh."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth import checkpoints
from prefect_synth.synth.single import ARGNSynthesizer
from prefect_synth.tasks.progress import Silence, listening
from prefect_synth.tasks.watched_training import watched_training


class Heard(Silence):
    """Remembers what was told."""

    def __init__(self):
        self.details = []

    def advance(self, step, amount, detail=""):
        """Remember the detail of a step that got no further by itself."""
        assert (step, amount) == ("train", 0)
        self.details.append(detail)


@pytest.fixture
def table():
    """Numbers and their sign."""
    x = np.random.default_rng(0).normal(size=200)
    return pa.table({"x": x, "sign": np.sign(x)})


def test_epochs_are_shown_and_checkpoints_go(table, tmp_path, monkeypatch):
    """The table and the epoch are told; nothing is left once all went well."""
    monkeypatch.setattr(checkpoints, "EVERY", 0.0)
    heard, folder = Heard(), tmp_path / "of-orders"
    with listening(heard), watched_training("train", "orders", folder):
        ARGNSynthesizer(epochs=3).fit(table)
        assert [f.name for f in folder.iterdir()] == ["training-1.safetensors"]
    assert heard.details == [f"orders, epoch {i} of at most 3" for i in (1, 2, 3)]
    assert not folder.exists()


def test_checkpoints_stay_after_a_failure(table, tmp_path, monkeypatch):
    """The next run goes on from there, and ends in the rows of a run that was left in peace."""
    monkeypatch.setattr(checkpoints, "EVERY", 0.0)

    class Killed(Heard):
        def advance(self, step, amount, detail=""):
            super().advance(step, amount, detail)
            if len(self.details) == 3:
                raise KeyboardInterrupt

    folder, heard = tmp_path / "of-orders", Heard()
    with (
        pytest.raises(KeyboardInterrupt),
        listening(Killed()),
        watched_training("train", "orders", folder),
    ):
        ARGNSynthesizer(epochs=4).fit(table)
    with listening(heard), watched_training("train", "orders", folder):
        resumed = ARGNSynthesizer(epochs=4).fit(table)
    assert heard.details == [f"orders, epoch {i} of at most 4" for i in (3, 4)]
    assert resumed.sample(50).equals(ARGNSynthesizer(epochs=4).fit(table).sample(50))
