"""Whose rows they are: counts of people rather than of rows."""

from __future__ import annotations

import numpy as np

from prefect_synth.synth.encoding.layout import Ints


def holders(codes: Ints, size: int, units: Ints | None) -> Ints:
    """How many different units have each code, or how many rows where no unit is known.

    Args:
        codes: A code below `size` for each row, [n].
        size: Number of codes.
        units: The unit (person, family) that each row belongs to, [n].

    Returns:
        Counts, [size].
    """
    if units is None or not len(codes):
        return np.bincount(codes, minlength=size)
    order = np.lexsort((units, codes))
    codes, units = codes[order], units[order]
    new = np.ones(len(codes), bool)
    new[1:] = (codes[1:] != codes[:-1]) | (units[1:] != units[:-1])
    return np.bincount(codes[new], minlength=size)


def kth_unit(owners: Ints | None, k: int, *, last: bool = False) -> int:
    """The place in an order at which `k` different units have been met.

    Args:
        owners: The unit of each place, [n]; None where every place is a unit.
        k: How many.
        last: Look from the end, and answer with a negative place.

    Returns:
        A place; of fewer units the one in the middle.
    """
    if owners is None:
        return -k if last else k - 1
    owners = owners[::-1] if last else owners
    size = 100 * k
    while True:
        first = np.sort(np.unique(owners[:size], return_index=True)[1])
        if len(first) >= k or size >= len(owners):
            break
        size *= 10
    place = int(first[k - 1]) if len(first) >= k else len(owners) // 2
    return -1 - place if last else place
