"""One loop that trains every network: it knows no model.

A learner brings its weights, its optimisers and one step; the loop brings seeded batches, clipping,
the epoch that was best on held-back rows, a time budget, checkpoints, progress and the alarm of
collapse. The order of all draws is fixed, so a training that was resumed ends in the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from prefect_synth.synth.checkpoints import Checkpoint
from prefect_synth.synth.collapse import Pair, collapsed
from prefect_synth.synth.devices import Device, half_precision, load_torch
from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.row_models.threads import one_torch_thread
from prefect_synth.synth.storage import stored
from prefect_synth.synth.training_watch import CHECKPOINTS, LISTENER, Epoch

SMALLEST_BATCH = 32
_LOOKS = 10


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Args:
        epochs: Passes over the rows at most.
        batch: Rows in a step at most.
        steps: Steps in an epoch at least, for which small tables take smaller batches.
        patience: Epochs without an improvement on held-back rows after which training stops;
            None trains all epochs.
        decay: What the learning rates are multiplied by after an epoch without an improvement.
        clip: Greatest norm of a gradient; None leaves gradients alone.
        max_minutes: Wall clock after which training stops at the end of an epoch. How far it got
            then depends on the machine, and so do the bytes.
        device: Where the network is.
        mixed: Products in bfloat16 where the device gains by it.
    """

    epochs: int = 300
    batch: int = 500
    steps: int = 1
    patience: int | None = None
    decay: float = 1.0
    clip: float | None = None
    max_minutes: float | None = None
    device: Device = "auto"
    mixed: bool = False

    def batch_of(self, rows: int) -> int:
        """Rows in a step, of so many."""
        return min(self.batch, max(rows // self.steps, SMALLEST_BATCH))


@stored
@dataclass(frozen=True)
class History:
    """What happened in training.

    Args:
        losses: Mean loss of each epoch's steps.
        validation: Losses on each set of held-back rows, by epoch; the first before training.
        best: The epoch whose weights were kept; 0 for the first weights.
        stopped: Why it ended: `epochs`, `patience` or `time`.
        collapsed: Columns that had collapsed when training ended, by position.
        looks: Columns that had collapsed at each look on the way, with the epoch.
    """

    losses: tuple[float, ...] = ()
    validation: tuple[tuple[float, ...], ...] = ()
    best: int = 0
    stopped: str = "epochs"
    collapsed: tuple[int, ...] = ()
    looks: tuple[tuple[int, tuple[int, ...]], ...] = ()


class Learner(Protocol):
    """What the loop trains.

    Attributes:
        module: A `torch.nn.Module` of all weights; those of the best epoch are in it at the end.
        optimisers: Of `torch.optim`, one or several.
        generator: The `torch.Generator` of every draw in a step.
    """

    module: Any
    optimisers: Sequence[Any]
    generator: Any

    def step(self, rows: Any, update: Update) -> float:
        """Learn from one batch by calling `update`, once or several times.

        Args:
            rows: Numbers of the batch's rows, on the module's device, [b].
            update: `update(loss, optimiser)` descends the loss's gradient.

        Returns:
            The loss that is told to the user.
        """

    def validate(self) -> Sequence[float]:
        """Losses on sets of held-back rows, all of which must fall; none: no early stopping."""

    def codes(self) -> Sequence[Pair]:
        """For each column the codes of some drawn rows and of some real ones; none: no alarm."""


@dataclass(frozen=True)
class Update:
    """Descends a gradient: `update(loss, optimiser)`."""

    clip_norm: Callable[..., Any]
    clip: float | None

    def __call__(self, loss: Any, optimiser: Any) -> None:
        """Clear the optimiser's gradients, compute the loss's, clip them, and step."""
        optimiser.zero_grad(set_to_none=True)
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        loss.backward(inputs=parameters)
        if self.clip is not None:
            self.clip_norm(parameters, self.clip)
        optimiser.step()


def fit(learner: Learner, rows: Ints, settings: Training, rng: np.random.Generator) -> History:
    """Train a network; the weights of its best epoch are in `learner.module` afterwards.

    Args:
        learner: The network.
        rows: Numbers of the rows to train on, [n].
        settings: How.
        rng: Source of the order of rows.

    Returns:
        What happened.
    """
    torch = load_torch()
    with one_torch_thread(torch):
        return _Run(torch, learner, rows, settings, rng).to_the_end()


@dataclass
class _Run:
    torch: Any
    learner: Learner
    rows: Ints
    settings: Training
    rng: np.random.Generator
    state: Checkpoint = field(init=False)

    def __post_init__(self) -> None:
        self.started = perf_counter()
        self.device = next(self.learner.module.parameters()).device
        self.update = Update(self.torch.nn.utils.clip_grad_norm_, self.settings.clip)
        checkpoints = CHECKPOINTS.get()
        self.keeper = checkpoints and checkpoints.next(self.learner, self.rng)
        found = self.keeper and self.keeper.resume(self.torch)
        self.state = found or self._beginning()
        self.started -= self.state.seconds

    def to_the_end(self) -> History:
        stopped = "epochs"
        while self.state.epoch < self.settings.epochs and len(self.rows):
            self._epoch()
            if self._patience_is_over():
                stopped = "patience"
                break
            if self._time_is_up():
                stopped = "time"
                break
            if self.keeper:
                self.state.seconds = perf_counter() - self.started
                self.keeper.maybe_save(self.torch, self.state)
        if self.state.best_weights is not None:
            self.learner.module.load_state_dict(self.state.best_weights)
        return self._history(stopped)

    def _beginning(self) -> Checkpoint:
        first = self._validate()
        state = Checkpoint(validation=[first], best_losses=first)
        if first:
            state.best_weights = _copied(self.learner.module.state_dict())
        return state

    def _epoch(self) -> None:
        state, order = self.state, self.rng.permutation(self.rows)
        parts = -(-len(order) // self.settings.batch_of(len(order)))  # equal: none of a single row
        batches = self.torch.as_tensor(order, device=self.device).tensor_split(parts)
        with half_precision(self.torch, self.device, self.settings.mixed):
            losses = [self.learner.step(batch, self.update) for batch in batches]
        state.epoch += 1
        state.losses.append(float(np.mean(losses)))
        if state.best_losses:
            self._compare(self._validate())
        if state.epoch % max(self.settings.epochs // _LOOKS, 1) == 0:
            found = collapsed(self.learner.codes())
            state.looks += [(state.epoch, found)] if found else []
        self._tell()

    def _compare(self, losses: tuple[float, ...]) -> None:
        """Keep the weights where all losses fell, else slow down."""
        state = self.state
        state.validation.append(losses)
        if all(now < best for now, best in zip(losses, state.best_losses, strict=True)):
            state.best_losses, state.best, state.waited = losses, state.epoch, 0
            state.best_weights = _copied(self.learner.module.state_dict())
            return
        state.waited += 1
        for optimiser in self.learner.optimisers:
            for group in optimiser.param_groups:
                group["lr"] *= self.settings.decay

    def _validate(self) -> tuple[float, ...]:
        with self.torch.no_grad():
            return tuple(self.learner.validate())

    def _patience_is_over(self) -> bool:
        patience = self.settings.patience
        return patience is not None and self.state.waited >= patience

    def _time_is_up(self) -> bool:
        most = self.settings.max_minutes
        return most is not None and perf_counter() - self.started > 60 * most

    def _tell(self) -> None:
        if (listener := LISTENER.get()) is not None:
            state, spent = self.state, perf_counter() - self.started
            listener(Epoch(state.epoch, self.settings.epochs, state.losses[-1], spent))

    def _history(self, stopped: str) -> History:
        state = self.state
        best = state.best if state.best_losses else state.epoch
        return History(
            tuple(state.losses), tuple(state.validation) if state.best_losses else (), best,
            stopped, collapsed(self.learner.codes()), tuple(state.looks),
        )  # fmt: skip


def _copied(weights: dict[str, Any]) -> dict[str, Any]:
    """Weights that no further step writes into."""
    return {name: tensor.detach().clone() for name, tensor in weights.items()}
