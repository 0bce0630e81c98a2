"""Rows of a sampled table that stand in the place of those that were drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints
from prefect_synth.synth.storage import stored


@stored
@dataclass(frozen=True)
class Placed:
    """Rows of a table that are drawn anew, on a condition.

    Args:
        rows: Their numbers, rising, [n].
        pieces: Pieces of their encoded columns, [n, d].
        places: Places of their encoded columns, [n, d].
    """

    rows: Ints
    pieces: Ints
    places: Floats

    def over(self, drawn: Encoded, start: int) -> Encoded:
        """A block of rows from number `start` on, with those of these that belong to it."""
        first, stop = np.searchsorted(self.rows, (start, start + len(drawn)))
        if first == stop:
            return drawn
        at = self.rows[first:stop] - start
        pieces, places = drawn.pieces.copy(), drawn.places.copy()
        pieces[at], places[at] = self.pieces[first:stop], self.places[first:stop]
        return Encoded(pieces, places, drawn.layouts)
