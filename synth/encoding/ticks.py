"""Numbers, dates and times as whole ticks, exactly, and back.

A tick is the finest step that the column uses: 1 for years, 0.01 for prices, 60,000,000 us for
times to the minute. A float column without a decimal step has none and stays continuous.

A tick is a float, which is exact to 2^53: numbers beyond it are counted from a base near them. A
column whose values are further apart than 2^52 steps is rounded to the nearest float.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.storage import stored

_MOST_DECIMALS = 6
_EXACT = 2.0**53
_APART = 2**52
_GRAIN = 2**50
_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@stored
@dataclass(frozen=True)
class TickScale:
    """How a column's values relate to ticks.

    Args:
        base: Value of tick 0, in the column's own integer unit: less than a step, or for numbers
            beyond 2^53 steps a multiple of 2^50 steps more.
        step: Units in a tick; 0 for a continuous float.
        decimals: Decimal digits that make a float an integer unit; 0 for all other types.
    """

    base: int
    step: int
    decimals: int = 0

    @property
    def is_continuous(self) -> bool:
        """Whether there is no finest step."""
        return self.step == 0

    def last_tick(self, kind: pa.DataType) -> int:
        """The largest tick that a column of this type can hold, and that a float can name."""
        return int(min((_unit_range(kind)[1] - self.base) // max(self.step, 1), _EXACT))

    def to_ticks(self, values: pa.Array) -> Floats:
        """Ticks of non-null values, [n]; whole numbers unless continuous."""
        if self.is_continuous:
            return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False))
        units = _units(values, self.decimals)
        # the base has the remainder of every value, so this is (units - base) / step, in range
        return (units // self.step - self.base // self.step).astype(np.float64)

    def from_ticks(self, ticks: Floats, kind: pa.DataType) -> pa.Array:
        """Values of type `kind` for ticks, [n]."""
        if self.is_continuous:
            return pa.array(ticks, pa.float64()).cast(kind, safe=False)
        low, high = _unit_range(kind)
        first = max(-((self.base - low) // self.step), -(2**63))
        last = min((high - self.base) // self.step, 2**63 - 1)
        whole = np.clip(np.rint(ticks), _float_inside(first, up=True), _float_inside(last))
        return _from_units(whole.astype(np.int64) * self.step + self.base, kind, self.decimals)

    def rhythms(self, kind: pa.DataType) -> list[tuple[int, int]]:
        """Periods, and the blocks that they are made of, in ticks, which people's values have.

        Hours of a day and of a week, days of a week, minutes of an hour, seconds of a minute; the
        last one, two or three digits of a number.
        """
        if self.is_continuous:
            return []
        if not pa.types.is_temporal(kind):
            return [(10, 1), (100, 1), (1000, 1)]
        if pa.types.is_date32(kind):
            return [(7, 1)] if self.step == 1 else []
        second = _SECOND["ms" if pa.types.is_date64(kind) else kind.unit]
        spans = [(60, 1), (3600, 60), (86_400, 3600), (604_800, 3600), (604_800, 86_400)]
        return [
            (period * second // self.step, max(block * second // self.step, 1))
            for period, block in spans
            if period * second % self.step == 0
            and (block * second % self.step == 0 or self.step % (block * second) == 0)
            and period * second > self.step
        ]

    def blur(self, ticks: Floats, kind: pa.DataType) -> float | None:
        """Half the width, in ticks, that hides a handful of values; None for 5 % of their mean.

        A month for dates and datetimes, whose distance from 1970 says nothing about their spread.
        """
        if pa.types.is_date32(kind):
            return 30.0 / self.step
        if pa.types.is_timestamp(kind):
            return 30 * 86_400 * _SECOND[kind.unit] / self.step
        if self.is_continuous or abs(self.base) < self.step or not len(ticks):
            return None
        return 0.05 * abs(float(ticks.mean()) + self.base / self.step)


def fit_ticks(values: pa.Array) -> TickScale:
    """The tick scale of non-null values."""
    decimals = 0
    if pa.types.is_floating(values.type):
        found = _decimals(np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False)))
        if found is None:
            return TickScale(0, 0)
        decimals = found
    units = _units(values, decimals)
    if not len(units):
        return TickScale(0, 1, decimals)
    # differences of far numbers wrap around; as unsigned numbers they are right again
    divisor = int(np.gcd.reduce((units - units.min()).view(np.uint64)))
    if divisor or pa.types.is_temporal(values.type):
        step = max(n for n in _natural_steps(values.type) if divisor % n == 0)
    else:
        step = 1  # a constant: every step would fit it
    return TickScale(_base(units, step), step, decimals)


def _base(units: Ints, step: int) -> int:
    """The remainder of every value, raised to their height where floats are not exact there.

    It is kept modulo a large grain, so that it does not tell the smallest real value.
    """
    low, high = int(units.min()), int(units.max())
    exact = max(abs(low), abs(high)) < _EXACT * step
    if exact or high - low > _APART * step:
        return low % step
    grain = _GRAIN * step
    base = low // grain * grain + low % step
    return base if base >= -(2**63) else base + grain


def _unit_range(kind: pa.DataType) -> tuple[int, int]:
    """Smallest and largest value of a type, in its own integer unit."""
    if pa.types.is_integer(kind):
        signed = int(pa.types.is_signed_integer(kind))
        high = 2 ** (kind.bit_width - signed) - 1
        return (-high - 1 if signed else 0), min(high, 2**63 - 1)
    if pa.types.is_decimal(kind):
        high = min(10**kind.precision - 1, 2**63 - 1)
        return -high, high
    if pa.types.is_time(kind):
        day = 86_400 * _SECOND[kind.unit]
        return 0, day - 1
    if pa.types.is_date32(kind):
        return -(2**31), 2**31 - 1
    return -(2**63), 2**63 - 1


def _float_inside(whole: int, *, up: bool = False) -> float:
    """The float nearest to `whole` that is not beyond it."""
    number = float(whole)
    if up:
        return number if int(number) >= whole else float(np.nextafter(number, np.inf))
    return number if int(number) <= whole else float(np.nextafter(number, -np.inf))


def _natural_steps(kind: pa.DataType) -> list[int]:
    """Steps that people use; any other divisor would tell about single values."""
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind) or pa.types.is_duration(kind):
        second = _SECOND[kind.unit]
        parts = [n for n in (10**e for e in range(1, 10)) if n < second and second % n == 0]
        return [1, *parts, *(second * n for n in (1, 60, 900, 3600, 86_400))]
    if pa.types.is_date(kind):
        return [1] if pa.types.is_date32(kind) else [1, 86_400_000]
    return [base * 10**power for power in range(9) for base in (1, 2, 5, 25)]


def _decimals(values: Floats) -> int | None:
    for decimals in range(_MOST_DECIMALS + 1):
        scaled = values * 10.0**decimals
        if np.abs(scaled).max(initial=0.0) >= _EXACT:
            return None
        if np.all(np.abs(scaled - np.rint(scaled)) <= 1e-9 * np.maximum(1.0, np.abs(scaled))):
            return decimals
    return None


def _units(values: pa.Array, decimals: int) -> Ints:
    kind = values.type
    if pa.types.is_floating(kind):
        floats = np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False))
        return np.rint(floats * 10.0**decimals).astype(np.int64)
    if pa.types.is_decimal(kind):
        return _unscaled(values)
    if pa.types.is_date32(kind) or pa.types.is_time32(kind):
        values = values.cast(pa.int32())
    if pa.types.is_uint64(kind) and len(values) and pc.max(values).as_py() >= 2**63:
        raise OverflowError(
            f"is uint64 and has the value {pc.max(values).as_py()}; the largest that can be "
            f"learned is {2**63 - 1}"
        )
    return np.asarray(values.cast(pa.int64()).to_numpy(zero_copy_only=False))


def _unscaled(values: pa.Array) -> Ints:
    try:
        wide = values.cast(pa.decimal128(38, values.type.scale))
    except pa.ArrowInvalid as error:  # decimal256
        raise OverflowError(
            f"is {values.type} and has values of more than 38 digits; at most 18 can be learned"
        ) from error
    words = np.frombuffer(wide.buffers()[1], "<i8").reshape(-1, 2)
    words = words[wide.offset : wide.offset + len(wide)]
    if np.any(words[:, 1] != words[:, 0] >> 63):
        raise OverflowError(
            f"is {values.type} and has values of more than 18 digits; at most 18 can be learned"
        )
    return words[:, 0].copy()


def _from_units(units: Ints, kind: pa.DataType, decimals: int) -> pa.Array:
    if pa.types.is_floating(kind):
        return pa.array(units / 10.0**decimals, pa.float64()).cast(kind, safe=False)
    if pa.types.is_decimal(kind):
        words = np.column_stack([units, units >> 63])
        wide = pa.Array.from_buffers(
            pa.decimal128(38, kind.scale), len(units), [None, pa.py_buffer(words.tobytes())]
        )
        return wide.cast(kind)
    if pa.types.is_date32(kind) or pa.types.is_time32(kind):
        return pa.array(units, pa.int64()).cast(pa.int32()).cast(kind)
    return pc.cast(pa.array(units, pa.int64()), kind, safe=False)
