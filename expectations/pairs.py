"""How strongly each two columns of a table depend on each other, for the heat maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from prefect_synth.expectations.report_content import Matrix, PairView
from prefect_synth.synth.metadata import Table
from prefect_synth.synth.metrics.compared import Cells, ComparedColumn, is_scored
from prefect_synth.synth.metrics.correlation import correlations
from prefect_synth.synth.metrics.sources import (
    Floats,
    Ints,
    Source,
    count_rows,
    read_schema,
    take_rows,
)
from prefect_synth.synth.metrics.trends import cramers_v
from prefect_synth.synth.randomness import stream

MOST_ROWS = 20_000
MOST_COLUMNS = 100

_DENSE = 1 << 20
_CLUSTERED = 8  # from so many columns on, alike columns stand together


def pair_view(
    table: Table,
    real: Source,
    synthetic: Source,
    *,
    scores: Mapping[str, float] | None = None,
    rows: int = MOST_ROWS,
    seed: int = 0,
) -> PairView | None:
    """Compare the associations of all pairs of columns of a table.

    Args:
        table: What the table means.
        real: The real table.
        synthetic: The synthetic table.
        scores: Score by `table.first ~ table.second`.
        rows: At most so many rows of each side are read.
        seed: Seed of that draw.

    Returns:
        The two matrices; None where fewer than two columns can be compared. Of more than
        `MOST_COLUMNS` the first are taken.
    """
    present = set(read_schema(real).names) & set(read_schema(synthetic).names)
    meant = [c for c in table.columns.values() if is_scored(c) and c.name in present]
    meant = meant[:MOST_COLUMNS]
    if len(meant) < 2:
        return None
    names = [c.name for c in meant]
    left, right = (
        take_rows(side, names, _sample(side, rows, seed, table.name)) for side in (real, synthetic)
    )
    columns = [ComparedColumn.encode(c, left[c.name], right[c.name]) for c in meant]
    sides = association_matrix(columns, "real"), association_matrix(columns, "synthetic")
    order = clustered_order(sides[0]) if len(names) >= _CLUSTERED else np.arange(len(names))
    first, second = (_rows(matrix[np.ix_(order, order)]) for matrix in sides)
    view = PairView(tuple(names[i] for i in order), first, second)
    return with_scores(view, table.name, scores or {})


def with_scores(view: PairView, table: str, scores: Mapping[str, float]) -> PairView:
    """The same view with other scores.

    Args:
        view: The view.
        table: The table's name.
        scores: Score by `table.first ~ table.second`, in either order.
    """
    return replace(view, scores=_rows(_score_matrix(table, view.columns, scores)))


def association_matrix(columns: Sequence[ComparedColumn], side: str) -> Floats:
    """The association of each column with each, on one side.

    It is the size of Pearson's correlation for two numbers; else Cramer's V, numbers cut into ten
    bins and nulls a category, as in SDMetrics' ContingencySimilarity.

    Args:
        columns: D columns, with the same rows in the same order.
        side: `real` or `synthetic`.

    Returns:
        A symmetric D x D matrix of values from 0 to 1, 1 on the diagonal; NaN where a column is
        constant.
    """
    numbered = [i for i, column in enumerate(columns) if column.continuous]
    values = [columns[i].real if side == "real" else columns[i].synthetic for i in numbered]
    result = np.full((len(columns), len(columns)), np.nan)
    if numbered:
        result[np.ix_(numbered, numbered)] = np.abs(correlations(values))
    mixed = set(numbered)
    sides = [column.cells[0] if side == "real" else column.cells[1] for column in columns]
    for i, j in combinations(range(len(columns)), 2):
        if not {i, j} <= mixed:
            size = columns[j].cells[2]
            result[i, j] = result[j, i] = _association(sides[i], sides[j], size)
    np.fill_diagonal(result, 1.0)
    return np.minimum(result, 1.0)  # rounding may go above; NaN stays


def clustered_order(matrix: Floats) -> Ints:
    """An order of columns in which those that depend on each other are neighbours.

    Average linkage with the best order of leaves (Bar-Joseph, Gifford and Jaakkola 2001).
    """
    distances = 1 - np.nan_to_num((matrix + matrix.T) / 2, nan=0.0)
    np.fill_diagonal(distances, 0.0)
    condensed = squareform(np.clip(distances, 0.0, 1.0), checks=False)
    tree = optimal_leaf_ordering(linkage(condensed, "average"), condensed)
    return np.asarray(leaves_list(tree), dtype=np.int64)


def _association(first: Cells, second: Cells, size: int) -> float:
    joint = first.astype(np.int64) * size + second
    if len(joint) == 0:
        return float("nan")
    if int(joint.max()) < _DENSE:
        counts = np.bincount(joint)
        filled = np.flatnonzero(counts)
        counts = counts[filled]
    else:
        filled, counts = np.unique(joint, return_counts=True)
    return cramers_v(filled // size, filled % size, counts)


def _sample(side: Source, rows: int, seed: int, table: str) -> Ints | None:
    total = count_rows(side)
    if total <= rows:
        return None
    drawn = stream(seed, "association", table).choice(total, rows, replace=False, shuffle=False)
    return np.sort(drawn)


def _score_matrix(table: str, names: Sequence[str], scores: Mapping[str, float]) -> Floats:
    result = np.full((len(names), len(names)), np.nan)
    for (i, first), (j, second) in combinations(enumerate(names), 2):
        one, other = f"{table}.{first}", f"{table}.{second}"
        score = scores.get(f"{one} ~ {other}", scores.get(f"{other} ~ {one}"))
        if score is not None:
            result[i, j] = result[j, i] = score
    return result


def _rows(matrix: Floats) -> Matrix:
    return tuple(tuple(row) for row in np.asarray(matrix).round(4).tolist())
