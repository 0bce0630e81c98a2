"""Columns as few codes: what a network over discretised columns sees and predicts.

A column of few pieces keeps them as codes. A column of many is cut into quantile bins of
consecutive pieces, and its spikes keep codes of their own, as in TabularARGN (Tiwald et al. 2025);
inside a bin the layout's own probabilities decide, so that no distribution is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints, Layout, from_uniform
from prefect_synth.synth.storage import stored

MOST_CODES = 100
MOST_CATEGORIES = 256
_SPIKE = 0.8
_SCALE = 0.5


@stored
@dataclass(frozen=True)
class ColumnCodes:
    """The codes of one column: runs of consecutive pieces.

    Args:
        starts: First piece of each code, and the number of pieces, [K + 1].
        shares: Share of each code in the data, [K]; sums to 1, none is zero.
    """

    starts: Ints
    shares: Floats

    def __len__(self) -> int:
        return len(self.shares)

    def of(self, pieces: Ints) -> Ints:
        """The code of each piece, [n]."""
        return np.searchsorted(self.starts, pieces, side="right") - 1

    def draw(self, layout: Layout, codes: Ints, rng: np.random.Generator) -> tuple[Ints, Floats]:
        """Pieces [n] and places [n] inside codes, by the layout's probabilities."""
        first, stop = self.starts[codes], self.starts[codes + 1]
        u = rng.random(len(codes))
        edges = layout.edges
        piece, place = from_uniform(layout, edges[first] + u * (edges[stop] - edges[first]))
        alone = stop - first == 1
        return np.clip(np.where(alone, first, piece), first, stop - 1), np.where(alone, u, place)

    def shares_inside(self, layout: Layout) -> Floats:
        """The share of every piece in its code, [P]."""
        code = self.of(np.arange(len(layout.probabilities)))
        sums = np.bincount(code, layout.probabilities, minlength=len(self))
        sizes = np.bincount(code, minlength=len(self))
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = layout.probabilities / sums[code]
        return np.where(sums[code] > 0, shares, 1 / sizes[code])

    def share_inside(self, layout: Layout, piece: int) -> float:
        """The share of one piece in its code."""
        code = int(self.of(np.array([piece]))[0])
        inside = layout.probabilities[self.starts[code] : self.starts[code + 1]]
        if inside.sum() <= 0:
            return 1 / len(inside)
        return float(layout.probabilities[piece] / inside.sum())


def first_embedding(codes: ColumnCodes, nominal: bool, width: int, rng: Generator) -> Floats:
    """Where training starts: [K, width].

    Categories start anywhere; ordered codes as cosines of their middle rank, so that neighbours
    start near each other and what is learned of one holds for the next.
    """
    noise = rng.standard_normal((len(codes), width))
    if nominal:
        return _SCALE * noise
    middle = np.cumsum(codes.shares) - codes.shares / 2
    waves = np.sqrt(2) * np.cos(np.pi * middle[:, None] * np.arange(1, width + 1))
    return np.asarray(_SCALE * (waves + 0.1 * noise))


def fit_codes(column: Encoded) -> ColumnCodes:
    """Cut the pieces of one column, [n, 1], into codes.

    Null is always a code of its own. Shares are counted on the rows; a code that none has gets a
    share of one row or less, by the layout.
    """
    (layout,) = column.layouts
    starts = np.append(_first_pieces(layout), len(layout.probabilities))
    expected = np.add.reduceat(layout.probabilities, starts[:-1]) + 1e-6
    counts = np.bincount(
        np.searchsorted(starts, column.pieces[:, 0], side="right") - 1, minlength=len(expected)
    )
    shares = counts + expected / expected.sum()
    return ColumnCodes(starts, shares / shares.sum())


def layout_codes(layout: Layout, most: int = MOST_CODES) -> ColumnCodes:
    """The codes of a column by its layout alone: no row is looked at.

    Args:
        layout: The column's pieces.
        most: Codes that an ordered column is cut into, about.
    """
    starts = np.append(_first_pieces(layout, most), len(layout.probabilities))
    shares = np.add.reduceat(layout.probabilities, starts[:-1]) + 1e-6
    return ColumnCodes(starts, shares / shares.sum())


def _first_pieces(layout: Layout, most: int = MOST_CODES) -> Ints:
    pieces = len(layout.probabilities)
    if pieces <= (MOST_CATEGORIES if layout.nominal else most):
        return np.arange(pieces)
    alone = layout.probabilities > _SPIKE / most
    alone[0] |= layout.has_null
    rest = np.where(alone, 0, layout.probabilities)
    middle = np.cumsum(rest) - rest / 2
    bins = max(round(most * rest.sum()), 1)
    number = np.where(alone, -1, np.floor(bins * middle / max(rest.sum(), 1e-300)))
    changes = (number[1:] != number[:-1]) | alone[1:]
    return np.concatenate([[0], np.flatnonzero(changes) + 1])
