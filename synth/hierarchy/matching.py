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


def match_styles(wanted: Ints, slots: Ints, styles: Ints, rng: np.random.Generator) -> Ints:
    """Give each child row one slot, of the style that it looks for while there are any.

    Args:
        wanted: Style that each child row looks for, [n].
        slots: Parent row of each place to fill, [n].
        styles: Style of each parent row, [parents]; neighbours in number are alike.
        rng: Source of the choice inside a style.

    Returns:
        Parent row of each child row, [n]; every slot is used once.
    """
    offered = styles[slots]
    count = int(max(wanted.max(initial=0), offered.max(initial=0))) + 1
    rows, places = (np.bincount(side, minlength=count) for side in (wanted, offered))
    met = np.minimum(rows, places)
    seekers, offers = (np.lexsort((rng.random(len(side)), side)) for side in (wanted, offered))
    early_rows = _ranks(rows) < np.repeat(met, rows)
    early_places = _ranks(places) < np.repeat(met, places)
    result = np.empty(len(slots), np.int64)
    result[seekers[early_rows]] = slots[offers[early_places]]
    result[seekers[~early_rows]] = slots[offers[~early_places]]
    return result


def _ranks(sizes: Ints) -> Ints:
    """0, 1, 2 ... in each of the groups of these sizes, one after the other."""
    return np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)


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


def match_within(
    groups: Ints, parent_groups: Ints, weights: Floats, rng: np.random.Generator
) -> Ints:
    """Give each child row a parent of its own group, by weight.

    Args:
        groups: Group of each child row, negative for none, [n].
        parent_groups: Group of each parent row, [parents].
        weights: Children that each parent row should have, [parents].
        rng: Source of the choice.

    Returns:
        Parent row of each child row, -1 where the group has none, [n].
    """
    if not len(parent_groups):
        return np.full(len(groups), -1, np.int64)
    order = np.argsort(parent_groups, kind="stable")
    ordered = parent_groups[order]
    mass = np.concatenate([[0.0], np.cumsum(np.maximum(weights[order], 1e-9))])
    start = np.searchsorted(ordered, groups, side="left")
    stop = np.searchsorted(ordered, groups, side="right")
    aim = mass[start] + rng.random(len(groups)) * (mass[stop] - mass[start])
    chosen = np.clip(
        np.searchsorted(mass, aim, side="right") - 1, start, np.maximum(stop - 1, start)
    )
    found = (stop > start) & (groups >= 0)
    return np.where(found, order[np.minimum(chosen, len(order) - 1)], -1)
