"""Keys: fresh, unique, and of the same form as the real ones.

A key is made from the row's number by a fixed rule, so no table of used keys is needed and any
part of a table can be made alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import RARE, Ints
from prefect_synth.synth.encoding.ticks import TickScale, fit_ticks
from prefect_synth.synth.generation.orders import Scatter, fit_scatter, round_above
from prefect_synth.synth.generation.scramble import MOST, mix
from prefect_synth.synth.generation.text_keys import LOOKED_AT, AnyTextKeys, fit_text_keys
from prefect_synth.synth.storage import stored

Keys = Literal["fresh", "stable"]
"""Whether minted keys differ with every seed, or stay what they were from run to run."""

_FEW = 20
_WIDE = 1000
"""Keys are scattered where their range is this many times as wide as they are many."""
_ENDLESS = 2**63
_STABLE_STARTS = (10**9 + 1, 10**12 + 1, 10**15 + 1, 10**4 + 1)
"""Where keys begin that shall not move when real ones grow by a digit."""


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
        """Keys of the rows with these numbers, [n]; low ones follow where no higher are left.

        Raises:
            OverflowError: The type cannot hold so many keys.
        """
        _check_room(self, rows, self.most)
        above = max(self.most - self.start + 1, 0)
        ticks = np.where(rows < above, rows + min(self.start, self.most), rows - above + 1)
        return self.scale.from_ticks(ticks.astype(float), self.kind.field(0).type)


@stored
@dataclass(frozen=True)
class ScatteredKeys:
    """Whole-number keys without order: as long as the real ones, and none of them.

    Args:
        scale: Ticks of the column.
        low: Smallest tick.
        order: In which order the ticks from `low` on are given out.
        kind: Schema with one field of the column's type.
        limit: What sets the largest tick, where that is not the column's own type.
    """

    scale: TickScale
    low: int
    order: Scatter
    kind: pa.Schema
    limit: str = ""

    def generate(self, rows: Ints, seed: int) -> pa.Array:
        """Keys of the rows with these numbers, [n].

        Raises:
            OverflowError: There are not so many numbers of this length.
        """
        _check_room(self, rows, self.order.size)
        numbers, kind = self.order.numbers(rows, seed) + self.low, self.kind.field(0).type
        if pa.types.is_integer(kind):  # beyond 2^53 a tick is not exact
            return pa.array(numbers, pa.int64()).cast(kind)
        return self.scale.from_ticks(numbers.astype(float), kind)


@stored
@dataclass(frozen=True)
class UuidKeys:
    """Version 4 UUIDs, as text or as Arrow's uuid.

    Args:
        kind: Schema with one field of the column's type.
        upper: Whether text is in capitals.
    """

    kind: pa.Schema
    upper: bool = False

    def generate(self, rows: Ints, seed: int) -> pa.Array:
        """UUIDs of the rows with these numbers, [n]."""
        high = mix(rows, seed).astype("<u8")
        low = mix(rows, seed + 1).astype("<u8")
        raw = np.column_stack([high, low]).view(np.uint8).reshape(-1, 16).copy()
        raw[:, 6] = (raw[:, 6] & 0x0F) | 0x40
        raw[:, 8] = (raw[:, 8] & 0x3F) | 0x80
        kind = self.kind.field(0).type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            text = _uuid_text(raw)
            return (pc.utf8_upper(text) if self.upper else text).cast(kind)
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

    maker: NumberKeys | ScatteredKeys | AnyTextKeys | UuidKeys
    distinct: float

    def generate(
        self, count: int, rng: np.random.Generator, first: int = 0, seed: int | None = None
    ) -> pa.Array:
        """`count` keys, each different one at least once, in random order.

        Args:
            count: Rows.
            rng: Decides which rows share one.
            first: Number of the first row: rows of other blocks have other keys.
            seed: Of the keys, the same for all blocks; drawn where None.
        """
        pool = max(min(round(self.distinct * count), count), min(count, 1))
        again = rng.integers(0, max(pool, 1), count - pool)
        rows = rng.permutation(np.concatenate([np.arange(pool), again]))
        chosen = int(rng.integers(2**31)) if seed is None else seed
        return self.maker.generate(np.arange(pool) + first, chosen).take(pa.array(rows))


KeyGenerator = NumberKeys | ScatteredKeys | AnyTextKeys | UuidKeys


def fit_keys(
    values: pa.Array,
    longest: int | None = None,
    *,
    most: int | None = None,
    limit: str = "",
    stable: bool = False,
) -> KeyGenerator:
    """Learn the form of a key column (never its values).

    Args:
        values: The column.
        longest: Longest text that the column can hold, where that is known.
        most: Largest number allowed, where the column's type does not say it.
        limit: What sets `most`, for messages.
        stable: Whether keys should stay as they are when the data grow.

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
        if _are_uuids(present):
            return UuidKeys(schema, upper=_are_upper(present))
        return fit_text_keys(present, schema, longest)
    if pa.types.is_boolean(kind) or pa.types.is_nested(kind) or pa.types.is_binary(kind):
        raise TypeError(f"keys of type {kind} cannot be generated")
    if pa.types.is_temporal(kind):
        return _fit_times(present, schema)
    largest = min(_largest(kind), most or _ENDLESS)
    said = limit if largest == most else ""
    return _fit_numbers(present, schema, largest, said, stable)


def fit_shared_keys(values: pa.Array, longest: int | None = None) -> SharedKeys:
    """Learn the form of an id column, and how many of its values are different.

    The form is that of the different values: a text that many rows share must not pass for one.
    """
    present = values.drop_null()
    if isinstance(present, pa.ExtensionArray):
        maker, distinct = fit_keys(values, longest), pc.count_distinct(present.storage).as_py()
    else:
        different = pc.unique(present)
        maker, distinct = fit_keys(different, longest), len(different)
    return SharedKeys(maker, distinct / max(len(present), 1))


def _fit_times(present: pa.Array, schema: pa.Schema) -> NumberKeys:
    scale = fit_ticks(present)
    ticks = scale.to_ticks(present)
    # near the first one, which itself would tell about a row
    start = int(np.sort(ticks)[min(RARE - 1, len(ticks) // 2)]) if len(ticks) else 0
    return NumberKeys(scale, start, scale.last_tick(present.type), schema)


def _fit_numbers(
    present: pa.Array, schema: pa.Schema, most: int, limit: str, stable: bool
) -> NumberKeys | ScatteredKeys:
    kind = present.type
    scale = TickScale(0, 10**kind.scale if pa.types.is_decimal(kind) else 1)
    numbers = _exact_numbers(present)
    if numbers is not None and _are_scattered(numbers):
        low = int(10 ** (len(str(int(np.median(numbers)))) - 1))
        most = _widest(kind) if limit == "" else most
        size = min(10 * low - 1 - low, most - low, MOST - 1) + 1
        used = numbers[(numbers >= low) & (numbers < low + size)] - low
        return ScatteredKeys(scale, low, fit_scatter(np.unique(used), size), schema, limit)
    largest = max(int(pc.max(present).as_py() or 0), 0)
    # a round number above: no real key comes back, and the largest is not told
    start = round_above(largest, len(present), most) + 1
    if stable:
        start = next((s for s in _STABLE_STARTS if largest < s // 10 and 2 * s < most), start)
    return NumberKeys(scale, start, most, schema, limit)


def _exact_numbers(present: pa.Array) -> Ints | None:
    """The keys as integers, or None where they are too large to be counted with."""
    exact = _widest(present.type)
    if not len(present) or pc.max(present).as_py() > exact or pc.min(present).as_py() < 0:
        return None
    return np.asarray(present.cast(pa.int64(), safe=False).to_numpy(zero_copy_only=False))


def _widest(kind: pa.DataType) -> int:
    """The largest number of this type that an int64 and the type itself hold exactly."""
    if pa.types.is_integer(kind):
        return int(2 ** min(kind.bit_width - pa.types.is_signed_integer(kind), 63) - 1)
    return _largest(kind)


def _are_scattered(numbers: Ints) -> bool:
    """Whether keys are drawn from a wide range rather than counted; a few far ones do not count."""
    if len(numbers) < _FEW:
        return False
    low, high = np.quantile(numbers, [0.1, 0.9])
    return bool(high - low > _WIDE * len(numbers))


def _check_room(keys: NumberKeys | ScatteredKeys, rows: Ints, room: int) -> None:
    wanted = int(rows.max()) + 1 if len(rows) else 0
    if wanted > room:
        raise OverflowError(f"{keys.limit or keys.kind.field(0).type} cannot hold {wanted} keys")


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


def _are_upper(present: pa.Array) -> bool:
    return bool(pc.all(pc.equal(pc.utf8_upper(present), present)).as_py())


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
