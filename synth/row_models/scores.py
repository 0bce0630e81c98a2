"""Normal scores of numbers: a number's quantiles, by which either follows from the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from prefect_synth.synth.encoding.layout import RARE, Floats, Ints
from prefect_synth.synth.storage import stored

SCORE_END = 4.0
"""Scores end so many standard deviations from zero."""
_KNOTS = 257
_BETWEEN = max(RARE, 10)
_FEW = ndtr(np.array([-0.4, 0.4]))  # where a normal number is half its mean deviation off its mean


@stored
@dataclass(frozen=True)
class Scores:
    """A number's quantiles.

    Args:
        chances: Of the knots, rising, [q].
        knots: The quantiles, [q]; 5 numbers or more are beyond the outer ones, 10 between two.
    """

    chances: Floats
    knots: Floats

    def to_scores(self, numbers: Floats) -> Floats:
        """Normal scores, [n]; in the middle of a stretch of equal numbers."""
        low = np.interp(numbers, self.knots, self.chances)
        high = 1 - np.interp(-numbers, -self.knots[::-1], 1 - self.chances[::-1])
        return np.asarray(np.clip(ndtri((low + high) / 2), -SCORE_END, SCORE_END))

    def from_scores(self, scores: Floats) -> Floats:
        """Numbers, [n]."""
        return np.asarray(np.interp(ndtr(scores), self.chances, self.knots))


def fit_scores(numbers: Floats) -> Scores:
    """The quantiles of some numbers, [n]; none is nearer to the extremes than 5 of them.

    At least 10 numbers are between two of them: a stored model is no list of the real numbers. Of
    fewer than 20 their mean is kept, and how far they are from it.
    """
    n = len(numbers)
    if n < 2 * _BETWEEN:
        middle = numbers.mean() if n else 0.0
        apart = np.abs(numbers - middle).mean() / 2 if n else 0.0  # never beyond the numbers
        return Scores(_FEW, np.array([middle - apart, middle + apart]))
    chances = _chances(n)
    return Scores(chances, np.quantile(numbers, chances))


def _chances(n: int) -> Floats:
    """Where knots are, rising and symmetric: as close as scores want them, and n numbers allow."""
    outer, step = max(RARE / n, ndtr(-SCORE_END)), _BETWEEN / n
    upper = [0.5]
    for chance in ndtr(np.linspace(0, SCORE_END, _KNOTS // 2 + 1))[1:]:
        if upper[-1] + step <= chance <= 1 - outer - step:
            upper.append(chance)
    if 0.5 + step > 1 - outer:
        upper = []
    half = np.array([*upper, 1 - outer])
    return np.unique(np.concatenate([1 - half, half]))


def to_bins(scores: Floats, bins: int) -> Ints:
    """Equally likely bins of normal scores, [n]."""
    return np.minimum((ndtr(scores) * bins).astype(np.int64), bins - 1)


def from_bins(codes: Ints, bins: int, rng: np.random.Generator) -> Floats:
    """A normal score in each bin, [n]."""
    return np.asarray(ndtri((codes + rng.random(len(codes))) / bins).clip(-SCORE_END, SCORE_END))
