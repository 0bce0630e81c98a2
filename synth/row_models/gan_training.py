"""Adversarial training of a generator and a critic: the only place of it that needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from prefect_synth.synth.collapse import Pair
from prefect_synth.synth.devices import load_torch, pick_device
from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.row_models.gan_batches import Batches, Rows
from prefect_synth.synth.row_models.gan_judge import Dependence, coded
from prefect_synth.synth.row_models.gan_modules import (
    folded,
    generated,
    new_players,
    scored,
)
from prefect_synth.synth.row_models.gan_network import NOISE, Generator
from prefect_synth.synth.row_models.gan_objectives import (
    PENALTY,
    Objective,
    penalised,
    slope_penalty,
)
from prefect_synth.synth.row_models.threads import one_torch_thread
from prefect_synth.synth.training import History, Training, Update, fit

EVERY = 4
"""Steps of the critic for one with the penalty, which then weighs as many times more."""
_SLOWEST = 0.999
_LOOKED_AT = 1000
_NORMALISED_ON = 4096

Tensor = Any


def train(
    objective: Objective,
    rows: Rows,
    splits: tuple[Ints, Ints],
    settings: Training,
    rng: np.random.Generator,
) -> tuple[Generator, History]:
    """Fit a generator.

    Args:
        objective: What is played for.
        rows: The rows.
        splits: Those to train on, and those held back to tell the best epoch; either may be none.
        settings: How to train.
        rng: Source of weights and draws.
    """
    torch = load_torch()
    with one_torch_thread(torch):
        device = pick_device(torch, settings.device)
        learner = Adversaries(torch, device, objective, rows, splits, rng)
        history = fit(learner, splits[0], settings, rng)
        return learner.network(), history


class Adversaries:
    """A generator and a critic, as the training loop takes them.

    Args:
        torch: The module.
        device: Where they are trained.
        objective: What they play for.
        rows: What they learn from.
        splits: Rows to train on, and rows held back.
        rng: Source of weights and draws.
    """

    def __init__(
        self,
        torch: Any,
        device: Any,
        objective: Objective,
        rows: Rows,
        splits: tuple[Ints, Ints],
        rng: np.random.Generator,
    ) -> None:
        self.torch, self.device, self.objective, self.rows = torch, device, objective, rows
        self.generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        self.batches = Batches(torch, rows, splits[0], device)
        self.heads = self.batches.heads
        width, pack = rows.columns.width, objective.pack
        sizes = (NOISE + rows.told, (width + rows.told) * pack)
        self.module = new_players(torch, sizes, width, objective.scores, self.generator, device)
        self.optimisers: Sequence[Any] = [
            self._optimiser(self.module.made),
            self._optimiser(self.module.critic),
        ]
        self.dependence = self._dependence(splits[1], int(rng.integers(2**63)))

    def step(self, rows: Any, update: Update) -> float:
        """Train the critic on a batch; at each so many-th step the generator too."""
        objective, module = self.objective, self.module
        rows, values = self.batches.asked(rows, self.generator)
        given = self.batches.told(rows, values)  # [b, g]
        real = self.batches.real(rows)  # [b, w]
        together = (int(module.steps) + 1) % objective.critics == 0
        with self.torch.set_grad_enabled(together):
            fakes = [self._fake(given) for _ in range(1 + objective.two_fakes)]
        loss = self._critic_loss(real, [fake.detach() for fake, _ in fakes], given)
        update(loss, self.optimisers[1])
        if objective.clip is not None:
            with self.torch.no_grad():
                for parameter in module.critic:
                    parameter.clamp_(-objective.clip, objective.clip)
        module.steps += 1
        if together:
            loss_of_made = self._generator_loss(real, [fake for fake, _ in fakes], given)
            if objective.conditions:
                loss_of_made = loss_of_made + self.batches.unmet(fakes[0][1], values)
            update(loss_of_made, self.optimisers[0])
            self._average(int(module.steps) // objective.critics)
        return float(loss.detach())

    def validate(self) -> Sequence[float]:
        """How far covariances are from those of the held-back rows."""
        return () if self.dependence is None else (self.dependence.distance(),)

    def codes(self) -> Sequence[Pair]:
        """Modes of drawn and of real rows, or the tenths of the data that numbers lie in."""
        some = np.linspace(0, len(self.rows.modes) - 1, _LOOKED_AT).astype(np.int64)
        with self.torch.no_grad():
            drawn, scalars = self.drawn(self.batches.told_as_found(some), self.generator)
        real = self.rows.modes[some], self.rows.scalars[some]
        return coded(self.rows.columns, (drawn.cpu().numpy(), scalars.cpu().numpy()), real)

    def network(self) -> Generator:
        """The average of the generators of the last steps, as arrays."""
        # from all over the table, which may be in an order
        some = np.linspace(0, len(self.rows.modes) - 1, _NORMALISED_ON).astype(np.int64)
        with self.torch.no_grad():
            inputs = self._inputs(self.batches.told_as_found(some), self.generator)
            return folded(self.torch, self.module.average, inputs, self.rows.columns.widths)

    def drawn(self, given: Tensor, generator: Any) -> tuple[Tensor, Tensor]:
        """Modes [n, d] and scalars [n, s] by the averaged generator."""
        raw = generated(self.torch, self.module.average, self._inputs(given, generator))
        return self.heads.drawn(raw, generator)

    def _inputs(self, given: Tensor, generator: Any) -> Tensor:
        noise = self.torch.randn((len(given), NOISE), generator=generator).to(self.device)
        return self.torch.cat([noise, given], 1)  # [b, i]

    def _fake(self, given: Tensor) -> tuple[Tensor, Tensor]:
        """Generated rows [b, w], and the logits of their modes [b, W]."""
        inputs = self._inputs(given, self.generator)
        raw = generated(self.torch, self.module.made, inputs)
        return self.heads.generated(raw, self.generator), raw[:, : self.heads.logits]

    def _score(self, packs: Sequence[Tensor], given: Tensor) -> list[Tensor]:
        """The critic's scores of several sets of packs, [b, p * w] each, in one pass."""
        told = self._packed(given)  # [b, p * g]
        whole = self.torch.cat([self.torch.cat([p, told], 1) for p in packs])
        scores = scored(
            self.torch, self.module.critic, whole, self.objective.dropout, self.generator
        )
        return list(scores.chunk(len(packs)))

    def _packed(self, rows: Tensor) -> Tensor:
        """Each row beside those after it, [b, w] to [b, p * w]: as many packs as rows."""
        if self.objective.pack == 1:
            return rows
        return self.torch.cat([rows.roll(-k, 0) for k in range(self.objective.pack)], 1)

    def _critic_loss(self, real: Tensor, fakes: Sequence[Tensor], given: Tensor) -> Tensor:
        objective = self.objective
        packs = [self._packed(rows) for rows in (real, *fakes)]
        scores = self._score(packs, given)
        other = scores[-1]
        loss = objective.critic_loss(scores[0], scores[1], other)
        if objective.penalty is None or int(self.module.steps) % EVERY:
            return loss
        points = penalised(self.torch, objective.penalty, packs[0], packs[1], self.generator)
        penalty = slope_penalty(
            self.torch, lambda at: objective.value(self._score([at], given)[0], other), points
        )
        return loss + EVERY * PENALTY * penalty

    def _generator_loss(self, real: Tensor, fakes: Sequence[Tensor], given: Tensor) -> Tensor:
        """By the critic's scores; of real rows only where the objective compares with them."""
        parts = [real, *fakes] if self.objective.two_fakes else fakes
        scores = self._score([self._packed(rows) for rows in parts], given)
        return self.objective.generator_loss(scores[0], scores[len(parts) - len(fakes)], scores[-1])

    def _average(self, steps: int) -> None:
        """Move the averaged generator: over about a tenth of the steps so far, 1,000 at most."""
        share = max(1 - _SLOWEST, 9 / (steps + 9))
        with self.torch.no_grad():
            self.torch._foreach_lerp_(list(self.module.average), list(self.module.made), share)

    def _dependence(self, held_back: Ints, seed: int) -> Dependence | None:
        if not len(held_back):
            return None
        real = self.batches.real(self.torch.as_tensor(held_back, device=self.device))
        given = self.batches.told_as_found(held_back)
        return Dependence(
            self.torch, real, given, lambda *of: self.heads.flat(*self.drawn(*of)), seed
        )

    def _optimiser(self, parameters: Any) -> Any:
        objective = self.objective
        if objective.optimiser == "RMSprop":
            return self.torch.optim.RMSprop(parameters, lr=objective.rate)
        return self.torch.optim.Adam(
            parameters, lr=objective.rate, betas=objective.betas, fused=True
        )
