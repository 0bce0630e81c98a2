"""Training of TimeGAN in its three phases: the only part of it that needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from prefect_synth.synth.collapse import Pair
from prefect_synth.synth.devices import load_torch, pick_device
from prefect_synth.synth.row_models.families import Families
from prefect_synth.synth.row_models.family_codec import FamilyCodec, Steps
from prefect_synth.synth.row_models.family_vectors import Batch, Windows, spoken
from prefect_synth.synth.row_models.recurrent import first_weights, gru_of, rectified_of
from prefect_synth.synth.row_models.threads import one_torch_thread
from prefect_synth.synth.row_models.timegan import WINDOW, Recurrent, TimeGANNetwork
from prefect_synth.synth.training import SMALLEST_BATCH, History, Training, Update, fit

LATENT = 24
"""Width of the latent space."""
LAYERS = 1
"""Recurrent layers; the paper has 3, at over three times the price of each step."""
RATE = 1e-3
GAMMA = 1.0
"""Weight of what the discriminator says of latent steps that the supervisor has not seen."""
ETA = 1.0
"""Weight of the supervisor. The paper's 100 is for levels, whose next step can be foreseen; of
innovations it would make their mean, and of all sequences the same one."""
_LEARNED = 0.15
_LOOKED_AT = 64

Tensor = Any
Phase = Literal["embedding", "supervision", "joint"]


def train(
    codec: FamilyCodec,
    steps: Steps,
    families: Families,
    settings: Training,
    rng: np.random.Generator,
) -> tuple[TimeGANNetwork, History]:
    """Fit the networks, phase by phase.

    Args:
        codec: How families are written.
        steps: The families' rows.
        families: Where they are.
        settings: How to train in each phase.
        rng: Source of initial weights, windows and noise.

    Returns:
        The networks, and what happened in the last phase.
    """
    torch = load_torch()
    with one_torch_thread(torch):
        device = pick_device(torch, settings.device)
        windows = Windows(torch, device, codec, steps, families, WINDOW)
        learner = _TimeGAN(torch, device, windows, rng)
        some = -(-settings.steps * SMALLEST_BATCH // len(windows))
        rows = np.tile(np.arange(len(windows)), some)  # an epoch has some steps, however few
        history = History()
        phases: tuple[Phase, ...] = ("embedding", "supervision", "joint")
        for phase in phases:
            learner.phase = phase
            history = fit(learner, rows, settings, rng)
        return learner.network(), history


class _TimeGAN:
    """The five networks, and the losses of each phase."""

    def __init__(self, torch: Any, device: Any, windows: Windows, rng: np.random.Generator) -> None:
        self.torch, self.windows, self.rng = torch, windows, rng
        self.phase: Phase = "embedding"
        self.generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        self.widths = windows.codec.widths
        self.width, told = windows.vectors.shape[1], windows.told.shape[1]
        sizes = {
            "embedder": (self.width, LATENT, LAYERS),
            "recovery": (LATENT, self.width, LAYERS),
            "generator": (self.width + told, LATENT, LAYERS),
            "supervisor": (LATENT, LATENT, LAYERS),
            "discriminator": (LATENT + told, 1, LAYERS),
        }
        self.module = first_weights(
            torch,
            lambda: torch.nn.ModuleDict({n: self._network(*size) for n, size in sizes.items()}),
            self.generator,
            device,
        )
        self.autoencoder = self._adam("embedder", "recovery")
        self.supervision = self._adam("supervisor")
        self.generation = self._adam("generator", "supervisor")
        self.discrimination = self._adam("discriminator")
        self.optimisers: Sequence[Any] = [
            self.autoencoder, self.supervision, self.generation, self.discrimination,
        ]  # fmt: skip

    def step(self, rows: Tensor, update: Update) -> float:
        """One step of the phase."""
        batch = self.windows.batch(rows, self.generator)
        if self.phase == "embedding":
            loss = self._reconstruction(self._embedded(batch), batch)
            update(loss, self.autoencoder)
        elif self.phase == "supervision":
            loss = self._supervision(self._known(batch), batch)
            update(loss, self.supervision)
        else:
            loss = self._joint(batch, update)
        return float(loss.detach())

    def validate(self) -> Sequence[float]:
        """None: the loss of a GAN says nothing."""
        return ()

    def codes(self) -> Sequence[Pair]:
        """Codes of some generated rows, and of real ones; before the last phase none."""
        if self.phase != "joint":
            return ()
        with self.torch.no_grad():
            some = self.torch.arange(min(len(self.windows), _LOOKED_AT))
            generator = self.torch.Generator().manual_seed(0)
            batch = self.windows.batch(some, generator)
            made = self._recovered(self._next(self._generated(batch, generator)))
        return self.windows.codes(batch, made, np.random.default_rng(0))

    def network(self) -> TimeGANNetwork:
        """The weights as arrays."""
        parts = [self.module[name] for name in ("generator", "supervisor", "recovery")]
        made = [Recurrent(gru_of(gru), rectified_of([top])) for gru, top in parts]
        return TimeGANNetwork(self.width, *made)

    def _network(self, seen: int, said: int, layers: int) -> Any:
        nn = self.torch.nn
        recurrent = nn.GRU(seen, LATENT, layers, batch_first=True)
        return nn.ModuleList([recurrent, nn.Linear(LATENT, said)])

    def _adam(self, *names: str) -> Any:
        parameters = [p for name in names for p in self.module[name].parameters()]
        return self.torch.optim.Adam(parameters, lr=RATE)

    def _run(self, name: str, seen: Tensor) -> Tensor:
        gru, top = self.module[name]
        return top(gru(seen)[0])  # [b, t, o]

    def _embedded(self, batch: Batch) -> Tensor:
        return self._run("embedder", batch.vectors).sigmoid()  # [b, t, h]

    def _recovered(self, latent: Tensor) -> Tensor:
        return spoken(self.torch, self._run("recovery", latent), self.widths)  # [b, t, w]

    def _next(self, latent: Tensor) -> Tensor:
        return self._run("supervisor", latent).sigmoid()  # [b, t, h]

    def _generated(self, batch: Batch, generator: Any) -> Tensor:
        noise = self.torch.rand((*batch.told.shape[:2], self.width), generator=generator)
        seen = self.torch.cat([noise.to(batch.told.device), batch.told], 2)
        return self._run("generator", seen).sigmoid()  # [b, t, h]

    def _judged(self, latent: Tensor, batch: Batch) -> Tensor:
        """Of one or several sets of latent steps that are told the same, [k b, t, 1]."""
        told = batch.told.repeat(len(latent) // len(batch.told), 1, 1)
        return self._run("discriminator", self.torch.cat([latent, told], 2))

    def _known(self, batch: Batch) -> Tensor:
        """Latent steps of real rows, as they are: the embedder does not learn from them."""
        with self.torch.no_grad():
            return self._embedded(batch)

    def _reconstruction(self, latent: Tensor, batch: Batch) -> Tensor:
        apart = (self._recovered(latent) - batch.vectors) ** 2
        return 10 * _mean(apart, batch.there).sqrt()

    def _supervision(self, latent: Tensor, batch: Batch) -> Tensor:
        apart = (self._next(latent)[:, :-1] - latent[:, 1:]) ** 2
        return _mean(apart, batch.there[:, 1:])

    def _joint(self, batch: Batch, update: Update) -> Tensor:
        """Twice the generator and the embedder for each step of the discriminator."""
        for _ in range(2):
            loss = self._generation(batch)
            update(loss, self.generation)
            latent = self._embedded(batch)
            embedding = self._reconstruction(latent, batch)
            update(embedding + 0.1 * self._supervision(latent, batch), self.autoencoder)
        with self.torch.no_grad():
            drawn = self._generated(batch, self.generator)
            sides = self.torch.cat([self._embedded(batch), self._next(drawn), drawn])
        real, supervised, fake = self._judged(sides, batch).chunk(3)
        judged = self._told_apart(real, batch, 1.0) + self._told_apart(supervised, batch, 0.0)
        judged = judged + GAMMA * self._told_apart(fake, batch, 0.0)
        if float(judged.detach()) > _LEARNED:
            update(judged, self.discrimination)
        return loss

    def _generation(self, batch: Batch) -> Tensor:
        drawn, known = self._generated(batch, self.generator), self._known(batch)
        supervised, expected = self._next(self.torch.cat([drawn, known])).chunk(2)
        judged, fake = self._judged(self.torch.cat([supervised, drawn]), batch).chunk(2)
        fooled = self._told_apart(judged, batch, 1.0)
        fooled = fooled + GAMMA * self._told_apart(fake, batch, 1.0)
        taught = _mean((expected[:, :-1] - known[:, 1:]) ** 2, batch.there[:, 1:])
        moments = _moments_apart(self._recovered(supervised), batch)
        return fooled + ETA * (taught + 1e-12).sqrt() + 100 * moments

    def _told_apart(self, logits: Tensor, batch: Batch, real: float) -> Tensor:
        truth = self.torch.full_like(logits, real)
        losses = self.torch.nn.functional.binary_cross_entropy_with_logits(
            logits, truth, reduction="none"
        )
        return _mean(losses, batch.there)


def _mean(numbers: Tensor, there: Tensor) -> Tensor:
    """The mean over the rows that are there, [b, t, k] and [b, t, 1]."""
    return (numbers * there).sum() / (there.sum() * numbers.shape[2]).clamp(min=1)


def _moments_apart(made: Tensor, batch: Batch) -> Tensor:
    """How far means and spreads of each column are from those of the data."""
    total = batch.there.sum()
    means, spreads = [], []
    for side in (made, batch.vectors):
        mean = (side * batch.there).sum((0, 1)) / total  # [w]
        square = ((side - mean) ** 2 * batch.there).sum((0, 1)) / total
        means.append(mean)
        spreads.append((square + 1e-6).sqrt())
    return (means[0] - means[1]).abs().mean() + (spreads[0] - spreads[1]).abs().mean()
