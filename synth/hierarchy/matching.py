"""Which parent each child row gets, when the numbers of children are already fixed.

Both sides are cut into blocks along a first axis and paired off along a second one inside each
block: a relaxed optimal transport in O(n log n) that meets every parent's number exactly.
"""

from __future__ import annotations

import numpy as np

from prefect_synth.synth.encoding.layout import Floats, Ints


def match(wanted: Floats, slots: Ints, traits: Floats, rng: np.random.Generator) -> Ints:
    """Give each child row one slot.

    Args:
        wanted: Traits that each child row looks for, [n, k].
        slots: Parent row of each place to fill, [n].
        traits: Traits of the parent rows, [parents, k].
        rng: Breaks ties; alone decides where k is 0.

    Returns:
        Parent row of each child row, [n]; every slot is used once.
    """
    if not wanted.shape[1] or not len(slots):
        return rng.permutation(slots)
    seekers = _blocks(wanted, rng)
    offers = _blocks(traits[slots], rng)
    result = np.empty(len(slots), np.int64)
    result[seekers] = slots[offers]
    return result


def _blocks(points: Floats, rng: np.random.Generator) -> Ints:
    """Row numbers by block of the first axis, then by the second axis inside it."""
    n = len(points)
    tie = rng.random(n)
    first = np.lexsort((tie, points[:, 0]))
    if points.shape[1] == 1:
        return first
    block = np.empty(n, np.int64)
    block[first] = np.arange(n) // max(int(np.sqrt(n)), 1)
    return np.lexsort((tie, points[:, 1], block))
