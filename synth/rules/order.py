"""Inequalities between columns: one is modelled as what it is above the other, or is clipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.rules.formulas import quoted
from prefect_synth.synth.rules.rule import Rows
from prefect_synth.synth.rules.units import (
    Units,
    counted,
    finest,
    from_moments,
    from_numbers,
    is_moment,
    is_number,
    moments,
    numbers,
)
from prefect_synth.synth.storage import stored


@stored
@dataclass(frozen=True)
class Scale:
    """What several columns are counted in, so that they can be compared.

    Args:
        unit: Resolution of datetimes; empty for numbers.
        decimals: Digits of numbers.
        step: Units between neighbours on the target's own grid.
    """

    unit: str
    decimals: int
    step: int = 1

    def read(self, values: pa.Array) -> Units:
        """A column in units."""
        if not self.unit:
            return counted(values, self.decimals)
        units = moments(values, self.unit)
        assert units is not None  # noqa: S101 - asked when the rule was made
        return units

    def write(self, whole: Ints, valid: np.ndarray, kind: pa.DataType) -> pa.Array:
        """Units as values of a type."""
        if self.unit:
            return from_moments(whole, valid, self.unit, kind)
        return from_numbers(whole, valid, self.decimals, kind)


@stored
@dataclass(frozen=True)
class Above:
    """`start <= end`, where `end` is modelled as its distance from `start`.

    Args:
        target: The larger column.
        low: The smaller column; it is known wherever the target is.
        strict: Whether they are never equal.
        scale: What both are counted in.
        kind: Schema with one field of the target's type.
    """

    target: str
    low: str
    strict: bool
    scale: Scale
    kind: pa.Schema
    determines: bool = True
    relations: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """The smaller column."""
        return (self.low,)

    def holds(self, rows: Rows) -> np.ndarray:
        """Where both are known, they are in order."""
        return in_order(rows, self.scale, self.low, self.target, strict=self.strict)

    def forward(self, rows: Rows) -> dict[str, pa.Array]:
        """The distance."""
        low, high = (self.scale.read(rows.columns[c]) for c in (self.low, self.target))
        apart = (high.whole - low.whole) // self.scale.step
        return {self.target: pa.array(apart, pa.int64(), mask=~(low.valid & high.valid))}

    def backward(self, rows: Rows, rng: np.random.Generator) -> pa.Array:
        """The smaller column and the distance; null where either is."""
        low = self.scale.read(rows.columns[self.low])
        distance = rows.columns[self.target]
        apart = np.asarray(distance.cast(pa.int64()).fill_null(0))
        apart = np.maximum(apart, int(self.strict)) * self.scale.step
        valid = low.valid & np.asarray(distance.is_valid())
        return self.scale.write(low.whole + apart, valid, self.kind.field(0).type)

    def text(self) -> str:
        """`a <= b`."""
        return f"{quoted(self.low)} {'<' if self.strict else '<='} {quoted(self.target)}"


@stored
@dataclass(frozen=True)
class Between:
    """`low <= target`, `target <= high`: a column that is clipped by others.

    Args:
        target: The column.
        lows: Columns that it is not below, and whether it may not equal them.
        highs: Columns that it is not above, and whether it may not equal them.
        scale: What all are counted in.
        kind: Schema with one field of the target's type.
    """

    target: str
    lows: tuple[tuple[str, bool], ...]
    highs: tuple[tuple[str, bool], ...]
    scale: Scale
    kind: pa.Schema
    relations: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that clip it."""
        return tuple(c for c, _ in (*self.lows, *self.highs))

    def holds(self, rows: Rows) -> np.ndarray:
        """Where both of a pair are known, they are in order."""
        ok = np.ones(rows.length, bool)
        for low, strict in self.lows:
            ok &= in_order(rows, self.scale, low, self.target, strict=strict)
        for high, strict in self.highs:
            ok &= in_order(rows, self.scale, self.target, high, strict=strict)
        return ok

    def forward(self, rows: Rows) -> dict[str, pa.Array]:
        """The column as it is."""
        return {self.target: rows.columns[self.target]}

    def backward(self, rows: Rows, rng: np.random.Generator) -> pa.Array:
        """The column, clipped where it is not between the others."""
        values = rows.columns[self.target]
        units = self.scale.read(values)
        whole = units.whole
        for column, strict in self.highs:
            high = self.scale.read(rows.columns[column])
            whole = np.where(high.valid, -self._reach(-whole, strict - high.whole), whole)
        for column, strict in self.lows:
            low = self.scale.read(rows.columns[column])
            whole = np.where(low.valid, self._reach(whole, low.whole + strict), whole)
        if (whole == units.whole).all():
            return values
        written = self.scale.write(whole, units.valid, self.kind.field(0).type)
        return pc.if_else(pa.array(whole == units.whole), values, written)

    def _reach(self, whole: Ints, least: Ints) -> Ints:
        """Units that are not below `least`, moved by whole steps of the column's own grid."""
        missing = np.maximum(least - whole, 0)
        return np.asarray(whole - (-missing // self.scale.step) * self.scale.step)

    def text(self) -> str:
        """`a <= b <= c`, or `a <= c and b <= c` where two columns have no order of their own."""
        low = [f"{quoted(c)} {'<' if strict else '<='} " for c, strict in self.lows]
        high = [f" {'<' if strict else '<='} {quoted(c)}" for c, strict in self.highs]
        target = quoted(self.target)
        if max(len(low), len(high)) < 2:
            return "".join([*low, target, *high])
        return " and ".join([*(part + target for part in low), *(target + part for part in high)])


def in_order(rows: Rows, scale: Scale, low: str, high: str, *, strict: bool) -> np.ndarray:
    """Where `low` is below `high`, or one of them is null, [n] bool."""
    less, more = (scale.read(rows.columns[c]) for c in (low, high))
    ok = less.whole < more.whole if strict else less.whole <= more.whole
    return ok | ~less.valid | ~more.valid


def common_scale(values: list[pa.Array]) -> Scale | None:
    """What columns can be compared in: None where they are not all numbers, or all moments."""
    kinds = [v.type for v in values]
    if all(is_moment(k) for k in kinds):
        zones = {k.tz is None for k in kinds if pa.types.is_timestamp(k)}
        return Scale(finest(kinds), 0) if len(zones) < 2 else None
    if not all(is_number(k) for k in kinds):
        return None
    units = [numbers(v) for v in values]
    if any(u is None for u in units):
        return None
    return Scale("", max(u.decimals for u in units if u))
