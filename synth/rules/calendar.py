"""Datetimes that are composed of parts, and parts that are taken from a datetime."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.rules.formulas import quoted
from prefect_synth.synth.rules.rule import Derivation, Rows
from prefect_synth.synth.rules.units import (
    SECOND,
    Units,
    counted,
    from_moments,
    from_numbers,
    moments,
)
from prefect_synth.synth.storage import stored

_SIZES = {"hour": 3600, "minute": 60, "second": 1}


@stored
@dataclass(frozen=True)
class Composed(Derivation):
    """`time_hour = datetime(2013, month, day, hour) + 5h`: a datetime of its parts.

    The parts' clock may be that of a place and the datetime's another (UTC): then they are a few
    offsets apart, each from some moment on.

    Args:
        target: The datetime.
        parts: Column of each part that is one: year, month, day, hour, minute, second.
        year: The year where it is constant.
        starts: Moments of the parts' clock from which each offset but the first is right, seconds.
        offsets: Seconds to add.
        kind: Schema with one field of the target's type.
        rest: Whether the target has values where a part has none.
        gap: Whether the target is null where no part is.
    """

    target: str
    parts: dict[str, str]
    year: int | None
    starts: tuple[int, ...]
    offsets: tuple[int, ...]
    kind: pa.Schema
    rest: bool = False
    gap: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """The parts' columns."""
        return tuple(self.parts.values())

    def computed(self, rows: Rows) -> pa.Array:
        """The datetime; null where a part is."""
        seconds, valid = composed(rows, self.parts, self.year)
        offset = np.asarray(self.offsets)[np.searchsorted(self.starts, seconds, side="right")]
        return from_moments(seconds + offset, valid, "s", self.kind.field(0).type)

    def text(self) -> str:
        """`a = datetime(2013, month, day, hour)`, with offsets."""
        names = ("year", "month", "day", "hour", "minute", "second")
        last = max(i for i, name in enumerate(names) if name in self.parts)
        values = [quoted(self.parts[n]) if n in self.parts else "0" for n in names[: last + 1]]
        if self.year is not None:
            values[0] = str(self.year)
        shown = f"{quoted(self.target)} = datetime({', '.join(values)})"
        moved = [f"{o / 3600:+.12g}h" for o in self.offsets]
        until = [f" until {np.datetime64(s, 's')}" for s in self.starts]
        if not any(self.offsets):
            return shown
        return f"{shown} {', '.join(m + u for m, u in zip(moved, [*until, ''], strict=True))}"


@stored
@dataclass(frozen=True)
class DayOfMonth:
    """`valid_date(2013, month, day)`: a day that its month has; any other is drawn again.

    Args:
        target: The day.
        month: The month.
        year: Column of the year, or the year itself.
        kind: Schema with one field of the day's type.
    """

    target: str
    month: str
    year: str | int
    kind: pa.Schema
    relations: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """The month, and the year where it is a column."""
        return (self.month, self.year) if isinstance(self.year, str) else (self.month,)

    def holds(self, rows: Rows) -> np.ndarray:
        """From 1 to the month's last day."""
        day, last, valid = self._last(rows)
        return ((day >= 1) & (day <= last)) | ~valid

    def forward(self, rows: Rows) -> dict[str, pa.Array]:
        """The day as it is."""
        return {self.target: rows.columns[self.target]}

    def backward(self, rows: Rows, rng: np.random.Generator) -> pa.Array:
        """The day, drawn among the month's where there is no such day."""
        day, last, valid = self._last(rows)
        wrong = np.flatnonzero(valid & ((day < 1) | (day > last)))
        if not len(wrong):
            return rows.columns[self.target]
        day = day.copy()
        day[wrong] = rng.integers(1, last[wrong] + 1)
        known = np.asarray(rows.columns[self.target].is_valid())
        return from_numbers(day, known, 0, self.kind.field(0).type)

    def text(self) -> str:
        """`valid_date(2013, month, day)`."""
        year = quoted(self.year) if isinstance(self.year, str) else self.year
        return f"valid_date({year}, {quoted(self.month)}, {quoted(self.target)})"

    def _last(self, rows: Rows) -> tuple[Ints, Ints, np.ndarray]:
        day, month = _whole(rows, self.target), _whole(rows, self.month)
        year = _whole(rows, self.year).whole if isinstance(self.year, str) else self.year
        month_number = (np.asarray(year) - 1970) * 12 + np.clip(month.whole, 1, 12) - 1
        first, after = (
            (month_number + k).astype("datetime64[M]").astype("datetime64[D]") for k in (0, 1)
        )
        return day.whole, (after - first).astype(np.int64), day.valid & month.valid


@stored
@dataclass(frozen=True)
class Part(Derivation):
    """`week = week(day) - 5`: a part of a datetime, and a constant.

    Args:
        target: The column that is computed.
        moment: The datetime.
        part: A name of `PARTS`, or `week@n` for weeks that start n days after a Thursday.
        shift: What is added.
        kind: Schema with one field of the target's type.
        rest: Whether the target has values where the datetime is null.
        gap: Whether the target is null where the datetime is not.
    """

    target: str
    moment: str
    part: str
    shift: int
    kind: pa.Schema
    rest: bool = False
    gap: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """The datetime."""
        return (self.moment,)

    def computed(self, rows: Rows) -> pa.Array:
        """The part; null where the datetime is."""
        values, kind = rows.columns[self.moment], self.kind.field(0).type
        if self.part == "date":
            ticks = moments(values, "s")
            assert ticks is not None  # noqa: S101 - only datetimes get this rule
            days = ticks.whole // 86_400 * 86_400
            return from_moments(days, ticks.valid, "s", kind)
        whole = part_of(values, self.part)
        return from_numbers(whole + self.shift, np.asarray(values.is_valid()), 0, kind)

    def text(self) -> str:
        """`a = weekday(b) + 1`."""
        shift = f" {'-' if self.shift < 0 else '+'} {abs(self.shift)}" if self.shift else ""
        name, _, phase = self.part.partition("@")
        inside = f"{quoted(self.moment)}, {phase}" if phase else quoted(self.moment)
        return f"{quoted(self.target)} = {name}({inside}){shift}"


_WEEKS = tuple(f"week@{n}" for n in range(7))
PARTS = (
    "year", "quarter", "month", "day", "hour", "minute", "second", "weekday", "day_of_year",
    "iso_week", *_WEEKS, "date",
)  # fmt: skip


def part_of(values: pa.Array, part: str) -> Ints:
    """The part of each moment as a whole number, 0 where null, [n].

    A `weekday` counts from Monday = 0; `week@n` counts weeks of seven days without end.
    """
    if part.startswith("week@"):
        ticks = moments(values, "s")
        assert ticks is not None  # noqa: S101 - only datetimes get this rule
        return (ticks.whole // 86_400 - int(part[5:])) // 7
    if pa.types.is_date(values.type) and part in _SIZES:
        return np.zeros(len(values), np.int64)
    if pa.types.is_timestamp(values.type):  # by the clock of UTC, as all else here
        values = values.cast(pa.timestamp(values.type.unit))
    name = {"weekday": "day_of_week"}.get(part, part)
    return np.asarray(getattr(pc, name)(values).cast(pa.int64()).fill_null(0))


def composed(rows: Rows, parts: dict[str, str], year: int | None) -> tuple[Ints, np.ndarray]:
    """Seconds since 1970 of parts, and where all are known: [n] and [n]."""
    whole = {name: _whole(rows, column) for name, column in parts.items()}
    valid = np.ones(rows.length, bool)
    for units in whole.values():
        valid &= units.valid
    years = whole["year"].whole if "year" in whole else np.full(rows.length, year, np.int64)
    month = np.clip(whole["month"].whole, 1, 12) if "month" in whole else 1
    months = ((np.clip(years, 1, 9999) - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]").astype(np.int64)
    seconds = (days + (whole["day"].whole - 1 if "day" in whole else 0)) * 86_400
    for name, size in _SIZES.items():
        if name in whole:
            seconds = seconds + size * whole[name].whole
    return seconds, valid


def _whole(rows: Rows, column: str) -> Units:
    return counted(rows.columns[column], 0)


def ticks_of(kind: pa.DataType) -> int:
    """Ticks of a datetime type in a second."""
    return SECOND[kind.unit] if pa.types.is_timestamp(kind) else 1
