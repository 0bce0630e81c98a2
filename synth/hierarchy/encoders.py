"""Encoders of what the frame itself adds to a row: counts, effects, levels, traits, references."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints, Layout
from prefect_synth.synth.encoding.parametric import ParametricMarginal
from prefect_synth.synth.encoding.pieces import with_null_share
from prefect_synth.synth.encoding.quantile import QuantileMarginal, fit_quantiles
from prefect_synth.synth.hierarchy.tails import with_tail
from prefect_synth.synth.row_models.copula import normal_scores
from prefect_synth.synth.storage import stored

_FEW = 20
_TRAITS = 2
_ONE_HOT = 12


@stored
@dataclass(frozen=True)
class NumbersCodec:
    """Columns of plain numbers, each with its marginal; a null is a NaN."""

    marginals: tuple[QuantileMarginal | ParametricMarginal, ...]
    nulls: tuple[float, ...]

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """The pieces of each column."""
        return tuple(_layout(m, null) for m, null in zip(self.marginals, self.nulls, strict=True))

    def encode(self, numbers: Floats) -> Encoded:
        """Pieces and places of `numbers`, [n, k]."""
        pieces = np.zeros(numbers.shape, np.int64)
        places = np.full(numbers.shape, 0.5)
        for j, (marginal, null) in enumerate(zip(self.marginals, self.nulls, strict=True)):
            known = ~np.isnan(numbers[:, j])
            at, where = marginal.locate(numbers[known, j])
            pieces[known, j], places[known, j] = at + int(null > 0), where
        return Encoded(pieces, places, self.layouts)

    def decode(self, rows: Encoded) -> Floats:
        """Numbers at pieces and places, NaN for null, [n, k]."""
        numbers = np.full(rows.pieces.shape, np.nan)
        for j, (marginal, null) in enumerate(zip(self.marginals, self.nulls, strict=True)):
            shift = int(null > 0)
            known = rows.pieces[:, j] >= shift
            numbers[known, j] = marginal.value(rows.pieces[known, j] - shift, rows.places[known, j])
        return numbers


def fit_numbers(numbers: Floats, whole: bool) -> NumbersCodec:
    """Fit quantile marginals to the columns of `numbers`, [n, k]; NaN is null."""
    marginals = tuple(fit_quantiles(column[~np.isnan(column)], whole) for column in numbers.T)
    nulls = tuple(float(np.isnan(column).mean()) if len(column) else 0.0 for column in numbers.T)
    return NumbersCodec(marginals, nulls)


def fit_counts(counts: Ints) -> NumbersCodec:
    """Fit the marginal of a number of children; for few parents by its mean and spread."""
    numbers = counts.astype(float)
    if len(numbers) >= _FEW:
        return NumbersCodec((with_tail(fit_quantiles(numbers, whole=True), numbers),), (0.0,))
    mean = float(numbers.mean()) if len(numbers) else 0.0
    spread = max(float(numbers.std()) if len(numbers) else 0.0, 0.1 * mean, 0.1)
    mean = max(mean, 1e-3)
    parameters = ((mean / spread) ** 2, 0.0, spread**2 / mean)
    return NumbersCodec(
        (ParametricMarginal("gamma", parameters, 0.0, 10 * mean + 1, whole=True),), (0.0,)
    )


def fit_levels(level: Ints) -> NumbersCodec:
    """Fit the shares of the levels of a tree, each for itself: a forest may have a single root."""
    values, counts = np.unique(level, return_counts=True)
    if not len(values):
        return fit_numbers(np.zeros((0, 1)), whole=True)
    ticks = values.astype(float)
    return NumbersCodec((QuantileMarginal(ticks, ticks, counts / len(level), True),), (0.0,))


@stored
@dataclass(frozen=True)
class Traits:
    """A parent row as a few numbers: main axes of its columns, weighted by its children.

    Args:
        tops: For each encoded column its commonest pieces, or none where it is ordered.
        means: Of the features, [m].
        axes: Projection, [m, k].
    """

    tops: tuple[Ints, ...]
    means: Floats
    axes: Floats

    def of(self, parents: Encoded) -> Floats:
        """Traits of parent rows, [parents, k]."""
        return np.asarray((_features(parents, self.tops) - self.means) @ self.axes)


def fit_traits(parents: Encoded, weights: Ints) -> Traits:
    """Principal axes of the parents' columns, each parent counted as often as it has children."""
    tops = tuple(
        np.argsort(-layout.probabilities, kind="stable")[:_ONE_HOT]
        if layout.nominal
        else np.zeros(0, np.int64)
        for layout in parents.layouts
    )
    features = _features(parents, tops)
    total = max(int(weights.sum()), 1)
    means = (weights @ features) / total
    centred = features - means
    spread = np.sqrt((weights @ centred**2) / total)
    scale = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0.0)
    scaled = centred * scale
    values, vectors = np.linalg.eigh((scaled * weights[:, None]).T @ scaled / total)
    order = np.argsort(-values)[: min(_TRAITS, int((values > 1e-6).sum()))]
    axes = vectors[:, order]
    largest = np.argmax(np.abs(axes), axis=0) if axes.size else np.zeros(len(order), np.int64)
    signs = np.sign(axes[largest, np.arange(len(order))])
    return Traits(tops, means, scale[:, None] * axes * np.where(signs == 0, 1, signs))


def _features(parents: Encoded, tops: tuple[Ints, ...]) -> Floats:
    blocks = [np.zeros((len(parents), 0))]
    for j, top in enumerate(tops):
        one = parents.columns(j, j + 1)
        if len(top):
            blocks.append((one.pieces == top[None, :]) / np.sqrt(len(top)))
        else:
            blocks.append(normal_scores(*one.intervals()))
    return np.hstack(blocks)


def reference_layout(link: Ints, parents: int) -> Layout:
    """The rows of a kept parent table as categories of its child; null first if any."""
    counts = np.bincount(link[link >= 0], minlength=parents).astype(float)
    nulls = float((link < 0).sum())
    weights = np.concatenate([[nulls], counts]) if nulls else counts
    weights = weights / weights.sum() if weights.sum() else np.full(len(weights), 1 / len(weights))
    return Layout(weights, np.zeros(len(weights), bool), nominal=True, has_null=nulls > 0)


def _layout(marginal: QuantileMarginal | ParametricMarginal, null: float) -> Layout:
    weights = marginal.weights / marginal.weights.sum()
    nulls = null if null > 0 else None
    return with_null_share(weights, marginal.ranges, nulls, nominal=False, line=marginal.edges)
