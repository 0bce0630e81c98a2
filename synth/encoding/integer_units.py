"""Values of ordered types as whole numbers of 64 bits, and back: the finest unit of the type."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Floats, Ints

SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Units in a second."""

_TOP = np.uint64(2**63)


def unit_range(kind: pa.DataType, offset: int = 0, dropped: int = 0) -> tuple[int, int]:
    """Smallest and largest value of a type, in its own unit.

    Args:
        kind: The type.
        offset: Value of unit 0, of unsigned numbers.
        dropped: Last digits that are in no unit, of decimals.
    """
    if pa.types.is_integer(kind):
        signed = int(pa.types.is_signed_integer(kind))
        high = 2 ** (kind.bit_width - signed) - 1
        return (-high - 1 if signed else -offset), min(high - offset, 2**63 - 1)
    if pa.types.is_decimal(kind):
        high = min(10 ** (kind.precision - dropped) - 1, 2**63 - 1)
        return -high, high
    if pa.types.is_time(kind):
        return 0, 86_400 * SECOND[kind.unit] - 1
    if pa.types.is_date32(kind):
        return -(2**31), 2**31 - 1
    return -(2**63), 2**63 - 1


def to_units(values: pa.Array, decimals: int = 0, offset: int = 0, dropped: int = 0) -> Ints:
    """Whole numbers of non-null values, [n].

    Args:
        values: The values.
        decimals: Digits that make a float whole.
        offset: Value of unit 0, of unsigned numbers.
        dropped: Last digits of decimals to leave out.
    """
    kind = values.type
    if pa.types.is_floating(kind):
        floats = np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False))
        return np.rint(floats * 10.0**decimals).astype(np.int64)
    if pa.types.is_decimal(kind):
        return _words(values.cast(pa.decimal128(38, kind.scale - dropped), safe=False))[:, 0].copy()
    if pa.types.is_date32(kind) or pa.types.is_time32(kind):
        values = values.cast(pa.int32())
    if pa.types.is_uint64(kind):
        raw = values.to_numpy(zero_copy_only=False)
        return (raw ^ _TOP if offset else np.minimum(raw, _TOP - np.uint64(1))).view(np.int64)
    return np.asarray(values.cast(pa.int64()).to_numpy(zero_copy_only=False))


def from_units(
    made: Ints, kind: pa.DataType, decimals: int = 0, offset: int = 0, dropped: int = 0
) -> pa.Array:
    """Values of type `kind`: the inverse of `to_units`."""
    if pa.types.is_floating(kind):
        return pa.array(made / 10.0**decimals, pa.float64()).cast(kind, safe=False)
    if pa.types.is_decimal(kind):
        words = np.column_stack([made, made >> 63])
        narrow = pa.decimal128(38, kind.scale - dropped)
        return pa.Array.from_buffers(narrow, len(made), [None, pa.py_buffer(words.tobytes())]).cast(
            kind
        )
    if pa.types.is_date32(kind) or pa.types.is_time32(kind):
        return pa.array(made, pa.int64()).cast(pa.int32()).cast(kind)
    if pa.types.is_uint64(kind) and offset:
        return pa.array(made.view(np.uint64) ^ _TOP, kind)
    return pc.cast(pa.array(made, pa.int64()), kind, safe=False)


def from_floats(ticks: Floats, kind: pa.DataType) -> pa.Array:
    """Values of type `kind` for floats, at the precision of a float, inside the type's range."""
    if pa.types.is_decimal(kind):
        most = np.nextafter(10.0 ** (kind.precision - kind.scale), 0) * (1 - 1e-15)
        ticks = np.clip(ticks, -most, most)
    return pa.array(ticks, pa.float64()).cast(kind, safe=False)


def zero_digits(values: pa.Array) -> int | None:
    """Last digits to leave out of decimals so that all fit 64 bits; None if they do not."""
    for dropped in range(values.type.precision):
        try:  # refused where a digit other than 0 would go, or 38 digits are too few
            narrow = values.cast(pa.decimal128(38, values.type.scale - dropped))
        except pa.ArrowInvalid:
            if values.type.byte_width == 16:
                return None
            continue
        words = _words(narrow)
        if np.all(words[:, 1] == words[:, 0] >> 63):
            return dropped
    return None


def _words(values: pa.Array) -> Ints:
    """The low and the high half of decimals of 128 bits, [n, 2]."""
    words = np.frombuffer(values.buffers()[1], "<i8").reshape(-1, 2)
    return words[values.offset : values.offset + len(values)]
