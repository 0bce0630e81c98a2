"""Rows of a sampled table that stand in the place of those that were drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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

    def between(self, start: int, stop: int) -> Ints:
        """Which rows of a block these are, counted from its first row."""
        first, last = np.searchsorted(self.rows, (start, stop))
        return np.asarray(self.rows[first:last] - start)

    def over(self, drawn: Encoded, start: int) -> Encoded:
        """A block of rows from number `start` on, with those of these that belong to it."""
        first, stop = np.searchsorted(self.rows, (start, start + len(drawn)))
        if first == stop:
            return drawn
        at = self.between(start, start + len(drawn))
        pieces, places = drawn.pieces.copy(), drawn.places.copy()
        pieces[at], places[at] = self.pieces[first:stop], self.places[first:stop]
        return Encoded(pieces, places, drawn.layouts)

    def joined(self, others: Placed | None) -> Placed:
        """These rows, and the others that are none of them."""
        if others is None:
            return self
        kept = ~np.isin(others.rows, self.rows)
        rows = np.concatenate([self.rows, others.rows[kept]])
        order = np.argsort(rows)
        return Placed(
            rows[order],
            np.concatenate([self.pieces, others.pieces[kept]])[order],
            np.concatenate([self.places, others.places[kept]])[order],
        )


def overlaid(below: pa.Array, above: pa.Array, rows: Ints) -> pa.Array:
    """A column with some rows of another one."""
    if pa.types.is_run_end_encoded(below.type):
        whole = overlaid(pc.run_end_decode(below), pc.run_end_decode(above), rows)
        return pc.run_end_encode(whole, below.type.run_end_type)
    at = np.arange(len(below))
    at[rows] += len(below)
    return pa.concat_arrays([below, above]).take(pa.array(at))
