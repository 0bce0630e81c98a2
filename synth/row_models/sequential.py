"""What a row model that draws its columns one after another offers, so that columns can be held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints, Layout
from prefect_synth.synth.row_models.base import Among

_NEAR = 0.05


@dataclass(frozen=True)
class Given:
    """Rows whose columns are drawn in part.

    Args:
        context: Contexts, [n, c].
        pieces: Pieces, [n, d]; zero in columns that are not drawn yet.
        places: Places, [n, d]; one half in columns that are not drawn yet.
    """

    context: Encoded
    pieces: Ints
    places: Floats

    @classmethod
    def nothing(cls, context: Encoded, columns: int) -> Given:
        """No column drawn yet."""
        shape = (len(context), columns)
        return cls(context, np.zeros(shape, np.int64), np.full(shape, 0.5))

    def __len__(self) -> int:
        return len(self.pieces)

    def put(self, column: int, pieces: Ints | int, places: Floats | float) -> None:
        """Fill a column."""
        self.pieces[:, column], self.places[:, column] = pieces, places

    def take(self, rows: Ints) -> Given:
        """The given rows, in the given order."""
        return Given(self.context.take(rows), self.pieces[rows], self.places[rows])

    def beside(self, layouts: tuple[Layout, ...]) -> Encoded:
        """Context and row side by side, [n, c + d]."""
        own = Encoded(self.pieces, self.places, layouts)
        return Encoded.beside([self.context, own], len(self))

    def followed_by(self, other: Given) -> Given:
        """These rows, and those of `other` below them."""
        pieces = np.concatenate([self.context.pieces, other.context.pieces])
        places = np.concatenate([self.context.places, other.context.places])
        return Given(
            Encoded(pieces, places, self.context.layouts),
            np.concatenate([self.pieces, other.pieces]),
            np.concatenate([self.places, other.places]),
        )


class SequentialModel(Protocol):
    """What a row model offers so that columns can be held."""

    @property
    def order(self) -> Sequence[int]:
        """All columns, in the order in which they are drawn."""

    def draw(self, column: int, given: Given, rng: np.random.Generator) -> tuple[Ints, Floats]:
        """Draw a column after those before it in `order`: pieces [n] and places [n]."""

    def likelihood(self, column: int, given: Given, piece: int) -> Floats:
        """Probability of `piece` in a column after those before it in `order`, [n].

        The place inside a piece is independent of all else, so it weighs nothing.
        """

    def restrict(
        self, column: int, given: Given, among: Among, rng: np.random.Generator
    ) -> tuple[Floats, Ints]:
        """Draw a column inside stretches of its pieces.

        Args:
            column: The column.
            given: Rows, with the columns before it in `order`.
            among: The stretches.
            rng: Source of the draws.

        Returns:
            Probability that the column lies there, [n]; and a piece of theirs for each row, [n].
        """


def neighbours(layout: Layout, piece: int) -> NDArray[np.bool_]:
    """The pieces that a model of few rows may count for one piece, [pieces].

    Of ordered pieces the near ones are as likely, and a leaf of ten rows would give most of them
    nothing. Null, categories and pieces that are frequent themselves stand alone.
    """
    alone = np.arange(len(layout.probabilities)) == piece
    frequent = layout.probabilities >= _NEAR
    if layout.nominal or frequent[piece] or (layout.has_null and piece == 0):
        return alone
    edges = layout.edges
    middles = (edges[1:] + edges[:-1]) / 2
    near = (np.abs(middles - middles[piece]) <= _NEAR / 2) & ~frequent
    near[0] &= not layout.has_null
    return np.asarray(near)
