"""The quality score: how alike real and synthetic tables are, by SDMetrics' definitions.

SDMetrics 0.32's QualityReport is the yardstick of the field; the four properties, their averages
and default thresholds are defined as there. A high quality alone does not make a table usable:
columns shuffled by themselves score 0.88 on a census.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
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
    asked = (*metadata.tables, *(r.name for r in metadata.relationships))
    covered = metadata.relationships if cardinality_of is None else cardinality_of
    parts = quality_parts(real, synthetic, metadata, asked, rows=rows, seed=seed, degrees=degrees)
    return whole_quality(parts, [r.name for r in covered])


@dataclass(frozen=True)
class QualityPart:
    """The scores of one table, or of one relationship.

    Args:
        name: Its name.
        shapes: Shape by column, of a table.
        trends: Trend by pair, within the table or across the relationship.
        cardinality: Of a relationship.
        of_table: Whether it is that of a table.
    """

    name: str
    shapes: Mapping[str, float | None]
    trends: Mapping[str, float | None]
    cardinality: float | None = None
    of_table: bool = False


def whole_quality(parts: Iterable[QualityPart], covered: Collection[str]) -> QualityScore:
    """The score of all tables and relationships.

    Args:
        parts: The parts.
        covered: Names of the relationships that Cardinality covers.
    """
    every = list(parts)
    tables = [part for part in every if part.of_table]
    across = [part for part in every if not part.of_table]
    counts = {part.name: part.cardinality for part in across if part.name in covered}
    properties = (
        _mean_of(part.shapes for part in tables),
        _mean_of(part.trends for part in tables),
        _mean(counts.values()),
        _mean_of(part.trends for part in across),
    )
    own = {p.name: _mean([_mean(p.shapes.values()), _mean(p.trends.values())]) for p in tables}
    return QualityScore(
        _mean(properties),
        *properties,
        per_column=_scored(part.shapes for part in tables),
        per_pair=_scored(part.trends for part in (*tables, *across)),
        per_relationship=_scored([counts]),
        per_table=_scored([own]),
        unscored=tuple(n for part in tables for n, shape in part.shapes.items() if shape is None),
    )


def quality_parts(
    real: Mapping[str, Source],
    synthetic: Mapping[str, Source],
    metadata: Metadata,
    asked: Collection[str],
    *,
    rows: int | None = None,
    seed: int = 0,
    degrees: Mapping[str, Source] | None = None,
) -> list[QualityPart]:
    """The parts of `quality` for some tables and relationships; each is as among all.

    Args:
        real: The real tables, by name.
        synthetic: The synthetic tables, likewise.
        metadata: What the columns mean and how the tables are related.
        asked: Names of tables and relationships.
        rows: At most so many rows of a table are compared.
        seed: Seed of that draw.
        degrees: The real tables whose children per parent are compared with.
    """
    left = Side.open("real", real, metadata, rows, seed)
    right = Side.open("synthetic", synthetic, metadata, rows, seed)
    columns = cache(lambda table: list(compared_columns(table, metadata, left, right)))
    parts = [
        QualityPart(t, _shapes(t, columns(t)), _trends(t, columns(t)), of_table=True)
        for t in metadata.tables
        if t in asked
    ]
    for r in metadata.relationships:
        if r.name in asked:
            trends = _intertable(r, columns(r.parent), columns(r.child), left, right)
            counts = _cardinality(r, left, right, degrees)
            parts.append(QualityPart(r.name, {}, trends, counts))
    return parts


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
    above: list[ComparedColumn],
    below: list[ComparedColumn],
    real: Side,
    synthetic: Side,
) -> Scores:
    (left, left_parents), (right, right_parents) = (
        side.joined(relationship) for side in (real, synthetic)
    )
    parents = [c.take(left_parents, right_parents) for c in above]
    children = [c.take(left, right) for c in below]
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
