"""Training of DoppelGANger: the only part of it that needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from prefect_synth.synth.collapse import Pair
from prefect_synth.synth.devices import load_torch, pick_device
from prefect_synth.synth.encoding.layout import Floats
from prefect_synth.synth.row_models.doppelganger import (
    NOISE,
    STEPS,
    WINDOW,
    DoppelGANgerNetwork,
)
from prefect_synth.synth.row_models.families import Families
from prefect_synth.synth.row_models.family_codec import FamilyCodec, Steps
from prefect_synth.synth.row_models.family_vectors import Batch, Windows, spoken
from prefect_synth.synth.row_models.recurrent import first_weights, gru_of, rectified_of
from prefect_synth.synth.row_models.scores import SCORE_END
from prefect_synth.synth.row_models.threads import one_torch_thread
from prefect_synth.synth.training import SMALLEST_BATCH, History, Training, Update, fit

STATE = 100
HIDDEN = 200
RATE = 1e-3
PENALTY = 10.0
_LOOKED_AT = 64

Tensor = Any


def train(
    codec: FamilyCodec,
    steps: Steps,
    heads: Floats,
    families: Families,
    settings: Training,
    rng: np.random.Generator,
) -> tuple[DoppelGANgerNetwork, History]:
    """Fit the generators against both critics.

    Args:
        codec: How families are written.
        steps: The families' rows.
        heads: What families are told, [f, c].
        families: Where they are.
        settings: How to train.
        rng: Source of initial weights, windows and noise.
    """
    torch = load_torch()
    with one_torch_thread(torch):
        device = pick_device(torch, settings.device)
        length = min(WINDOW, -(-int(families.lengths.max()) // STEPS) * STEPS)
        windows = Windows(torch, device, codec, steps, families, length)
        learner = _DoppelGANger(torch, device, windows, steps.traits, heads, rng)
        some = -(-settings.steps * SMALLEST_BATCH // len(windows))
        rows = np.tile(np.arange(len(windows)), some)  # an epoch has some steps, however few
        history = fit(learner, rows, settings, rng)
        return learner.network(), history


class _DoppelGANger:
    """Both generators and both critics, and their losses."""

    def __init__(
        self,
        torch: Any,
        device: Any,
        windows: Windows,
        traits: Floats,
        heads: Floats,
        rng: np.random.Generator,
    ) -> None:
        self.torch, self.windows = torch, windows
        self.generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        self.widths = windows.codec.widths
        self.width, self.told = windows.vectors.shape[1], windows.told.shape[1]
        self.traits = torch.as_tensor((traits / SCORE_END).astype(np.float32), device=device)
        self.heads = torch.as_tensor(heads, device=device)  # [f, c]
        self.count = traits.shape[1]  # none where no column is a number
        self.own = slice(heads.shape[1], heads.shape[1] + traits.shape[1])  # of what rows are told
        flat = windows.length * (self.width + 1) + self.told
        self.module = first_weights(
            torch, lambda: self._networks(heads.shape[1], flat), self.generator, device
        )
        self.judging, self.drawing = (
            self._adam("critic", "auxiliary"), self._adam("traits", "passes", "rows"),
        )  # fmt: skip
        self.optimisers: Sequence[Any] = [self.judging, self.drawing]

    def step(self, rows: Tensor, update: Update) -> float:
        """One step of the critics, and one of the generators."""
        batch = self.windows.batch(rows, self.generator)
        with self.torch.no_grad():
            made, traits = self._generated(batch, self.generator)
        loss = self._critic_loss(batch, made, traits)
        update(loss, self.judging)
        made, traits = self._generated(batch, self.generator)
        flat, first = self._flat(batch, made, traits), self._first(batch, traits)
        fooled = self.module["critic"](flat).mean() + self.module["auxiliary"](first).mean()
        update(-fooled, self.drawing)
        return float(loss.detach())

    def validate(self) -> Sequence[float]:
        """None: the loss of a GAN says nothing."""
        return ()

    def codes(self) -> Sequence[Pair]:
        """Codes of some generated rows, and of real ones."""
        with self.torch.no_grad():
            some = self.torch.arange(min(len(self.windows), _LOOKED_AT))
            generator = self.torch.Generator().manual_seed(0)
            batch = self.windows.batch(some, generator)
            made, _ = self._generated(batch, generator)
        return self.windows.codes(batch, made, np.random.default_rng(0))

    def network(self) -> DoppelGANgerNetwork:
        """The weights of the generators as arrays."""
        traits, rows = (list(self.module[name])[::2] for name in ("traits", "rows"))
        passes = gru_of(self.module["passes"])
        return DoppelGANgerNetwork(rectified_of(traits), passes, rectified_of(rows))

    def _networks(self, heads: int, flat: int) -> Any:
        """All of them, for so many numbers that families are told, and that a window is."""
        nn = self.torch.nn
        return nn.ModuleDict(
            {
                "traits": self._perceptron(NOISE + heads, max(self.count, 1), 2),
                "passes": nn.GRU(NOISE + self.told, STATE, batch_first=True),
                "rows": self._perceptron(STATE + NOISE, STEPS * self.width, 1),
                "critic": self._perceptron(flat, 1, 3),
                "auxiliary": self._perceptron(heads + self.count + 1, 1, 3),
            }
        )

    def _perceptron(self, seen: int, said: int, hidden: int) -> Any:
        nn, layers = self.torch.nn, list[Any]()
        for _ in range(hidden):
            layers += [nn.Linear(seen, HIDDEN), nn.ReLU()]
            seen = HIDDEN
        return nn.Sequential(*layers, nn.Linear(seen, said))

    def _adam(self, *names: str) -> Any:
        parameters = [p for name in names for p in self.module[name].parameters()]
        return self.torch.optim.Adam(parameters, lr=RATE, betas=(0.5, 0.999))

    def _generated(self, batch: Batch, generator: Any) -> tuple[Tensor, Tensor]:
        """Windows [b, t, w], and the traits [b, 2 s] that they were drawn with."""
        torch, b = self.torch, len(batch.told)
        noise = torch.randn((b, NOISE), generator=generator).to(batch.told.device)
        heads = self.heads[batch.families]  # [b, c]
        traits = self.module["traits"](torch.cat([noise, heads], 1)).tanh()[:, : self.count]
        told = batch.told[:, ::STEPS].clone()  # [b, p, c]: of the first row of each pass
        told[:, :, self.own] = traits.unsqueeze(1) * SCORE_END
        noise = torch.randn((*told.shape[:2], NOISE), generator=generator).to(told.device)
        state, _ = self.module["passes"](torch.cat([noise, told], 2))  # [b, p, h]
        said = self.module["rows"](torch.cat([state, noise], 2))  # [b, p, steps w]
        raw = said.view(b, -1, self.width)  # [b, t.., w]
        made = spoken(torch, raw[:, : self.windows.length], self.widths)
        return made * batch.there, traits

    def _flat(self, batch: Batch, vectors: Tensor, traits: Tensor) -> Tensor:
        """What the critic sees: the window, which rows are there, what it is told, [b, x]."""
        told = batch.told[:, 0].clone()
        told[:, self.own] = traits * SCORE_END
        return self.torch.cat([vectors.flatten(1), batch.there.flatten(1), told], 1)

    def _first(self, batch: Batch, traits: Tensor) -> Tensor:
        """What the auxiliary critic sees: what is drawn first, and one, [b, y]."""
        one = self.torch.ones_like(batch.there[:, 0])
        return self.torch.cat([self.heads[batch.families], traits, one], 1)

    def _critic_loss(self, batch: Batch, made: Tensor, traits: Tensor) -> Tensor:
        known = self.traits[batch.families]
        real = (self._flat(batch, batch.vectors, known), self._first(batch, known))
        fake = (self._flat(batch, made, traits), self._first(batch, traits))
        names = ("critic", "auxiliary")
        return sum(self._wasserstein(n, r, f) for n, r, f in zip(names, real, fake, strict=True))

    def _wasserstein(self, name: str, real: Tensor, fake: Tensor) -> Tensor:
        """The critic's loss with a penalty on gradients that are not of norm 1 (Gulrajani 2017)."""
        torch, critic = self.torch, self.module[name]
        share = torch.rand((len(real), 1), generator=self.generator).to(real.device)
        between = (share * real + (1 - share) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        penalty = ((slope.norm(dim=1) - 1) ** 2).mean()
        return critic(fake).mean() - critic(real).mean() + PENALTY * penalty
