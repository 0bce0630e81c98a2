"""Corrections of a generator's margins, learned once after training.

What a generator draws of a column is near its shares in the data, and never quite there. Logits
are shifted until the mean of their probabilities is right, and places on the line of an ordered
column go through the distribution that the generator has there: the probability integral transform
makes them uniform, as the data are by their encoding. Ranks, and so dependence, stay.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints, Layout
from prefect_synth.synth.row_models.dense import DenseColumn, DenseColumns
from prefect_synth.synth.row_models.gan_network import Generator, offsets
from prefect_synth.synth.storage import stored

_KNOTS = 200
_FEWEST = 50


@stored
@dataclass(frozen=True)
class Calibration:
    """Where the quantiles of drawn places lie, by column.

    Args:
        columns: Columns that are corrected, [s].
        quantiles: Of each, positions of evenly spaced shares of the generator's draws, [K] each.
    """

    columns: tuple[int, ...] = ()
    quantiles: tuple[Floats, ...] = ()

    def corrected(self, rows: Encoded, written: DenseColumns, rng: np.random.Generator) -> Encoded:
        """The rows with each place moved to the share of draws that lie below it."""
        pieces, places = rows.pieces.copy(), rows.places.copy()
        for j, quantiles in zip(self.columns, self.quantiles, strict=True):
            line = Line(rows.layouts[j], written.columns[j])
            at = np.flatnonzero(line.inside(pieces[:, j]))
            v = line.position(pieces[at, j], places[at, j], rng)
            v = np.interp(v, quantiles, np.linspace(0, 1, len(quantiles)))
            pieces[at, j], places[at, j] = line.place(v)
        return Encoded(pieces, places, rows.layouts)


def shifted(generator: Generator, written: DenseColumns, logits: Floats, forced: Ints) -> Generator:
    """A generator whose logits are shifted until each column's mean probabilities are right.

    Args:
        generator: The generator.
        written: The columns, with the shares of their modes.
        logits: Of drawn rows, [n, W].
        forced: The column of each row that is no draw but what was asked for; -1 for none, [n].
    """
    shifts = [np.empty(0)]
    for j, (start, column) in enumerate(zip(written.starts[:-1], written.columns, strict=True)):
        own = logits[forced != j, start : start + column.width]
        shifts.append(offsets(own, column.shares))
    return generator.shifted(np.concatenate(shifts))


def fit_calibration(rows: Encoded, written: DenseColumns, rng: np.random.Generator) -> Calibration:
    """Learn corrections from rows that a generator drew, [n, d]."""
    found = {}
    for j in written.scalars:
        line = Line(rows.layouts[j], written.columns[j])
        at = np.flatnonzero(line.inside(rows.pieces[:, j]))
        if len(at) >= _FEWEST:
            v = line.position(rows.pieces[at, j], rows.places[at, j], rng)
            knots = np.quantile(v, np.linspace(0, 1, _KNOTS))
            knots[0], knots[-1] = 0.0, 1.0
            found[j] = knots
    return Calibration(tuple(found), tuple(found.values()))


class Line:
    """The pieces of a column on which its scalar walks, each as long as its share.

    Args:
        layout: The column's pieces.
        column: Which of them the scalar walks on.
    """

    def __init__(self, layout: Layout, column: DenseColumn) -> None:
        own = column.modes < 0
        shares = np.where(own, layout.probabilities, 0.0)
        self.layout, self.own = layout, own
        self.edges = np.concatenate([[0.0], np.cumsum(shares)]) / max(shares.sum(), 1e-300)
        self.last = int(np.flatnonzero(shares > 0)[-1]) if shares.any() else 0

    def inside(self, pieces: Ints) -> Ints:
        """Which pieces are on the line, [n]."""
        return np.asarray(self.own[pieces] & (self.edges[-1] > 0))

    def position(self, pieces: Ints, places: Floats, rng: np.random.Generator) -> Floats:
        """Where on the line each value is; anywhere in a piece that is one value, [n]."""
        places = np.where(self.layout.ranges[pieces], places, rng.random(len(pieces)))
        low, high = self.edges[pieces], self.edges[pieces + 1]
        return np.asarray(low + places * (high - low))

    def place(self, v: Floats) -> tuple[Ints, Floats]:
        """Piece and place at positions, [n] each: the inverse of `position`."""
        piece = np.clip(np.searchsorted(self.edges, v, side="right") - 1, 0, self.last)
        width = np.maximum(self.edges[piece + 1] - self.edges[piece], 1e-300)
        place = np.clip((v - self.edges[piece]) / width, 0.0, 1.0)
        return piece, np.where(self.layout.ranges[piece], place, 0.5)
