"""Windows of families: which are trained on, and how far these may move towards the others."""

from __future__ import annotations

import numpy as np

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.row_models.families import Families

_HELD_BACK = 10
_FEWEST = 20


def split_windows(
    windows: tuple[Ints, Ints], families: Families, rng: np.random.Generator
) -> list[Ints]:
    """Windows to train on, single ones that are held back, and those of some families.

    Args:
        windows: First rows and lengths of all windows, [w] each.
        families: Where they are.
        rng: Source of the choice.

    Returns:
        Numbers of windows; the parts held back are left out where they are empty, and where there
        are too few windows.
    """
    starts, f = windows[0], len(families.lengths)
    if len(starts) < _FEWEST:
        return [np.arange(len(starts))]
    part = np.where(rng.random(len(starts)) * _HELD_BACK < 1, 1, 0)
    if f >= _FEWEST:
        family = np.searchsorted(families.starts, starts, side="right") - 1
        part[(rng.random(f) * _HELD_BACK < 1)[family]] = 2
    found = [np.flatnonzero(part == p) for p in range(3)]
    return found[:1] + [p for p in found[1:] if len(p)]


def shiftable_windows(
    windows: tuple[Ints, Ints], held: list[Ints], families: Families
) -> tuple[Ints, Ints, Ints]:
    """Windows as they are trained on: no row of them is held back, wherever they are shifted.

    The last window of a family may overlap the one before it: where either is held back, the other
    is shortened.

    Args:
        windows: First rows and lengths of all windows, [w] each.
        held: Numbers of the windows that are held back, some in each part.
        families: Where they are.

    Returns:
        First rows, lengths, and how many rows each may be shifted back, [w] each. Of windows that
        are held back they say nothing.
    """
    starts, sizes = windows
    row = np.arange(int(families.lengths.sum()))
    kept = _outside(windows, held, len(row))
    free = np.concatenate([[0], np.cumsum(kept)])  # rows before each one that are not held back
    ends = starts + sizes
    left = free[ends] - free[starts]
    first = np.where(kept[starts], starts, ends - left)
    barrier = np.maximum.accumulate(np.where(kept, -1, row))  # the last row held back so far
    family = np.searchsorted(families.starts, starts, side="right") - 1
    at = np.minimum(first, ends - 1)
    most = at - np.maximum(families.starts[family], barrier[at] + 1)
    return first, left, most


def _outside(windows: tuple[Ints, Ints], held: list[Ints], rows: int) -> np.ndarray:
    """Which rows no window held back has, [n]."""
    starts, sizes = windows
    those = np.concatenate([*held, np.zeros(0, np.int64)]).astype(np.int64)
    change = np.zeros(rows + 1, np.int64)
    np.add.at(change, starts[those], 1)
    np.add.at(change, starts[those] + sizes[those], -1)
    return np.asarray(np.cumsum(change[:-1]) == 0)
