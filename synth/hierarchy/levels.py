"""Tables that refer to themselves, by level: a root has level 0, its children level 1."""

from __future__ import annotations

import numpy as np

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.hierarchy.matching import match_within

DEEPEST = 64


def levels(link: Ints) -> Ints:
    """Level of each row, [n]; rows in or below a cycle get the deepest level.

    Args:
        link: Row number of each row's parent in the same table, negative for roots, [n].
    """
    root = (link < 0) | (link == np.arange(len(link)))  # a row that refers to itself is a root
    level = np.where(root, 0, -1)
    for depth in range(1, DEEPEST):
        below = (level < 0) & (level[np.maximum(link, 0)] == depth - 1)
        if not below.any():
            break
        level[below] = depth
    return np.where(level < 0, max(int(level.max(initial=0)), 1), level)


def assign_by_level(
    level: Ints,
    wanted: Ints,
    rng: np.random.Generator,
    groups: Ints,
    *,
    alone: bool = False,
    old: Ints | None = None,
) -> Ints:
    """Give each row a parent one level above it: no cycle can appear.

    Args:
        level: Wanted level of each row, [n]; of old ones the level that they have.
        wanted: Children that each row would have, [n]; weights of the choice.
        rng: Source of the choice.
        groups: Parents are of the row's own group (its tenant, say), [n].
        alone: Whether a parent may have only one child; rows that find none become roots.
        old: Parents of the first rows, where these have theirs and keep them, [m].

    Returns:
        Row number of the parent of each row that is not old, -1 for roots, [n - m].
    """
    old = np.zeros(0, np.int64) if old is None else old
    if not len(level):
        return np.full(0, -1, np.int64)
    place = groups.astype(np.int64) * (int(level.max()) + 1) + level
    rank = np.unique(place, return_inverse=True)[1].astype(np.int64)
    first = np.full(int(rank.max()) + 2, -1, np.int64)  # a missing level closes up
    group_of = np.zeros(int(rank.max()) + 1, np.int64)
    group_of[rank] = groups
    first[1:-1] = np.where(np.diff(group_of) == 0, np.arange(len(group_of) - 1), -1)
    above = first[rank]
    if alone:
        return _one_each(above, rank, old, rng)[len(old) :]
    return match_within(above[len(old) :], rank, wanted, rng)


def _one_each(above: Ints, rank: Ints, old: Ints, rng: np.random.Generator) -> Ints:
    """Pair each new row with a parent of the rank above that no other row has."""
    link = np.full(len(rank), -1, np.int64)
    seeking, free = np.arange(len(rank)) >= len(old), np.ones(len(rank), bool)
    free[old[(old >= 0) & (old != np.arange(len(old)))]] = False
    for each in np.unique(above[above >= 0]):
        here = rng.permutation(np.flatnonzero((above == each) & seeking))
        parents = rng.permutation(np.flatnonzero((rank == each) & free))
        met = min(len(here), len(parents))
        link[here[:met]] = parents[:met]
    return link
