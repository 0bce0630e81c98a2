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


def fit_rhythm(
    ticks: Floats, expected: Floats, candidates: Sequence[tuple[int, int]]
) -> Rhythm | None:
    """The rhythm that explains most, by the Bayesian information criterion; None without one.

    Args:
        ticks: Whole ticks, spikes left out, [n].
        expected: Ticks as they would be without a rhythm, [m].
        candidates: Periods and blocks to try.
    """
    n, best, found = len(ticks), 0.0, None
    for period, block in candidates if n >= _ENOUGH else ():
        if np.ptp(ticks) < 2 * period:
            continue
        counts, even = (_blocks(t, period, block) for t in (ticks, expected))
        even = (even + 0.5) / (even + 0.5).sum()
        seen = counts > 0
        gain = float((counts[seen] * np.log(counts[seen] / (n * even[seen]))).sum())
        gain -= (len(counts) - 1) / 2 * np.log(n)
        if gain > max(best, _GAIN * n):
            best, found = gain, Rhythm(period, block, _protected(counts, n * even))
    return found


def _blocks(ticks: Floats, period: int, block: int) -> Floats:
    """How many ticks are in each block of the period."""
    at = (np.mod(ticks, period) // block).astype(np.int64)
    return np.bincount(at, minlength=period // block).astype(float)


def _protected(counts: Floats, expected: Floats) -> Floats:
    """How much likelier than expected blocks are; those of few rows as much as one another."""
    few = counts < _MIN_ROWS
    likelier = counts / expected
    if few.any():
        likelier[few] = max(counts[few].sum() / expected[few].sum(), 1e-3)
    return likelier / likelier.sum()
