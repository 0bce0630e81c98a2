"""The Kolmogorov-Smirnov statistic of large samples, without sorting them whole."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from prefect_synth.synth.metrics.sources import Floats, Ints

Flags = npt.NDArray[np.bool_]

_BUCKETS = 1 << 16
_FINE = 40  # of a float's 52 bits of mantissa: 4096 buckets for each power of two


def largest_gap(first: Floats, second: Floats) -> float:
    """The largest difference between two samples' empirical distribution functions, exactly.

    Values fall into buckets in rising order. Counts tell both functions between the buckets, and
    bound them within: only buckets that could hold a larger gap than those found are sorted.

    Args:
        first: Numbers, no NaN, at least one.
        second: Numbers, likewise.

    Returns:
        From 0 for the same distribution to 1.
    """
    low, high = min(first.min(), second.min()), max(first.max(), second.max())
    left, right = (_Bucketed(values, float(low), float(high)) for values in (first, second))
    best = float(np.abs(left.up_to - right.up_to).max())
    wanted = np.maximum(left.up_to - right.below, right.up_to - left.below) > best
    found = left.among(wanted), right.among(wanted)
    wanted &= _mixed(*found)
    points, others = (np.sort(values[wanted[buckets]]) for values, buckets in found)
    if not len(points):
        return best
    at = _buckets(points, float(low), float(high))
    before, others_before = left.skipped(wanted)[at], right.skipped(wanted)[at]
    ranks = before + np.arange(len(points))
    below = (others_before + np.searchsorted(others, points, side="left")) / len(second)
    up_to = (others_before + np.searchsorted(others, points, side="right")) / len(second)
    # Of equal points the last tells the function at them, the first the one just below; what the
    # others tell is never more.
    over = (ranks + 1) / len(first) - up_to
    under = below - ranks / len(first)
    return float(max(best, over.max(), under.max()))


class _Bucketed:
    """A sample in buckets, and its distribution function below and up to each."""

    def __init__(self, values: Floats, low: float, high: float) -> None:
        self.values = values
        self.buckets = _buckets(values, low, high)
        self.counts = np.bincount(self.buckets, minlength=_BUCKETS)
        self.up_to = np.cumsum(self.counts) / len(values)
        self.below = (np.cumsum(self.counts) - self.counts) / len(values)

    def skipped(self, wanted: Flags) -> Ints:
        """How many values stand in buckets before each that are not wanted."""
        others = np.where(wanted, 0, self.counts)
        return np.cumsum(others) - others

    def among(self, wanted: Flags) -> tuple[Floats, npt.NDArray[np.uint16]]:
        """The values of the buckets wanted, and the bucket of each."""
        chosen = wanted[self.buckets]
        return self.values[chosen], self.buckets[chosen]


def _mixed(*sides: tuple[Floats, npt.NDArray[np.uint16]]) -> Flags:
    """Which buckets hold different values: in the others, nothing lies between their ends."""
    one, mixed = np.zeros(_BUCKETS), np.zeros(_BUCKETS, dtype=bool)
    for values, buckets in sides:
        one[buckets] = values
    for values, buckets in sides:
        mixed[buckets[one[buckets] != values]] = True
    return mixed


def _buckets(values: Floats, low: float, high: float) -> npt.NDArray[np.uint16]:
    """Number values so that a larger one never has a smaller number.

    The bits of a float above 0 rise with it: their upper part is a logarithmic scale, here of the
    distance from the lowest value. What is nearer to it than 2^-16 of the range shares a bucket.
    """
    if not np.isfinite(low):
        return np.zeros(len(values), dtype=np.uint16)
    with np.errstate(over="ignore"):
        top = (np.array([high]) - low).view(np.int64)[0] >> _FINE
        bits = (values - low).view(np.int64)
    bits >>= _FINE
    bits -= top - (_BUCKETS - 1)
    return np.maximum(bits, 0, out=bits).astype(np.uint16)
