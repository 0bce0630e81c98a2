"""Foreign keys that share columns: both must lead to the same forebear (a tenant, say)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.metadata import Metadata, Relationship

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.sampling import Sample


def shared_forebear(
    metadata: Metadata, drawn: Sample, relation: Relationship
) -> tuple[Ints, Ints] | None:
    """The row that both keys name, where two foreign keys of a table share columns.

    Args:
        metadata: The schema.
        drawn: What is sampled so far.
        relation: A foreign key; those of its table that have links already are looked at.

    Returns:
        For each child row, and for each row of the parent, the row of the common forebear,
        negative for none; None where the relation shares no column with another.
    """
    for other in metadata.parents(relation.child):
        common = set(other.child_columns) & set(relation.child_columns)
        if other == relation or not common or other.name not in drawn.links:
            continue
        here = _forebear(metadata, drawn, other, common)
        there = _forebear(metadata, drawn, relation, common)
        if here is not None and there is not None:
            link = drawn.links[other.name]
            return _follow(here, link), there
    return None


def _follow(forebear: Ints, link: Ints) -> Ints:
    if not len(forebear):
        return np.full(len(link), -1, np.int64)
    return np.where(link >= 0, forebear[np.maximum(link, 0)], -1)


def _forebear(
    metadata: Metadata, drawn: Sample, relation: Relationship, common: set[str]
) -> Ints | None:
    """Which row of the table that owns the common columns each parent row belongs to."""
    columns = {
        p
        for c, p in zip(relation.child_columns, relation.parent_columns, strict=True)
        if c in common
    }
    for up in metadata.parents(relation.parent):
        if set(up.child_columns) == columns and up.name in drawn.links:
            return drawn.links[up.name]
    if columns == set(metadata.tables[relation.parent].primary_key):
        return np.arange(drawn.rows[relation.parent])
    return None
