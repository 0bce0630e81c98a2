"""Numbers of children, made to add up."""

from __future__ import annotations

import numpy as np

from prefect_synth.synth.encoding.layout import Floats, Ints

_FAR_OFF = 0.2
"""Relative gap above which all parents are scaled rather than a few changed."""
_FEW_OF = 20


def calibrate(
    wanted: Floats, total: int, rng: np.random.Generator, most: int | Ints | None = None
) -> Ints:
    """Whole numbers near `wanted` that sum to `total`.

    Args:
        wanted: Children that each parent should have, [parents].
        total: Children there are.
        rng: Decides which parents gain or lose one.
        most: Largest number allowed for a parent, or for each: 1 for a one-to-one relation, the
            number of partners for a many-to-many one.

    Raises:
        ValueError: There is no parent, or not room enough, for so many children.
    """
    if not len(wanted):
        if total:
            raise ValueError(f"{total} rows need a parent, and there is none")
        return np.zeros(0, np.int64)
    if most is not None and total > int(np.broadcast_to(most, len(wanted)).sum()):
        raise ValueError(
            f"{total} rows need parents of at most {np.max(most)} rows each, and there are "
            f"{len(wanted)}"
        )
    counts = _scaled(np.maximum(wanted, 0.0), total, rng)
    if most is not None:
        counts = np.minimum(counts, most)
    while (gap := total - int(counts.sum())) != 0:
        counts += _step(counts, gap, most, rng)
    return counts


def _scaled(wanted: Floats, total: int, rng: np.random.Generator) -> Ints:
    have = wanted.sum()
    if have <= 0:
        return np.zeros(len(wanted), np.int64)
    if abs(total / have - 1) > _FAR_OFF:
        wanted = wanted * (total / have)
        return np.floor(wanted + rng.random(len(wanted))).astype(np.int64)
    return np.rint(wanted).astype(np.int64)


def _step(counts: Ints, gap: int, most: int | Ints | None, rng: np.random.Generator) -> Ints:
    """Change a few parents by up to half their children, so that most keep their number exactly."""
    room = _room(counts, gap, most)
    weights = np.where(room > 0, np.maximum(counts, 1 if not counts.any() else 0), 0).astype(float)
    if not weights.any():
        weights = (room > 0).astype(float)
    size = min(max(len(counts) // _FEW_OF, 1), abs(gap), int((weights > 0).sum()))
    chosen = rng.choice(len(counts), size, replace=False, p=weights / weights.sum())
    before = np.cumsum(room[chosen]) - room[chosen]
    step = np.zeros(len(counts), np.int64)
    step[chosen] = np.clip(abs(gap) - before, 0, room[chosen]) * np.sign(gap)
    return step


def _room(counts: Ints, gap: int, most: int | Ints | None) -> Ints:
    """By how much each parent may change in one step, [parents]."""
    if gap > 0:
        room = np.maximum(counts // 2, 1)
        return room if most is None else np.minimum(room, most - counts)
    above_one = np.maximum(counts - 1, 0)
    return np.minimum(np.maximum(counts // 2, 1), above_one if above_one.any() else counts)
