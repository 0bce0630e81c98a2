"""The Gaussian copula, learned from one noised matrix of second moments.

Every ordered column is a normal score, every category of a nominal column a number of its own; a
row is cut to a norm, and the products of all pairs of columns, summed over the rows, are released
with Gaussian noise (the "analyze Gauss" mechanism of Dwork, Talwar, Thakurta and Zhang 2014). The
order of the categories and the correlations follow from it and from the noised marginals.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.special import ndtr, ndtri

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints, Layout
from prefect_synth.synth.privacy.counting import Counting
from prefect_synth.synth.privacy.noise import sigma
from prefect_synth.synth.row_models.copula import (
    CopulaRowModel,
    nearest_correlation,
    normal_scores,
    reorder,
)

_END = 3.0
_MOST_CATEGORIES = 24
_CHUNK = 50_000
_STRONGEST = 0.98
_CONSTANT, _TRACE = 1e-6, 1e-9
_LARGE = 1.25
"""Squared norm that an ordered column may take of a row's, where 1 is its mean."""


def fit_copula(
    rows: Encoded, context: Encoded, counting: Counting, count: int, rho: float
) -> CopulaRowModel:
    """Learn the correlations of rows and contexts.

    Args:
        rows: The rows to learn from, whose layouts are noised, [n, d].
        context: Their contexts, likewise, [n, c].
        counting: Counts them; none of them is left out.
        count: The noised number of rows.
        rho: What it may cost; nothing where it is 0: then columns are drawn alone.
    """
    both = Encoded.beside([context, rows], len(rows))
    layouts = both.layouts
    alone = rho == 0 or not rows.width or both.width < 2
    if alone:
        orders = tuple(np.arange(len(layout.probabilities)) for layout in layouts)
        correlation = np.eye(both.width)
        return CopulaRowModel(True, rows.layouts, orders, correlation, context.width)
    fitted = _Fitting(both, counting, count, rho)
    correlation = fitted.correlation()
    return CopulaRowModel(False, rows.layouts, fitted.orders, correlation, context.width)


class _Fitting:
    """What follows from the noised matrix.

    Args:
        both: Contexts and rows side by side, [n, c + d].
        counting: Counts the rows.
        count: The noised number of rows.
        rho: What it may cost.
    """

    def __init__(self, both: Encoded, counting: Counting, count: int, rho: float) -> None:
        self.layouts = both.layouts
        self.tops = [_top(layout) for layout in both.layouts]
        sums, noise = _moments(both, self.tops, counting, rho)
        self.moments, self.noise = sums / count, noise / count  # [m, m]
        ends = np.cumsum([0, *(len(top) for top in self.tops)])
        self.blocks = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        self.orders = tuple(self._order(j) for j in range(both.width))

    def correlation(self) -> Floats:
        """Correlations of the latent normals: those of the scores, corrected for their widths."""
        weights = np.zeros((len(self.moments), len(self.layouts)))
        for j, (layout, top) in enumerate(zip(self.layouts, self.tops, strict=True)):
            known = _scores(layout, self.orders[j])[top] if layout.nominal else 1.0
            weights[self.blocks[j], j] = known
        covariance = weights.T @ self.moments @ weights
        variance = np.array(
            [_variance(layout, o) for layout, o in zip(self.layouts, self.orders, strict=True)]
        )
        variance[variance < _CONSTANT] = np.inf
        corrected = np.clip(covariance / np.outer(variance, variance), -_STRONGEST, _STRONGEST)
        np.fill_diagonal(corrected, 1.0)
        return nearest_correlation(corrected)

    def _order(self, j: int) -> Ints:
        """The pieces of a column along their latent axis: null first, the rarest in the middle."""
        layout, top, block = self.layouts[j], self.tops[j], self.blocks[j]
        count = len(layout.probabilities)
        if not layout.nominal or count < 3:
            return np.arange(count)
        share = np.maximum(layout.probabilities[top], _TRACE)
        own = np.arange(block.start, block.stop)
        others = np.delete(self.moments[block], own, axis=1)
        centroids = others / share[:, None] - others.sum(axis=0) / share.sum()  # [k, m - k]
        # the weight of a category is its share, but less where its centroid is mostly noise
        weights = share / np.sqrt(share + (self.noise / share) ** 2)
        _, _, axes = np.linalg.svd(weights[:, None] * centroids, full_matrices=False)
        axis = axes[0] * np.sign(axes[0][np.argmax(np.abs(axes[0]))])  # SVD leaves the sign open
        position = np.zeros(count)
        position[top] = centroids @ axis * share / np.sqrt(share**2 + self.noise**2)
        if layout.has_null:
            position[0] = -np.inf
        return np.argsort(position, kind="stable")


def _moments(
    both: Encoded, tops: list[Ints], counting: Counting, rho: float
) -> tuple[Floats, float]:
    """Noised sums of products of the features of different columns, and their noise, [m, m]."""
    owner = np.repeat(np.arange(len(tops)), [len(top) for top in tops])
    bound = sum(1.0 if layout.nominal else _LARGE for layout in both.layouts)
    sums = np.zeros((len(owner), len(owner)))
    for start in range(0, len(both), _CHUNK):  # memory holds the features of so many rows
        some = both.take(np.arange(start, min(start + _CHUNK, len(both))))
        features = np.hstack([_features(some, j, top) for j, top in enumerate(tops)])  # [b, m]
        norms = np.sqrt((features**2).sum(axis=1))
        features *= np.minimum(1.0, np.sqrt(bound) / np.maximum(norms, _TRACE))[:, None]
        learned = features[counting.learned[start : start + _CHUNK]]
        sums += learned.T @ learned
    # Of each pair of columns once: the squares of these products sum to (|x|^4 - sum |x_j|^4) / 2,
    # at most bound^2 (1 - 1 / columns) / 2 for a row, and a unit has so many rows.
    upper = owner[:, None] < owner[None, :]
    sensitivity = counting.most * bound * np.sqrt((1 - 1 / len(tops)) / 2)
    noised = np.zeros_like(sums)
    noised[upper] = counting.noise.gaussian(sums[upper], sensitivity, rho)
    return noised + noised.T, sigma(sensitivity, rho)


def _features(both: Encoded, j: int, top: Ints) -> Floats:
    """Numbers that a column is told by, [n, 1], or [n, k] for k categories."""
    layout, pieces = both.layouts[j], both.pieces[:, j]
    if layout.nominal:
        return np.asarray(pieces[:, None] == top[None, :], float)
    scores = _scores(layout, np.arange(len(layout.probabilities)))[pieces]
    edges = layout.edges
    inside = edges[pieces] + both.places[:, j] * (edges[pieces + 1] - edges[pieces])
    points = ndtri(np.clip(inside, ndtr(-_END), ndtr(_END)))
    return np.where(layout.ranges[pieces], points, scores)[:, None]


def _top(layout: Layout) -> Ints:
    """The pieces of a nominal column that have a feature: the commonest; else one feature."""
    if not layout.nominal:
        return np.zeros(1, np.int64)
    return np.argsort(-layout.probabilities, kind="stable")[:_MOST_CATEGORIES]


def _scores(layout: Layout, order: Ints) -> Floats:
    """The mean normal score of each piece, [P]."""
    edges = reorder(layout, order).edges
    lower, upper = edges[:-1], edges[1:]
    middle = ndtri((lower + upper) / 2)
    scores = np.empty(len(order))
    means = np.where(upper - lower > _CONSTANT, normal_scores(lower, upper), middle)
    scores[order] = np.clip(means, -_END, _END)
    return scores


def _variance(layout: Layout, order: Ints) -> float:
    """Variance of the scores of a column, by its noised shares."""
    ordered = reorder(layout, order)
    ends = ndtri(np.clip(ordered.edges, _TRACE, 1 - _TRACE))
    inside = np.diff(ordered.edges) - np.diff(ends * np.exp(-0.5 * ends**2)) / np.sqrt(2 * np.pi)
    means = _scores(layout, order)[order]
    return float(np.where(ordered.ranges, inside, ordered.probabilities * means**2).sum())
