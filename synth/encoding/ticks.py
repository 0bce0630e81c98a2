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

from prefect_synth.synth.encoding import integer_units as units
from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.storage import stored

_MOST_DECIMALS = 6
_EXACT = 2.0**53
_APART = 2**52
_GRAIN = 2**50


@stored
@dataclass(frozen=True)
class TickScale:
    """How a column's values relate to ticks.

    Args:
        base: Value of tick 0, in the column's own integer unit: less than a step, or for numbers
            beyond 2^53 steps a multiple of 2^50 steps more.
        step: Units in a tick; 0 for a continuous float.
        decimals: Decimal digits that make a float an integer unit; 0 for all other types.
        offset: Value of unit 0; other than 0 only for unsigned numbers beyond 2^63.
        dropped: Last digits of a decimal that are 0 in every value, and in no unit.
    """

    base: int
    step: int
    decimals: int = 0
    offset: int = 0
    dropped: int = 0

    @property
    def is_continuous(self) -> bool:
        """Whether there is no finest step."""
        return self.step == 0

    def last_tick(self, kind: pa.DataType) -> int:
        """The largest tick that a column of this type can hold, and that a float can name."""
        high = units.unit_range(kind, self.offset, self.dropped)[1]
        return int(min((high - self.base) // max(self.step, 1), _EXACT))

    def to_ticks(self, values: pa.Array) -> Floats:
        """Ticks of non-null values, [n]; whole numbers unless continuous."""
        if self.is_continuous:
            return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False))
        found = units.to_units(values, self.decimals, self.offset, self.dropped)
        # the base has the remainder of every value, so this is (units - base) / step, in range
        return (found // self.step - self.base // self.step).astype(np.float64)

    def from_ticks(self, ticks: Floats, kind: pa.DataType) -> pa.Array:
        """Values of type `kind` for ticks, [n]."""
        if self.is_continuous:
            return units.from_floats(ticks, kind)
        low, high = units.unit_range(kind, self.offset, self.dropped)
        first = max(-((self.base - low) // self.step), -(2**63))
        last = min((high - self.base) // self.step, 2**63 - 1)
        whole = np.clip(np.rint(ticks), _float_inside(first, up=True), _float_inside(last))
        made = whole.astype(np.int64) * self.step + self.base
        return units.from_units(made, kind, self.decimals, self.offset, self.dropped)

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
        second = units.SECOND["ms" if pa.types.is_date64(kind) else kind.unit]
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
            return 30 * 86_400 * units.SECOND[kind.unit] / self.step
        base = self.base + self.offset
        if self.is_continuous or abs(base) < self.step or not len(ticks):
            return None
        return 0.05 * abs(float(ticks.mean()) + base / self.step)


def fit_ticks(values: pa.Array) -> TickScale:
    """The tick scale of non-null values; decimals of too many digits have none."""
    kind, decimals, offset, dropped = values.type, 0, 0, 0
    if pa.types.is_floating(kind):
        found = _decimals(np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False)))
        if found is None:
            return TickScale(0, 0)
        decimals = found
    elif pa.types.is_decimal(kind):
        zeros = units.zero_digits(values)
        if zeros is None:
            return TickScale(0, 0)
        dropped = zeros
    elif pa.types.is_uint64(kind) and len(values) and pc.max(values).as_py() >= 2**63:
        offset = 2**63
    made = units.to_units(values, decimals, offset, dropped)
    if not len(made):
        return TickScale(0, 1, decimals)
    # differences of far numbers wrap around; as unsigned numbers they are right again
    divisor = int(np.gcd.reduce((made - made.min()).view(np.uint64)))
    if divisor or pa.types.is_temporal(kind):
        step = max(n for n in _natural_steps(kind) if divisor % n == 0)
    else:
        step = 1  # a constant: every step would fit it
    return TickScale(_base(made, step), step, decimals, offset, dropped)


def _base(made: Ints, step: int) -> int:
    """The remainder of every value, raised to their height where floats are not exact there.

    It is kept modulo a large grain, so that it does not tell the smallest real value.
    """
    low, high = int(made.min()), int(made.max())
    exact = max(abs(low), abs(high)) < _EXACT * step
    if exact or high - low > _APART * step:
        return low % step
    grain = _GRAIN * step
    base = low // grain * grain + low % step
    return base if base >= -(2**63) else base + grain


def _float_inside(whole: int, *, up: bool = False) -> float:
    """The float nearest to `whole` that is not beyond it."""
    number = float(whole)
    if up:
        return number if int(number) >= whole else float(np.nextafter(number, np.inf))
    return number if int(number) <= whole else float(np.nextafter(number, -np.inf))


def _natural_steps(kind: pa.DataType) -> list[int]:
    """Steps that people use; any other divisor would tell about single values."""
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind) or pa.types.is_duration(kind):
        second = units.SECOND[kind.unit]
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
