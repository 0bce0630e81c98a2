"""Traits of families, drawn before their rows: a Gaussian copula given what the family is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import RARE, Floats, Ints
from prefect_synth.synth.row_models.scores import SCORE_END, Scores, fit_scores
from prefect_synth.synth.storage import stored

_LIKE = 0.9
_FEWEST = 20


@stored
@dataclass(frozen=True)
class FamilyTraits:
    """p(traits | what a family is told), by normal scores.

    Traits that are nearly those before them, as highs and lows of prices are, are taken as what a
    line through the likest one leaves.

    Args:
        like: Which trait before it each one is taken from; itself where from none, [k].
        lines: Offset and slope of that, [k, 2].
        marginals: Quantiles of each trait, or of what is left of it, k of them.
        slopes: From one and what is told to the scores, [1 + c, k].
        root: Of the covariance of what the told leaves open, lower triangle, [k, k].
    """

    like: Ints
    lines: Floats
    marginals: tuple[Scores, ...]
    slopes: Floats
    root: Floats

    def scores(self, traits: Floats) -> Floats:
        """Normal scores of traits, [f, k]."""
        left = _left(traits, self.like, self.lines)
        return _columns([m.to_scores(t) for m, t in zip(self.marginals, left.T, strict=True)], left)

    def traits(self, scores: Floats) -> Floats:
        """Traits of normal scores, [f, k]: the inverse."""
        made = np.zeros(scores.shape)
        for k, marginal in enumerate(self.marginals):
            offset, slope = self.lines[k]
            made[:, k] = offset + slope * made[:, self.like[k]] + marginal.from_scores(scores[:, k])
        return made

    def draw(self, told: Floats, rng: np.random.Generator) -> Floats:
        """Normal scores for families that are told `told`, [f, c]: [f, k]."""
        noise = rng.standard_normal((len(told), len(self.root))) @ self.root.T
        expected = self.slopes[0] + told @ self.slopes[1:]
        return np.asarray((expected + noise).clip(-SCORE_END, SCORE_END))


def fit_traits(traits: Floats, told: Floats) -> FamilyTraits:
    """Fit the copula in closed form.

    The slopes are shrunken as if each had seen five families of no slope before: what is told of a
    single family says next to nothing.

    Args:
        traits: Of each family, [f, k].
        told: What it is told, [f, c].
    """
    like, lines = _lines(traits)
    marginals = tuple(fit_scores(t) for t in _left(traits, like, lines).T)
    scores = FamilyTraits(like, lines, marginals, np.zeros((1, 0)), np.zeros((0, 0))).scores(traits)
    middle = told.mean(axis=0) if len(told) else np.zeros(told.shape[1])
    apart = told - middle
    penalty = RARE * np.eye(told.shape[1])
    slopes = np.linalg.solve(apart.T @ apart + penalty, apart.T @ (scores - scores.mean(axis=0)))
    whole, told_of = scores - scores.mean(axis=0), apart @ slopes
    # what the shrunken slopes do not tell, so that all families together keep their spread
    left = (whole.T @ whole - told_of.T @ told_of) / max(len(scores) - 1, 1)
    covariance = left + 1e-6 * np.eye(len(marginals))
    slopes = np.vstack([scores.mean(axis=0) - middle @ slopes, slopes])
    return FamilyTraits(like, lines, marginals, slopes, np.linalg.cholesky(covariance))


def _lines(traits: Floats) -> tuple[Ints, Floats]:
    """For each trait the likest one before it, and the line through it; itself and 0 without."""
    k = traits.shape[1]
    like, lines = np.arange(k), np.zeros((k, 2))
    spread = traits.std(axis=0)
    varies = np.flatnonzero(spread > 1e-9)
    if len(traits) < _FEWEST:
        return like, lines
    correlation = np.zeros((k, k))
    found = np.corrcoef(traits[:, varies].T).reshape(len(varies), len(varies))
    correlation[np.ix_(varies, varies)] = found
    for i in range(1, k):
        j = int(np.argmax(np.abs(correlation[i, :i])))
        if correlation[i, j] ** 2 > _LIKE:
            slope = correlation[i, j] * spread[i] / spread[j]
            like[i], lines[i] = j, (traits[:, i].mean() - slope * traits[:, j].mean(), slope)
    return like, lines


def _left(traits: Floats, like: Ints, lines: Floats) -> Floats:
    """What lines leave of traits, [f, k]."""
    return np.asarray(traits - lines[:, 0] - lines[:, 1] * traits[:, like])


def _columns(columns: list[Floats], beside: Floats) -> Floats:
    return np.column_stack(columns) if columns else np.zeros((len(beside), 0))
