"""Foreign keys that share columns: both must lead to the same forebear (a tenant, say)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.metadata import Metadata, Relationship

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.part import TablePart
    from prefect_synth.synth.hierarchy.sample import Sample


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
        if relation.when or other.when:  # a row has one of them
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


def shared_rows(metadata: Metadata, rows: Mapping[str, int], relation: Relationship) -> int:
    """How many of a parent's rows, from the first, have a key that the other parents have too.

    Where one column refers to several parents, their keys are the same in the same order.

    Args:
        metadata: The schema.
        rows: Rows of the tables that are sampled already.
        relation: A foreign key.
    """
    twins = [
        other.parent
        for other in metadata.parents(relation.child)
        if other.child_columns == relation.child_columns
        and other.parent in rows
        and not (relation.when or other.when)
    ]
    return min(rows[name] for name in (relation.parent, *twins))


Place = tuple[str, str]
"""A table and a column."""


def claims(metadata: Metadata, part: TablePart) -> list[tuple[Relationship, list[tuple[str, str]]]]:
    """Which foreign key fills which columns: (child column, parent column) by relationship.

    Where keys share a column, one that is never null fills it, and a table's reference to itself
    comes after those that it may depend on.
    """
    order = sorted(
        metadata.parents(part.name),
        key=lambda r: (r.name in part.plan.deferred, part.nulls[r.name] > 0, r.parent == part.name),
    )
    taken: set[str] = set()
    filled = []
    for relationship in order:
        pairs = zip(relationship.child_columns, relationship.parent_columns, strict=True)
        own = [(c, p) for c, p in pairs if c not in taken or relationship.when]
        taken.update(relationship.child_columns)
        filled.append((relationship, own))
    return filled


def twin_columns(metadata: Metadata) -> dict[Place, tuple[Place, ...]]:
    """Key columns that must hold the same keys, since one column refers to several of them.

    Args:
        metadata: The schema.

    Returns:
        For each such column all that belong together, itself included, in one order.
    """
    groups: dict[Place, set[Place]] = {}
    for table in metadata.tables:
        named: dict[str, list[Place]] = {}
        for relation in [r for r in metadata.parents(table) if r.when is None]:
            pairs = zip(relation.child_columns, relation.parent_columns, strict=True)
            for child_column, parent_column in pairs:
                named.setdefault(child_column, []).append((relation.parent, parent_column))
        for places in named.values():
            joined = set(places).union(*(groups.get(place, ()) for place in places))
            groups |= dict.fromkeys(joined, joined)
    return {place: tuple(sorted(group)) for place, group in groups.items() if len(group) > 1}
