"""Fixed bijections of row numbers: what is made from them is unique, and tells no order."""

from __future__ import annotations

import math

import numpy as np

from prefect_synth.synth.encoding.layout import Ints


def permute(rows: Ints, modulus: int, seed: int) -> Ints:
    """A bijection of 0..modulus-1: affine, with a multiplier prime to the modulus."""
    multiplier = (seed * 2 + 1) % modulus or 1
    multiplier = max(multiplier, int(modulus * 0.381966) | 1)
    while math.gcd(multiplier, modulus) != 1:
        multiplier += 1
    return (rows % modulus * (multiplier % modulus) + seed % modulus) % modulus


def mix(rows: Ints, seed: int) -> np.ndarray:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014): a bijection of 64-bit words."""
    with np.errstate(over="ignore"):
        z = rows.astype(np.uint64) + np.uint64(seed % 2**64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))
