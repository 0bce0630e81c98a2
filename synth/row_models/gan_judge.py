"""How a generator is judged while it is trained, as the losses of a GAN say nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from prefect_synth.synth.collapse import Pair
from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.row_models.dense import DenseColumns

_BINS = 10

Tensor = Any


class Dependence:
    """Compares how modes and scalars vary together in generated and in real rows.

    It looks at covariances, as what a single column is short of is calibrated in the end. The
    same noise is used at each look, so that two looks differ by the generator alone.

    Args:
        torch: The module.
        real: Held-back rows, flat, [n, w].
        given: What they are told, [n, g].
        draw: Draws flat rows given what they are told.
        seed: Of the noise.
    """

    def __init__(
        self,
        torch: Any,
        real: Tensor,
        given: Tensor,
        draw: Callable[[Tensor, Any], Tensor],
        seed: int,
    ) -> None:
        self.torch, self.given, self.draw, self.seed = torch, given, draw, seed
        self.real = self._covariances(real)  # [w + g, w]

    def distance(self) -> float:
        """Root of the sum of squared differences of all covariances."""
        generator = self.torch.Generator().manual_seed(self.seed)
        fake = self._covariances(self.draw(self.given, generator))
        return float((fake - self.real).square().sum().sqrt())

    def _covariances(self, rows: Tensor) -> Tensor:
        whole = self.torch.cat([rows, self.given], 1)  # [n, w + g]
        return (whole - whole.mean(0)).T @ (rows - rows.mean(0)) / len(rows)  # [w + g, w]


def coded(
    columns: DenseColumns, drawn: tuple[Ints, Floats], real: tuple[Ints, Floats]
) -> list[Pair]:
    """Codes of each column for the alarm of collapse.

    Args:
        columns: How rows are written.
        drawn: Modes [n, d] and scalars [n, s] of drawn rows.
        real: The same of real ones.

    Returns:
        For each column its mode, with the tenth of the data that its scalar lies in.
    """
    pairs = []
    for j in range(len(columns.widths)):
        codes = [side[0][:, j] for side in (drawn, real)]
        if j in columns.scalars:
            at, first = columns.scalars.index(j), columns.columns[j].first
            scalars = [np.where(side[0][:, j] < first, 0, side[1][:, at]) for side in (drawn, real)]
            ends = np.quantile(scalars[1], np.arange(1, _BINS) / _BINS)
            bins = [np.searchsorted(ends, side) for side in scalars]
            codes = [c * _BINS + b for c, b in zip(codes, bins, strict=True)]
        pairs.append((codes[0], codes[1]))
    return pairs
