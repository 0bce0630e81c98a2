"""How a generator is judged while it is trained, as the losses of a GAN say nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from prefect_synth.synth.collapse import Pair
from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.row_models.dense import DenseColumn, DenseColumns

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
        For each column its mode, or of a number the tenth of the data that it lies in.
    """
    pairs = []
    for j, column in enumerate(columns.columns):
        codes = [side[0][:, j] for side in (drawn, real)]
        if column.mixture is not None:
            at = columns.scalars.index(j)
            lines = [_line(column, side[0][:, j], side[1][:, at]) for side in (drawn, real)]
            codes = _tenths(column.first, codes, lines)
        pairs.append((codes[0], codes[1]))
    return pairs


def _line(column: DenseColumn, modes: Ints, scalars: Floats) -> Floats:
    """Where numbers lie on the line of their mixture; anywhere beside it, [n]."""
    mixture = column.mixture
    assert mixture is not None  # noqa: S101 - asked of such columns only
    return mixture.value(np.maximum(modes - column.first, 0), scalars)


def _tenths(first: int, modes: list[Ints], lines: list[Floats]) -> list[Ints]:
    """Modes without a scalar, and the tenths of the real numbers of the others, of both sides."""
    real = lines[1][modes[1] >= first]
    inner = np.quantile(real, np.arange(1, _BINS) / _BINS) if len(real) else np.empty(0)
    return [
        np.where(m < first, m, first + np.searchsorted(inner, line))
        for m, line in zip(modes, lines, strict=True)
    ]
