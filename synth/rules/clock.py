"""Times of the day written as hours and minutes in one number: 1435 is 14:35.

They wrap around at midnight, which some write as 0 and some as 2400.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.rules.formulas import quoted
from prefect_synth.synth.rules.rule import Derivation, Rows
from prefect_synth.synth.rules.units import counted, from_numbers
from prefect_synth.synth.storage import stored

DAY = 1440


@stored
@dataclass(frozen=True)
class ClockSum(Derivation):
    """`dep_time = clock(sched_dep_time + dep_delay)`: a clock moved by minutes.

    Args:
        target: The clock that is computed.
        start: The clock that is moved.
        minutes: The column of minutes.
        midnight: What the target writes at midnight: 0 or 2400.
        kind: Schema with one field of the target's type.
        rest: Whether the target has values where an input has none.
        gap: Whether the target is null where no input is.
    """

    target: str
    start: str
    minutes: str
    midnight: int
    kind: pa.Schema
    rest: bool = False
    gap: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """The clock and the minutes."""
        return (self.start, self.minutes)

    def computed(self, rows: Rows) -> pa.Array:
        """The moved clock; null where an input is."""
        start, moved = (counted(rows.columns[c], 0) for c in self.inputs)
        clock = from_minutes(to_minutes(start.whole) + moved.whole, self.midnight)
        return from_numbers(clock, start.valid & moved.valid, 0, self.kind.field(0).type)

    def holds(self, rows: Rows) -> np.ndarray:
        """Where all are known, they agree; midnight may be written either way."""
        wanted, found = counted(self.computed(rows), 0), counted(rows.columns[self.target], 0)
        same = to_minutes(wanted.whole) % DAY == to_minutes(found.whole) % DAY
        return same | ~wanted.valid | ~found.valid

    def forward(self, rows: Rows) -> dict[str, pa.Array]:
        """What is left, clocks in minutes."""
        left = super().forward(rows)
        if self.target in left:
            left[self.target] = in_minutes(left[self.target])
        return left

    def backward(self, rows: Rows, rng: np.random.Generator) -> pa.Array:
        """What is computed, and what is left elsewhere."""
        kind = self.kind.field(0).type
        if self.rest:
            rest = as_clock(rows.columns[self.target], self.midnight, kind)
            rows = replace(rows, columns={**rows.columns, self.target: rest})
        return super().backward(rows, rng)

    def text(self) -> str:
        """`a = clock(b + c)`."""
        return f"{quoted(self.target)} = clock({quoted(self.start)} + {quoted(self.minutes)})"


@stored
@dataclass(frozen=True)
class Clock:
    """`clock(sched_arr_time)`: a column of clocks; it is modelled in minutes.

    Args:
        target: The column.
        midnight: What it writes at midnight: 0 or 2400.
        kind: Schema with one field of its type.
    """

    target: str
    midnight: int
    kind: pa.Schema
    determines: bool = True
    inputs: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()

    def holds(self, rows: Rows) -> np.ndarray:
        """Hours up to 24 and minutes below 60."""
        units = counted(rows.columns[self.target], 0)
        return is_clock(units.whole) | ~units.valid

    def forward(self, rows: Rows) -> dict[str, pa.Array]:
        """Minutes since midnight."""
        return {self.target: in_minutes(rows.columns[self.target])}

    def backward(self, rows: Rows, rng: np.random.Generator) -> pa.Array:
        """Hours and minutes."""
        return as_clock(rows.columns[self.target], self.midnight, self.kind.field(0).type)

    def text(self) -> str:
        """`clock(a)`."""
        return f"clock({quoted(self.target)})"


def in_minutes(clock: pa.Array) -> pa.Array:
    """A column of clocks as minutes since midnight."""
    units = counted(clock, 0)
    return pa.array(to_minutes(units.whole) % DAY, pa.int64(), mask=~units.valid)


def as_clock(minutes: pa.Array, midnight: int, kind: pa.DataType) -> pa.Array:
    """Minutes since midnight as a column of clocks."""
    units = counted(minutes, 0)
    return from_numbers(from_minutes(units.whole, midnight), units.valid, 0, kind)


def is_clock(whole: Ints) -> np.ndarray:
    """Which numbers are times of the day, [n] bool."""
    return (whole >= 0) & (whole <= 2400) & (whole % 100 < 60)


def to_minutes(clock: Ints) -> Ints:
    """Minutes since midnight; 2400 is 1440."""
    return clock // 100 * 60 + clock % 100


def from_minutes(minutes: Ints, midnight: int) -> Ints:
    """Clocks of minutes, modulo a day."""
    minutes = minutes % DAY
    return np.where(minutes == 0, midnight, minutes // 60 * 100 + minutes % 60)
