"""What a row model is: a conditional distribution p(row | context)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints, Layout


@dataclass(frozen=True)
class Among:
    """Stretches of a column's pieces in which it is held.

    Args:
        pieces: The piece of each stretch; a piece may have several, [m].
        low: Place inside the piece where it begins, [m].
        high: Place where it ends, [m]; `low` for a single place.
        shares: Share of the piece that counts, above 0, [m].
    """

    pieces: Ints
    low: Floats
    high: Floats
    shares: Floats

    def __len__(self) -> int:
        return len(self.pieces)

    def by_piece(self, layout: Layout) -> Floats:
        """Share of each piece of a column that counts, [P]."""
        shares = np.bincount(self.pieces, self.shares, minlength=len(layout.probabilities))
        return np.asarray(np.minimum(shares, 1.0))

    def inside(self, pieces: Ints, rng: np.random.Generator) -> Floats:
        """A place in one of the stretches of each piece, [n]."""
        order = np.argsort(self.pieces, kind="stable")
        ends = np.cumsum(self.shares[order])
        begin = np.searchsorted(self.pieces[order], pieces)
        stop = np.searchsorted(self.pieces[order], pieces, side="right")
        before = ends[begin] - self.shares[order][begin]
        aim = before + rng.random(len(pieces)) * (ends[stop - 1] - before)
        chosen = order[np.clip(np.searchsorted(ends, aim, side="right"), begin, stop - 1)]
        low, high = self.low[chosen], self.high[chosen]
        return np.asarray(low + rng.random(len(pieces)) * (high - low))

    def drawn(self, layout: Layout, size: int, rng: np.random.Generator) -> tuple[Ints, Floats]:
        """Pieces and places as frequent as in the data, whatever the rest of the row, [n] each."""
        weights = layout.probabilities * self.by_piece(layout)
        if weights.sum() <= 0:  # pieces that the layout has no share of
            weights = self.by_piece(layout)
        pieces = rng.choice(len(weights), size, p=weights / weights.sum())
        return pieces, self.inside(pieces, rng)


Condition = tuple[int, float] | Among
"""A piece and a place that a column is held at, or the stretches in which it is."""


class RowModel(Protocol):
    """A distribution of encoded rows given encoded contexts.

    It sees pieces and places only, never names, keys or nulls. The frame sees no torch.
    """

    def fit(self, rows: Encoded, context: Encoded, rng: np.random.Generator) -> Self:
        """Learn p(row | context) from `rows` [n, d] and `context` [n, c]."""

    def sample(
        self,
        context: Encoded,
        rng: np.random.Generator,
        conditions: Mapping[int, Condition] | None = None,
    ) -> Encoded:
        """Draw a row for each row of `context`.

        Args:
            context: Contexts, [n, c]; without columns where the table has none.
            rng: Source of the draws.
            conditions: Columns of the row that are held at a piece and place, or in stretches.
        """

    def sample_held(
        self, context: Encoded, rng: np.random.Generator, conditions: Mapping[int, Condition]
    ) -> tuple[Encoded, Floats]:
        """The same with the odds of the conditions in each context, as far as the model tells.

        Args:
            context: Contexts, [n, c].
            rng: Source of the draws.
            conditions: At least one.

        Returns:
            The rows, and numbers in proportion to the probability of the conditions, [n].
        """
