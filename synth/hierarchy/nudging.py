"""Rows that repeat in a key are moved by a few days, or by a few whole numbers.

All tied columns of a row move by as much, so that orders and distances between them stay.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.encoding.ticks import fit_ticks
from prefect_synth.synth.hierarchy.key_codes import combine, count_within, repeated
from prefect_synth.synth.rules.repaired import may_be_pushed, reads_elsewhere
from prefect_synth.synth.rules.rule import Rows
from prefect_synth.synth.rules.ruleset import TableRules
from prefect_synth.synth.rules.units import is_moment, plain

_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_DAY = 86_400 * 10**9
_FARTHEST = 30
_LONGEST_LINE = 1000

Columns = dict[str, pa.Array]
"""Columns of one length by name."""


class Nudger:
    """Moves rows of tied columns.

    Args:
        columns: The columns, of the rows whose key has no null.
        key: Which of them the key has.
        others: The key's other parts.
        rules: The table's rules.
        upwards: Whether rows may only move up, since another table bounds them from below.
        held: The first rows, so many of them, are unique among themselves and stay.
    """

    def __init__(
        self,
        columns: Columns,
        key: Sequence[str],
        others: Sequence[Ints],
        rules: TableRules,
        *,
        upwards: bool,
        held: int = 0,
    ) -> None:
        self.columns, self.key, self.upwards, self.held = columns, key, upwards, held
        rows = len(columns[key[0]])
        self.others = combine([np.zeros(rows, np.int64), *others])
        self.about = [r for r in rules.rules if r.target in columns]
        step = _common_step(columns) if all(map(may_be_pushed, self.about)) else None
        self.able, self.step = step is not None, step or 1
        self.room = _room(columns, self.step)
        self.ticks = {
            c: _whole(columns[c]) // (self.step // _unit(columns[c].type))
            for c in (key if self.able else ())
        }

    def nudge(self) -> Columns:
        """Move repeating rows to the nearest free place inside the range of each column."""
        ways, (down, up) = (1,) if self.upwards else (1, -1), self.room
        fars = [k * way for k in range(1, _FARTHEST + 1) for way in ways]
        far = np.zeros(len(self.others), np.int64)
        for tried in [f for f in fars if self.able and down <= f <= up]:
            codes = self._codes(far)
            bad = repeated([codes])
            if not len(bad):
                break
            moved = _pushed(_take(self.columns, bad), np.full(len(bad), tried), self.step)
            bad = bad[self._inside(moved) & self._obeyed(bad, moved)]
            wanted = self._codes(far + tried)[bad]
            first = np.unique(wanted, return_index=True)[1]
            far[bad[first][~np.isin(wanted[first], codes)]] = tried
        return _pushed(self.columns, far, self.step) if far.any() else self.columns

    def park(self) -> Columns | None:
        """Move rows up until no two of a key are equal, as cars park one behind the other.

        Of equal rows each goes one step beyond the last; those that are then met move on too.

        Returns:
            The columns; None where they cannot be moved.
        """
        if not self.able:
            return None
        far = self._squeezed_in() if self.held else self._moved_on()
        if far.max(initial=0) > self.room[1]:
            return None
        moved = _pushed(self.columns, far, self.step)
        return moved if self._obeyed(np.arange(len(far)), moved).all() else None

    def _moved_on(self) -> Ints:
        """How far each row is parked, [n]."""
        far = np.zeros(len(self.others), np.int64)
        bad = repeated([self._codes(far)])
        rows = np.flatnonzero(np.isin(self.others, self.others[bad]))
        tick = self.ticks[self.key[0]][rows]
        far[rows] = _parked(tick, self.others[rows]) - tick
        return far

    def _squeezed_in(self) -> Ints:
        """The same where the first rows stay: the later of equal rows moves to the next gap."""
        far = np.zeros(len(self.others), np.int64)
        for _ in range(_LONGEST_LINE):
            bad = repeated([self._codes(far)])
            if not len(bad):
                return far
            far[bad] += 1
        return far + self.room[1] + 1  # nowhere

    def _codes(self, far: Ints) -> Ints:
        """One integer for each key, where rows are moved by `far`, [n]; equal for equal keys.

        Where they are too many for 64 bits, different keys may rarely meet: some row then moves
        without need.
        """
        codes = self.others
        for ticks in self.ticks.values():
            span = int(np.ptp(ticks)) + 2 * _FARTHEST + 1
            codes = codes * np.int64(span | 1) + (ticks - ticks.min() + _FARTHEST + far)
        return codes

    def _inside(self, tried: Columns) -> np.ndarray:
        """Where every column is within what was drawn, [n] bool."""
        ok = np.ones(len(tried[self.key[0]]), bool)
        for name, values in tried.items():
            ends = pc.min_max(self.columns[name])
            inside = pc.and_(
                pc.greater_equal(values, ends["min"]), pc.less_equal(values, ends["max"])
            )
            ok &= np.asarray(inside.fill_null(True))
        return ok

    def _obeyed(self, rows: Ints, tried: Columns) -> np.ndarray:
        """Where no rule is broken that was obeyed before, [rows] bool."""
        was, now = (
            Rows({n: plain(c) for n, c in some.items()}, {}, len(rows))
            for some in (_take(self.columns, rows), tried)
        )
        ok = np.ones(len(rows), bool)
        for rule in self.about:
            if not reads_elsewhere(rule):
                ok &= rule.holds(now) | ~rule.holds(was)
        return ok


def _parked(ticks: Ints, group: Ints) -> Ints:
    """The next free ticks from below, within groups, [n]."""
    order = np.lexsort((ticks, group))
    place, number = count_within(group[order]), np.cumsum(count_within(group[order]) == 0)
    values, above = np.unique(ticks[order] - place, return_inverse=True)
    # one running maximum for all groups, in ranks: each group stands above those before it
    run = np.maximum.accumulate(above + number * len(ticks)) - number * len(ticks)
    parked = np.empty(len(ticks), np.int64)
    parked[order] = values[run] + place
    return parked


def _room(columns: Columns, step: int) -> tuple[int, int]:
    """How many steps down and up all columns can move in their types."""
    down, up = -(2**31), 2**31
    for column in columns.values():
        if pa.types.is_integer(column.type) and len(column) > column.null_count:
            ends, kind = pc.min_max(column), np.iinfo(column.type.to_pandas_dtype())
            down = max(down, -((ends["min"].as_py() - int(kind.min)) // step))
            up = min(up, (int(kind.max) - ends["max"].as_py()) // step)
    return down, up


def _take(columns: Columns, rows: Ints) -> Columns:
    return {name: c.take(pa.array(rows)) for name, c in columns.items()}


def _common_step(columns: Columns) -> int | None:
    """A step on every column's grid: in nanoseconds, or a whole number; None where there is none.

    All are dates and datetimes, or all are whole numbers.
    """
    kinds = [c.type for c in columns.values()]
    whole = all(pa.types.is_integer(k) and not pa.types.is_uint64(k) for k in kinds)
    if not (all(map(is_moment, kinds)) or whole):
        return None
    days = {n: c.cast(pa.date32()) if pa.types.is_date64(c.type) else c for n, c in columns.items()}
    steps = [max(fit_ticks(c.drop_null()).step, 1) * _unit(c.type) for c in days.values()]
    return int(np.lcm.reduce(np.array(steps, object)))


def _unit(kind: pa.DataType) -> int:
    if pa.types.is_date(kind):
        return _DAY
    return _NANOSECONDS[kind.unit] if pa.types.is_timestamp(kind) else 1


def _pushed(columns: Columns, far: Ints, step: int) -> Columns:
    return {name: _moved(c, far * (step // _unit(c.type))) for name, c in columns.items()}


def _moved(column: pa.Array, far: Ints) -> pa.Array:
    kind = pa.date32() if pa.types.is_date64(column.type) else column.type
    width = pa.int32() if pa.types.is_date32(kind) else pa.int64()
    whole = column.cast(kind).cast(width).cast(pa.int64())
    return pc.add(whole, pa.array(far)).cast(width).cast(kind).cast(column.type)


def _whole(column: pa.Array) -> Ints:
    """A column without nulls in its own unit."""
    kind = pa.date32() if pa.types.is_date64(column.type) else column.type
    width = pa.int32() if pa.types.is_date32(kind) else pa.int64()
    return np.asarray(column.cast(kind).cast(width)).astype(np.int64)
