"""The Gaussian copula, in closed form.

Every value is an interval of [0, 1]; its score is the mean of a standard normal inside that
interval. Correlations of such scores are attenuated by the width of the intervals, and are
corrected by the first term of the Hermite expansion: a polychoric estimate without optimisation
(Olsson 1979 for the model; Lancaster 1957 for the expansion). Categories are ordered along the
first principal axis of their centroids, as in correspondence analysis (Greenacre 1984).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtr, ndtri

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints, Layout, from_uniform
from prefect_synth.synth.row_models.base import Among, Condition
from prefect_synth.synth.storage import stored

MOST_ROWS = 200_000
_ORDERED_ON = 20_000
_ONE_HOT = 20
_STRONGEST = 0.98
_SWEEPS = 3
_END = 2.5


@stored
@dataclass
class CopulaRowModel:
    """p(row | context) as one Gaussian over normal scores.

    Args:
        independent: Leave every correlation out: columns are drawn alone.
        layouts: Pieces of the row's columns, learned.
        orders: For each context and row column, its pieces along the latent axis, learned.
        correlation: Of context and row columns, [c + d, c + d], learned.
        width: Number of context columns, learned.
        calibrated: Whether the draws have the shares of the data, as near as can be.
    """

    independent: bool = False
    layouts: tuple[Layout, ...] = ()
    orders: tuple[Ints, ...] = ()
    correlation: Floats | None = None
    width: int = 0
    calibrated: bool = True

    def fit(self, rows: Encoded, context: Encoded, rng: np.random.Generator) -> Self:
        """Learn the latent order of categories and the correlations."""
        both = Encoded.beside([context, rows], len(rows))
        if len(both) > MOST_ROWS:  # evenly spaced rows estimate a correlation well enough
            both = both.take(np.linspace(0, len(both) - 1, MOST_ROWS).astype(np.int64))
        self.layouts, self.width = rows.layouts, context.width
        self.orders = latent_orders(both)
        identity = self.independent or len(both) < 3 or not rows.width
        self.correlation = np.eye(both.width) if identity else self._correlation(both)
        return self

    def sample(
        self,
        context: Encoded,
        rng: np.random.Generator,
        conditions: Mapping[int, Condition] | None = None,
    ) -> Encoded:
        """Draw rows; without conditions each column's marginal is met by rank calibration."""
        assert self.correlation is not None  # noqa: S101 - the frame samples only what it fitted
        n, d = len(context), len(self.layouts)
        if not d:
            return Encoded.empty(n)
        held = self._settled(conditions or {}, n, rng)
        given = [*range(self.width), *(self.width + j for j in held)]
        z_given = self._given_scores(context, held, rng)
        free = [self.width + j for j in range(d) if j not in held]
        z = np.empty((n, d))
        z[:, [j - self.width for j in free]] = _conditional(
            self.correlation, given, free, z_given, rng
        )
        pieces, places = np.empty((n, d), np.int64), np.empty((n, d))
        for j in range(d):
            if j in held:
                pieces[:, j], places[:, j] = held[j]
                continue
            exact = self.calibrated and not held
            u = calibrated(z[:, j], rng) if exact else ndtr(z[:, j])
            pieces[:, j], places[:, j] = self._decode(j, u)
        return Encoded(pieces, places, self.layouts)

    def sample_held(
        self, context: Encoded, rng: np.random.Generator, conditions: Mapping[int, Condition]
    ) -> tuple[Encoded, Floats]:
        """Draw rows on which conditions hold; every context counts as much as any other."""
        return self.sample(context, rng, conditions), np.ones(len(context))

    def _settled(
        self, conditions: Mapping[int, Condition], rows: int, rng: np.random.Generator
    ) -> dict[int, tuple[Ints, Floats]]:
        """Piece and place of each row by held column; in stretches as the column has them."""
        found = {}
        for j, held in sorted(conditions.items()):
            if isinstance(held, Among):
                found[j] = held.drawn(self.layouts[j], rows, rng)
            else:
                found[j] = np.full(rows, held[0], np.int64), np.full(rows, float(held[1]))
        return found

    def _correlation(self, both: Encoded) -> Floats:
        lower, upper = self._intervals(both)
        scores = normal_scores(lower, upper)
        scores -= scores.mean(axis=0)
        covariance = scores.T @ scores / len(scores)
        variance = np.diag(covariance).copy()
        variance[variance < 1e-9] = np.inf
        corrected = np.clip(covariance / np.outer(variance, variance), -_STRONGEST, _STRONGEST)
        np.fill_diagonal(corrected, 1.0)
        return nearest_correlation(corrected)

    def _intervals(self, both: Encoded) -> tuple[Floats, Floats]:
        """As `Encoded.intervals`, with categories along their latent axis."""
        ordered = [
            reorder(layout, order) for layout, order in zip(both.layouts, self.orders, strict=True)
        ]
        ranks = [np.argsort(order) for order in self.orders]
        columns = [ranks[j][both.pieces[:, j]] for j in range(both.width)]
        pieces = np.column_stack(columns) if columns else both.pieces
        return Encoded(pieces, both.places, tuple(ordered)).intervals()

    def _given_scores(
        self,
        context: Encoded,
        held: Mapping[int, tuple[Ints, Floats]],
        rng: np.random.Generator,
    ) -> Floats:
        """Normal scores of what is known, drawn inside its intervals; Gibbs sweeps if several."""
        n = len(context)
        fixed = Encoded(
            np.column_stack([np.zeros((n, 0), np.int64), *(p for p, _ in held.values())]),
            np.column_stack([np.zeros((n, 0)), *(q for _, q in held.values())]),
            tuple(self.layouts[j] for j in held),
        )
        known = Encoded.beside([context, fixed], n)
        at = [*range(self.width), *(self.width + j for j in held)]
        part = CopulaRowModel(orders=tuple(self.orders[j] for j in at))
        lower, upper = part._intervals(known)
        z = truncated(lower, upper, np.zeros_like(lower), np.ones(lower.shape[1]), rng)
        if not held or len(at) < 2:
            return z
        assert self.correlation is not None  # noqa: S101
        precision = np.linalg.inv(self.correlation[np.ix_(at, at)])
        for _ in range(_SWEEPS):
            for j in range(len(at)):
                others = [i for i in range(len(at)) if i != j]
                mean = -(z[:, others] @ precision[others, j]) / precision[j, j]
                spread = np.array([1 / np.sqrt(precision[j, j])])
                z[:, [j]] = truncated(lower[:, [j]], upper[:, [j]], mean[:, None], spread, rng)
        return z

    def _decode(self, j: int, u: Floats) -> tuple[Ints, Floats]:
        order = self.orders[self.width + j]
        piece, place = from_uniform(reorder(self.layouts[j], order), u)
        return order[piece], place


def reorder(layout: Layout, order: Ints) -> Layout:
    """The same pieces in another order."""
    return Layout(
        layout.probabilities[order], layout.ranges[order], layout.nominal, layout.has_null
    )


def normal_scores(lower: Floats, upper: Floats) -> Floats:
    """Mean of a standard normal inside each interval, or its quantile at a point, [n, d]."""
    width = upper - lower
    # the values beyond a protected end all lie on it: their score is that of their middle rank
    end = min(_END / max(len(lower), 1), 0.05)
    point = ndtri(np.clip((lower + upper) / 2, end, 1 - end))
    low, high = (ndtri(np.clip(edge, 0, 1)) for edge in (lower, upper))
    density = np.exp(-0.5 * low**2) - np.exp(-0.5 * high**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = density / np.sqrt(2 * np.pi) / width
    return np.where(width > 1e-6, mean, point)


def calibrated(z: Floats, rng: np.random.Generator) -> Floats:
    """Ranks of `z` as uniform numbers, one in each of n equal strata: [n]."""
    ranks = np.empty(len(z))
    ranks[np.argsort(z, kind="stable")] = np.arange(len(z))
    return (ranks + rng.random(len(z))) / max(len(z), 1)


def truncated(
    lower: Floats, upper: Floats, mean: Floats, spread: Floats, rng: np.random.Generator
) -> Floats:
    """Normal draws of given mean and spread whose CDF under N(0, 1) lies in [lower, upper]."""
    low = ndtr((ndtri(np.clip(lower, 1e-9, 1 - 1e-9)) - mean) / spread)
    high = ndtr((ndtri(np.clip(upper, 1e-9, 1 - 1e-9)) - mean) / spread)
    u = low + rng.random(lower.shape) * np.maximum(high - low, 0)
    return np.asarray(mean + spread * ndtri(np.clip(u, 1e-9, 1 - 1e-9)))


def nearest_correlation(matrix: Floats) -> Floats:
    """A positive definite correlation matrix near `matrix`: eigenvalues clipped, diagonal 1."""
    values, vectors = np.linalg.eigh(matrix)
    if values[0] >= 1e-4:
        return matrix
    fixed = (vectors * np.maximum(values, 1e-4)) @ vectors.T
    scale = 1 / np.sqrt(np.diag(fixed))
    return np.asarray(fixed * np.outer(scale, scale))


def latent_orders(both: Encoded) -> tuple[Ints, ...]:
    """For each column the order of its pieces; categories by their centroids' main axis."""
    if len(both) < 3:
        return tuple(np.arange(len(layout.probabilities)) for layout in both.layouts)
    step = max(len(both) // _ORDERED_ON, 1)
    some = both.take(np.arange(0, len(both), step))
    blocks = [_features(some, j) for j in range(some.width)]
    orders = []
    for j, layout in enumerate(some.layouts):
        count = len(layout.probabilities)
        others = [b for i, b in enumerate(blocks) if i != j]
        if not layout.nominal or count < 3 or not others:
            orders.append(np.arange(count))
            continue
        orders.append(_main_axis(some.pieces[:, j], np.hstack(others), layout))
    return tuple(orders)


def _features(some: Encoded, j: int) -> Floats:
    one = some.columns(j, j + 1)
    if not one.layouts[0].nominal:
        return _standard(normal_scores(*one.intervals()))
    top = np.argsort(-one.layouts[0].probabilities, kind="stable")[:_ONE_HOT]
    return _standard((one.pieces == top[None, :]).astype(float)) / np.sqrt(len(top))


def _standard(x: Floats) -> Floats:
    spread = x.std(axis=0)
    return np.asarray((x - x.mean(axis=0)) / np.where(spread > 1e-9, spread, np.inf))


def _main_axis(pieces: Ints, features: Floats, layout: Layout) -> Ints:
    count = len(layout.probabilities)
    rows = np.bincount(pieces, minlength=count).astype(float)
    sums = np.column_stack([np.bincount(pieces, f, minlength=count) for f in features.T])
    centroids = sums / np.maximum(rows, 1)[:, None]
    weighted = centroids * np.sqrt(rows)[:, None]
    _, _, axes = np.linalg.svd(weighted, full_matrices=False)
    axis = axes[0] * np.sign(axes[0][np.argmax(np.abs(axes[0]))])  # SVD leaves the sign open
    position = centroids @ axis
    if layout.has_null:
        position[0] = -np.inf  # null stays first, whatever the axis
    return np.argsort(position, kind="stable")


def _conditional(
    correlation: Floats, given: list[int], free: list[int], z: Floats, rng: np.random.Generator
) -> Floats:
    """Draw the free scores given the known ones, [n, len(free)]."""
    if not free:
        return np.empty((len(z), 0))
    own = correlation[np.ix_(free, free)]
    noise = rng.standard_normal((len(z), len(free)))
    if not given:
        return noise @ _root(own).T
    cross = correlation[np.ix_(free, given)]
    weights = np.linalg.solve(correlation[np.ix_(given, given)], cross.T).T
    rest = own - weights @ cross.T
    return np.asarray(z @ weights.T + noise @ _root(rest).T)


def _root(covariance: Floats) -> Floats:
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    root = vectors * np.sqrt(np.maximum(values, 0))
    # eigenvectors have an open sign; fixing it keeps draws equal between LAPACK builds
    signs = np.sign(vectors[np.argmax(np.abs(vectors), axis=0), np.arange(len(values))])
    return np.asarray(root * np.where(signs == 0, 1, signs))
