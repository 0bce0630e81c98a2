"""How many children each parent has, real beside synthetic, in a few bins."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from prefect_synth.expectations.report_content import DegreeView
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.metrics.keys import child_counts
from prefect_synth.synth.metrics.side import read_parents
from prefect_synth.synth.metrics.sources import Ints, Source, count_rows

_STARTS = np.array([0, 1, 2, *(2**power + 1 for power in range(1, 40))])  # 0, 1, 2, 3-4, 5-8, ...


def degree_views(
    metadata: Metadata,
    real: Mapping[str, Source],
    synthetic: Mapping[str, Source],
    scores: Mapping[str, float] | None = None,
    asked: Collection[str] | None = None,
) -> tuple[DegreeView, ...]:
    """Count the children of each parent along each foreign key, over all rows.

    Args:
        metadata: The schema.
        real: The real tables.
        synthetic: The synthetic tables.
        scores: Score by the relationship's name.
        asked: Names of the foreign keys; None for all.

    Returns:
        One view for each foreign key whose parents have rows on both sides.
    """
    views = []
    for relationship in metadata.relationships:
        if asked is not None and relationship.name not in asked:
            continue
        left, right = (_degrees(relationship, side) for side in (real, synthetic))
        if len(left) and len(right):
            score = (scores or {}).get(relationship.name)
            views.append(degree_view(relationship.name, left, right, score=score))
    return tuple(views)


def degree_view(
    name: str, real: Ints, synthetic: Ints, *, score: float | None = None
) -> DegreeView:
    """Bin the numbers of children.

    Args:
        name: The foreign key.
        real: Children of each real parent.
        synthetic: Children of each synthetic parent.
        score: How alike the two are.
    """
    bins = [np.searchsorted(_STARTS, side, side="right") - 1 for side in (real, synthetic)]
    last = max(int(side.max()) for side in bins) + 1
    shares = [np.bincount(side, minlength=last) / len(side) for side in bins]
    first = min(int(side.min()) for side in bins)  # bins that are empty on both sides say nothing
    starts = tuple(int(start) for start in _STARTS[first:last])
    both = [tuple(side[first:].tolist()) for side in shares]
    return DegreeView(name, len(real), starts, both[0], both[1], score)


def _degrees(relationship: Relationship, sources: Mapping[str, Source]) -> Ints:
    parents = count_rows(sources[relationship.parent])
    return child_counts(read_parents(relationship, sources), parents)
