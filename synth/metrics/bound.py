"""Choose a bounded number of rows of each table, such that related rows stay together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.metrics.keys import NO_PARENT
from prefect_synth.synth.metrics.sources import Ints


def choose_rows(
    counts: Mapping[str, int],
    metadata: Metadata,
    parents: Mapping[Relationship, Ints],
    rows: int | None,
    seed: int,
) -> dict[str, Ints | None]:
    """Choose at most `rows` rows of each table, children first.

    A parent that a chosen child refers to is always chosen, even beyond the bound.

    Args:
        counts: Rows by table.
        metadata: The schema.
        parents: By relationship, the parent's position for each child row.
        rows: The bound; None for no bound.
        seed: Seed of the draw. The draw is the same in every version of NumPy.

    Returns:
        Positions in rising order by table; None where all rows are chosen.
    """
    chosen: dict[str, Ints | None] = {}
    for table in _children_first(metadata):
        if rows is None or counts[table] <= rows:
            chosen[table] = None
            continue
        used = np.zeros(counts[table], dtype=bool)
        for relationship in metadata.children(table):
            if relationship.child in chosen:
                positions = _at(parents[relationship], chosen[relationship.child])
                used[positions[positions != NO_PARENT]] = True
        chosen[table] = _fill(used, rows, seed)
    return chosen


def chosen_parents(parents: Ints, children: Ints | None, rows: Ints | None) -> Ints:
    """Translate parents' positions in a whole table to those among the chosen rows.

    Args:
        parents: The parent's position for each child row.
        children: The chosen child rows; None for all.
        rows: The chosen parent rows; None for all.

    Returns:
        For each chosen child, its parent's position among the chosen, else `NO_PARENT`.
    """
    positions = _at(parents, children)
    if rows is None:
        return positions
    places = np.searchsorted(rows, positions)
    found = rows[np.minimum(places, len(rows) - 1)] == positions
    return np.where(found, places, NO_PARENT)


def _children_first(metadata: Metadata) -> list[str]:
    order: list[str] = []
    todo = list(metadata.tables)
    while todo:
        ready = (
            table
            for table in todo
            if all(r.child in order or r.child == table for r in metadata.children(table))
        )
        table = next(ready, todo[0])  # a cycle starts anywhere
        todo.remove(table)
        order.append(table)
    return order


def _fill(used: np.ndarray[tuple[int], np.dtype[np.bool_]], rows: int, seed: int) -> Ints:
    unused = np.flatnonzero(~used)
    wanted = min(max(0, rows - int(used.sum())), len(unused))
    # RandomState's stream is frozen by NumPy; Generator's may change with a release.
    drawn = np.random.RandomState(seed).choice(len(unused), size=wanted, replace=False)
    return np.sort(np.concatenate([np.flatnonzero(used), unused[drawn]]))


def _at(values: Ints, rows: Ints | None) -> Ints:
    return values if rows is None else values[rows]
