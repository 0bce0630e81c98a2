"""Draws of discrete columns whose shares meet the data's, though each row has its own odds."""

from __future__ import annotations

import numpy as np

from prefect_synth.synth.encoding.layout import Floats, Ints

_ROUNDS = 6
_STEP = 2.0
_GOLDEN = 0.6180339887498949


def probabilities(logits: Floats) -> Floats:
    """Softmax of each row, [n, K]."""
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def raked(odds: Floats, shares: Floats) -> Floats:
    """Probabilities whose mean over all rows is near `shares`, [n, K].

    Each code's odds are multiplied by one factor for all rows: iterative proportional fitting
    (Deming and Stephan 1940) of the columns' margin. It takes out the drift that comes from
    conditioning on columns which were drawn themselves.

    Args:
        odds: Probabilities of each row, [n, K].
        shares: Wanted shares, [K]; none is zero.
    """
    factor = np.ones(len(shares))
    for _ in range(_ROUNDS):
        # einsum, for its sums do not depend on the number of threads
        scale = 1 / np.einsum("nk,k->n", odds, factor, dtype=np.float64)
        mean = factor * np.einsum("nk,n->k", odds, scale, dtype=np.float64) / len(odds)
        step = np.log(shares) - np.log(np.maximum(mean, 1e-300))
        factor = factor * np.exp(np.clip(step, -_STEP, _STEP))
    weighted = odds * factor
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True))


def stratified(odds: Floats, rng: np.random.Generator) -> Ints:
    """A code for each row; the shares drawn are hardly random, [n].

    Rows are sorted by their expected code, and get the numbers of a golden-ratio sequence
    (Weyl 1916) with a random start as the uniform numbers of an inverse CDF: each row's code has
    its own odds, and neighbours' draws balance each other.
    """
    n, k = odds.shape
    expected = np.einsum("nk,k->n", odds, np.arange(k, dtype=odds.dtype))
    u = np.empty(n)
    u[np.argsort(expected, kind="stable")] = (np.arange(n) * _GOLDEN + rng.random()) % 1.0
    return inverse(odds, u)


def inverse(odds: Floats, u: Floats) -> Ints:
    """The code at which the cumulative probability passes `u`, [n]."""
    below = np.cumsum(odds, axis=1)
    return (below[:, :-1] <= (u * below[:, -1])[:, None]).sum(axis=1)
