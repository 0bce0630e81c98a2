"""Random streams that depend on names, never on the order of work.

A stream is keyed by the seed and by what it is for (table, purpose), so that a table's draws do
not move when another table, or the number of workers, changes.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *purpose: str) -> np.random.Generator:
    """A generator of its own for `purpose`: equal arguments give equal draws on any machine."""
    text = "\x1f".join((str(seed), *purpose)).encode()
    key = int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little")
    return np.random.Generator(np.random.Philox(key=key))
