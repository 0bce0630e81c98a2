"""Columns as features of a tree: categories ordered by what they tell of the target.

A split of ordered categories is the best split of all subsets for a binary or numeric target
(Fisher 1958; Breiman et al. 1984, section 4.2.2), and a good one for several classes, ordered by
the first principal axis of their class shares (Coppersmith, Hong and Hosking 1999).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints
from prefect_synth.synth.row_models.growth import Target
from prefect_synth.synth.storage import stored

_SHRINK = 10.0
_BINS = 16
_MOST = 24
_SURE = 0.99


@stored
@dataclass(frozen=True)
class FeatureSet:
    """The features of one target.

    Args:
        columns: Columns of context and row side by side that are features, [f].
        ranks: For each of them the order of its categories, [pieces]; empty where it is ordered.
    """

    columns: tuple[int, ...]
    ranks: tuple[Floats, ...]

    def of(self, pieces: Ints, middles: Floats, some: Ints | None = None) -> Floats:
        """The feature matrix, [n, f] float32.

        Args:
            pieces: Pieces of context and row, [n, c + d].
            middles: Middle of each value in [0, 1], [n, c + d].
            some: Rows that are wanted; all where None.
        """
        rows = slice(None) if some is None else some
        x = np.empty((len(pieces) if some is None else len(some), len(self.columns)), np.float32)
        for f, (column, ranks) in enumerate(zip(self.columns, self.ranks, strict=True)):
            x[:, f] = ranks[pieces[rows, column]] if len(ranks) else middles[rows, column]
        return x


def fit_features(known: Encoded, middles: Floats, columns: list[int], target: Target) -> FeatureSet:
    """Choose the columns that tell something of the target, and order their categories.

    Args:
        known: Context and row side by side, [n, c + d].
        middles: Middle of each value in [0, 1], [n, c + d].
        columns: Columns that may be used.
        target: What they are to tell of.
    """
    chosen, scores = [], []
    for column in columns:
        ranks = _category_ranks(known, column, target)
        x = ranks[known.pieces[:, column]] if len(ranks) else middles[:, column]
        score = _excess(_binned(x), target.classes)
        if score > 0:
            chosen.append((column, ranks))
            scores.append(score)
    best = sorted(np.argsort(-np.array(scores), kind="stable")[:_MOST])
    return FeatureSet(tuple(chosen[i][0] for i in best), tuple(chosen[i][1] for i in best))


def _category_ranks(known: Encoded, column: int, target: Target) -> Floats:
    layout = known.layouts[column]
    count = len(layout.probabilities)
    if not layout.nominal or count < 3:
        return np.zeros(0)
    pieces = known.pieces[:, column]
    rows = np.bincount(pieces, minlength=count).astype(float)
    position = _axis(pieces, count, rows, target)
    ranks = np.empty(count)
    ranks[np.argsort(position, kind="stable")] = np.arange(count)
    return ranks


def _axis(pieces: Ints, count: int, rows: Floats, target: Target) -> Floats:
    """Where each category lies, shrunken towards the mean as it has fewer rows, [count]."""
    if not target.nominal:
        centre = target.rank.mean()
        sums = np.bincount(pieces, target.rank - centre, minlength=count)
        return np.asarray(sums / (rows + _SHRINK))
    levels = int(target.classes.max()) + 1
    table = np.bincount(pieces * levels + target.classes, minlength=count * levels)
    table = table.reshape(count, levels).astype(float)
    expected = rows[:, None] * table.sum(axis=0) / max(rows.sum(), 1.0)
    shares = (table - expected) / (rows + _SHRINK)[:, None]
    weighted = shares * np.sqrt(rows)[:, None]
    _, axes = np.linalg.eigh(weighted.T @ weighted)
    axis = axes[:, -1]
    return np.asarray(shares @ (axis * np.sign(axis[np.argmax(np.abs(axis))])))


def _binned(x: Floats) -> Ints:
    """At most `_BINS` bins of about equal mass, [n]."""
    edges = np.unique(np.quantile(x, np.linspace(0, 1, _BINS + 1)[1:-1]))
    return np.searchsorted(edges, x, side="left")


def _excess(bins: Ints, classes: Ints) -> float:
    """By how much the likelihood ratio of a table is beyond what chance would give."""
    levels = int(classes.max(initial=0)) + 1
    table = np.bincount(bins * levels + classes, minlength=(bins.max(initial=0) + 1) * levels)
    table = table.reshape(-1, levels).astype(float)
    row, column, total = table.sum(axis=1), table.sum(axis=0), table.sum()
    freedom = max((row > 0).sum() - 1, 1) * max((column > 0).sum() - 1, 1)
    statistic = 2 * (_xlogx(table) - _xlogx(row) - _xlogx(column) + _xlogx(total))
    return float(statistic - chi2.ppf(_SURE, freedom))


def _xlogx(counts: Floats | float) -> float:
    counts = np.atleast_1d(counts)
    return float((counts * np.log(np.maximum(counts, 1.0))).sum())
