"""Keys: fresh, unique, and of the same form as the real ones.

A key is made from the row's number by a fixed rule, so no table of used keys is needed and any
part of a table can be made alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.encoding.ticks import TickScale, fit_ticks
from prefect_synth.synth.storage import stored

_LOOKED_AT = 10_000
_SKIPPED = 4
_CLASSES = {
    "d": "0123456789",
    "u": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "l": "abcdefghijklmnopqrstuvwxyz",
    "h": "0123456789abcdef",
    "H": "0123456789ABCDEF",
    "a": "0123456789abcdefghijklmnopqrstuvwxyz",
    "A": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "x": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
}
_SCRAMBLE = 2**31 - 1  # a prime: row numbers are permuted modulo it


@stored
@dataclass(frozen=True)
class NumberKeys:
    """Whole-number, date or time keys: a run of ticks, above the real ones where they fit."""

    scale: TickScale
    start: int
    most: int
    kind: pa.Schema

    def generate(self, rows: Ints, seed: int) -> pa.Array:
        """Keys of the rows with these numbers, [n].

        Raises:
            OverflowError: The type cannot hold so many keys.
        """
        start = self.start
        if len(rows) and start + int(rows.max()) > self.most:
            start = 1  # the type is small: reuse the low numbers rather than overflow
        if len(rows) and start + int(rows.max()) > self.most:
            raise OverflowError(f"{self.kind.field(0).type} cannot hold {len(rows)} keys")
        return self.scale.from_ticks((rows + start).astype(float), self.kind.field(0).type)


@stored
@dataclass(frozen=True)
class TextKeys:
    """Text keys by template: a constant, or a class of characters, at each place.

    Args:
        template: One string for each place: its possible characters.
        kind: Schema with one field of the column's type.
    """

    template: tuple[str, ...]
    kind: pa.Schema

    def generate(self, rows: Ints, seed: int) -> pa.Array:
        """Keys of the rows with these numbers, [n]; unique as long as the template allows."""
        template = self._wide_enough(int(rows.max()) + 1 if len(rows) else 0)
        capacity = math.prod(len(c) for c in template)
        modulus = min(capacity, _SCRAMBLE)
        number = _permute(rows, modulus, seed)
        filler = _mix(rows, seed)
        places = []
        used = 1
        for characters in reversed(template):
            table = np.array(list(characters))
            if used < modulus:
                places.append(table[number % len(table)])
                number, used = number // len(table), used * len(table)
            else:  # beyond the number's digits any fixed function of the row keeps keys unique
                places.append(table[(filler % len(table)).astype(np.int64)])
                filler = _mix(filler.astype(np.int64), seed + 1)
        text = [pa.array(p.astype(str)) for p in reversed(places)]
        joined = pc.binary_join_element_wise(*text, "") if len(text) > 1 else text[0]
        return joined.cast(_text_type(self.kind.field(0).type))

    def _wide_enough(self, rows: int) -> tuple[str, ...]:
        template = self.template or (_CLASSES["d"],)
        while math.prod(len(c) for c in template) < rows:
            template = (*template, _CLASSES["d"])
        return template


@stored
@dataclass(frozen=True)
class UuidKeys:
    """Version 4 UUIDs, as text or as Arrow's uuid."""

    kind: pa.Schema

    def generate(self, rows: Ints, seed: int) -> pa.Array:
        """UUIDs of the rows with these numbers, [n]."""
        high = _mix(rows, seed).astype("<u8")
        low = _mix(rows, seed + 1).astype("<u8")
        raw = np.column_stack([high, low]).view(np.uint8).reshape(-1, 16).copy()
        raw[:, 6] = (raw[:, 6] & 0x0F) | 0x40
        raw[:, 8] = (raw[:, 8] & 0x3F) | 0x80
        kind = self.kind.field(0).type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return _uuid_text(raw).cast(kind)
        storage = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(16), len(raw), [None, pa.py_buffer(raw.tobytes())]
        )
        return pa.ExtensionArray.from_storage(kind, storage) if kind != pa.binary(16) else storage


@stored
@dataclass(frozen=True)
class SharedKeys:
    """Fresh keys of a column in which several rows share one, as a parcel number on its items.

    Args:
        maker: Makes the different keys.
        distinct: Different keys in the data, as a share of the rows.
    """

    maker: NumberKeys | TextKeys | UuidKeys
    distinct: float

    def generate(self, count: int, rng: np.random.Generator) -> pa.Array:
        """`count` keys, each different one at least once, in random order."""
        pool = max(min(round(self.distinct * count), count), min(count, 1))
        again = rng.integers(0, max(pool, 1), count - pool)
        rows = rng.permutation(np.concatenate([np.arange(pool), again]))
        keys = self.maker.generate(np.arange(pool), int(rng.integers(2**31)))
        return keys.take(pa.array(rows))


KeyGenerator = NumberKeys | TextKeys | UuidKeys


def fit_keys(values: pa.Array) -> KeyGenerator:
    """Learn the form of a key column (never its values).

    Raises:
        TypeError: Keys of this type cannot be made.
    """
    kind, present = values.type, values.drop_null()
    schema = pa.schema([("v", kind)])
    if isinstance(kind, pa.UuidType) or kind == pa.binary(16):
        return UuidKeys(schema)
    if pa.types.is_dictionary(kind):
        present = present.cast(kind.value_type)
    if pa.types.is_string(present.type) or pa.types.is_large_string(present.type):
        return _fit_text(present.slice(0, _LOOKED_AT), schema)
    if pa.types.is_boolean(kind) or pa.types.is_nested(kind) or pa.types.is_binary(kind):
        raise TypeError(f"keys of type {kind} cannot be generated")
    return _fit_numbers(present, schema)


def fit_shared_keys(values: pa.Array) -> SharedKeys:
    """Learn the form of an id column, and how many of its values are different."""
    present = values.drop_null()
    plain = present.storage if isinstance(present, pa.ExtensionArray) else present
    return SharedKeys(fit_keys(values), pc.count_distinct(plain).as_py() / max(len(plain), 1))


def _fit_numbers(present: pa.Array, schema: pa.Schema) -> NumberKeys:
    kind = present.type
    if pa.types.is_temporal(kind):
        scale = fit_ticks(present)
        ticks = scale.to_ticks(present)
        # near the first one, which itself would tell about a row
        start = int(np.sort(ticks)[min(_SKIPPED, len(ticks) // 2)]) if len(ticks) else 0
        return NumberKeys(scale, start, scale.last_tick(kind), schema)
    scale = TickScale(0, 10**kind.scale if pa.types.is_decimal(kind) else 1)
    largest = int(scale.to_ticks(present).max(initial=0))
    # the next power of ten: no real key comes back, and the largest is not told
    start = 10 ** len(str(max(largest, 0))) + 1
    return NumberKeys(scale, start, _largest(kind), schema)


def _largest(kind: pa.DataType) -> int:
    if pa.types.is_integer(kind):
        signed = pa.types.is_signed_integer(kind)
        return int(min(2 ** (kind.bit_width - int(signed)) - 1, 2**53))
    if pa.types.is_decimal(kind):
        return int(min(10 ** (kind.precision - kind.scale) - 1, 2**53))
    return int({16: 2**11, 32: 2**24, 64: 2**53}[kind.bit_width])


def _fit_text(present: pa.Array, schema: pa.Schema) -> TextKeys | UuidKeys:
    if not len(present):
        return TextKeys((_CLASSES["d"],) * 8, schema)
    pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
    if pc.all(pc.match_substring_regex(present, pattern)).as_py():
        return UuidKeys(schema)
    lengths = pc.utf8_length(present)
    length = pc.mode(lengths)[0].as_py()["mode"]
    same = present.filter(pc.equal(lengths, length))
    seen = [
        set(pc.unique(pc.utf8_slice_codeunits(same, i, i + 1)).to_pylist()) for i in range(length)
    ]
    alone = len(same) < 10
    return TextKeys(tuple(_characters(s, alone) for s in seen), schema)


def _characters(seen: set[str], alone: bool) -> str:
    if len(seen) == 1 and (not alone or not next(iter(seen)).isalnum()):
        return next(iter(seen))
    for characters in _CLASSES.values():
        if seen <= set(characters):
            return characters
    return "".join(sorted(seen | set(_CLASSES["x"])))


def _text_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _permute(rows: Ints, modulus: int, seed: int) -> Ints:
    """A bijection of 0..modulus-1: affine, with a multiplier prime to the modulus."""
    multiplier = (seed * 2 + 1) % modulus or 1
    multiplier = max(multiplier, int(modulus * 0.381966) | 1)
    while math.gcd(multiplier, modulus) != 1:
        multiplier += 1
    return (rows % modulus * (multiplier % modulus) + seed % modulus) % modulus


def _mix(rows: Ints, seed: int) -> np.ndarray:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014): a bijection of 64-bit words."""
    with np.errstate(over="ignore"):
        z = rows.astype(np.uint64) + np.uint64(seed % 2**64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))


def _uuid_text(raw: np.ndarray) -> pa.Array:
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    text = np.empty((len(raw), 36), np.uint8)
    text[:] = ord("-")
    at = [i for i in range(36) if i not in (8, 13, 18, 23)]
    nibbles = np.stack([raw >> 4, raw & 15], axis=2).reshape(len(raw), 32)
    text[:, at] = digits[nibbles]
    offsets = np.arange(0, 36 * len(raw) + 1, 36, dtype=np.int64)
    return pa.LargeStringArray.from_buffers(
        len(raw), pa.py_buffer(offsets.tobytes()), pa.py_buffer(text.tobytes())
    )
