"""Numbers, dates and times as whole units, exactly, and back.

A unit is 1 for integers, the last decimal of a float or decimal, a tick of a time's own resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints

SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
MOST_DECIMALS = 6
_EXACT = 2**53


@dataclass(frozen=True)
class Units:
    """A column as whole numbers.

    Args:
        whole: Units, 0 where null, [n].
        valid: Whether there is a value, [n].
        decimals: Decimal digits that make a number whole.
    """

    whole: Ints
    valid: np.ndarray
    decimals: int = 0

    def at(self, decimals: int) -> Ints:
        """The same numbers, counted in units of `decimals` or more digits."""
        return self.whole * 10 ** (decimals - self.decimals)


def plain(values: pa.Array) -> pa.Array:
    """Values without dictionary or extension type, and not as views or runs."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.DictionaryArray):
        values = values.dictionary_decode()
    if isinstance(values, pa.RunEndEncodedArray):
        values = pc.run_end_decode(values)
    values = values.storage if isinstance(values, pa.ExtensionArray) else values
    if pa.types.is_string_view(values.type):
        return values.cast(pa.large_string())
    return values.cast(pa.large_binary()) if pa.types.is_binary_view(values.type) else values


def is_comparable(kind: pa.DataType) -> bool:
    """Whether Arrow can tell equal values of a plain type, and number them."""
    return not (
        pa.types.is_nested(kind)
        or pa.types.is_null(kind)
        or pa.types.is_interval(kind)
        or (pa.types.is_decimal(kind) and kind.bit_width < 128)
    )


def is_number(kind: pa.DataType) -> bool:
    """Whether arithmetic is defined on the type."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or _is_short(kind))


def is_moment(kind: pa.DataType) -> bool:
    """Whether the type is a date or a datetime."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def numbers(values: pa.Array, decimals: int | None = None) -> Units | None:
    """A number column in units; None where its values are not whole at any few decimals.

    Args:
        values: Integers, floats or decimals, [n].
        decimals: Digits to count in; found where None.
    """
    kind, valid = values.type, np.asarray(values.is_valid())
    if not is_number(kind):
        return None
    if pa.types.is_floating(kind):
        return _floats(np.asarray(values.cast(pa.float64()).fill_null(0.0)), valid, decimals)
    if pa.types.is_decimal(kind):
        floats = np.asarray(values.cast(pa.float64()).fill_null(0.0))
        return _floats(floats, valid, kind.scale if decimals is None else decimals)
    if pa.types.is_uint64(kind):
        return None
    whole = np.asarray(values.cast(pa.int64()).fill_null(0))
    if decimals:
        whole = whole * 10**decimals
    return Units(whole, valid, decimals or 0) if _fits(whole) else None


def counted(values: pa.Array, decimals: int) -> Units:
    """A column that is known to be of numbers, in units of `decimals` digits."""
    units = numbers(values, decimals)
    assert units is not None  # noqa: S101 - asked when the rule was made
    return units


def from_numbers(whole: Ints, valid: np.ndarray, decimals: int, kind: pa.DataType) -> pa.Array:
    """Whole units as numbers of type `kind`, null where not valid; digits beyond it are rounded."""
    mask = ~valid
    if pa.types.is_floating(kind):
        return pa.array(whole / 10.0**decimals, pa.float64(), mask=mask).cast(kind, safe=False)
    if pa.types.is_decimal(kind):
        words = np.column_stack([_rescaled(whole, decimals, kind.scale), whole >> 63])
        words[:, 1] = words[:, 0] >> 63
        wide = pa.Array.from_buffers(
            pa.decimal128(38, kind.scale), len(whole), [None, pa.py_buffer(words.tobytes())]
        )
        wide = pc.if_else(pa.array(valid), wide, pa.scalar(None, wide.type))
        return wide.cast(kind, safe=False)
    low, high = _bounds(kind)
    inside = np.clip(_rescaled(whole, decimals, 0), low, high)
    return pa.array(inside, pa.int64(), mask=mask).cast(kind, safe=False)


def moments(values: pa.Array, unit: str | None = None) -> Units | None:
    """A date or datetime column in ticks of `unit` since 1970, by the clock of UTC."""
    kind, valid = values.type, np.asarray(values.is_valid())
    if pa.types.is_date(kind):
        days = np.asarray(values.cast(pa.date32()).cast(pa.int32()).fill_null(0)).astype(np.int64)
        return Units(days * 86_400 * SECOND[unit or "s"], valid)
    if not pa.types.is_timestamp(kind):
        return None
    ticks = np.asarray(values.cast(pa.int64()).fill_null(0))
    have, wanted = SECOND[kind.unit], SECOND[unit or kind.unit]
    ticks = ticks * (wanted // have) if wanted >= have else ticks // (have // wanted)
    return Units(ticks, valid)


def from_moments(ticks: Ints, valid: np.ndarray, unit: str, kind: pa.DataType) -> pa.Array:
    """Ticks of `unit` as dates or datetimes of type `kind`; a date takes the day they fall on."""
    mask = ~valid
    if pa.types.is_date(kind):
        days = ticks // (86_400 * SECOND[unit])
        whole = pa.array(days, pa.int64(), mask=mask).cast(pa.int32())
        return whole.cast(pa.date32()).cast(kind)
    have, wanted = SECOND[unit], SECOND[kind.unit]
    ticks = ticks * (wanted // have) if wanted >= have else ticks // (have // wanted)
    return pa.array(ticks, pa.int64(), mask=mask).cast(kind)


def finest(kinds: list[pa.DataType]) -> str:
    """The finest resolution among datetime types; seconds where all are dates."""
    units = [k.unit for k in kinds if pa.types.is_timestamp(k)]
    return max(units, key=lambda unit: SECOND[unit], default="s")


def _is_short(kind: pa.DataType) -> bool:
    """Whether it is a decimal whose values a float can name."""
    return bool(pa.types.is_decimal(kind) and kind.precision <= 18 and 0 <= kind.scale <= 9)


def _floats(values: np.ndarray, valid: np.ndarray, decimals: int | None) -> Units | None:
    if decimals is None and not np.isfinite(values).all():
        return None
    valid = valid & np.isfinite(values)
    values = np.where(valid, values, 0.0)
    if decimals is not None:  # a sampled value is brought to the digits that the rule counts in
        return Units(np.rint(values * 10.0**decimals).astype(np.int64), valid, decimals)
    for digits in range(MOST_DECIMALS + 1):
        scaled = values * 10.0**digits
        if np.abs(scaled).max(initial=0.0) >= _EXACT:
            return None
        whole = np.rint(scaled)
        if np.all(np.abs(scaled - whole) <= 1e-9 * np.maximum(1.0, np.abs(scaled))):
            return Units(whole.astype(np.int64), valid, digits)
    return None


def _bounds(kind: pa.DataType) -> tuple[int, int]:
    """Smallest and largest value of an integer type."""
    signed = int(pa.types.is_signed_integer(kind))
    high = min(2 ** (kind.bit_width - signed) - 1, 2**63 - 1)
    return (-high - 1 if signed else 0), high


def _fits(whole: Ints) -> bool:
    return bool(np.abs(whole).max(initial=0) < _EXACT)


def _rescaled(whole: Ints, decimals: int, wanted: int) -> Ints:
    if wanted >= decimals:
        return whole * 10 ** (wanted - decimals)
    step = 10 ** (decimals - wanted)
    return (whole + step // 2) // step
