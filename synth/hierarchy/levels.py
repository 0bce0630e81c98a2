"""Tables that refer to themselves, by level: a root has level 0, its children level 1."""

from __future__ import annotations

import numpy as np

from prefect_synth.synth.encoding.layout import Ints

DEEPEST = 64


def levels(link: Ints) -> Ints:
    """Level of each row, [n]; rows in or below a cycle get the deepest level.

    Args:
        link: Row number of each row's parent in the same table, negative for roots, [n].
    """
    level = np.where(link < 0, 0, -1)
    for depth in range(1, DEEPEST):
        below = (level < 0) & (level[np.maximum(link, 0)] == depth - 1)
        if not below.any():
            break
        level[below] = depth
    return np.where(level < 0, max(int(level.max(initial=0)), 1), level)


def assign_by_level(level: Ints, wanted: Ints, rng: np.random.Generator) -> Ints:
    """Give each row a parent one level above it: no cycle can appear.

    Args:
        level: Wanted level of each row, [n].
        wanted: Children that each row would have, [n]; weights of the choice.
        rng: Source of the choice.

    Returns:
        Row number of each row's parent, -1 for roots, [n].
    """
    link = np.full(len(level), -1, np.int64)
    if not len(level):
        return link
    ranks = np.unique(level, return_inverse=True)[1]  # a missing level closes up
    for depth in range(1, int(ranks.max()) + 1):
        above = np.flatnonzero(ranks == depth - 1)
        here = np.flatnonzero(ranks == depth)
        weights = wanted[above].astype(float)
        if not weights.any():
            weights = np.ones(len(above))
        link[here] = rng.choice(above, len(here), p=weights / weights.sum())
    return link
