"""The classifier two-sample test: how well a classifier tells synthetic rows from real ones.

Lopez-Paz and Oquab 2017, "Revisiting Classifier Two-Sample Tests" (ICLR): where no classifier does
better than chance, the two samples have the same distribution, as far as it can see. The figure is
the ROC-AUC of scikit-learn's HistGradientBoostingClassifier over three folds: 0.5 is best, 1 worst.
Rows that stand on both sides can pull it below 0.5.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.metrics.classifier import ROUNDS, auc_by_folds, group_folds, row_folds
from prefect_synth.synth.metrics.families import child_features, parent_features, sibling_groups
from prefect_synth.synth.metrics.features import (
    Feature,
    categorical,
    feature,
    feature_columns,
    matrix,
)
from prefect_synth.synth.metrics.side import Side
from prefect_synth.synth.metrics.sources import Ints, Source, take_rows
from prefect_synth.synth.randomness import stream

SIDES = ("table", "child", "parent")
"""What can be asked: a table alone, a child with its parent, a parent with its children."""

_ROWS = 50  # fewer on a side tell nothing
_GROUPS = 6


@dataclass(frozen=True)
class C2STScore:
    """ROC-AUC of a classifier; 0.5 is best, 1 is worst, None where it cannot be told.

    Args:
        per_table: A table's own columns, by its name.
        per_child: A child joined with one parent's columns, by the relationship's name.
        per_parent: A parent with the count of its children, the mean of their numbers and the
            mode of their categories, by the parent's name.
    """

    per_table: Mapping[str, float | None] = field(default_factory=dict)
    per_child: Mapping[str, float | None] = field(default_factory=dict)
    per_parent: Mapping[str, float | None] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The score as plain JSON values."""
        return asdict(self)


def c2st(
    real: Mapping[str, Source],
    synthetic: Mapping[str, Source],
    metadata: Metadata,
    rows: int | None = 20_000,
    seed: int = 0,
    tables: Collection[str] | None = None,
    sides: Collection[str] = SIDES,
    rounds: int = ROUNDS,
) -> C2STScore:
    """Ask a classifier to tell synthetic rows from real ones.

    Keys, ids, free text and generated columns never take part, nor do categories that name a row
    (over half of the real values distinct). Rows of one parent stay in one fold, so that no parent
    is learned by heart.

    Args:
        real: The real tables, by name.
        synthetic: The synthetic tables, likewise.
        metadata: What the columns mean and how the tables are related.
        rows: At most so many rows of each side are asked; None for as many as both have.
        seed: Seed of the draw and of the classifier.
        tables: The tables asked, as themselves, as child and as parent; None for all.
        sides: Which of `SIDES` to ask.
        rounds: Trees of the classifier; fewer are quicker and see a little less.

    Returns:
        The AUCs; None where a side has fewer than 50 rows, children fewer than 6 parents, or no
        column takes part.

    Raises:
        MetricsError: A table or a column is missing.
    """
    asked = [t for t in metadata.tables if tables is None or t in tables]
    pair = tuple(
        Side.open(name, sources, metadata, None, seed)
        for name, sources in (("real", real), ("synthetic", synthetic))
    )
    test = _Test(metadata, pair, rows, seed, rounds)
    children = [r for r in metadata.relationships if r.child in asked]
    parents = dict.fromkeys(r.parent for r in metadata.relationships if r.parent in asked)
    return C2STScore(
        {t: test.table(t) for t in asked} if "table" in sides else {},
        {r.name: test.child(r) for r in children} if "child" in sides else {},
        {p: test.parent(p) for p in parents} if "parent" in sides else {},
    )


@dataclass(frozen=True)
class _Test:
    """What every question needs."""

    metadata: Metadata
    pair: tuple[Side, ...]
    rows: int | None
    seed: int
    rounds: int

    def table(self, table: str) -> float | None:
        chosen = self._choose(table)
        if chosen is None:
            return None
        return self._ask(self._own(table, chosen), "table", table)

    def child(self, relationship: Relationship) -> float | None:
        chosen = self._choose(relationship.child)
        if chosen is None:
            return None
        groups = sibling_groups(relationship, self.pair, chosen)
        if min(len(np.unique(group)) for group in groups) < _GROUPS:
            return None
        features = self._own(relationship.child, chosen)
        features += child_features(relationship, self.metadata, self.pair, chosen)
        return self._ask(features, "child", relationship.name, groups=groups)

    def parent(self, parent: str) -> float | None:
        chosen = self._choose(parent)
        if chosen is None:
            return None
        features = self._own(parent, chosen)
        for relationship in self.metadata.children(parent):
            features += parent_features(relationship, self.metadata, self.pair, chosen)
        return self._ask(features, "parent", parent)

    def _choose(self, table: str) -> list[Ints] | None:
        """As many rows of each side, in rising order."""
        counts = [side.counts[table] for side in self.pair]
        size = min(*counts, *([] if self.rows is None else [self.rows]))
        if size < _ROWS:
            return None
        return [
            np.sort(stream(self.seed, "c2st", table, name).choice(count, size, replace=False))
            for name, count in zip(("real", "synthetic"), counts, strict=True)
        ]

    def _own(self, table: str, chosen: list[Ints]) -> list[Feature]:
        return [
            feature(
                column,
                [
                    take_rows(side.sources[table], [column.name], rows).column(0)
                    for side, rows in zip(self.pair, chosen, strict=True)
                ],
            )
            for column in feature_columns(self.metadata.tables[table], self.pair[0].sources[table])
        ]

    def _ask(
        self, features: list[Feature], *purpose: str, groups: list[Ints] | None = None
    ) -> float | None:
        if not features:
            return None
        sides = [matrix(features, side) for side in range(2)]
        labels = np.repeat([0, 1], [len(side) for side in sides])
        rng = stream(self.seed, "c2st", *purpose)
        folds = row_folds(labels, rng) if groups is None else group_folds(groups, rng)
        rows, kinds = np.concatenate(sides), categorical(features)
        return auc_by_folds(rows, labels, folds, kinds, self.seed, self.rounds)
