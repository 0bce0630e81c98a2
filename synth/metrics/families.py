"""Features of parents for their children, and of children for their parents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from prefect_synth.synth.metadata import Column, Metadata, Relationship
from prefect_synth.synth.metrics.compared import CONTINUOUS
from prefect_synth.synth.metrics.features import (
    Feature,
    commonest,
    feature,
    feature_columns,
)
from prefect_synth.synth.metrics.keys import NO_PARENT, child_counts, key_codes, read_references
from prefect_synth.synth.metrics.side import Side
from prefect_synth.synth.metrics.sources import Floats, Ints, read_columns
from prefect_synth.synth.metrics.values import NULL, codes, numbers


def child_features(
    relationship: Relationship,
    metadata: Metadata,
    pair: Sequence[Side],
    chosen: Sequence[Ints],
) -> list[Feature]:
    """The columns of one parent, for the chosen rows of its child.

    Args:
        relationship: The foreign key.
        metadata: The schema.
        pair: The sides; what takes part is decided by the first.
        chosen: The child rows of each side.

    Returns:
        A feature for each column of the parent; null where a row has no parent.
    """
    rows = [side.parents[relationship][r] for side, r in zip(pair, chosen, strict=True)]
    table = relationship.parent
    return [
        feature(column, _columns(table, column, pair)).take(rows)
        for column in feature_columns(metadata.tables[table], pair[0].sources[table])
    ]


def sibling_groups(
    relationship: Relationship, pair: Sequence[Side], chosen: Sequence[Ints]
) -> list[Ints]:
    """A number for each chosen child row, equal where the foreign key is.

    A key that two sides have is one group: the row it names may be the same on both. Rows without
    a key are groups of their own.
    """
    keys = [read_references(side.sources[relationship.child], relationship) for side in pair]
    coded, size = key_codes(keys, [relationship.child_columns] * len(keys))
    taken = [side[rows] for side, rows in zip(coded, chosen, strict=True)]
    groups = []
    for side in taken:
        groups.append(np.where(side == NULL, size + np.arange(len(side)), side))
        size += len(side)
    return groups


def parent_features(
    relationship: Relationship,
    metadata: Metadata,
    pair: Sequence[Side],
    chosen: Sequence[Ints],
) -> list[Feature]:
    """What the chosen parent rows' children are like.

    Returns:
        The count of children, the mean of each of their numbers, the mode of each category.
    """
    parents = [side.parents[relationship] for side in pair]
    counts = [side.counts[relationship.parent] for side in pair]
    sizes = zip(parents, counts, strict=True)
    found = [Feature(False, tuple(child_counts(p, n).astype(np.float64) for p, n in sizes))]
    table = relationship.child
    for column in feature_columns(metadata.tables[table], pair[0].sources[table]):
        values = _columns(table, column, pair)
        if column.sdtype in CONTINUOUS:
            means = (
                _means(numbers(side, column), p, n)
                for side, p, n in zip(values, parents, counts, strict=True)
            )
            found.append(Feature(False, tuple(means)))
        else:
            coded, size = codes(*values)
            modes = [
                _modes(side, size, p, n) for side, p, n in zip(coded, parents, counts, strict=True)
            ]
            found.append(Feature(True, commonest(modes, size)))
    return [f.take(chosen) for f in found]


def _columns(table: str, column: Column, pair: Sequence[Side]) -> list[pa.ChunkedArray]:
    return [read_columns(side.sources[table], [column.name]).column(0) for side in pair]


def _means(values: Floats, parents: Ints, count: int) -> Floats:
    known = (parents != NO_PARENT) & np.isfinite(values)
    sums = np.bincount(parents[known], weights=values[known], minlength=count)
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums / np.bincount(parents[known], minlength=count)


def _modes(coded: Ints, size: int, parents: Ints, count: int) -> Ints:
    """The commonest code among each parent's children, `NULL` where they have none."""
    known = (parents != NO_PARENT) & (coded != NULL)
    cells, counts = np.unique(parents[known] * size + coded[known], return_counts=True)
    order = np.argsort(counts, kind="stable")  # the last written wins: the commonest
    modes = np.full(count, NULL, dtype=np.int64)
    modes[cells[order] // max(size, 1)] = cells[order] % max(size, 1)
    return modes
