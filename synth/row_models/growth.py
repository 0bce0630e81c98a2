"""Growing a decision tree for one column, as deep as the data bear it out.

CART synthesis of official statistics (Reiter 2005; Nowok, Raab and Dibben 2016) draws each column
from the leaf of a tree over the columns before it. Here a split must be significant by the
likelihood-ratio test (Wilks 1938), which keeps the tree from learning single rows by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from prefect_synth.synth.encoding.layout import Floats, Ints, Layout
from prefect_synth.synth.row_models.tree import Tree

_SURE = 0.999
_SURE_OF_FINER = 0.99999
_LEVELS = 24
_CLASSES = 64
_ENOUGH = 10
_LEVEL_ROWS = 12
_REFINEMENTS = 3
_REFINED_ROWS = 60


@dataclass(frozen=True)
class Target:
    """A column to be predicted.

    Args:
        rank: Where each row's value lies, in [0, 1]; of many categories along an axis, [n].
        classes: Levels for the test: few categories, or bins of the rank, [n].
        nominal: Whether the levels have no order.
        coarse: Whether a level may hold several values, which leaves can tell apart further.
    """

    rank: Floats
    classes: Ints
    nominal: bool
    coarse: bool


def make_target(pieces: Ints, rank: Floats, layout: Layout, told_by: Sequence[Ints] = ()) -> Target:
    """A column's values as levels that a significance test can count.

    Args:
        pieces: Piece of each row, [n].
        rank: Middle of each row's value in [0, 1], [n].
        layout: The column's pieces.
        told_by: Codes of the columns that it may be told by, [n] each: many categories are put in
            the order of the one that tells most.
    """
    count = len(layout.probabilities)
    if count <= (_CLASSES if layout.nominal else _LEVELS):
        return Target(rank, pieces, layout.nominal, False)
    if layout.nominal:
        rank = _along(pieces, count, told_by)
    return Target(rank, _levels(rank), False, True)


def _levels(rank: Floats) -> Ints:
    """Bins of about equal mass, [n]."""
    levels = int(np.clip(len(rank) // _LEVEL_ROWS, 2, _LEVELS))
    order = np.argsort(rank, kind="stable")
    mid = _mid_ranks(rank[order])
    classes = np.empty(len(rank), np.int64)
    classes[order] = np.minimum((mid * levels).astype(np.int64), levels - 1)
    return classes


def _mid_ranks(ordered: Floats) -> Floats:
    """Mean rank of equal values, in [0, 1], [n]."""
    first = np.flatnonzero(np.diff(ordered, prepend=-1.0))
    size = np.diff(np.append(first, len(ordered)))
    return np.repeat(first + size / 2, size) / len(ordered)


def _along(pieces: Ints, count: int, told_by: Sequence[Ints]) -> Floats:
    """Categories in the order of the column that tells most of them, [n] in [0, 1]."""
    rows = np.maximum(np.bincount(pieces, minlength=count), 1)
    position, most = -rows.astype(float), 0.0
    for codes in told_by:
        told = _told(pieces, codes)
        if told > most:
            most, position = told, np.bincount(pieces, codes, minlength=count) / rows
    rank = np.empty(count)
    rank[np.argsort(position, kind="stable")] = np.arange(count)
    return rank[pieces] / count


def _told(pieces: Ints, codes: Ints) -> float:
    """Bits that one column tells of another, beyond what chance would give."""
    width = int(codes.max(initial=0)) + 1
    pairs, cells = np.unique(pieces * width + codes, return_counts=True)
    sides = [np.bincount(side) for side in (pieces, codes)]
    freedom = len(pairs) - sum(int((side > 0).sum()) for side in sides)
    known = [float((c * np.log(np.maximum(c, 1))).sum()) for c in (cells, *sides)]
    return known[0] - known[1] - known[2] + len(pieces) * np.log(len(pieces)) - max(freedom, 0) / 2


def grow_tree(x: Floats, target: Target, leaf: int, seed: int) -> Tree:
    """One tree.

    Args:
        x: Features of all rows, [n, f] float32.
        target: The column to predict.
        leaf: Fewest rows of a leaf.
        seed: Breaks ties between features.
    """
    if not x.shape[1] or len(x) < 2 * leaf:
        return Tree.stump()
    tree = _by_class(x, target.classes, leaf, seed, _SURE)
    for _ in range(_REFINEMENTS if target.coarse else 0):
        finer = _refined(tree, x, target.rank, leaf, seed)
        if finer is None:
            break
        tree = finer
    return tree


def _refined(tree: Tree, x: Floats, rank: Floats, leaf: int, seed: int) -> Tree | None:
    """The same tree with its large leaves split further, by levels of their own values."""
    at = tree.leaves(x)
    rows = np.bincount(at, minlength=len(tree.features))
    grafts: list[tuple[int, Tree]] = []
    order = np.argsort(at, kind="stable")
    stop = np.cumsum(rows)
    for node in np.flatnonzero(rows >= max(_REFINED_ROWS, 2 * leaf)):
        inside = order[stop[node] - rows[node] : stop[node]]
        grown = _by_class(x[inside], _levels(rank[inside]), leaf, seed, _SURE_OF_FINER)
        if len(grown.features) > 1:
            grafts.append((int(node), grown))
    return tree.grafted(grafts) if grafts else None


def _by_class(x: Floats, classes: Ints, leaf: int, seed: int, sure: float) -> Tree:
    from sklearn.tree import DecisionTreeClassifier

    levels = int((np.bincount(classes) >= _ENOUGH).sum())
    if levels < 2:
        return Tree.stump()
    # scikit-learn weighs a gain (in bits) by the node's share of all rows: N cancels
    least = chi2.ppf(sure, levels - 1) / (2 * len(x) * np.log(2))
    classifier = DecisionTreeClassifier(
        criterion="entropy", min_samples_leaf=leaf, min_impurity_decrease=least, random_state=seed
    )
    grown = classifier.fit(x, classes).tree_
    return _as_tree(grown)


def _as_tree(grown: object) -> Tree:
    features = grown.feature.astype(np.int32)  # type: ignore[attr-defined]
    return Tree(
        np.where(features >= 0, features, -1).astype(np.int32),
        grown.threshold.astype(np.float64),  # type: ignore[attr-defined]
        grown.children_left.astype(np.int32),  # type: ignore[attr-defined]
        grown.children_right.astype(np.int32),  # type: ignore[attr-defined]
    )
