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


def kth_unit(ordered_units: Ints, k: int) -> int:
    """Place of the first row at which `k` different units have been met, or the last row's."""
    first = np.sort(np.unique(ordered_units, return_index=True)[1])
    return int(first[k - 1]) if len(first) >= k else len(ordered_units) - 1
