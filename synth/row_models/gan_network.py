"""A fitted generator, as arrays: it draws with NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.row_models.raking import inverse, probabilities
from prefect_synth.synth.storage import stored

NOISE = 128
"""Random numbers that a row is made of."""
_ROUNDS = 20
_LEAST = 1e-30


@stored
@dataclass(frozen=True)
class Generator:
    """A residual network: each hidden layer stands beside its input.

    Batch normalisation is folded into the weights, with the means of many generated rows.

    Args:
        weights: Of the hidden layers, then of the head, [inputs, units] each.
        biases: Of the same, [units] each.
        widths: Modes of each column: the head's first units are their logits, the others scalars.
    """

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]
    widths: tuple[int, ...]

    def __call__(self, inputs: Floats) -> tuple[Floats, Floats]:
        """Logits of all modes [n, W] and scalars [n, s] of noise with what is given, [n, i]."""
        x = inputs.astype(np.float32, copy=False)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = np.hstack([np.maximum(x @ weight + bias, 0), x])
        x = x @ self.weights[-1] + self.biases[-1]  # [n, W + s]
        logits = sum(self.widths)
        return x[:, :logits], np.tanh(x[:, logits:])

    def modes(self, logits: Floats, rng: np.random.Generator) -> Ints:
        """A mode of each column drawn from logits [n, W], [n, d]."""
        blocks = np.split(logits, np.cumsum(self.widths)[:-1], axis=1)
        drawn = [inverse(probabilities(block), rng.random(len(block))) for block in blocks]
        return np.column_stack(drawn)

    def shifted(self, offsets: Floats) -> Generator:
        """The same with numbers added to its logits, [W]."""
        bias = self.biases[-1].copy()
        bias[: len(offsets)] += offsets.astype(np.float32)
        return Generator(self.weights, (*self.biases[:-1], bias), self.widths)


def offsets(logits: Floats, shares: Floats) -> Floats:
    """What to add to a column's logits [n, K] for its mean probabilities to be `shares`, [K].

    Iterative proportional fitting (Deming and Stephan 1940) of the column's margin.
    """
    odds, factor = probabilities(logits.astype(np.float64)), np.ones(len(shares))
    for _ in range(_ROUNDS if len(odds) else 0):
        # einsum, for its sums do not depend on the number of threads
        scale = 1 / np.maximum(np.einsum("nk,k->n", odds, factor), _LEAST)
        mean = factor * np.einsum("nk,n->k", odds, scale) / len(odds)
        factor *= np.clip(shares / np.maximum(mean, _LEAST), 0.1, 10.0)
    return np.log(factor)
