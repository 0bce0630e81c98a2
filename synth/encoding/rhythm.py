"""Rhythms of whole numbers: prices that end in 99 cents, hours of the day, days of the week.

Inside a range of a quantile marginal ticks are not equally likely where they recur with a period;
a rhythm is the share of each block of the period. It is a measure on ticks, so that a place in a
range and a tick are still each other's inverse, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import Floats
from prefect_synth.synth.storage import stored

_MIN_ROWS = 10
_ENOUGH = 100
_GAIN = 0.01


@stored
@dataclass(frozen=True)
class Rhythm:
    """How likely a tick is by its remainder.

    Args:
        period: Ticks after which it begins again.
        block: Ticks that share one weight.
        weights: Share of each block of the period, [period / block]; none is 0.
    """

    period: int
    block: int
    weights: Floats

    def mass(self, ticks: Floats) -> Floats:
        """The measure of [0, tick), in periods, [n]."""
        turns = np.floor(ticks / self.period)
        rest = ticks - turns * self.period
        block = np.minimum((rest // self.block).astype(np.int64), len(self.weights) - 1)
        inside = (rest - block * self.block) / self.block
        return turns + self._sums[block] + self.weights[block] * inside

    def tick(self, mass: Floats) -> Floats:
        """The tick, and how much of it, at which a measure is reached: the inverse of `mass`."""
        turns = np.floor(mass)
        rest = mass - turns
        block = np.clip(
            np.searchsorted(self._sums, rest, side="right") - 1, 0, len(self.weights) - 1
        )
        inside = (rest - self._sums[block]) / self.weights[block]
        return turns * self.period + (block + inside) * self.block

    @property
    def _sums(self) -> Floats:
        return np.concatenate([[0.0], np.cumsum(self.weights)])


def fit_rhythm(ticks: Floats, candidates: Sequence[tuple[int, int]]) -> Rhythm | None:
    """The rhythm that explains most, by the Bayesian information criterion; None without one.

    Args:
        ticks: Whole ticks, spikes left out, [n].
        candidates: Periods and blocks to try.
    """
    n, best, found = len(ticks), 0.0, None
    for period, block in candidates if n >= _ENOUGH else ():
        if np.ptp(ticks) < 2 * period:
            continue
        size = period // block
        counts = np.bincount((np.mod(ticks, period) // block).astype(np.int64), minlength=size)
        seen = counts[counts > 0]
        gain = float((seen * np.log(seen / n * size)).sum()) - (size - 1) / 2 * np.log(n)
        if gain > max(best, _GAIN * n):
            best, found = gain, Rhythm(period, block, _protected(counts))
    return found


def _protected(counts: Floats) -> Floats:
    """Shares of blocks; those of few rows are as likely as one another."""
    counts = counts.astype(float)
    few = counts < _MIN_ROWS
    counts[few] = max(counts[few].mean(), 1e-3) if few.any() else 0.0
    return counts / counts.sum()
