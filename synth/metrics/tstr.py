"""Train on synthetic, test on real: whether a model learned from synthetic rows works on real ones.

Esteban, Hyland and Rätsch 2017, "Real-valued (Medical) Time Series Generation with Recurrent
Conditional GANs". The same model trained on real rows is the measure beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from prefect_synth.synth.metadata import Column, Metadata
from prefect_synth.synth.metrics.classifier import fit, predict_class, predict_number
from prefect_synth.synth.metrics.compared import is_scored
from prefect_synth.synth.metrics.families import child_features
from prefect_synth.synth.metrics.features import (
    Feature,
    Matrix,
    categorical,
    feature,
    feature_columns,
    matrix,
)
from prefect_synth.synth.metrics.side import Side
from prefect_synth.synth.metrics.sources import Floats, Ints, MetricsError, Source, take_rows
from prefect_synth.synth.randomness import stream

_CLASSES = 10  # numbers with at most so many distinct values are classes


@dataclass(frozen=True)
class TSTRScore:
    """How well a column of unseen real rows is predicted.

    Args:
        target: The column, as `table.column`.
        metric: `roc_auc` for classes (the mean of one against the rest), `r2` for numbers.
        train_on_real: The score of a model trained on the training rows; None where it has none.
        train_on_synthetic: That of a model trained on synthetic rows; near the other is best.
    """

    target: str
    metric: Literal["roc_auc", "r2"]
    train_on_real: float | None
    train_on_synthetic: float | None

    def to_dict(self) -> dict[str, Any]:
        """The score as plain JSON values."""
        return asdict(self)


def tstr(
    training: Mapping[str, Source],
    synthetic: Mapping[str, Source],
    holdout: Mapping[str, Source],
    metadata: Metadata,
    target: str,
    rows: int | None = 20_000,
    seed: int = 0,
) -> TSTRScore:
    """Train on synthetic and on real rows, and test both on real rows held out.

    Features are the scored columns of the target's table and of its parents, as in `c2st`.

    Args:
        training: The real tables that the synthesizer was trained on, by name.
        synthetic: The synthetic tables, likewise.
        holdout: Real tables that it never saw, likewise.
        metadata: What the columns mean and how the tables are related.
        target: The column to predict, as `table.column`.
        rows: At most so many rows of each side are used; None for all.
        seed: Seed of the draw and of the models.

    Returns:
        Both scores.

    Raises:
        MetricsError: The target cannot be predicted, or a table or a column is missing.
    """
    table, column = _target(target, metadata)
    related = _with_parents(table, metadata)
    sides = [
        Side.open(name, sources, related, None, seed)
        for name, sources in (
            ("training", training), ("synthetic", synthetic), ("holdout", holdout),
        )
    ]  # fmt: skip
    answers, chosen = _answers(table, column, sides, rows, seed)
    features = _features(table, column, related, sides, chosen)
    classes = answers.categorical or len(np.unique(answers.sides[0])) <= _CLASSES
    if not features or not all(len(side) for side in answers.sides):
        return TSTRScore(target, "roc_auc" if classes else "r2", None, None)
    views = [matrix(features, side) for side in range(3)]
    score = _classify if classes else _regress
    on_real, on_synthetic = (
        score(views[i], answers.sides[i], views[2], answers.sides[2], categorical(features), seed)
        for i in (0, 1)
    )
    return TSTRScore(target, "roc_auc" if classes else "r2", on_real, on_synthetic)


def _target(target: str, metadata: Metadata) -> tuple[str, Column]:
    for name, table in metadata.tables.items():  # names of tables and of columns may have dots
        for column in table.columns.values():
            if f"{name}.{column.name}" == target and is_scored(column):
                return name, column
    raise MetricsError(
        f"The target '{target}' cannot be predicted. Name a numerical, datetime, categorical or "
        "boolean column that is not generated, as table.column."
    )


def _with_parents(table: str, metadata: Metadata) -> Metadata:
    links = tuple(r for r in metadata.parents(table))
    names = {table, *(r.parent for r in links)}
    return Metadata({n: t for n, t in metadata.tables.items() if n in names}, links)


def _answers(
    table: str, column: Column, sides: list[Side], rows: int | None, seed: int
) -> tuple[Feature, list[Ints]]:
    """The target where it is known, and the rows of each side where that is."""
    whole = feature(
        column, [take_rows(side.sources[table], [column.name], None).column(0) for side in sides]
    )
    chosen = []
    for name, side in zip(("training", "synthetic", "holdout"), whole.sides, strict=True):
        known = np.flatnonzero(~np.isnan(side))
        if rows is not None and len(known) > rows:
            rng = stream(seed, "tstr", table, column.name, name)
            known = np.sort(rng.choice(known, rows, replace=False))
        chosen.append(known)
    return whole.take(chosen), chosen


def _features(
    table: str, target: Column, metadata: Metadata, sides: list[Side], chosen: list[Ints]
) -> list[Feature]:
    found = []
    for column in feature_columns(metadata.tables[table], sides[0].sources[table]):
        if column.name != target.name:
            views = (
                take_rows(side.sources[table], [column.name], rows).column(0)
                for side, rows in zip(sides, chosen, strict=True)
            )
            found.append(feature(column, list(views)))
    for relationship in metadata.parents(table):
        found += child_features(relationship, metadata, sides, chosen)
    return found


def _classify(
    rows: Matrix, answers: Floats, unseen: Matrix, truth: Floats, categories: Any, seed: int
) -> float | None:
    """The mean over classes of the AUC of one against the rest; 0.5 for one never learned."""
    from sklearn.metrics import roc_auc_score

    if len(np.unique(answers)) < 2:
        return None
    model, used = fit(rows, answers.astype(str), categories, seed)
    if model is None:
        return None
    shares = predict_class(model, unseen[:, used])
    known = {name: shares[:, place] for place, name in enumerate(model.classes_)}
    nothing = np.zeros(len(unseen))
    found = [
        roc_auc_score(truth == value, known.get(str(value), nothing))
        for value in np.unique(truth)
        if (truth != value).any()
    ]
    return float(np.mean(found)) if found else None


def _regress(
    rows: Matrix, answers: Floats, unseen: Matrix, truth: Floats, categories: Any, seed: int
) -> float | None:
    from sklearn.metrics import r2_score

    model, used = fit(rows, answers, categories, seed, regress=True)
    if model is None or len(truth) < 2:
        return None
    return float(r2_score(truth, predict_number(model, unseen[:, used])))
