"""The order in which columns are drawn: those with few values first, nearly unique ones last."""

from __future__ import annotations

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Ints

_NEARLY_UNIQUE = 0.5


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
    """Columns in the order of drawing.

    Args:
        rows: The encoded rows, [n, d].
        distinct: Different values of each column, [d].
        last: Columns that come after all others, [d] bool.
    """
    return sorted(range(rows.width), key=lambda j: (bool(last[j]), int(distinct[j]), j))
