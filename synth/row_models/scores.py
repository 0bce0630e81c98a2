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


@stored
@dataclass(frozen=True)
class Scores:
    """A number's quantiles.

    Args:
        chances: Of the knots, rising, [q].
        knots: The quantiles, [q]; the outer ones are of 5 numbers or more.
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
    """The quantiles of some numbers, [n]; none is nearer to the extremes than 5 of them."""
    if not len(numbers):
        return Scores(np.array([0.25, 0.75]), np.zeros(2))
    outer = min(max(RARE / len(numbers), ndtr(-SCORE_END)), 0.25)
    inner = ndtr(np.linspace(-SCORE_END, SCORE_END, _KNOTS))
    chances = np.concatenate([[outer], inner[(inner > outer) & (inner < 1 - outer)], [1 - outer]])
    return Scores(chances, np.quantile(numbers, chances))


def to_bins(scores: Floats, bins: int) -> Ints:
    """Equally likely bins of normal scores, [n]."""
    return np.minimum((ndtr(scores) * bins).astype(np.int64), bins - 1)


def from_bins(codes: Ints, bins: int, rng: np.random.Generator) -> Floats:
    """A normal score in each bin, [n]."""
    return np.asarray(ndtri((codes + rng.random(len(codes))) / bins).clip(-SCORE_END, SCORE_END))
