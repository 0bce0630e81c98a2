"""Keys: fresh, unique, and of the same form as the real ones.

A key is made from the row's number by a fixed rule, so no table of used keys is needed and any
part of a table can be made alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import RARE, Ints
from prefect_synth.synth.encoding.ticks import TickScale, fit_ticks
from prefect_synth.synth.generation.scramble import mix
from prefect_synth.synth.generation.text_keys import LOOKED_AT, AnyTextKeys, fit_text_keys
from prefect_synth.synth.storage import stored


@stored
@dataclass(frozen=True)
class NumberKeys:
    """Whole-number, date or time keys: a run of ticks, above the real ones where they fit.

    Args:
        scale: Ticks of the column.
        start: First tick.
        most: Largest tick.
        kind: Schema with one field of the column's type.
        limit: What sets `most`, where that is not the column's own type.
    """

    scale: TickScale
    start: int
    most: int
    kind: pa.Schema
    limit: str = ""

    def generate(self, rows: Ints, seed: int) -> pa.Array:
        """Keys of the rows with these numbers, [n].

        Raises:
            OverflowError: The type cannot hold so many keys.
        """
        start = self.start
        if len(rows) and start + int(rows.max()) > self.most:
            start = 1  # the type is small: reuse the low numbers rather than overflow
        if len(rows) and start + int(rows.max()) > self.most:
            limit = self.limit or str(self.kind.field(0).type)
            raise OverflowError(f"{limit} cannot hold {len(rows)} keys")
        return self.scale.from_ticks((rows + start).astype(float), self.kind.field(0).type)


@stored
@dataclass(frozen=True)
class UuidKeys:
    """Version 4 UUIDs, as text or as Arrow's uuid."""

    kind: pa.Schema

    def generate(self, rows: Ints, seed: int) -> pa.Array:
        """UUIDs of the rows with these numbers, [n]."""
        high = mix(rows, seed).astype("<u8")
        low = mix(rows, seed + 1).astype("<u8")
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

    maker: NumberKeys | AnyTextKeys | UuidKeys
    distinct: float

    def generate(self, count: int, rng: np.random.Generator) -> pa.Array:
        """`count` keys, each different one at least once, in random order."""
        pool = max(min(round(self.distinct * count), count), min(count, 1))
        again = rng.integers(0, max(pool, 1), count - pool)
        rows = rng.permutation(np.concatenate([np.arange(pool), again]))
        keys = self.maker.generate(np.arange(pool), int(rng.integers(2**31)))
        return keys.take(pa.array(rows))


KeyGenerator = NumberKeys | AnyTextKeys | UuidKeys


def fit_keys(values: pa.Array, longest: int | None = None) -> KeyGenerator:
    """Learn the form of a key column (never its values).

    Args:
        values: The column.
        longest: Longest text that the column can hold, where that is known.

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
        return UuidKeys(schema) if _are_uuids(present) else fit_text_keys(present, schema, longest)
    if pa.types.is_boolean(kind) or pa.types.is_nested(kind) or pa.types.is_binary(kind):
        raise TypeError(f"keys of type {kind} cannot be generated")
    return _fit_numbers(present, schema)


def fit_shared_keys(values: pa.Array, longest: int | None = None) -> SharedKeys:
    """Learn the form of an id column, and how many of its values are different."""
    present = values.drop_null()
    plain = present.storage if isinstance(present, pa.ExtensionArray) else present
    return SharedKeys(
        fit_keys(values, longest), pc.count_distinct(plain).as_py() / max(len(plain), 1)
    )


def _fit_numbers(present: pa.Array, schema: pa.Schema) -> NumberKeys:
    kind = present.type
    if pa.types.is_temporal(kind):
        scale = fit_ticks(present)
        ticks = scale.to_ticks(present)
        # near the first one, which itself would tell about a row
        start = int(np.sort(ticks)[min(RARE - 1, len(ticks) // 2)]) if len(ticks) else 0
        return NumberKeys(scale, start, scale.last_tick(kind), schema)
    scale = TickScale(0, 10**kind.scale if pa.types.is_decimal(kind) else 1)
    largest = int(pc.max(present).as_py() or 0)
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


def _are_uuids(present: pa.Array) -> bool:
    pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
    some = present.slice(0, LOOKED_AT)
    return bool(len(some)) and bool(pc.all(pc.match_substring_regex(some, pattern)).as_py())


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
