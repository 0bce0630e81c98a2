"""The order in which columns are drawn: what tells most of the rest first, unique ones last."""

from __future__ import annotations

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints

_NEARLY_UNIQUE = 0.5
_ROWS, _LEVELS, _WIDE = 10_000, 16, 64
_LITTLE = 0.1


def distinct_values(rows: Encoded) -> Ints:
    """Different values of each column, [d]."""
    found = [
        len(
            np.unique(
                rows.pieces[:, j] + np.where(layout.ranges[rows.pieces[:, j]], rows.places[:, j], 0)
            )
        )
        for j, layout in enumerate(rows.layouts)
    ]
    return np.array(found, np.int64)


def nearly_unique(rows: Encoded, distinct: Ints) -> np.ndarray:
    """Columns in which more than half of the values that are there differ, [d] bool."""
    there = [
        int((rows.pieces[:, j] >= int(layout.has_null)).sum())
        for j, layout in enumerate(rows.layouts)
    ]
    return distinct > _NEARLY_UNIQUE * np.maximum(there, 1) + 1


def column_order(rows: Encoded, distinct: Ints, last: np.ndarray) -> list[int]:
    """Columns in the order of drawing: those that tell most of the others first.

    What determines others (a flight's number) is drawn before what it determines; columns that
    tell little come late, when they can be told by all.

    Args:
        rows: The encoded rows, [n, d].
        distinct: Different values of each column, [d].
        last: Columns that come after all others, [d] bool.
    """
    told = _told_of_others(rows)
    return sorted(range(rows.width), key=lambda j: (bool(last[j]), -told[j], int(distinct[j]), j))


def _told_of_others(rows: Encoded) -> Floats:
    """Mutual information of each column with all others, as a share of its entropy, [d]."""
    if rows.width > _WIDE:  # every pair is too many
        return np.zeros(rows.width)
    some = rows.take(np.arange(0, len(rows), max(len(rows) // _ROWS, 1)))
    codes = [_levels(some.pieces[:, j], layout.nominal) for j, layout in enumerate(rows.layouts)]
    entropy = np.array([_entropy(code) for code in codes])
    used = [int(code.max(initial=0)) + 1 for code in codes]
    information = np.zeros((rows.width, rows.width))
    for i in range(rows.width):
        for j in range(i):
            both = entropy[i] + entropy[j] - _entropy(codes[i] * used[j] + codes[j])
            chance = (used[i] - 1) * (used[j] - 1) / (2 * max(len(some), 1))  # Miller 1955
            information[i, j] = information[j, i] = max(both - chance, 0.0)
    return np.round(information.sum(axis=1) / np.maximum(entropy, _LITTLE), 6)


def _levels(pieces: Ints, nominal: bool) -> Ints:
    """Pieces as levels; many ordered ones with their neighbours, [n]."""
    values, codes, counts = np.unique(pieces, return_inverse=True, return_counts=True)
    if nominal or len(values) <= _LEVELS:
        return codes
    middle = np.cumsum(counts) - counts / 2
    return np.minimum((middle * _LEVELS / len(pieces)).astype(np.int64), _LEVELS - 1)[codes]


def _entropy(codes: Ints) -> float:
    counts = np.unique(codes, return_counts=True)[1]
    shares = counts / max(len(codes), 1)
    return float(-(shares * np.log(shares)).sum())
