"""Own columns as parts of a key: one by one, or together with what rules compute them from.

What a rule ties together is exchanged together, so that the rule holds on every row afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.encoding.ticks import fit_ticks
from prefect_synth.synth.hierarchy.key_codes import (
    KeyPart,
    codes_of,
    combine,
    count_within,
    repeated,
)
from prefect_synth.synth.rules.outside import MARK
from prefect_synth.synth.rules.repaired import may_be_pushed, reads_elsewhere, tied_to
from prefect_synth.synth.rules.rule import Rows
from prefect_synth.synth.rules.ruleset import TableRules
from prefect_synth.synth.rules.units import is_moment, is_number, plain

_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_DAY = 86_400 * 10**9
_ROUNDS = 60

Columns = dict[str, pa.Array]
"""Columns of one length by name."""


def tied_columns(rules: TableRules, wanted: Collection[str]) -> list[tuple[str, ...]]:
    """Columns that must change together: each wanted one with all that it is computed from.

    Args:
        rules: The table's rules.
        wanted: Own columns that are held.

    Returns:
        Groups that share no column, in the order of `wanted`.
    """
    groups: list[dict[str, None]] = []
    for column in wanted:
        tied = {column, *(c for c in tied_to([column], rules.rules) if not c.startswith(MARK))}
        met = [g for g in groups if g.keys() & tied]
        groups = [g for g in groups if g not in met]
        groups.append(dict.fromkeys([*(c for g in met for c in g), *sorted(tied)]))
    return [tuple(group) for group in groups]


def is_bound(rules: TableRules, group: Collection[str]) -> bool:
    """Whether a rule computes a column of the group from other rows, so that it cannot move."""
    return any(reads_elsewhere(r) for r in rules.rules if r.target in group)


class Domain:
    """The values of one column or of several tied ones, each once, and which one each row has.

    Values that have an order are in it.

    Args:
        columns: The columns, whole.
        key: Which of them the key has.
        rows: The rows whose key has no null.
    """

    def __init__(self, columns: Columns, key: Sequence[str], rows: Ints) -> None:
        self.columns, self.key = columns, key
        codes = combine([codes_of(c)[rows] for c in columns.values()])
        _, first, dense = np.unique(codes, return_index=True, return_inverse=True)
        seen = {name: c.take(pa.array(rows[first])) for name, c in columns.items()}
        self.ordered = any(_has_order(columns[c].type) for c in key)
        order = _in_order([seen[c] for c in key]) if self.ordered else np.arange(len(first))
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        self.values = {name: c.take(pa.array(order)) for name, c in seen.items()}
        self.choice: Ints = place[dense]

    @property
    def codes(self) -> Ints:
        """What each value is in the key."""
        return combine([codes_of(self.values[c]) for c in self.key])

    def part(self) -> KeyPart:
        """The part of the key."""
        return KeyPart(self.choice, self.codes, ordered=self.ordered)

    def extend(self, values: pa.Array) -> None:
        """Allow more values, where there is one column."""
        (name, seen), *_ = self.values.items()
        self.values = {name: pa.concat_arrays([seen, values])}

    def push(self, others: Sequence[Ints], rules: TableRules, choice: Ints) -> bool:
        """Move dates and whole numbers of repeating rows up, all columns of a row by as much.

        Orders between them stay as they are.

        Args:
            others: The key's other parts.
            rules: The table's rules.
            choice: Which value each row has by now.

        Returns:
            Whether the key is unique now and no rule broken; else nothing has changed.
        """
        now = {name: values.take(pa.array(choice)) for name, values in self.values.items()}
        step = _common_step(now)
        moved, far = now, np.zeros(len(choice), np.int64)
        for _ in range(0 if step is None else _ROUNDS):
            codes = combine([*others, *(codes_of(moved[c]) for c in self.key)])
            bad = repeated([codes])
            if not len(bad):
                if _obeyed(rules, now, moved):
                    self.values, self.choice = moved, np.arange(len(choice))
                    return True
                return False
            far[bad] += count_within(codes)[bad]
            moved = {name: _pushed(c, far, step or 1) for name, c in now.items()}
        return False

    def write(self, choice: Ints, rows: Ints) -> Columns:
        """The columns, with the chosen values in the given rows."""
        written = {}
        for name, column in self.columns.items():
            at = np.arange(len(column))
            at[rows] = len(column) + choice
            whole = pa.concat_arrays([column, self.values[name]])
            written[name] = whole.take(pa.array(at))
        return written


def _has_order(kind: pa.DataType) -> bool:
    return is_moment(kind) or is_number(kind)


def _in_order(values: Sequence[pa.Array]) -> Ints:
    """Where the values stand when they are sorted by those that have an order."""
    columns = [plain(v) for v in values if _has_order(v.type)]
    table = pa.table({str(i): c for i, c in enumerate(columns)})
    keys = [(name, "ascending") for name in table.column_names]
    return np.asarray(pc.sort_indices(table, sort_keys=keys)).astype(np.int64)


def _common_step(columns: Columns) -> int | None:
    """A step on every column's grid: in nanoseconds, or a whole number; None where there is none.

    All are dates and datetimes, or all are whole numbers.
    """
    kinds = [c.type for c in columns.values()]
    if not (all(map(is_moment, kinds)) or all(map(pa.types.is_integer, kinds))):
        return None
    days = {n: c.cast(pa.date32()) if pa.types.is_date64(c.type) else c for n, c in columns.items()}
    steps = [max(fit_ticks(c.drop_null()).step, 1) * _unit(c.type) for c in days.values()]
    return int(np.lcm.reduce(np.array(steps, object)))


def _unit(kind: pa.DataType) -> int:
    if pa.types.is_date(kind):
        return _DAY
    return _NANOSECONDS[kind.unit] if pa.types.is_timestamp(kind) else 1


def _pushed(column: pa.Array, far: Ints, step: int) -> pa.Array:
    kind = column.type
    if pa.types.is_date64(kind):
        return _pushed(column.cast(pa.date32()), far, step).cast(kind)
    width = pa.int32() if pa.types.is_date32(kind) else pa.int64()
    whole = column.cast(width).cast(pa.int64())
    moved = pc.add(whole, pa.array(far * (step // _unit(kind))))
    return moved.cast(width).cast(kind)


def _obeyed(rules: TableRules, before: Columns, after: Columns) -> bool:
    """Whether no row breaks a rule that it obeyed before."""
    about = [r for r in rules.rules if r.target in after]
    if not all(map(may_be_pushed, about)):
        return False
    was, now = (Rows({n: plain(c) for n, c in some.items()}) for some in (before, after))
    was.length = now.length = len(next(iter(after.values())))
    inside = [r for r in about if not reads_elsewhere(r)]
    return all(bool((r.holds(now) | ~r.holds(was)).all()) for r in inside)
