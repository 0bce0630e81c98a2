"""In which order the numbers of a key's domain are given out, so that real ones come last.

What is learned of the real keys is which coarse parts of the domain hold any: half of its parts
are marked, so that a mark says of a number at most that it is twice as likely as before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import RARE, Ints
from prefect_synth.synth.generation.scramble import permute, unpermute
from prefect_synth.synth.storage import stored

_SALT = 0x5EED
_DENSE = 0.25
_MOST_PARTS = 2**24
_RUN = 2


@stored
@dataclass(frozen=True)
class Scatter:
    """The numbers 0..size-1 in keyed random order, those that may be real behind all others.

    Args:
        size: Numbers in the domain.
        width: Numbers in a part of the domain; parts are cut after a keyed permutation.
        marked: Whether a real key lies in a part, [parts] bool; empty if nothing is known.
    """

    size: int
    width: int
    marked: np.ndarray

    def numbers(self, rows: Ints, seed: int) -> Ints:
        """A different number for each row number below `size`, [n]."""
        free = np.flatnonzero(~self.marked)
        first = len(free) * self.width
        if not first:
            return permute(rows, self.size, seed)
        early = rows < first
        place = np.empty(len(rows), np.int64)
        part, within = np.divmod(permute(rows[early], first, seed), self.width)
        place[early] = free[part] * self.width + within
        place[~early] = self._late(rows[~early] - first)
        return permute(place, self.size, _SALT)

    def _late(self, rows: Ints) -> Ints:
        """Places in marked parts, and then those that are in no part."""
        marked = np.flatnonzero(self.marked)
        part, within = np.divmod(rows, self.width)
        # behind the last marked part come the places that the division into parts left over
        over = part >= len(marked)
        part_start = np.append(marked, len(self.marked)) * self.width
        rest = rows - len(marked) * self.width
        return np.where(
            over, len(self.marked) * self.width + rest, part_start[part * ~over] + within
        )


@stored
@dataclass(frozen=True)
class Run:
    """The numbers 0..size-1 in rising order from `start`, and from 0 again: dense keys stay dense.

    Args:
        size: Numbers in the domain.
        start: First number: above the real ones, and too round to tell the largest.
    """

    size: int
    start: int

    def numbers(self, rows: Ints, seed: int) -> Ints:
        """A different number for each row number below `size`, [n]."""
        return (rows + self.start) % self.size


def fit_order(used: Ints, size: int) -> Scatter | Run:
    """Learn in which order to give out a domain of which real keys use some numbers.

    Args:
        used: Numbers of the real keys, [n].
        size: Numbers in the domain.
    """
    used = np.unique(used)
    if len(used) >= RARE and int(used[-1] - used[0]) < _RUN * len(used):
        return Run(size, round_above(int(used[-1]), len(used), size - 1) % size)
    return fit_scatter(used, size)


def fit_scatter(used: Ints, size: int) -> Scatter:
    """Mark the parts of a domain that hold real keys, about half of them all.

    Where real keys use more than a quarter of the domain, marks would come near to a list of them:
    there are none then, and a fresh key may be a real one.
    """
    parts = min(math.ceil(len(used) / math.log(2)), _MOST_PARTS)
    if not parts or len(used) > _DENSE * size:
        return Scatter(size, 1, np.zeros(0, bool))
    width = size // parts
    part = unpermute(used, size, _SALT) // width
    marked = np.zeros(size // width, bool)
    marked[part[part < len(marked)]] = True
    return Scatter(size, width, marked)


def round_above(largest: int, count: int, most: int) -> int:
    """A number above `largest` that is round enough not to tell it.

    The next power of ten where twice `count` numbers fit between it and `most`, else the next
    number of two digits and zeros.
    """
    power = int(10 ** len(str(largest)))
    if most - power >= 2 * count:
        return power
    step = max(power // 100, RARE)
    return (largest // step + 1) * step
