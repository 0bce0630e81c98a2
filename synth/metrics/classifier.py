"""Gradient-boosted trees that tell rows apart or predict a column, on one thread and seeded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from prefect_synth.synth.metrics.features import Matrix
from prefect_synth.synth.metrics.sources import Floats, Ints
from prefect_synth.synth.row_models.threads import Shared

Mask = npt.NDArray[np.bool_]

FOLDS = 3

ROUNDS = 100
"""Trees that are grown where nothing else is asked for."""


def _hold_threads() -> Callable[[], object]:
    return threadpool_limits(1).restore_original_limits


one_thread = Shared(_hold_threads)
"""Trees grow on one thread: figures must not depend on the number of cores."""


def row_folds(labels: Ints, rng: np.random.Generator) -> Ints:
    """Deal rows to folds at random, each label evenly."""
    folds = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        folds[rows] = np.arange(len(rows)) % FOLDS
    return folds


def group_folds(groups: Sequence[Ints], rng: np.random.Generator) -> Ints:
    """Deal whole groups to folds at random, such that each side has about as many rows in each.

    Args:
        groups: The group of each row, for each side; an equal number is the same group.
        rng: Draws the order of the groups.

    Returns:
        The fold of each row, side after side.
    """
    names, numbered = np.unique(np.concatenate(groups), return_inverse=True)
    folds = np.full(len(names), -1)
    ends = np.cumsum([len(group) for group in groups])[:-1]
    for side in np.split(numbered, ends):
        sizes = np.bincount(side, minlength=len(names))
        new = rng.permutation(np.flatnonzero((sizes > 0) & (folds < 0)))
        before = np.cumsum(sizes[new]) - sizes[new]
        folds[new] = before * FOLDS // max(1, sizes[new].sum())
    return folds[numbered]


def auc_by_folds(
    rows: Matrix, labels: Ints, folds: Ints, categories: Mask, seed: int, rounds: int = ROUNDS
) -> float | None:
    """The mean ROC-AUC of a classifier over folds, each tested by what the others taught.

    Returns:
        From 0 to 1; None where no fold has both labels inside and outside.
    """
    from sklearn.metrics import roc_auc_score

    found = []
    for fold in range(FOLDS):
        test = folds == fold
        if len(np.unique(labels[test])) < 2 or len(np.unique(labels[~test])) < 2:
            continue
        model, used = fit(rows[~test], labels[~test], categories, seed, rounds=rounds)
        if model is not None:
            found.append(
                roc_auc_score(labels[test], predict_class(model, rows[test][:, used])[:, 1])
            )
    return float(np.mean(found)) if found else None


def fit(
    rows: Matrix,
    target: npt.NDArray[Any],
    categories: Mask,
    seed: int,
    regress: bool = False,
    rounds: int = ROUNDS,
) -> tuple[Any, Mask]:
    """Fit gradient-boosted trees.

    Args:
        rows: The features, NaN for null.
        target: A class or, to regress, a number for each row.
        categories: Which features are category codes.
        seed: Seed of the trees.
        regress: Whether to predict a number.
        rounds: Trees to grow.

    Returns:
        The model, None where no feature has a value; and which features it uses: one without any
        value cannot be binned.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    used = np.asarray(~np.isnan(rows).all(axis=0), dtype=bool)
    if not used.any():
        return None, used
    kind = HistGradientBoostingRegressor if regress else HistGradientBoostingClassifier
    model = kind(
        random_state=seed,
        max_iter=rounds,
        categorical_features=categories[used] if categories[used].any() else None,
    )
    with one_thread:
        return model.fit(rows[:, used], target), used


def predict_class(model: Any, rows: Matrix) -> Floats:
    """Probability of each class, as columns."""
    with one_thread:
        return np.asarray(model.predict_proba(rows), dtype=np.float64)


def predict_number(model: Any, rows: Matrix) -> Floats:
    """A number for each row."""
    with one_thread:
        return np.asarray(model.predict(rows), dtype=np.float64)
