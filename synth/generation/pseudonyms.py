"""Keyed, one-to-one ways from a row's number to the value that it gets.

Nothing is stored: what a row's value is follows from its number and a secret. Without the secret
the way back, and the way on to another snapshot's values, is closed.
"""

from __future__ import annotations

import hashlib

import numpy as np

from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.generation.scramble import mix, permute

_BITS = 2**62


def derive(secret: bytes, *purpose: str) -> int:
    """A key for one purpose: keyed BLAKE2b (RFC 7693) of its words, below 2**62."""
    text = "\x1f".join(purpose).encode()
    digest = hashlib.blake2b(text, key=secret[:64], digest_size=8).digest()
    return int.from_bytes(digest, "little") % _BITS


def hashed(rows: Ints, key: int, modulus: int) -> Ints:
    """A number below `modulus` for each row; rows may share one, [n]."""
    return (mix(np.asarray(rows), key) % np.uint64(modulus)).astype(np.int64)


def shares(rows: Ints, key: int) -> Floats:
    """A number in [0, 1) for each row, [n]."""
    return np.asarray((mix(np.asarray(rows), key) >> np.uint64(11)) * 2.0**-53)


def one_to_one(rows: Ints, modulus: int, key: int) -> Ints:
    """A number below `modulus` for each row, another one for each of the first `modulus` rows.

    Beyond them the numbers come again, in another order.
    """
    turn, within = np.divmod(np.asarray(rows, np.int64), modulus)
    found = np.empty(len(within), np.int64)
    for time in np.unique(turn):
        at = turn == time
        found[at] = permute(within[at], modulus, (key + int(time)) % _BITS)
    return found


def serials(rows: Ints, base: int, key: int) -> Ints:
    """A number for each row that no other row has, with no more digits than the row's own number.

    Args:
        rows: Row numbers, [n].
        base: Of the digits that are counted.
        key: Another one gives other numbers.
    """
    rows = np.asarray(rows, np.int64)
    found, low = np.empty(len(rows), np.int64), 0
    high = base
    while low <= (int(rows.max()) if len(rows) else -1):
        at = (rows >= low) & (rows < high)
        found[at] = low + permute(rows[at] - low, high - low, key)
        low, high = high, high * base
    return found
