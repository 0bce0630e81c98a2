"""Keyed bijections of row numbers: what is made from them is unique, and tells no order."""

from __future__ import annotations

import math

import numpy as np

from prefect_synth.synth.encoding.layout import Ints

MOST = 2**62
"""Largest modulus that `permute` takes."""
_ROUNDS = 8


def permute(rows: Ints, modulus: int, seed: int) -> Ints:
    """A keyed bijection of 0..modulus-1, for any modulus up to `MOST`.

    A Feistel network over two residues whose product is little more than the modulus, with cycle
    walking back into it (Black and Rogaway 2002, Ciphers with Arbitrary Finite Domains).

    Args:
        rows: Numbers below the modulus, [n].
        modulus: Size of the domain.
        seed: Key; another one gives another bijection.
    """
    return _walked(rows, modulus, seed, backward=False)


def unpermute(numbers: Ints, modulus: int, seed: int) -> Ints:
    """The inverse of `permute`, [n]."""
    return _walked(numbers, modulus, seed, backward=True)


def mix(rows: Ints, seed: int) -> np.ndarray:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014): a bijection of 64-bit words."""
    with np.errstate(over="ignore"):
        z = rows.astype(np.uint64) + np.uint64(seed % 2**64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))


def _walked(numbers: Ints, modulus: int, seed: int, *, backward: bool) -> Ints:
    left = math.isqrt(max(modulus - 1, 0)) + 1
    right = -(-modulus // left)
    keys = [int(key) for key in mix(np.arange(_ROUNDS), seed)]
    found = _feistel(numbers.astype(np.int64), left, right, keys, backward=backward)
    while len(outside := np.flatnonzero(found >= modulus)):
        found[outside] = _feistel(found[outside], left, right, keys, backward=backward)
    return found


def _feistel(numbers: Ints, left: int, right: int, keys: list[int], *, backward: bool) -> Ints:
    """A bijection of 0..left*right-1: each half is moved in turn by a hash of the other."""
    halves, sizes = list(np.divmod(numbers, right)), (left, right)
    sign = -1 if backward else 1
    for turn in reversed(range(_ROUNDS)) if backward else range(_ROUNDS):
        at = turn % 2
        moved = (mix(halves[1 - at], keys[turn]) % np.uint64(sizes[at])).astype(np.int64)
        halves[at] = (halves[at] + sign * moved) % sizes[at]
    return np.asarray(halves[0] * right + halves[1])
