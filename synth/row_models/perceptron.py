"""A fitted network of dense layers, as arrays: it predicts with NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from prefect_synth.synth.encoding.layout import Floats
from prefect_synth.synth.storage import stored


@stored
@dataclass(frozen=True)
class Perceptron:
    """Linear layers with rectified units between them.

    Args:
        weights: Of each layer, [inputs, outputs] each.
        biases: Of each layer, [outputs] each.
    """

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    def __call__(self, x: Floats) -> Floats:
        """The last layer's outputs for inputs [n, inputs], [n, outputs]."""
        for weights, biases in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = np.maximum(x @ weights + biases, 0)
        return np.asarray(x @ self.weights[-1] + self.biases[-1])


def first_layers(widths: Sequence[int], rng: np.random.Generator, gain: float = 1.0) -> Perceptron:
    """Where training starts: variances that keep a signal's size (He et al. 2015).

    Args:
        widths: Inputs, units of each hidden layer, outputs.
        rng: Source of the weights.
        gain: Variance of the outputs where that of the inputs is 1.
    """
    sizes = list(pairwise(widths))
    scales = [
        np.sqrt((gain if i == len(sizes) - 1 else 2) / max(a, 1)) for i, (a, _) in enumerate(sizes)
    ]
    weights = tuple(
        (rng.standard_normal((a, b)) * scale).astype(np.float32)
        for (a, b), scale in zip(sizes, scales, strict=True)
    )
    return Perceptron(weights, tuple(np.zeros(b, np.float32) for _, b in sizes))
