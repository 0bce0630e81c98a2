"""How many independent rows a table is worth, given that rows come with their parents.

A hundred baskets of one household are no hundred draws: the household chose the store once. Every
margin of sampling error is computed from rows divided by the *design effect* (Kish 1965), the
variance of shares over parents relative to what independent rows would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from prefect_synth.synth.metadata import Metadata, Table
from prefect_synth.synth.metrics.keys import key_codes, read_references
from prefect_synth.synth.metrics.sources import Floats, Ints
from prefect_synth.synth.metrics.values import NULL

_CLEARLY = 3
"""So many standard deviations are no chance."""
_MOST_PLACES = 10_000_000
"""Up to so many codes are counted and not sorted."""


def parent_codes(path: Path, table: Table, metadata: Metadata | None) -> list[Ints]:
    """Number the parent of each row, for each foreign key; `NULL` where there is none."""
    relationships = metadata.parents(table.name) if metadata else ()
    keys = (read_references(path, r) for r in relationships)
    return [
        key_codes([key], [r.child_columns])[0][0]
        for key, r in zip(keys, relationships, strict=True)
    ]


def count_error(parents: Sequence[Ints]) -> float:
    """Standard error of a row count when families come and go as a whole; 0 without parents.

    The variance of a sum over parents is at most the sum of the squares of their counts. Of
    several parents the one that ties the count most closely is believed.
    """
    sizes = (np.bincount(codes[codes != NULL]).astype(np.float64) for codes in parents)
    return min((float(np.sqrt((size**2).sum())) for size in sizes), default=0.0)


def design_effect(values: Ints, parents: Sequence[Ints]) -> float:
    """By how much the shares of a column vary more than those of independent rows.

    Args:
        values: A code for each row: its category, or the decile of its number; `NULL` for none.
        parents: What `parent_codes` gave; the foreign key with the strongest effect counts.

    Returns:
        At least 1.
    """
    return max((_effect(values, codes) for codes in parents), default=1.0)


def mean_effect(deviations: Floats, parents: Sequence[Ints]) -> float:
    """By how much a column's mean varies more than that of independent rows.

    The variance of a sum over families, relative to the sum of the rows' own variances.

    Args:
        deviations: Each row's number less the mean; 0 where there is none.
        parents: What `parent_codes` gave; the foreign key with the strongest effect counts.

    Returns:
        At least 1.
    """
    return max((_mean_effect(deviations, codes) for codes in parents), default=1.0)


def carriers(values: Ints, size: int, parents: Sequence[Ints]) -> Ints:
    """How many parents have each category among their rows.

    Args:
        values: A category's code for each row; `NULL` for none.
        size: How many categories there are.
        parents: What `parent_codes` gave; the foreign key with the fewest parents counts.

    Returns:
        A number for each category; where there is no parent, its rows.
    """
    least = np.bincount(values[values != NULL], minlength=size)
    for codes in parents:
        both = (values != NULL) & (codes != NULL)
        pairs = _distinct(codes[both] * size + values[both])
        orphaned = np.bincount(values[(values != NULL) & (codes == NULL)], minlength=size)
        least = np.minimum(least, np.bincount(pairs % size, minlength=size) + orphaned)
    return least


def occurrences(values: Ints, size: int, parents: Sequence[Ints]) -> Ints:
    """How often each category occurred by itself: its rows, or its parents where they brought it.

    Rows that fell on parents by chance would have so many of them, with a standard deviation; a
    category that has clearly fewer came with its parents. One that the rows of two stores have is
    in both of them by chance, and the stores say nothing.

    Args:
        values: A category's code for each row; `NULL` for none.
        size: How many categories there are.
        parents: What `parent_codes` gave; the foreign key that brought it most counts.

    Returns:
        A number for each category.
    """
    rows = np.bincount(values[values != NULL], minlength=size)
    least = rows
    for codes in parents:
        carried = carriers(values, size, [codes])
        by_chance, deviation = _parents_by_chance(rows, codes)
        brought = carried < by_chance - _CLEARLY * deviation
        least = np.where(brought, np.minimum(least, carried), least)
    return least


def _distinct(codes: Ints) -> Ints:
    """The distinct ones in order; where they are dense, without sorting all of them."""
    if len(codes) == 0 or codes.max() >= _MOST_PLACES:
        return np.unique(codes)
    return np.flatnonzero(np.bincount(codes))


def _parents_by_chance(rows: Ints, codes: Ints) -> tuple[Floats, Floats]:
    """How many parents so many rows would have, and at most its standard deviation."""
    alone = int((codes == NULL).sum())
    sizes, often = np.unique(np.bincount(codes[codes != NULL]), return_counts=True)
    sizes, often = np.append(sizes, 1), np.append(often, alone)  # a row without one is its own
    missed = (1 - sizes / max(1, len(codes))) ** rows[:, None]  # (categories, sizes)
    variance = (missed * (1 - missed)) @ often  # parents are found less often together
    return (1 - missed) @ often, np.sqrt(variance)


def _mean_effect(deviations: Floats, parents: Ints) -> float:
    has = parents != NULL
    families = np.bincount(parents[has], weights=deviations[has])
    alone = (deviations[~has] ** 2).sum()
    total = (deviations**2).sum()
    effect = ((families**2).sum() + alone) / total if total > 0 else 1.0
    return max(1.0, float(effect)) if np.isfinite(effect) else 1.0


def _effect(values: Ints, parents: Ints) -> float:
    both = (values != NULL) & (parents != NULL)
    values, parents = values[both], parents[both]
    if len(values) == 0:
        return 1.0
    shares = np.bincount(values) / len(values)
    spread = 1 - (shares**2).sum()
    if spread <= 0:
        return 1.0
    sizes = np.bincount(parents).astype(np.float64)
    pairs, counts = np.unique(parents * len(shares) + values, return_counts=True)
    expected = sizes[pairs // len(shares)] * shares[pairs % len(shares)]
    squares = (counts.astype(np.float64) ** 2).sum() - 2 * (counts * expected).sum()
    variance = squares + (sizes**2).sum() * (shares**2).sum()
    return max(1.0, float(variance / (len(values) * spread)))
