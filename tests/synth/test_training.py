"""The training loop, with a small learner of its own: it knows no model."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch

from prefect_synth.synth import checkpoints, training
from prefect_synth.synth.collapse import collapsed, entropy, lost_codes
from prefect_synth.synth.devices import pick_device
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.training import Training, fit
from prefect_synth.synth.training_watch import checkpointing, listening

ROWS = 200
SHORT = Training(epochs=12, batch=40)


class Line:
    """Fits y = 2 x by gradient descent, with noise of its own and a held-back part."""

    def __init__(self, rate=0.1, held_back=True, drawn=None, stop_after=None):
        rng = np.random.default_rng(0)
        self.x = torch.as_tensor(rng.normal(size=(ROWS, 1)), dtype=torch.float32)
        self.y = 2 * self.x
        self.module = torch.nn.Linear(1, 1)
        with torch.no_grad():
            self.module.weight.fill_(0.0)
            self.module.bias.fill_(0.0)
        self.optimisers = [torch.optim.Adam(self.module.parameters(), lr=rate)]
        self.generator = torch.Generator().manual_seed(5)
        self.held_back, self.drawn, self.batches = held_back, drawn, []
        self.stop_after = stop_after

    def step(self, rows, update):
        """One batch, with noise on its target."""
        if self.stop_after is not None and len(self.batches) == self.stop_after:
            raise KeyboardInterrupt
        self.batches.append(rows.tolist())
        noise = 0.01 * torch.randn(len(rows), 1, generator=self.generator)
        loss = ((self.module(self.x[rows]) - self.y[rows] - noise) ** 2).mean()
        update(loss, self.optimisers[0])
        return float(loss.detach())

    def validate(self):
        """The loss on the last rows."""
        if not self.held_back:
            return ()
        loss = ((self.module(self.x[150:]) - self.y[150:]) ** 2).mean()
        return (float(loss.detach()),)

    def codes(self):
        """What a test says was drawn."""
        return self.drawn or ()

    @property
    def weights(self):
        """All weights as one array."""
        return np.concatenate([p.detach().numpy().ravel() for p in self.module.parameters()])


def trained(learner, settings=SHORT, seed=1):
    """The learner's history after training."""
    return fit(learner, np.arange(150), settings, np.random.default_rng(seed))


def test_each_epoch_sees_every_row_once_in_another_order():
    """A known defect of other tools: the same first batch for ever."""
    learner = Line()
    trained(learner)
    epochs = [list(chain(*learner.batches[i : i + 4])) for i in range(0, 48, 4)]
    assert all(sorted(epoch) == list(range(150)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 12


def test_the_seed_decides():
    """Same seed, same weights; another one, others."""
    first, again, other = Line(), Line(), Line()
    trained(first), trained(again), trained(other, seed=2)
    assert np.array_equal(first.weights, again.weights)
    assert not np.array_equal(first.weights, other.weights)


def test_the_weights_of_the_best_epoch_are_kept():
    """With a rate far too high the last epoch is not the best; patience ends it."""
    learner = Line(rate=3.0)
    history = trained(learner, Training(epochs=60, batch=40, patience=4))
    assert history.stopped == "patience"
    assert history.best == len(history.losses) - 4
    assert learner.validate() == min(history.validation)


def test_rates_fall_after_epochs_that_do_not_help():
    """Each epoch without an improvement multiplies the rate."""
    learner = Line(rate=3.0)
    history = trained(learner, Training(epochs=60, batch=40, patience=4, decay=0.5))
    worse = sum(
        now >= min(history.validation[: i + 1]) for i, now in enumerate(history.validation[1:])
    )
    assert learner.optimisers[0].param_groups[0]["lr"] == 3.0 * 0.5**worse
    assert worse >= 4


def test_without_held_back_rows_all_epochs_are_trained():
    """And the last weights are the ones kept."""
    history = trained(Line(held_back=False))
    assert (history.stopped, history.best, history.validation) == ("epochs", 12, ())
    assert history.losses[-1] < history.losses[0]


def test_a_time_budget_ends_training_after_an_epoch():
    """What was learned until then is kept."""
    learner = Line(held_back=False)
    history = trained(learner, replace(SHORT, max_minutes=1e-9))
    assert (history.stopped, len(history.losses)) == ("time", 1)
    assert learner.weights.any()


def test_gradients_are_clipped():
    """By plain descent, a step is as long as the norm that is allowed."""
    learner = Line(held_back=False)
    learner.optimisers = [torch.optim.SGD(learner.module.parameters(), lr=1.0)]
    trained(learner, Training(epochs=1, batch=150, clip=0.01))
    assert np.linalg.norm(learner.weights) == pytest.approx(0.01, rel=1e-3)


def test_small_tables_take_smaller_batches():
    """So that an epoch has the steps asked for, but no batch is tiny."""
    settings = Training(batch=500, steps=32)
    assert [settings.batch_of(n) for n in (100, 3200, 10**6)] == [32, 100, 500]


def test_no_batch_is_of_a_single_row():
    """Batches are equal: what is left over would be a batch that no network can normalise."""
    learner = Line(held_back=False)
    fit(learner, np.arange(33), Training(epochs=1, batch=32), np.random.default_rng(0))
    assert [len(batch) for batch in learner.batches] == [17, 16]


def test_every_epoch_is_told():
    """A listener hears how far it is, and nothing outside of its context."""
    heard = []
    with listening(heard.append):
        trained(Line())
    trained(Line())
    assert [e.done for e in heard] == list(range(1, 13))
    assert all(e.most == 12 and e.loss > 0 and e.seconds > 0 for e in heard)


@pytest.mark.parametrize("held_back", [True, False])
def test_an_interrupted_training_ends_in_the_same_bytes(held_back, tmp_path, monkeypatch):
    """Killed in the seventh epoch and begun again, it ends as if nothing had happened."""
    monkeypatch.setattr(checkpoints, "EVERY", 0.0)
    whole = Line(held_back=held_back)
    expected = trained(whole)
    with checkpointing(tmp_path), pytest.raises(KeyboardInterrupt):
        trained(Line(held_back=held_back, stop_after=26))
    resumed = Line(held_back=held_back)
    with checkpointing(tmp_path):
        history = trained(resumed)
    assert len(resumed.batches) == 4 * 6
    assert np.array_equal(resumed.weights, whole.weights)
    assert history == expected


def test_another_training_is_not_resumed(tmp_path, monkeypatch):
    """One of another seed, or a damaged file, begins anew."""
    monkeypatch.setattr(checkpoints, "EVERY", 0.0)
    with checkpointing(tmp_path), pytest.raises(KeyboardInterrupt):
        trained(Line(stop_after=26))
    other = Line()
    with checkpointing(tmp_path):
        trained(other, seed=2)
    assert len(other.batches) == 48
    (tmp_path / "training-1.safetensors").write_bytes(b"torn")
    again = Line()
    with checkpointing(tmp_path):
        trained(again)
    assert len(again.batches) == 48


def test_collapse_is_told():
    """A column of which one value is drawn; one whose frequent value is never drawn."""
    real = np.repeat([0, 1, 2], [100, 80, 20])
    pairs = [(real, real), (np.zeros(200, int), real), (np.repeat([0, 1], 100), real)]
    history = trained(Line(drawn=pairs))
    assert history.collapsed == (1, 2)
    assert history.looks[-1] == (12, (1, 2))


def test_entropy_is_the_number_of_even_choices():
    """Of n even codes it is log n; a constant column has none, and cannot collapse."""
    assert entropy(np.arange(8)) == pytest.approx(np.log(8))
    constant = np.zeros(9, int)
    assert collapsed([(constant, constant)]) == ()
    assert lost_codes(np.zeros(30, int), np.array([0, 3])).tolist() == [3]
    assert not len(lost_codes(np.zeros(20, int), np.array([0, 3])))  # by chance, maybe


def test_devices_that_are_not_there_are_refused():
    """The processor always is; a name that is not known, or a device that is missing, is told."""
    assert pick_device(torch, "cpu").type == "cpu"
    with pytest.raises(SynthesisError, match="'tpu' is not known"):
        pick_device(torch, "tpu")
    if not torch.backends.mps.is_available():
        with pytest.raises(SynthesisError, match="torch finds none here"):
            pick_device(torch, "mps")


def test_nothing_is_trained_without_rows():
    """No row, no step: the first weights stay."""
    learner = Line()
    history = fit(learner, np.arange(0), SHORT, np.random.default_rng(0))
    assert history.losses == ()
    assert not learner.weights.any()
    assert training.SMALLEST_BATCH == 32
