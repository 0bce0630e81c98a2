"""Growing a decision tree for one column, as deep as the data bear it out.

CART synthesis of official statistics (Reiter 2005; Nowok, Raab and Dibben 2016) draws each column
from the leaf of a tree over the columns before it. Here a split must be significant by the
likelihood-ratio test (Wilks 1938), which keeps the tree from learning single rows by heart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from prefect_synth.synth.encoding.layout import Floats, Ints, Layout
from prefect_synth.synth.row_models.forest import Forest

_SURE = 0.99
_LEVELS = 24
_CLASSES = 24
_ENOUGH = 10
_LEVEL_ROWS = 12
_STRONG = 0.8
_FINE_LEAF = 20
_SEARCHED = 8.0


@dataclass(frozen=True)
class Target:
    """A column to be predicted.

    Args:
        rank: Middle of each row's value in [0, 1], [n].
        classes: Levels for the test: few categories, or bins of the rank, [n].
        nominal: Whether its values have no order.
    """

    rank: Floats
    classes: Ints
    nominal: bool

    def is_strong(self, x: Floats) -> bool:
        """Whether `x` [n] tells the target so well that its levels would be too coarse."""
        if self.nominal or self.rank.std() < 1e-9 or x.std() < 1e-9:
            return False
        return bool(abs(np.corrcoef(x, self.rank)[0, 1]) > _STRONG)


def make_target(pieces: Ints, rank: Floats, layout: Layout) -> Target:
    """A column's values as levels that a significance test can count.

    Args:
        pieces: Piece of each row, [n].
        rank: Middle of each row's value in [0, 1], [n].
        layout: The column's pieces.
    """
    count = len(layout.probabilities)
    if layout.nominal or count <= _LEVELS:
        rows = np.bincount(pieces, minlength=count)
        level = np.empty(count, np.int64)
        level[np.argsort(-rows, kind="stable")] = np.minimum(np.arange(count), _CLASSES - 1)
        return Target(rank, level[pieces], layout.nominal)
    levels = int(np.clip(len(rank) // _LEVEL_ROWS, 2, _LEVELS))
    order = np.argsort(rank, kind="stable")
    mid = _mid_ranks(rank[order])
    classes = np.empty(len(rank), np.int64)
    classes[order] = np.minimum((mid * levels).astype(np.int64), levels - 1)
    return Target(rank, classes, False)


def _mid_ranks(ordered: Floats) -> Floats:
    """Mean rank of equal values, in [0, 1], [n]."""
    first = np.flatnonzero(np.diff(ordered, prepend=-1.0))
    size = np.diff(np.append(first, len(ordered)))
    return np.repeat(first + size / 2, size) / len(ordered)


def grow_tree(
    x: Floats, target: Target, rows: Ints, leaf: int, seed: int, *, fine: bool
) -> Forest:
    """One tree.

    Args:
        x: Features of all rows, [n, f] float32.
        target: The column to predict.
        rows: Rows to grow it on.
        leaf: Fewest rows of a leaf.
        seed: Breaks ties between features.
        fine: Predict the rank itself: a feature tells it so well that levels are too coarse.
    """
    if not x.shape[1] or len(rows) < 2 * leaf:
        return Forest.stump()
    if fine:
        return _by_rank(x[rows], target.rank[rows], max(leaf, _FINE_LEAF), seed)
    return _by_class(x[rows], target.classes[rows], leaf, seed)


def _by_class(x: Floats, classes: Ints, leaf: int, seed: int) -> Forest:
    from sklearn.tree import DecisionTreeClassifier

    levels = int((np.bincount(classes) >= _ENOUGH).sum())
    if levels < 2:
        return Forest.stump()
    # scikit-learn weighs a gain (in bits) by the node's share of all rows: N cancels
    least = chi2.ppf(_SURE, levels - 1) / (2 * len(x) * np.log(2))
    tree = DecisionTreeClassifier(
        criterion="entropy", min_samples_leaf=leaf, min_impurity_decrease=least, random_state=seed
    )
    grown = tree.fit(x, classes).tree_
    return _as_forest(grown, grown.feature >= 0)


def _by_rank(x: Floats, rank: Floats, leaf: int, seed: int) -> Forest:
    from sklearn.tree import DecisionTreeRegressor

    tree = DecisionTreeRegressor(
        min_samples_leaf=leaf, min_impurity_decrease=1e-8, random_state=seed
    )
    grown = tree.fit(x, rank).tree_
    return _as_forest(grown, _significant(grown, x.shape[1]))


def _significant(grown: object, features: int) -> np.ndarray:
    """Inner nodes that are significant splits, or have one below them, [nodes]."""
    left, right = grown.children_left, grown.children_right  # type: ignore[attr-defined]
    size, error = grown.weighted_n_node_samples, grown.impurity  # type: ignore[attr-defined]
    inner = np.flatnonzero(left >= 0)
    after = (size[left[inner]] * error[left[inner]] + size[right[inner]] * error[right[inner]]) / (
        size[inner]
    )
    gain = size[inner] * np.log(np.maximum(error[inner], 1e-30) / np.maximum(after, 1e-30))
    least = chi2.ppf(1 - (1 - _SURE) / (features * _SEARCHED), 1)
    keep = np.zeros(len(left), bool)
    keep[inner] = gain >= least
    # a child's number is above its parent's: one pass upwards, level by level
    depth = np.zeros(len(left), np.int64)
    for node in inner:
        depth[left[node]] = depth[right[node]] = depth[node] + 1
    for level in range(int(depth.max(initial=0)), -1, -1):
        at = inner[depth[inner] == level]
        keep[at] |= keep[left[at]] | keep[right[at]]
    return keep


def _as_forest(grown: object, keep: np.ndarray) -> Forest:
    features = np.where(keep, grown.feature, -1).astype(np.int32)  # type: ignore[attr-defined]
    return Forest(
        features,
        grown.threshold.astype(np.float64),  # type: ignore[attr-defined]
        grown.children_left.astype(np.int32),  # type: ignore[attr-defined]
        grown.children_right.astype(np.int32),  # type: ignore[attr-defined]
        np.zeros(1, np.int32),
    )
