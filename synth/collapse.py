"""The alarm of collapse: what a generator draws of a column against what the data hold.

The loss of a GAN says nothing of how good it is, nor whether it draws the same few rows again and
again. The entropy of each column does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prefect_synth.synth.encoding.layout import Floats, Ints

LEAST = 0.5
"""Share of a column's entropy below which it has collapsed."""
_PLAIN = 0.2
_FREQUENT = 0.05
_NOT_BY_CHANCE = 12  # rows expected: none of them comes once in 100,000 times

Pair = tuple[Ints, Ints]
"""Codes of a column in drawn rows, and in real ones."""


def entropy(codes: Ints) -> float:
    """Shannon entropy of a column's codes, in nats."""
    counts = np.bincount(codes)
    shares = counts[counts > 0] / max(len(codes), 1)
    return float(-(shares * np.log(shares)).sum())


def entropy_shares(pairs: Sequence[Pair]) -> Floats:
    """The entropy of each drawn column by that of the real one; 1 where the real one has none."""
    drawn, real = (np.array([entropy(p[side]) for p in pairs]) for side in (0, 1))
    return np.asarray(np.where(real > _PLAIN, drawn / np.maximum(real, _PLAIN), 1.0))


def lost_codes(drawn: Ints, real: Ints) -> Ints:
    """Codes of at least 5 % of the real rows that no drawn row has, where that is not chance."""
    size = int(max(drawn.max(initial=0), real.max(initial=0))) + 1
    shares = np.bincount(real, minlength=size) / max(len(real), 1)
    often = (shares >= _FREQUENT) & (shares * len(drawn) >= _NOT_BY_CHANCE)
    never = np.bincount(drawn, minlength=size) == 0
    return np.flatnonzero(often & never)


def collapsed(pairs: Sequence[Pair]) -> tuple[int, ...]:
    """Columns that lost over half of their entropy, or a code that is frequent in the data."""
    shares = entropy_shares(pairs)
    return tuple(
        column
        for column, (drawn, real) in enumerate(pairs)
        if shares[column] < LEAST or (len(drawn) and len(lost_codes(drawn, real)))
    )
