"""Counts of rows, noised: all that is learned of a single column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.encoding.units import holders
from prefect_synth.synth.privacy.noise import Noise, sigma

_BY_NOISE = 0.01


@dataclass(frozen=True)
class Counting:
    """Counts the rows of one table that are learned from.

    Args:
        units: The unit of each row; negative where the row is left out, [n].
        most: Rows that one unit has at most.
        noise: Noises the counts.
    """

    units: Ints
    most: int
    noise: Noise

    @property
    def learned(self) -> np.ndarray:
        """Which rows are learned from, [n] bool."""
        return self.units >= 0

    def histogram(self, codes: Ints, size: int, rho: float) -> Floats:
        """Noised numbers of rows that have each code, [size].

        Args:
            codes: A code below `size` for each row of the table, [n].
            size: Number of codes; known without looking at the rows.
            rho: What it may cost.
        """
        counts = np.bincount(codes[self.learned], minlength=size).astype(float)
        return self.noise.gaussian(counts, float(self.most), rho)

    def popular(self, codes: Ints, size: int, rho: float, delta: float) -> np.ndarray:
        """Which codes enough units have, where it is the rows that say which codes there are.

        Args:
            codes: A code below `size` for each row of the table, negative for none, [n].
            size: Number of codes.
            rho: What it may cost.
            delta: Probability with which the code of a single unit may get through.
        """
        here = self.learned & (codes >= 0)
        return self.noise.popular(
            holders(codes[here], size, self.units[here]), self.most, rho, delta
        )

    def rows(self, rho: float) -> int:
        """The noised number of rows, at least 1."""
        counted = self.noise.gaussian(np.array(float(self.learned.sum())), float(self.most), rho)
        return max(round(float(counted)), 1)

    def clear(self, rho: float, counts: int) -> float:
        """What hardly any of so many counts comes above by noise alone."""
        return float(-ndtri(_BY_NOISE / counts)) * sigma(float(self.most), rho)


def null_share(nulls: float, rows: float, clear: float) -> float:
    """The share of nulls by noised counts; none where there may be nothing but noise."""
    return nulls / (nulls + max(rows, 0.0)) if nulls > clear else 0.0


def shares(counts: Floats) -> Floats:
    """Noised counts as shares that sum to 1; equal ones where nothing is left, [k]."""
    positive = np.maximum(counts, 0.0)
    total = positive.sum()
    return positive / total if total > 0 else np.full(len(counts), 1 / max(len(counts), 1))
