"""Encoded columns as the numbers that a dense network reads and writes, and back.

A column is a softmax block of *modes*, and where it is ordered and has many values, a scalar that
says where in the mode. Null and frequent single values are modes of their own. For the others the
scalar is the normal score of their rank (`scores`), or there are the modes of a Gaussian mixture
over the values, and the scalar is the distance from the mode's centre: the mode-specific
normalisation of Xu et al. (2019), "Modeling Tabular Data using Conditional GAN", section 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtr, ndtri

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints, Layout
from prefect_synth.synth.row_models.mixtures import REACH, Mixture, fit_mixture
from prefect_synth.synth.storage import stored

Numbers = Literal["scores", "modes"]
"""How ordered columns of many values are written."""

MOST_CATEGORIES = 256
FEW = 32
_SPIKE = 0.05
_END = 4.0
_TRACE = 1e-12


@stored
@dataclass(frozen=True)
class DenseColumn:
    """One column: the modes of its pieces, and where it has a scalar, what that stands for.

    Args:
        modes: Mode of each piece; -1 where the scalar decides, [P].
        shares: Share of each mode in the rows, [K]; sums to 1, none is zero. The modes that have
            a scalar are the last.
        knots: Edges of the pieces on the line that the scalar walks, [P + 1]; empty without one.
        mixture: The modes that have a scalar; None without one.
        scores: Whether the line is ranks in [0, 1], of which the scalar is the normal score.
    """

    modes: Ints
    shares: Floats
    knots: Floats
    mixture: Mixture | None = None
    scores: bool = False

    @property
    def width(self) -> int:
        """Number of modes."""
        return len(self.shares)

    @property
    def first(self) -> int:
        """The first mode that has a scalar; `width` without one."""
        return self.width - (0 if self.mixture is None else len(self.mixture))

    def encode(self, layout: Layout, pieces: Ints, places: Floats) -> tuple[Ints, Floats]:
        """Modes [n] and scalars [n] of pieces and places; 0 in modes that have no scalar."""
        modes, scalars = self.modes[pieces], np.zeros(len(pieces), np.float32)
        there = np.flatnonzero(modes < 0)
        if self.mixture is None or not len(there):
            return modes, scalars
        at = self._line(layout, pieces[there], places[there])
        own, offset = self.mixture.assign(at)
        modes[there], scalars[there] = self.first + own, np.clip(offset, -1, 1)
        return modes, scalars

    def decode(
        self, layout: Layout, modes: Ints, scalars: Floats, rng: np.random.Generator
    ) -> tuple[Ints, Floats]:
        """Pieces and places, [n] each; of a mode of many pieces one drawn by its share."""
        pieces = self._pieces(layout, modes, rng.random(len(modes)))
        places = np.where(layout.ranges[pieces], rng.random(len(modes)), 0.5)
        there = np.flatnonzero(modes >= self.first)
        if self.mixture is None or not len(there):
            return pieces, places
        at = self.mixture.value(modes[there] - self.first, np.clip(scalars[there], -1, 1))
        pieces[there], places[there] = self._nearest(layout, ndtr(at) if self.scores else at)
        return pieces, places

    def _line(self, layout: Layout, pieces: Ints, places: Floats) -> Floats:
        """Where pieces and places lie on the line of the mixture, [n]."""
        low, high = self.knots[pieces], self.knots[pieces + 1]
        inside = np.where(layout.ranges[pieces], places, 0.5)
        at = low + inside.astype(np.float64) * (high - low)
        return np.asarray(ndtri(np.clip(at, ndtr(-_END), ndtr(_END))) if self.scores else at)

    def _nearest(self, layout: Layout, at: Floats) -> tuple[Ints, Floats]:
        """The pieces and places at points of the line, or nearest to them, [n] each."""
        scalar = np.flatnonzero(self.modes < 0)
        last = np.clip(np.searchsorted(self.knots[scalar], at, side="right") - 1, 0, None)
        after = np.minimum(last + 1, len(scalar) - 1)
        beyond = at - self.knots[scalar[last] + 1]
        nearer = (beyond > 0) & (self.knots[scalar[after]] - at < beyond)
        piece = scalar[np.where(nearer, after, last)]
        low, high = self.knots[piece], self.knots[piece + 1]
        place = np.clip((at - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
        return piece, np.where(layout.ranges[piece], place, 0.5)

    def _pieces(self, layout: Layout, modes: Ints, u: Floats) -> Ints:
        """A piece of each mode, drawn by its share; of modes that have a scalar any, [n]."""
        order = np.argsort(self.modes, kind="stable")
        ends = np.cumsum(layout.probabilities[order] + _TRACE)
        start = np.searchsorted(self.modes[order], modes)
        stop = np.searchsorted(self.modes[order], modes, side="right")
        before = np.where(start > 0, ends[start - 1], 0.0)
        found = np.searchsorted(ends, before + u * (ends[stop - 1] - before), side="right")
        return order[np.clip(found, np.minimum(start, len(order) - 1), np.maximum(stop - 1, 0))]


@stored
@dataclass(frozen=True)
class DenseColumns:
    """The columns of a table. A flat vector is all softmax blocks, then all scalars.

    Args:
        columns: Each column, d of them.
    """

    columns: tuple[DenseColumn, ...]

    @property
    def widths(self) -> list[int]:
        """Modes of each column, [d]."""
        return [column.width for column in self.columns]

    @property
    def scalars(self) -> list[int]:
        """Columns that have a scalar, [s]."""
        return [j for j, column in enumerate(self.columns) if column.mixture is not None]

    @property
    def starts(self) -> Ints:
        """Where each softmax block begins in the flat vector, and where the scalars do, [d + 1]."""
        return np.concatenate([[0], np.cumsum(self.widths)]).astype(np.int64)

    @property
    def width(self) -> int:
        """Length of the flat vector."""
        return int(self.starts[-1]) + len(self.scalars)

    def encode(self, rows: Encoded) -> tuple[Ints, Floats]:
        """Modes [n, d], and scalars of the columns that have one [n, s] float32."""
        modes = np.zeros((len(rows), len(self.columns)), np.int64)
        scalars = np.zeros((len(rows), len(self.columns)), np.float32)
        for j, (column, layout) in enumerate(zip(self.columns, rows.layouts, strict=True)):
            found = column.encode(layout, rows.pieces[:, j], rows.places[:, j])
            modes[:, j], scalars[:, j] = found
        return modes, scalars[:, self.scalars]

    def matrix(self, modes: Ints, scalars: Floats) -> Floats:
        """Flat vectors with one-hot blocks, [n, width] float32."""
        flat = np.zeros((len(modes), self.width), np.float32)
        np.put_along_axis(flat, modes + self.starts[:-1], 1.0, axis=1)
        flat[:, self.starts[-1] :] = scalars
        return flat

    def flat(self, rows: Encoded) -> Floats:
        """Flat vectors of encoded rows, [n, width] float32."""
        return self.matrix(*self.encode(rows))

    def inputs(self, rows: Encoded) -> Floats:
        """The same with scalars as large as a network likes its inputs: scores of variance 1."""
        flat = self.flat(rows)
        flat[:, self.starts[-1] :] *= REACH
        return flat

    def decode(
        self, modes: Ints, scalars: Floats, layouts: Sequence[Layout], rng: np.random.Generator
    ) -> Encoded:
        """Rows of modes [n, d] and scalars [n, s]; scalars beyond [-1, 1] count as its ends."""
        pieces, places = np.zeros(modes.shape, np.int64), np.full(modes.shape, 0.5)
        spread = np.zeros(modes.shape)
        spread[:, self.scalars] = scalars
        for j, (column, layout) in enumerate(zip(self.columns, layouts, strict=True)):
            found = column.decode(layout, modes[:, j], spread[:, j], rng)
            pieces[:, j], places[:, j] = found
        return Encoded(pieces, places, tuple(layouts))


def fit_dense(
    rows: Encoded, numbers: Numbers, rng: np.random.Generator, most: int = MOST_CATEGORIES
) -> DenseColumns:
    """Learn how columns are written.

    Args:
        rows: Encoded rows, [n, d].
        numbers: `scores`, or `modes` for the columns whose layout knows values.
        rng: Source of the start of mixtures.
        most: Categories that get a mode of their own; the rarer ones of more share the last.
    """
    columns = (rows.columns(j, j + 1) for j in range(rows.width))
    return DenseColumns(tuple(_fit_column(column, numbers, rng, most) for column in columns))


def _fit_column(
    column: Encoded, numbers: Numbers, rng: np.random.Generator, most: int
) -> DenseColumn:
    (layout,) = column.layouts
    if layout.nominal or (len(layout.probabilities) <= FEW and not layout.ranges.any()):
        return _counted(DenseColumn(_categories(layout, most), np.zeros(0), np.zeros(0)), column)
    alone = ~layout.ranges & (layout.probabilities > _SPIKE)
    alone[0] |= layout.has_null
    modes = np.where(alone, np.cumsum(alone) - 1, -1)
    if alone.all():
        return _counted(DenseColumn(modes, np.zeros(0), np.zeros(0)), column)
    if numbers == "scores" or not len(layout.values):
        rest = np.where(alone, 0.0, layout.probabilities + _TRACE)
        knots = np.concatenate([[0.0], np.cumsum(rest)]) / rest.sum()
        return _counted(DenseColumn(modes, np.zeros(0), knots, Mixture.standard(), True), column)
    found = DenseColumn(modes, np.zeros(0), layout.values)
    there = column.take(np.flatnonzero(modes[column.pieces[:, 0]] < 0))
    at = found._line(layout, there.pieces[:, 0], there.places[:, 0])
    mixture = fit_mixture(at, layout.values, rng)
    return _counted(DenseColumn(modes, np.zeros(0), layout.values, mixture), column)


def _categories(layout: Layout, most: int) -> Ints:
    """A mode for each piece; of many, the rarest share the last, and null has its own."""
    pieces = len(layout.probabilities)
    if pieces <= most:
        return np.arange(pieces)
    weights = layout.probabilities + np.where(layout.has_null & (np.arange(pieces) == 0), 1.0, 0.0)
    kept = np.zeros(pieces, bool)
    kept[np.argsort(-weights, kind="stable")[: most - 1]] = True
    return np.where(kept, np.cumsum(kept) - 1, most - 1)


def _counted(column: DenseColumn, rows: Encoded) -> DenseColumn:
    """The column with the shares that its modes have in the rows."""
    count = int(column.modes.max(initial=-1)) + 1
    count += 0 if column.mixture is None else len(column.mixture)
    column = DenseColumn(column.modes, np.ones(count), column.knots, column.mixture, column.scores)
    modes, _ = column.encode(rows.layouts[0], rows.pieces[:, 0], rows.places[:, 0])
    shares = np.bincount(modes, minlength=count) + 1 / count
    return DenseColumn(
        column.modes, shares / shares.sum(), column.knots, column.mixture, column.scores
    )
