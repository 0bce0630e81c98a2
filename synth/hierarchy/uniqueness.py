"""Unique keys made of several parts, repaired without changing any part's own distribution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prefect_synth.synth.encoding.layout import Ints

_PASSES = 60


def repeated(parts: Sequence[Ints]) -> Ints:
    """Row numbers whose combination of parts stands in an earlier row too."""
    codes = combine(parts)
    order = np.argsort(codes, kind="stable")
    again = np.diff(codes[order], prepend=codes[order[:1]] - 1) == 0
    return np.sort(order[again])


def combine(parts: Sequence[Ints]) -> Ints:
    """One integer for each combination of parts, [n]."""
    codes = np.zeros(len(parts[0]), np.int64)
    for part in parts:
        dense = np.unique(part, return_inverse=True)[1]
        codes = codes * (int(dense.max(initial=0)) + 1) + dense
        codes = np.unique(codes, return_inverse=True)[1].astype(np.int64)
    return codes


def swap_until_unique(parts: Sequence[Ints], free: int, rng: np.random.Generator) -> Ints | None:
    """Exchange entries of one part between rows until no combination comes twice.

    Args:
        parts: Codes of the key's parts, [n] each.
        free: Index of the part that may be exchanged.
        rng: Picks the partners.

    Returns:
        Row order to take the free part in, [n], or None where no exchange was found.
    """
    n = len(parts[0])
    fixed = [p for i, p in enumerate(parts) if i != free]
    order = np.arange(n)
    for _ in range(_PASSES):
        bad = repeated([*fixed, parts[free][order]])
        if not len(bad):
            return order
        partners = rng.integers(0, n, len(bad))
        _, first = np.unique(np.concatenate([bad, partners]), return_index=True)
        alone = np.isin(np.arange(len(bad)), first) & np.isin(np.arange(len(bad)) + len(bad), first)
        bad, partners = bad[alone], partners[alone]
        order[bad], order[partners] = order[partners], order[bad]
    return spread(fixed, parts[free])


def spread(fixed: Sequence[Ints], free: Ints) -> Ints | None:
    """Lay the free part's values, commonest first, over rows whose equal keys lie far apart.

    Rows are ordered by how often their fixed key has come before; equal keys are then as far apart
    as there are different ones, so a value fits without repeats (the construction behind the
    Gale-Ryser theorem).
    """
    keys = combine(fixed)
    counts = np.bincount(keys)
    by_key = np.argsort(keys, kind="stable")
    nth = np.empty(len(keys), np.int64)
    starts = np.cumsum(counts) - counts
    nth[by_key] = np.arange(len(keys)) - starts[keys[by_key]]
    rows = np.lexsort((keys, -counts[keys], nth))
    dense = np.unique(free, return_inverse=True)[1]
    often = np.bincount(dense)
    values = np.lexsort((dense, -often[dense]))
    order = np.empty(len(keys), np.int64)
    order[rows] = values
    return order if not len(repeated([*fixed, free[order]])) else None
