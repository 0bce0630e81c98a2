"""Training of the autoregressive network by noised steps: DP-SGD, entity by entity.

Units take part in a step at random (Poisson sampling), the gradient of all rows of a unit together
is cut to a norm, and Gaussian noise is added to the sum (Abadi et al. 2016, "Deep learning with
differential privacy"; McMahan et al. 2018 for the user as the unit). The norm of a unit's gradient
is computed without the gradient: in a linear layer it follows from the products of inputs and of
errors of the unit's rows (Li et al. 2022, "Large language models can be strong differentially
private learners"; Bu et al. 2022, "ghost clipping"). A masked layer needs products of prefixes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from prefect_synth.synth.devices import load_torch
from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.privacy.noise import FINE
from prefect_synth.synth.row_models.argn_network import Network, Shape
from prefect_synth.synth.row_models.threads import one_torch_thread

_TRACE = 1e-12
_CHUNK = 1024


@dataclass(frozen=True)
class Steps:
    """How a network is trained.

    Args:
        rate: Probability with which a unit takes part in a step.
        steps: Steps.
        noise: Standard deviation of the noise, in units of `clip`.
        clip: Norm that a unit's gradient is cut to.
        units: The noised number of units.
        learning_rate: Of Adam.
    """

    rate: float
    steps: int
    noise: float
    clip: float
    units: int
    learning_rate: float


def train_privately(
    codes: Ints,
    units: Ints,
    shape: Shape,
    tables: list[Floats],
    shares: list[Floats],
    steps: Steps,
    rng: np.random.Generator,
) -> Network:
    """Fit a network by noised maximum likelihood.

    Args:
        codes: Context and row columns in the network's order, [n, c + d].
        units: The unit of each row, [n].
        shape: Sizes.
        tables: First embedding of each column, [K, e] each.
        shares: Noised shares of the codes of each predicted column; the bias starts at their logs.
        steps: How to train.
        rng: Source of initial weights, of who takes part in a step, and of the noise: one that
            nobody can foresee.
    """
    torch = load_torch()
    with one_torch_thread(torch):
        trainer = Trainer(torch, codes, units, shape, tables, shares, steps, rng)
        for _ in range(steps.steps):
            trainer.step()
        return trainer.network()


class Trainer:
    """A network in training.

    Args:
        torch: The module.
        codes: As of `train_privately`, and so are the others.
        units: The unit of each row.
        shape: Sizes.
        tables: First embeddings.
        shares: Noised shares.
        steps: How to train.
        rng: Source of all that is drawn.
    """

    def __init__(
        self,
        torch: Any,
        codes: Ints,
        units: Ints,
        shape: Shape,
        tables: list[Floats],
        shares: list[Floats],
        steps: Steps,
        rng: np.random.Generator,
    ) -> None:
        self.torch, self.shape, self.steps, self.rng = torch, shape, steps, rng
        self.codes = torch.as_tensor(codes, dtype=torch.int64)  # [n, c + d]
        self.rows, self.there = (torch.as_tensor(a) for a in by_unit(units))  # [U, T] each
        width, hidden = sum(shape.embedded), sum(shape.hidden)
        seen = np.repeat(shape.inputs, shape.hidden)
        mask = np.arange(width)[:, None] < seen  # [D, H]
        scale = np.sqrt(2 / np.maximum(seen, 1))
        self.mask = torch.as_tensor(mask, dtype=torch.float32)
        self.tables = [self._weight(t) for t in tables]
        self.weights = self._weight(rng.standard_normal((width, hidden)) * scale * mask)
        self.biases = self._weight(np.zeros(hidden))
        # heads of 0: training starts at the noised shares themselves
        self.heads = [
            self._weight(np.zeros((h, len(s)))) for h, s in zip(shape.hidden, shares, strict=True)
        ]
        self.marginals = [self._weight(np.log(s)) for s in shares]
        self.parameters = [*self.tables, self.weights, self.biases, *self.heads, *self.marginals]
        self.optimiser = torch.optim.Adam(self.parameters, lr=steps.learning_rate)

    def step(self) -> None:
        """Add up the cut gradients of the units that take part, add noise, and descend."""
        torch, steps = self.torch, self.steps
        chosen = np.flatnonzero(self.rng.random(len(self.rows)) < steps.rate)
        sums = [torch.zeros_like(p) for p in self.parameters]
        for part in torch.split(torch.as_tensor(chosen), _CHUNK) if len(chosen) else ():
            for total, gradient in zip(sums, self.cut_gradients(part), strict=True):
                total += gradient
        expected = steps.rate * steps.units
        for parameter, total in zip(self.parameters, sums, strict=True):
            parameter.grad = self._noised(total) / expected
        self.optimiser.step()

    def cut_gradients(self, units: Any) -> list[Any]:
        """The sum over units of their gradients, each cut to the norm, as the parameters are."""
        torch = self.torch
        rows, there = self.rows[units], self.there[units]  # [B, T]
        losses, tape = self._losses(self.codes[rows.reshape(-1)])
        losses = losses * there.reshape(-1)
        flat = [tape.embedded, tape.hidden, *tape.logits]
        errors = torch.autograd.grad(losses.sum(), flat, retain_graph=True)
        # what is 0 may come out a little below it
        norms = self._norms(tape, errors, rows.shape).clamp(min=0.0).sqrt()  # [B]
        finite = norms.isfinite()
        if not finite.all():  # no factor can cut those: they take no part
            kept = units[finite]
            nothing = [torch.zeros_like(p) for p in self.parameters]
            return self.cut_gradients(kept) if len(kept) else nothing
        factors = (self.steps.clip / (norms + _TRACE)).clamp(max=1.0)
        weighted = (losses.reshape(rows.shape) * factors[:, None].detach()).sum()
        return list(torch.autograd.grad(weighted, self.parameters))

    def _noised(self, total: Any) -> Any:
        """A sum with noise, on a grid far coarser than its last digits."""
        # by NumPy: the generator of torch keeps 32 bits of its seed, which can be tried out
        drawn = self.rng.standard_normal(tuple(total.shape), dtype=np.float32)
        deviation = self.steps.noise * self.steps.clip
        grid = 2.0 ** (math.floor(math.log2(deviation)) - FINE)
        noised = total + self.torch.from_numpy(drawn) * deviation
        return (noised / grid).round() * grid

    def network(self) -> Network:
        """The weights as arrays."""
        ends = np.cumsum(self.shape.hidden)[:-1]
        weights = np.split(_array(self.weights * self.mask), ends, 1)
        return Network(
            tuple(_array(t) for t in self.tables),
            tuple(w[:i].copy() for w, i in zip(weights, self.shape.inputs, strict=True)),
            tuple(np.split(_array(self.biases), ends)),
            tuple(_array(h) for h in self.heads),
            tuple(_array(m) for m in self.marginals),
        )

    def _losses(self, codes: Any) -> tuple[Any, _Tape]:
        """Negative log likelihood of each row, [N], and what gradients are made of."""
        functional, torch = self.torch.nn.functional, self.torch
        columns = codes.unbind(1)  # c + d of [N]
        embedded = torch.cat(
            [functional.embedding(c, t) for c, t in zip(columns, self.tables, strict=True)], 1
        )  # [N, D]
        hidden = torch.addmm(self.biases, embedded, self.weights * self.mask)  # [N, H]
        parts = torch.split(hidden.relu(), self.shape.hidden, 1)
        logits = [
            torch.addmm(m, part, head)
            for m, part, head in zip(self.marginals, parts, self.heads, strict=True)
        ]
        own = columns[self.shape.contexts :]
        losses = sum(
            functional.cross_entropy(made, target, reduction="none")
            for made, target in zip(logits, own, strict=True)
        )
        return losses, _Tape(columns, embedded, hidden, parts, logits)

    def _norms(self, tape: _Tape, errors: Any, shape: Any) -> Any:
        """Squared norm of the gradient of each unit's rows together, [B]."""
        torch, (of_embedded, of_hidden, *of_logits) = self.torch, errors

        def products(values: Any) -> Any:
            each = values.detach().reshape(*shape, -1)
            return each @ each.transpose(1, 2)  # [B, T, T]

        total = torch.zeros(shape[0])
        inputs = torch.split(tape.embedded, self.shape.embedded, 1)
        back = torch.split(of_embedded, self.shape.embedded, 1)
        for column, error in zip(tape.columns, back, strict=True):  # embeddings
            codes = column.reshape(shape)
            same = codes[:, :, None] == codes[:, None, :]
            total += (products(error) * same).sum((1, 2))
        before = torch.zeros(shape[0], shape[1], shape[1])
        for of_context in inputs[: self.shape.contexts]:
            before = before + products(of_context)
        hidden = torch.split(of_hidden, self.shape.hidden, 1)
        own = inputs[self.shape.contexts :]
        for j, error in enumerate(hidden):
            total += (products(error) * (before + 1)).sum((1, 2))  # weights and biases
            total += (products(of_logits[j]) * (products(tape.parts[j]) + 1)).sum((1, 2))
            before = before + products(own[j])
        return total

    def _weight(self, values: Floats) -> Any:
        return self.torch.as_tensor(values, dtype=self.torch.float32).requires_grad_()


@dataclass(frozen=True)
class _Tape:
    """What a forward pass leaves: codes, embeddings, hidden units before and after, logits."""

    columns: Any
    embedded: Any
    hidden: Any
    parts: Any
    logits: Any


def by_unit(units: Ints) -> tuple[Ints, np.ndarray]:
    """Rows of each unit, padded with the first, and which of them are there, [U, T] each."""
    order = np.argsort(units, kind="stable")
    _, first, counts = np.unique(units[order], return_index=True, return_counts=True)
    at = np.arange(counts.max(initial=1))
    there = at[None, :] < counts[:, None]
    return order[np.where(there, first[:, None] + at[None, :], first[:, None])], there


def _array(tensor: Any) -> Floats:
    return np.array(tensor.detach().cpu().numpy(), np.float32)
