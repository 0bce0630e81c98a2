"""Encoded rows cut into few cells a column, to count them and to see which columns go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.metrics.gower import FAR, Float32s, GowerRows
from prefect_synth.synth.metrics.hashing import Hashes, combine, mix
from prefect_synth.synth.metrics.sources import Floats, Ints

_BUCKETS = 16  # into which categories fall when associations are measured


@dataclass(frozen=True)
class Bins:
    """Where the numerical columns are cut.

    Args:
        edges: Rising edges of each numerical column.
    """

    edges: tuple[Float32s, ...]

    @classmethod
    def fit(cls, rows: GowerRows, bins: int = 10) -> Bins:
        """Cut each numerical column at quantiles, such that a value never falls on two sides."""
        levels = np.arange(1, bins) / bins
        return cls(tuple(_edges(column, levels) for column in rows.numbers))

    def cut(self, rows: GowerRows) -> Ints:
        """Cells of each column (columns, rows); a null has a cell of its own."""
        cells = np.empty((len(rows.names), len(rows)), dtype=np.int64)
        for i, (column, edges) in enumerate(zip(rows.numbers, self.edges, strict=True)):
            cells[i] = np.searchsorted(edges, column, side="right")
            cells[i][column == FAR] = -1
        cells[len(self.edges) :] = rows.codes
        return cells


def cell_hashes(cells: Ints, columns: Sequence[int]) -> Hashes:
    """One hash for each row's cells in some columns."""
    hashes = np.zeros(cells.shape[1], dtype=np.uint64)
    for i in columns:
        hashes = combine(hashes, mix(cells[i].view(np.uint64)))
    return hashes


def associations(cells: Ints) -> Floats:
    """Cramér's V of each pair of columns, categories taken together by their hashes.

    Args:
        cells: What `Bins.cut` made: (columns, rows).

    Returns:
        A symmetric matrix from 0 to 1, with 1 on the diagonal.
    """
    coarse = cells % _BUCKETS
    result = np.eye(len(cells))
    for i in range(len(cells)):
        for j in range(i):
            table = np.bincount(coarse[i] * _BUCKETS + coarse[j], minlength=_BUCKETS**2)
            result[i, j] = result[j, i] = _cramer(table.reshape(_BUCKETS, _BUCKETS))
    return result


def _cramer(table: Ints) -> float:
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    smaller = min(table.shape) - 1
    if smaller < 1:
        return 0.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    chi2 = ((table - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi2 / table.sum() / smaller))


def _edges(column: Float32s, levels: Floats) -> Float32s:
    present = column[column != FAR]
    if len(present) == 0:
        return np.zeros(0, dtype=np.float32)
    # a quantile that is a value of the column: an integer then falls on one side, whole
    return np.unique(np.quantile(present, levels, method="higher")).astype(np.float32)
