"""The objectives of adversarial training, as a table: losses and penalties of a few lines each.

A critic gives each row a vector of scores: one number, or a point in space for Cramer. `real` and
`fake` are the scores of real and of generated rows, `other` those of a second set of generated
rows, each [b, k]. Every objective is of

* GAN: Goodfellow et al. 2014; the loss of the generator is the one that does not saturate;
* CGAN: Mirza and Osindero 2014, the label one-hot beside the noise and beside the row;
* WGAN: Arjovsky, Chintala and Bottou 2017, weights clipped;
* WGAN-GP: Gulrajani et al. 2017; CWGAN-GP is that with a label, which the penalty leaves alone;
* DRAGAN: Kodali et al. 2017, the penalty around real rows only;
* CramerGAN: Bellemare et al. 2017;
* CTGAN: Xu et al. 2019, a WGAN-GP over packs of rows (PacGAN: Lin et al. 2018) with a conditional
  vector; CopulaGAN is that over normal scores of numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from prefect_synth.synth.row_models.dense import Numbers

Tensor = Any
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]

PENALTY = 10.0
"""What a penalty is multiplied by."""


@dataclass(frozen=True)
class Objective:
    """What a generator and a critic play for.

    Args:
        critic_loss: Of scores `real`, `fake` and `other`.
        generator_loss: Of the same.
        value: The critic's judgement of scores [b, k] where `other` are those of generated rows,
            [b]; what the penalty is on.
        penalty: Where the slope of `value` shall be 1: `between` real and generated rows, or
            `around` real ones; None without.
        clip: Greatest size of a weight of the critic.
        critics: Steps of the critic for one of the generator.
        scores: Numbers that the critic gives a row.
        optimiser: Of `torch.optim`.
        rate: Learning rate of both.
        betas: Of Adam.
        label: Whether one column is the class that rows are drawn for.
        conditions: Whether there is a conditional vector.
        pack: Rows that the critic judges together.
        dropout: Share of the critic's hidden units that a row does not see in a step.
        numbers: How numbers are written.
    """

    critic_loss: Loss
    generator_loss: Loss
    value: Callable[[Tensor, Tensor], Tensor] = lambda scores, other: scores[:, 0]
    penalty: Literal["between", "around"] | None = None
    clip: float | None = None
    critics: int = 1
    scores: int = 1
    optimiser: Literal["Adam", "RMSprop"] = "Adam"
    rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.9)
    label: bool = False
    conditions: bool = False
    pack: int = 1
    dropout: float = 0.0
    numbers: Numbers = "scores"

    @property
    def two_fakes(self) -> bool:
        """Whether a second set of generated rows is needed."""
        return self.scores > 1


def _real_or_not(real: Tensor, fake: Tensor, other: Tensor) -> Tensor:
    """Cross-entropy of telling real rows (above 0) from generated ones (below)."""
    return softplus(-real).mean() + softplus(fake).mean()


def _taken_for_real(real: Tensor, fake: Tensor, other: Tensor) -> Tensor:
    return softplus(-fake).mean()


def _gap(real: Tensor, fake: Tensor, other: Tensor) -> Tensor:
    """Minus the Wasserstein distance, where the critic's slope is at most 1."""
    return fake.mean() - real.mean()


def _raised(real: Tensor, fake: Tensor, other: Tensor) -> Tensor:
    return -fake.mean()


def _critic_value(scores: Tensor, other: Tensor) -> Tensor:
    """How much nearer a point is to zero than to generated rows."""
    return distance(scores, other) - distance(scores, 0 * scores)


def _energy_gap(real: Tensor, fake: Tensor, other: Tensor) -> Tensor:
    return (_critic_value(fake, other) - _critic_value(real, other)).mean()


def _energy_distance(real: Tensor, fake: Tensor, other: Tensor) -> Tensor:
    """Of Szekely and Rizzo 2013; a constant of the real rows is left out."""
    return (distance(real, fake) + distance(real, other) - distance(fake, other)).mean()


def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)), without overflow."""
    return x.clamp(min=0) + (-x.abs()).exp().log1p()


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distance of each pair of rows, [b]; its slope is finite where they are equal."""
    return ((a - b).square().sum(1) + 1e-12).sqrt()


_FAST = 1e-3
_EVEN = 5e-4
# of Gulrajani et al.; but the critic makes one step for one of the generator, not five: steps of
# the generator are what finds the rarer modes of a small table
_NO_MOMENTUM = (0.0, 0.9)

OBJECTIVES: Mapping[str, Objective] = {
    "gan": Objective(_real_or_not, _taken_for_real, dropout=0.5, rate=_FAST),
    "cgan": Objective(_real_or_not, _taken_for_real, label=True, dropout=0.5, rate=_FAST),
    "wgan": Objective(_gap, _raised, clip=0.01, critics=5, optimiser="RMSprop", rate=_EVEN),
    "wgan-gp": Objective(_gap, _raised, penalty="between", rate=_FAST, betas=_NO_MOMENTUM),
    "cwgan-gp": Objective(
        _gap, _raised, penalty="between", rate=_FAST, betas=_NO_MOMENTUM, label=True
    ),
    "dragan": Objective(_real_or_not, _taken_for_real, penalty="around", rate=_FAST),
    "cramer-gan": Objective(
        _energy_gap, _energy_distance, _critic_value, penalty="between", scores=64, rate=_FAST
    ),
    "ctgan": Objective(
        _gap, _raised, penalty="between", rate=_EVEN, conditions=True, pack=2, dropout=0.25,
        numbers="modes",
    ),
    "copula-gan": Objective(
        _gap, _raised, penalty="between", rate=_EVEN, conditions=True, pack=2, dropout=0.25
    ),
}  # fmt: skip
"""Objective by name."""


def slope_penalty(torch: Any, value: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """Mean over rows of (norm of the slope - 1)^2; the norm is of each row's own slope.

    Args:
        torch: The module.
        value: The critic's value of rows, [b, w] to [b]; a row's value follows from it alone.
        points: Where the slope is taken, [b, w].
    """
    points = points.detach().requires_grad_()
    (slopes,) = torch.autograd.grad(value(points).sum(), points, create_graph=True)  # [b, w]
    return (slopes.norm(dim=1) - 1).square().mean()


def penalised(
    torch: Any, kind: Literal["between", "around"], real: Tensor, fake: Tensor, generator: Any
) -> Tensor:
    """Rows at which the critic's slope is penalised, [b, w].

    Args:
        torch: The module.
        kind: On the line between a real and a generated row, or around real rows.
        real: Real rows, [b, w].
        fake: Generated rows, [b, w].
        generator: Source of the places.
    """
    if kind == "between":
        share = torch.rand((len(real), 1), generator=generator).to(real.device)
        return share * real + (1 - share) * fake
    noise = torch.rand(real.shape, generator=generator).to(real.device)
    return real + 0.5 * real.std(dim=0, unbiased=False) * noise
