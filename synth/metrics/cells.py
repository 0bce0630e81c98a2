"""Columns cut into few cells by the real side, to count what pairs of them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from prefect_synth.synth.metadata import Column
from prefect_synth.synth.metrics.compared import CONTINUOUS
from prefect_synth.synth.metrics.sources import Floats, Ints
from prefect_synth.synth.metrics.values import NULL, codes, numbers

COMMONEST = 50
"""So many categories of the real side have a cell of their own; all others share one."""

_PARTS = 10
_TRACE = 1e-4
_SWEEPS = 20
_NOTHING = 1e-300


@dataclass(frozen=True)
class CutColumn:
    """A column of all sides as cells.

    Args:
        name: The column's name.
        sides: The cell of each row, for each side; nulls have one of their own.
        size: How many cells there are.
    """

    name: str
    sides: tuple[Ints, ...]
    size: int

    @classmethod
    def cut(cls, column: Column, sides: Sequence[pa.ChunkedArray]) -> CutColumn:
        """Cut a scored column; the first side, the real one, sets the cells."""
        if column.sdtype in CONTINUOUS:
            return cls(column.name, *_by_deciles([numbers(side, column) for side in sides]))
        return cls(column.name, *_by_commonest(*codes(*sides)))


def _by_deciles(sides: Sequence[Floats]) -> tuple[tuple[Ints, ...], int]:
    """Ten cells with about as many real rows in each; a value that fills a decile has its own."""
    known = sides[0][~np.isnan(sides[0])]
    known = known if len(known) else np.zeros(1)
    deciles = np.quantile(known, np.arange(1, _PARTS) / _PARTS, method="higher")
    values, counts = np.unique(deciles, return_counts=True)
    spikes = np.nextafter(values[counts > 1], np.inf)
    edges = np.union1d(values, spikes)
    size = len(edges) + 2
    cells = (np.where(np.isnan(s), size - 1, np.searchsorted(edges, s, "right")) for s in sides)
    return tuple(cells), size


def _by_commonest(sides: Sequence[Ints], size: int) -> tuple[tuple[Ints, ...], int]:
    counts = np.bincount(sides[0][sides[0] != NULL], minlength=size)
    kept = min(COMMONEST, int(np.count_nonzero(counts)))
    cells = np.full(size + 1, kept, dtype=np.int64)
    cells[np.argsort(-counts, kind="stable")[:kept]] = np.arange(kept)
    cells[NULL] = kept + 1
    return tuple(cells[side] for side in sides), kept + 2


def joint(first: Ints, second: Ints, sizes: tuple[int, int]) -> Floats:
    """The share of rows in each pair of cells, as a matrix.

    Args:
        first: The cell of each row in one column.
        second: The cell of each row in the other.
        sizes: How many cells each has.
    """
    counts = np.bincount(first * sizes[1] + second, minlength=sizes[0] * sizes[1])
    return counts.reshape(sizes) / max(1, len(first))


def independent(shares: Floats) -> Floats:
    """What the joint shares would be if the columns were independent."""
    return np.outer(shares.sum(axis=1), shares.sum(axis=0))


def raked(shares: Floats, to: Floats) -> Floats:
    """Joint shares with the marginals of others, by iterative proportional fitting.

    Deming and Stephan 1940: rows and columns are scaled in turn, which keeps all odds ratios, and
    so the dependence. A cell never seen gets a trace of what independence would give it.

    Args:
        shares: The joint shares to rake.
        to: Joint shares whose marginals they shall have.
    """
    rows, columns = to.sum(axis=1), to.sum(axis=0)
    shares = shares + _TRACE * np.outer(rows, columns)
    for _ in range(_SWEEPS):
        shares *= (rows / np.maximum(shares.sum(axis=1), _NOTHING))[:, None]
        shares *= columns / np.maximum(shares.sum(axis=0), _NOTHING)
    return shares


def distance(first: Floats, second: Floats) -> float:
    """The total variation distance of two joint distributions."""
    return float(np.abs(first - second).sum() / 2)
