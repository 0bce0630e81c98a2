"""How alike two tables are in what each pair of their columns shares.

The definitions and default thresholds are those of SDMetrics 0.32: numbers with numbers by
CorrelationSimilarity, all else by ContingencySimilarity, with numbers cut into ten bins of each
side's own range. A pair counts only where the real columns are associated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from prefect_synth.synth.metrics.compared import Cells, ComparedColumn
from prefect_synth.synth.metrics.correlation import correlations
from prefect_synth.synth.metrics.sources import Ints

CORRELATION_THRESHOLD = 0.5
"""A pair of numbers counts where the real correlation is above this, up or down."""

ASSOCIATION_THRESHOLD = 0.3
"""Any other pair counts where the real Cramer's V is above this."""

_DENSE_CELLS = 1 << 20  # a contingency table up to this size is counted without sorting
_BLOCK = 1 << 15


def pair_trends(
    columns: Sequence[ComparedColumn], pairs: Sequence[tuple[int, int]]
) -> list[float | None]:
    """Score pairs of columns.

    Args:
        columns: The columns, with the same rows in the same order.
        pairs: Positions in `columns`.

    Returns:
        A score from 0 to 1 for each pair; None where the real columns are not associated, or where
        one of two numerical columns is constant on a side.
    """
    continuous = [i for i, column in enumerate(columns) if column.continuous]
    places = {i: place for place, i in enumerate(continuous)}
    real = correlations([columns[i].real for i in continuous])
    synthetic = correlations([columns[i].synthetic for i in continuous])
    scores: list[float | None] = []
    for i, j in pairs:
        if i in places and j in places:
            at = places[i], places[j]
            scores.append(correlation_similarity(float(real[at]), float(synthetic[at])))
        else:
            scores.append(contingency_similarity(columns[i], columns[j]))
    return scores


def correlation_similarity(real: float, synthetic: float) -> float | None:
    """Compare two correlations; None where there is none or the real one is weak."""
    if np.isnan(real) or np.isnan(synthetic) or abs(real) <= CORRELATION_THRESHOLD:
        return None
    return 1 - abs(real - synthetic) / 2


def contingency_similarity(first: ComparedColumn, second: ComparedColumn) -> float | None:
    """Compare two columns' contingency tables: one minus their total variation distance.

    Nulls are a category. None where the real columns are not associated.
    """
    (real_a, synthetic_a, size_a), (real_b, synthetic_b, size_b) = first.cells, second.cells
    real, real_counts = count_pairs(real_a, real_b, size_a, size_b)
    association = cramers_v(real // size_b, real % size_b, real_counts)
    if not association > ASSOCIATION_THRESHOLD:
        return None
    synthetic, counts = count_pairs(synthetic_a, synthetic_b, size_a, size_b)
    cells = np.concatenate([real, synthetic])
    shares = np.concatenate([real_counts / real_counts.sum(), -counts / max(1, counts.sum())])
    _, numbered = np.unique(cells, return_inverse=True)
    distance = np.abs(np.bincount(numbered, weights=shares)).sum() / 2
    return float(min(1.0, max(0.0, 1 - distance)))


def cramers_v(rows: Ints, columns: Ints, counts: Ints) -> float:
    """Cramer's V of a contingency table given by its filled cells.

    Args:
        rows: The row of each filled cell.
        columns: The column of each filled cell.
        counts: How often each occurs, above 0.

    Returns:
        0 for independent, 1 for determined; NaN where a side has fewer than two categories.
    """
    row_values, rows = np.unique(rows, return_inverse=True)
    column_values, columns = np.unique(columns, return_inverse=True)
    freedom = min(len(row_values), len(column_values)) - 1
    if freedom < 1:
        return float("nan")
    row_totals = np.bincount(rows, weights=counts)
    column_totals = np.bincount(columns, weights=counts)
    squares = (counts.astype(float) ** 2 / row_totals[rows] / column_totals[columns]).sum()
    return float(np.sqrt(max(0.0, squares - 1) / freedom))


def count_pairs(
    first: Cells, second: Cells, first_size: int, second_size: int
) -> tuple[Ints, Ints]:
    """Count how often each pair of codes occurs.

    Args:
        first: Codes from 0 to `first_size` - 1, one for each row.
        second: Codes from 0 to `second_size` - 1, one for each row.
        first_size: How many codes `first` has.
        second_size: How many codes `second` has.

    Returns:
        The pairs that occur, as `first * second_size + second` in rising order; and their counts.
    """
    size = first_size * second_size
    if size > _DENSE_CELLS:
        return np.unique(first.astype(np.int64) * second_size + second, return_counts=True)
    counts = np.zeros(size, dtype=np.int64)
    step = max(_BLOCK, size)
    narrow = np.int16 if size < 1 << 15 else np.int64
    block: npt.NDArray[Any] = np.empty(min(step, len(first)), dtype=narrow)
    for start in range(0, len(first), step):  # a block stays in the processor's cache
        joint = block[: len(first[start : start + step])]
        np.multiply(first[start : start + step], second_size, out=joint, dtype=narrow)
        joint += second[start : start + step].astype(narrow, copy=False)
        counts += np.bincount(joint, minlength=size)
    filled = np.flatnonzero(counts)
    return filled, counts[filled]
