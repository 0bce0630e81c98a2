"""k-anonymity: how many rows share each combination of quasi-identifiers (Sweeney 2002)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.metrics.privacy import row_hashes
from prefect_synth.synth.metrics.sources import Source


@dataclass(frozen=True)
class Anonymity:
    """Sizes of the equivalence classes of some columns.

    Args:
        smallest: Rows of the smallest class, the k of k-anonymity; 0 where there are no rows.
        p5: Nineteen of twenty rows are in a class of at least so many.
        classes: How many classes there are.
        rows: How many rows.
    """

    smallest: int
    p5: int
    classes: int
    rows: int


def k_anonymity(source: Source, columns: Sequence[str]) -> Anonymity:
    """Measure the k-anonymity of published columns, over all rows; null is a value.

    Args:
        source: The published rows.
        columns: The quasi-identifiers: what an outsider may know of a person.
    """
    _, sizes = np.unique(row_hashes(source, columns), return_counts=True)
    if len(sizes) == 0:
        return Anonymity(0, 0, 0, 0)
    sizes = np.sort(sizes)
    rows = int(sizes.sum())
    p5 = sizes[np.searchsorted(np.cumsum(sizes), 0.05 * rows)]
    return Anonymity(int(sizes[0]), int(p5), len(sizes), rows)
