"""Trends between a table and its ancestors two or more foreign keys away.

k-hop trends are the pair trends of ClavaDDPM (Pang et al. 2024, "ClavaDDPM: Multi-relational Data
Synthesis with Cluster-guided Diffusion Models", section 5) and SyntheRela: a child's column beside
a grandparent's. A synthesizer that hands context down one step only loses them.

Categories that name a row (over half of the real values distinct) are left out: among few
descendants each of them would seem to tell everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any

import numpy as np

from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.metrics.compared import ComparedColumn
from prefect_synth.synth.metrics.keys import NO_PARENT
from prefect_synth.synth.metrics.side import Side, compared_columns
from prefect_synth.synth.metrics.sources import Ints, Source
from prefect_synth.synth.metrics.trends import pair_trends

Steps = tuple[Relationship, ...]


@dataclass(frozen=True)
class KhopScore:
    """How alike real and synthetic data are in what rows share with far ancestors; 1 is best.

    Args:
        score: The mean over all pairs that count; None where none does.
        per_pair: Trend by `child.key -> parent.key -> ancestor.column ~ child.column`.
    """

    score: float | None
    per_pair: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The score as plain JSON values."""
        return asdict(self)


def khop_trends(
    real: Mapping[str, Source],
    synthetic: Mapping[str, Source],
    metadata: Metadata,
    hops: int = 2,
    rows: int | None = None,
    seed: int = 0,
) -> KhopScore:
    """Score the trends between tables 2 to `hops` foreign keys apart.

    Args:
        real: The real tables, by name.
        synthetic: The synthetic tables, likewise.
        metadata: What the columns mean and how the tables are related.
        hops: The most foreign keys between a table and its ancestor.
        rows: At most so many rows of a table are compared, with all their ancestors; None for all.
        seed: Seed of that draw.

    Returns:
        The score; as in Column Pair Trends, pairs that are not associated in the real data are
        left out.

    Raises:
        MetricsError: A table or a column is missing.
    """
    ways = khop_ways(metadata, hops)
    return whole_khop(khop_parts(real, synthetic, metadata, ways, rows, seed).values())


def khop_ways(metadata: Metadata, hops: int = 2) -> dict[str, Steps]:
    """The chains of 2 to `hops` foreign keys of a schema, from the child up, by name."""
    ways = [steps for table in metadata.tables for steps in _ways(table, metadata, hops)]
    return {" -> ".join(step.name for step in steps): steps for steps in ways}


def whole_khop(parts: Iterable[Mapping[str, float]]) -> KhopScore:
    """The score of all ways, from what `khop_parts` gave of each."""
    scores = {pair: score for part in parts for pair, score in part.items()}
    return KhopScore(float(np.mean(list(scores.values()))) if scores else None, scores)


def khop_parts(
    real: Mapping[str, Source],
    synthetic: Mapping[str, Source],
    metadata: Metadata,
    ways: Mapping[str, Steps],
    rows: int | None = None,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """The trends of `khop_trends` along some ways, by way; each is as among all.

    Args:
        real: The real tables, by name.
        synthetic: The synthetic tables, likewise.
        metadata: What the columns mean and how the tables are related.
        ways: The ways asked, as `khop_ways` names them.
        rows: At most so many rows of a table are compared, with all their ancestors; None for all.
        seed: Seed of that draw.
    """
    if not ways:
        return {}
    left = Side.open("real", real, metadata, rows, seed)
    right = Side.open("synthetic", synthetic, metadata, rows, seed)
    used = {name for steps in ways.values() for name in (steps[0].child, steps[-1].parent)}
    columns = {
        t: [c for c in compared_columns(t, metadata, left, right) if not _names_rows(c)]
        for t in sorted(used)
    }
    return {way: _trends(way, steps, columns, left, right) for way, steps in ways.items()}


def _names_rows(column: ComparedColumn) -> bool:
    if column.continuous:
        return False
    values = column.real[column.real != column.size - 1]
    return len(np.unique(values)) > len(values) / 2


def _ways(table: str, metadata: Metadata, hops: int) -> Iterator[Steps]:
    """The chains of 2 to `hops` foreign keys that lead up from a table."""
    reached: list[Steps] = [(r,) for r in metadata.parents(table)]
    for _ in range(hops - 1):
        reached = [(*steps, r) for steps in reached for r in metadata.parents(steps[-1].parent)]
        yield from reached


def _trends(
    way: str,
    steps: Steps,
    columns: Mapping[str, list[ComparedColumn]],
    real: Side,
    synthetic: Side,
) -> dict[str, float]:
    (left, left_ancestors), (right, right_ancestors) = (
        _ancestors(steps, side) for side in (real, synthetic)
    )
    child, ancestor = steps[0].child, steps[-1].parent
    above = [c.take(left_ancestors, right_ancestors) for c in columns[ancestor]]
    both = [*above, *(c.take(left, right) for c in columns[child])]
    pairs = list(product(range(len(above)), range(len(above), len(both))))
    return {
        f"{way} -> {ancestor}.{both[i].name} ~ {child}.{both[j].name}": score
        for (i, j), score in zip(pairs, pair_trends(both, pairs), strict=True)
        if score is not None
    }


def _ancestors(steps: Steps, side: Side) -> tuple[Ints, Ints]:
    """Positions of the rows that have the ancestor, and of it, among the chosen rows."""
    rows, above = side.joined(steps[0])
    for step in steps[1:]:
        above = side.chosen(step)[above]
        found = above != NO_PARENT
        rows, above = rows[found], above[found]
    return rows, above
