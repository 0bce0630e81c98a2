"""The quality score: how alike real and synthetic tables are, by SDMetrics' definitions.

SDMetrics 0.32's QualityReport is the yardstick of the field; the four properties, their averages
and default thresholds are defined as there. A high quality alone does not make a table usable:
columns shuffled by themselves score 0.88 on a census.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import combinations, product
from typing import Any

import numpy as np

from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.metrics.compared import ComparedColumn
from prefect_synth.synth.metrics.keys import child_counts
from prefect_synth.synth.metrics.shapes import ks_complement
from prefect_synth.synth.metrics.side import Side, compared_columns, read_parents
from prefect_synth.synth.metrics.sources import Source, count_rows
from prefect_synth.synth.metrics.trends import pair_trends


@dataclass(frozen=True)
class QualityScore:
    """How alike real and synthetic tables are; 1 is best.

    Args:
        overall: The mean of the properties that could be computed; None where none could.
        column_shapes: Mean over all columns (KSComplement, TVComplement).
        column_pair_trends: Mean over all pairs of columns of a table that are associated in the
            real data (CorrelationSimilarity, ContingencySimilarity).
        cardinality: Mean over relationships of the KSComplement of children per parent.
        intertable_trends: As `column_pair_trends`, over pairs of a parent's and a child's column.
        per_column: Shape by `table.column`.
        per_pair: Trend by `table.first ~ table.second`, pairs that count only; across tables
            by `child.foreign_key -> parent.column ~ child.column`.
        per_relationship: Cardinality by the relationship's name.
        per_table: Mean of a table's own shapes and trends, as for a single table.
        unscored: Columns without a score, because a side holds no value.
    """

    overall: float | None
    column_shapes: float | None
    column_pair_trends: float | None
    cardinality: float | None = None
    intertable_trends: float | None = None
    per_column: Mapping[str, float] = field(default_factory=dict)
    per_pair: Mapping[str, float] = field(default_factory=dict)
    per_relationship: Mapping[str, float] = field(default_factory=dict)
    per_table: Mapping[str, float] = field(default_factory=dict)
    unscored: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The score as plain JSON values."""
        return asdict(self) | {"unscored": list(self.unscored)}


def quality(
    real: Mapping[str, Source],
    synthetic: Mapping[str, Source],
    metadata: Metadata,
    *,
    rows: int | None = None,
    seed: int = 0,
    degrees: Mapping[str, Source] | None = None,
    cardinality_of: Collection[Relationship] | None = None,
) -> QualityScore:
    """Score synthetic tables against real ones.

    Args:
        real: The real tables, by name: in memory, or paths of Parquet files or folders.
        synthetic: The synthetic tables, likewise.
        metadata: What the columns mean and how the tables are related.
        rows: At most so many rows of a table are compared (children drawn first, then the parents
            they refer to); None for all. Cardinality is always computed on all rows.
        seed: Seed of that draw.
        degrees: The real tables whose children per parent Cardinality compares with, where `real`
            is only a part of them (the training rows); None for `real`.
        cardinality_of: The relationships that Cardinality covers; None for all.

    Returns:
        The score, with its parts.

    Raises:
        MetricsError: A table or a column is missing.
    """
    left = Side.open("real", real, metadata, rows, seed)
    right = Side.open("synthetic", synthetic, metadata, rows, seed)
    columns = {t: list(compared_columns(t, metadata, left, right)) for t in metadata.tables}
    shapes = {table: _shapes(table, compared) for table, compared in columns.items()}
    trends = {table: _trends(table, compared) for table, compared in columns.items()}
    covered = metadata.relationships if cardinality_of is None else cardinality_of
    counts = {r.name: _cardinality(r, left, right, degrees) for r in covered}
    across = {r: _intertable(r, columns, left, right) for r in metadata.relationships}
    properties = (
        _mean_of(shapes.values()),
        _mean_of(trends.values()),
        _mean(counts.values()),
        _mean_of(across.values()),
    )
    return QualityScore(
        _mean(properties),
        *properties,
        per_column=_scored(shapes.values()),
        per_pair=_scored([*trends.values(), *across.values()]),
        per_relationship=_scored([counts]),
        per_table=_scored(
            [{t: _mean([_mean(shapes[t].values()), _mean(trends[t].values())]) for t in columns}]
        ),
        unscored=tuple(name for part in shapes.values() for name in part if part[name] is None),
    )


Scores = Mapping[str, float | None]


def _shapes(table: str, columns: list[ComparedColumn]) -> Scores:
    return {f"{table}.{column.name}": column.shape for column in columns}


def _trends(table: str, columns: list[ComparedColumn]) -> Scores:
    pairs = list(combinations(range(len(columns)), 2))
    names = [f"{table}.{columns[i].name} ~ {table}.{columns[j].name}" for i, j in pairs]
    return dict(zip(names, pair_trends(columns, pairs), strict=True))


def _cardinality(
    relationship: Relationship,
    real: Side,
    synthetic: Side,
    degrees: Mapping[str, Source] | None,
) -> float | None:
    if degrees is None:
        left = child_counts(real.parents[relationship], real.counts[relationship.parent])
    else:
        parents = read_parents(relationship, degrees)
        left = child_counts(parents, count_rows(degrees[relationship.parent]))
    right = child_counts(synthetic.parents[relationship], synthetic.counts[relationship.parent])
    score = ks_complement(left, right)
    return None if np.isnan(score) else score


def _intertable(
    relationship: Relationship,
    columns: Mapping[str, list[ComparedColumn]],
    real: Side,
    synthetic: Side,
) -> Scores:
    (left, left_parents), (right, right_parents) = (
        side.joined(relationship) for side in (real, synthetic)
    )
    parents = [c.take(left_parents, right_parents) for c in columns[relationship.parent]]
    children = [c.take(left, right) for c in columns[relationship.child]]
    pairs = list(product(range(len(parents)), range(len(parents), len(parents) + len(children))))
    both = [*parents, *children]
    names = [
        f"{relationship.name} -> {relationship.parent}.{both[i].name} ~ "
        f"{relationship.child}.{both[j].name}"
        for i, j in pairs
    ]
    return dict(zip(names, pair_trends(both, pairs), strict=True))


def _scored(parts: Iterable[Scores]) -> dict[str, float]:
    return {name: s for part in parts for name, s in part.items() if s is not None}


def _mean_of(parts: Iterable[Scores]) -> float | None:
    return _mean(score for part in parts for score in part.values())


def _mean(scores: Iterable[float | None]) -> float | None:
    present = [score for score in scores if score is not None]
    return float(np.mean(present)) if present else None
