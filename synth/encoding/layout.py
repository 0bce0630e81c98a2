"""Encoded columns: every value is a piece of [0, 1], and a place inside that piece.

A column's values are cut into *pieces*, each with a probability: null is one, a category is one, a
spike of a numeric column is one, and a stretch of a continuous column is one (a *range*, in which
a place between 0 and 1 is kept). Row models see nothing else: no names, no keys, no nulls.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefect_synth.synth.storage import stored

Floats = NDArray[Any]
"""Floating point numbers."""
Ints = NDArray[Any]
"""Signed whole numbers."""

RARE = 5
"""What fewer rows than this share is published nowhere: no category, number or end of a range."""


@stored
@dataclass(frozen=True)
class Layout:
    """The pieces of one column.

    Args:
        probabilities: Share of each piece in the data, [P]; sums to 1.
        ranges: Whether a piece is a range, [P] bool; places inside other pieces mean nothing.
        nominal: Whether the pieces have no order of their own (categories).
        has_null: Whether the first piece stands for null.
        key: Keys the draws of the column, so that they do not move when another one comes or goes;
            0 where columns are told apart by their place.
        values: Where the pieces of a column of numbers or times begin and end on its own scale,
            as protected as the pieces are, [P + 1]; empty where that says nothing.
    """

    probabilities: Floats
    ranges: NDArray[np.bool_]
    nominal: bool
    has_null: bool
    key: int = 0
    values: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def edges(self) -> Floats:
        """Lower edge of each piece in [0, 1], and 1: [P + 1]."""
        edges = np.concatenate([[0.0], np.cumsum(self.probabilities)])
        return edges / edges[-1]


@stored
@dataclass(frozen=True)
class Encoded:
    """Encoded columns of a table.

    Args:
        pieces: Index of the piece, [n, d].
        places: Place inside the piece in [0, 1], [n, d].
        layouts: The pieces of each column, d of them.
    """

    pieces: Ints
    places: Floats
    layouts: tuple[Layout, ...]

    def __len__(self) -> int:
        return len(self.pieces)

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.layouts)

    def take(self, rows: Ints) -> Encoded:
        """The given rows, in the given order."""
        return Encoded(self.pieces[rows], self.places[rows], self.layouts)

    def columns(self, start: int, stop: int) -> Encoded:
        """Columns `start` to `stop`."""
        return Encoded(
            self.pieces[:, start:stop], self.places[:, start:stop], self.layouts[start:stop]
        )

    def intervals(self) -> tuple[Floats, Floats]:
        """Lower and upper edge in [0, 1] of each value, [n, d] each; equal inside a range."""
        lower, upper = np.empty(self.pieces.shape), np.empty(self.pieces.shape)
        for j, layout in enumerate(self.layouts):
            edges, piece = layout.edges, self.pieces[:, j]
            low, high = edges[piece], edges[piece + 1]
            inside = low + self.places[:, j].astype(np.float64) * (high - low)
            lower[:, j] = np.where(layout.ranges[piece], inside, low)
            upper[:, j] = np.where(layout.ranges[piece], inside, high)
        return lower, upper

    def compact(self) -> Encoded:
        """The same rows in half the memory."""
        return Encoded(self.pieces.astype(np.int32), self.places.astype(np.float32), self.layouts)

    @staticmethod
    def empty(rows: int) -> Encoded:
        """`rows` rows of no columns."""
        return Encoded(np.empty((rows, 0), np.int64), np.empty((rows, 0)), ())

    @staticmethod
    def beside(parts: list[Encoded], rows: int) -> Encoded:
        """The columns of all `parts`, side by side."""
        if not parts:
            return Encoded.empty(rows)
        return Encoded(
            np.hstack([p.pieces for p in parts]),
            np.hstack([p.places for p in parts]),
            tuple(layout for p in parts for layout in p.layouts),
        )


def from_uniform(layout: Layout, u: Floats) -> tuple[Ints, Floats]:
    """The piece and place that a uniform number falls on: the inverse of `Encoded.intervals`.

    Args:
        layout: The column's pieces.
        u: Numbers in [0, 1], [n].

    Returns:
        Pieces [n] and places [n].
    """
    edges = layout.edges
    last = int(np.flatnonzero(layout.probabilities > 0)[-1])
    piece = np.clip(np.searchsorted(edges, u, side="right") - 1, 0, last)
    width = np.maximum(edges[piece + 1] - edges[piece], 1e-300)
    return piece, np.clip((u - edges[piece]) / width, 0.0, 1.0)
