"""Columns as features of a tree: categories ordered by what they tell of the target.

A split of ordered categories is the best split of all subsets for a binary or numeric target
(Fisher 1958; Breiman et al. 1984, section 4.2.2), and a good one for several classes, ordered by
the first principal axis of their class shares (Coppersmith, Hong and Hosking 1999).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import chi2

from prefect_synth.synth.encoding.layout import RARE, Encoded, Floats, Ints
from prefect_synth.synth.row_models.growth import Target
from prefect_synth.synth.storage import stored

_SHRINK = 10.0
FINE = 128
"""Bins of an ordered feature."""
_BINS = 16
_MOST = 24
_EXACT = 3
_AXES, _FEW = 3, 4
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
        """The feature matrix, [n, f]; in double precision, as bins end at values of the data.

        Args:
            pieces: Pieces of context and row, [n, c + d].
            middles: Middle of each value in [0, 1], [n, c + d].
            some: Rows that are wanted; all where None.
        """
        rows = slice(None) if some is None else some
        x = np.empty((len(pieces) if some is None else len(some), len(self.columns)))
        for f, (column, ranks) in enumerate(zip(self.columns, self.ranks, strict=True)):
            x[:, f] = ranks[pieces[rows, column]] if len(ranks) else middles[rows, column]
        return x


class TrainingColumns:
    """Context and rows as a tree's training data, each ordered column binned once.

    Args:
        known: Context and row side by side, [n, c + d].
    """

    def __init__(self, known: Encoded) -> None:
        lower, upper = known.intervals()
        self.pieces, self.layouts = known.pieces, known.layouts
        self.middles = np.asarray((lower + upper) / 2)
        self.bins: dict[int, tuple[Ints, Floats]] = {}

    def __len__(self) -> int:
        return len(self.pieces)

    def codes(self, column: int) -> Ints:
        """Categories, or bins of an ordered column, [n]."""
        if self.layouts[column].nominal:
            return self.pieces[:, column].astype(np.int64)
        return self.binned(column)[0]

    def binned(self, column: int) -> tuple[Ints, Floats]:
        """Bins of about equal mass, [n], and the largest value of each."""
        if column not in self.bins:
            x = self.middles[:, column]
            edges = np.unique(np.quantile(x, np.linspace(0, 1, FINE + 1)[1:], method="higher"))
            self.bins[column] = np.searchsorted(edges, x, side="left"), edges
        return self.bins[column]


@dataclass(frozen=True)
class TrainingFeatures:
    """Features of one target, binned so that a tree need not sort them.

    Args:
        bins: Bin or exact value of each feature, [n, f] float32.
        edges: Largest value of each bin, by feature; none where the value is exact.
    """

    bins: Floats
    edges: tuple[Floats, ...]

    def threshold(self, features: Ints, thresholds: Floats) -> Floats:
        """Thresholds between bins as thresholds between values, [nodes]."""
        exact = np.array([not len(e) for e in self.edges] or [True])
        found = np.asarray(thresholds, float).copy()
        for f in np.unique(features[features >= 0]):
            if not exact[f]:
                at = features == f
                found[at] = self.edges[f][np.floor(thresholds[at]).astype(np.int64)]
        return found


def fit_features(
    known: TrainingColumns, columns: list[int], target: Target
) -> tuple[FeatureSet, TrainingFeatures]:
    """Choose the columns that tell something of the target, and order their categories.

    Args:
        known: Context and row.
        columns: Columns that may be used.
        target: What they are to tell of.
    """
    found: list[tuple[float, int, Floats, Ints, Floats]] = []
    for column in columns:
        for ranks in _category_ranks(known, column, target) or [np.zeros(0)]:
            codes, edges = (
                (ranks[known.pieces[:, column]].astype(np.int64), np.zeros(0))
                if len(ranks)
                else known.binned(column)
            )
            score = _excess(_coarse(codes), target.classes)
            if score > 0:
                found.append((score, column, ranks, codes, edges))
    best = sorted(found, key=lambda f: (-f[0], f[1]))[:_MOST]
    strongest = range(_EXACT)
    x = np.empty((len(known), len(best)), np.float32)
    kept = []
    for f, (_, column, _, codes, edges) in enumerate(best):
        # a coarse target needs what tells it most without bins
        exact = target.coarse and len(edges) >= FINE // 2 and f in strongest
        x[:, f] = known.middles[:, column] if exact else codes
        kept.append(np.zeros(0) if exact else edges)
    features = FeatureSet(tuple(b[1] for b in best), tuple(b[2] for b in best))
    return features, TrainingFeatures(x, tuple(kept))


def _coarse(codes: Ints) -> Ints:
    """At most `_BINS` bins, [n]."""
    most = int(codes.max(initial=0)) + 1
    if most <= _BINS:
        return codes
    rows = np.bincount(codes, minlength=most)
    bins = (np.cumsum(rows) - rows / 2) * _BINS / len(codes)
    return np.minimum(bins.astype(np.int64), _BINS - 1)[codes]


def _category_ranks(known: TrainingColumns, column: int, target: Target) -> list[Floats]:
    """Orders of a column's categories, the one that tells most first; none where it is ordered."""
    layout = known.layouts[column]
    count = len(layout.probabilities)
    if not layout.nominal or count < 3:
        return []
    pieces = known.pieces[:, column]
    rows = np.bincount(pieces, minlength=count).astype(float)
    orders = []
    for position in _axes(pieces, count, rows, target):
        ranks = np.empty(count)
        ranks[np.argsort(position, kind="stable")] = np.arange(count)
        orders.append(ranks)
    return orders


def _axes(pieces: Ints, count: int, rows: Floats, target: Target) -> list[Floats]:
    """Where each category lies, shrunken towards the mean as it has fewer rows, [count] each."""
    levels = int(target.classes.max()) + 1
    table = np.bincount(pieces * levels + target.classes, minlength=count * levels)
    table = table.reshape(count, levels).astype(float)
    expected = rows[:, None] * table.sum(axis=0) / max(rows.sum(), 1.0)
    shares = (table - expected) / (rows + _SHRINK)[:, None]
    shares[_too_few(rows)] = 0.0
    weighted = shares * np.sqrt(rows)[:, None]
    _, axes = np.linalg.eigh(weighted.T @ weighted)
    most = min(_AXES if count > _FEW else 1, levels - 1)
    found = [
        np.asarray(shares @ (axis * np.sign(axis[np.argmax(np.abs(axis))])))
        for axis in axes[:, : -1 - most : -1].T
    ]
    if not target.nominal:  # an ordered target: the mean tells most
        sums = np.bincount(pieces, target.rank - target.rank.mean(), minlength=count)
        found = [np.where(_too_few(rows), 0.0, sums / (rows + _SHRINK)), *found[1:]]
    return found


def _too_few(rows: Floats) -> np.ndarray:
    """Categories of which too few rows are known to tell them from the mean, [count] bool.

    Only the frame itself makes categories of one row: it names the rows of a reference table.
    """
    names_rows = np.median(rows[rows > 0]) <= 1 if rows.any() else False
    return np.zeros(len(rows), bool) if names_rows else rows < RARE


def _excess(bins: Ints, classes: Ints) -> float:
    """By how much the likelihood ratio of a table is beyond what chance would give."""
    levels = int(classes.max(initial=0)) + 1
    table = np.bincount(bins * levels + classes, minlength=(bins.max(initial=0) + 1) * levels)
    table = table.reshape(-1, levels).astype(float)
    row, column, total = table.sum(axis=1), table.sum(axis=0), table.sum()
    freedom = max((row > 0).sum() - 1, 1) * max((column > 0).sum() - 1, 1)
    statistic = 2 * (_xlogx(table) - _xlogx(row) - _xlogx(column) + _xlogx(total))
    return float(statistic - _critical(int(freedom)))


@lru_cache(maxsize=4096)
def _critical(freedom: int) -> float:
    return float(chi2.ppf(_SURE, freedom))


def _xlogx(counts: Floats | float) -> float:
    counts = np.atleast_1d(counts)
    return float((counts * np.log(np.maximum(counts, 1.0))).sum())
