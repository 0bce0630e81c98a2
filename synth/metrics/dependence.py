"""How much of the real dependence between columns the synthetic data keep; our own definition.

Quality barely tells a column drawn by itself from one drawn with its row: most pairs of columns
depend on each other too little to count there. Here every pair counts that depends at all.

For a pair of columns, numbers are cut at the real deciles, categories beyond the 50 commonest are
one, nulls are one. The distance of two sides is the total variation distance of their joint
distributions, after the second is raked to the marginals of the first (Deming and Stephan 1940), so
that what single columns get wrong is not counted again. Three distances are compared:

- `found`: of synthetic from real;
- `alone`: of synthetic with one column shuffled from real, the mean of several shuffles: what a
  column drawn by itself would reach;
- `chance`: what an honest second sample of the synthetic data's size would reach, from random
  halves of the real data in which related rows stay together (mean and one standard deviation);
  raised by what the holdout, if given, shows beyond the chance of its own size.

    kept = (alone - found) / (alone - chance), cut off at 0 and 1.

A pair counts only where the real dependence (the distance from the product of its marginals) is
clearly above that of shuffled rows, and clearly above `chance`, so that neither independent columns
nor small samples are blamed. A category so seldom that an honest sample may lack it is left out
where it is lacking. Between a child and its parent, what is shuffled are the parents, each with all
of its children: that siblings are alike is no dependence on their parent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.cells import CutColumn
from prefect_synth.synth.metrics.compared import is_scored
from prefect_synth.synth.metrics.halves import kin
from prefect_synth.synth.metrics.kept import Kept, Rows, kept_pairs
from prefect_synth.synth.metrics.side import Side
from prefect_synth.synth.metrics.sources import Source, take_rows


@dataclass(frozen=True)
class DependenceScore:
    """How much of the real dependence is kept: 1 is all, 0 what columns drawn alone keep.

    Args:
        per_column: By `table.column`, the mean over the column's pairs that count, weighted by how
            much they depend; a column without one has no entry.
        per_relationship: By the relationship's name, the same over pairs of a parent's and a
            child's column.
        per_pair: Kept by pair: `table.first ~ table.second`, and across tables
            `child.key -> parent.column ~ child.column`.
    """

    per_column: Mapping[str, float] = field(default_factory=dict)
    per_relationship: Mapping[str, float] = field(default_factory=dict)
    per_pair: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The score as plain JSON values."""
        return asdict(self)


def dependence(
    training: Mapping[str, Source],
    synthetic: Mapping[str, Source],
    metadata: Metadata,
    holdout: Mapping[str, Source] | None = None,
    rows: int | None = 20_000,
    seed: int = 0,
) -> DependenceScore:
    """Measure how much of the dependence between columns is kept.

    Args:
        training: The real tables that the synthesizer was trained on, by name.
        synthetic: The synthetic tables, likewise.
        metadata: What the columns mean and how the tables are related.
        holdout: Real tables that it never saw, whose own distance is no fault.
        rows: At most so many rows of a table are compared; None for all.
        seed: Seed of the draw and of the shuffles.

    Returns:
        What is kept, by column, relationship and pair.

    Raises:
        MetricsError: A table or a column is missing.
    """
    asked = (*metadata.tables, *(r.name for r in metadata.relationships))
    return whole_dependence(
        dependence_parts(training, synthetic, metadata, asked, holdout, rows, seed)
    )


@dataclass(frozen=True)
class DependencePart:
    """What is kept within one table, or across one foreign key.

    Args:
        name: The table, or the relationship.
        pairs: Kept by pair.
        columns: Mean by `table.column`, of a table.
        mean: Mean over all pairs, of a relationship.
    """

    name: str
    pairs: Mapping[str, float]
    columns: Mapping[str, float]
    mean: float | None


def whole_dependence(parts: Iterable[DependencePart]) -> DependenceScore:
    """The score of all parts, tables first."""
    every = list(parts)
    return DependenceScore(
        {column: kept for part in every for column, kept in part.columns.items()},
        {part.name: part.mean for part in every if part.mean is not None},
        {pair: kept for part in every for pair, kept in part.pairs.items()},
    )


def dependence_parts(
    training: Mapping[str, Source],
    synthetic: Mapping[str, Source],
    metadata: Metadata,
    asked: Collection[str],
    holdout: Mapping[str, Source] | None = None,
    rows: int | None = 20_000,
    seed: int = 0,
) -> list[DependencePart]:
    """The parts of `dependence` for some tables and relationships; each is as among all.

    Args:
        training: The real tables that the synthesizer was trained on, by name.
        synthetic: The synthetic tables, likewise.
        metadata: What the columns mean and how the tables are related.
        asked: Names of tables and relationships.
        holdout: Real tables that it never saw, whose own distance is no fault.
        rows: At most so many rows of a table are compared; None for all.
        seed: Seed of the draw and of the shuffles.
    """
    named = {"training": training, "synthetic": synthetic}
    named |= {} if holdout is None else {"holdout": holdout}
    sides = [Side.open(name, s, metadata, rows, seed) for name, s in named.items()]
    columns = cache(lambda table: _cut(table, metadata, sides))
    parts = [_of_table(t, columns(t), metadata, sides, seed) for t in metadata.tables if t in asked]
    for r in metadata.relationships:
        if r.name not in asked:
            continue
        parents = Rows.of_parents(r, sides, kin(r.parent, metadata, sides[0]))
        across = [(a, b) for a in columns(r.parent) for b in columns(r.child)]
        found = kept_pairs(across, parents, seed, r.name)
        pairs = {f"{r.name} -> {r.parent}.{a} ~ {r.child}.{b}": k for (a, b), k in found.items()}
        shares = {name: kept.share for name, kept in pairs.items()}
        parts.append(DependencePart(r.name, shares, {}, _mean(list(found.values()))))
    return parts


def _of_table(
    table: str, columns: list[CutColumn], metadata: Metadata, sides: list[Side], seed: int
) -> DependencePart:
    found = _within(table, columns, metadata, sides, seed)
    pairs = {f"{table}.{a} ~ {table}.{b}": kept.share for (a, b), kept in found.items()}
    means = {c.name: _mean([k for pair, k in found.items() if c.name in pair]) for c in columns}
    known = {f"{table}.{name}": mean for name, mean in means.items() if mean is not None}
    return DependencePart(table, pairs, known, None)


def _cut(table: str, metadata: Metadata, sides: list[Side]) -> list[CutColumn]:
    return [
        CutColumn.cut(
            column,
            [take_rows(s.sources[table], [column.name], s.rows[table]).column(0) for s in sides],
        )
        for column in metadata.tables[table].columns.values()
        if is_scored(column)
    ]


def _within(
    table: str, columns: list[CutColumn], metadata: Metadata, sides: list[Side], seed: int
) -> dict[tuple[str, str], Kept]:
    counts = [len(columns[0].sides[i]) for i in range(len(sides))] if columns else []
    rows = Rows.alone(counts, kin(table, metadata, sides[0]))
    return kept_pairs(list(combinations(columns, 2)), rows, seed, table)


def _mean(kept: list[Kept]) -> float | None:
    if not kept:
        return None
    return float(np.average([k.share for k in kept], weights=[k.weight for k in kept]))
