"""A column that never falls from row to row of a parent: modelled as its steps, summed up again.

The rows of a parent stand together, in the order of the column; the first one's step is counted
from a moment of the parent where there is one, else from zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.rules.formulas import quoted
from prefect_synth.synth.rules.order import Scale
from prefect_synth.synth.rules.rule import Rows
from prefect_synth.synth.storage import stored

FAMILY = "\x1ffamily"
"""The column of parent rows that stands beside sampled columns, negative where there is none."""


@stored
@dataclass(frozen=True)
class Increasing:
    """`increasing(seen_at)`: the rows of a parent are in the order of a column.

    Args:
        target: The column.
        relation: The relation to the parent.
        members: Columns of its foreign key.
        base: What the rows see of the parent's moment that the first is counted from, or empty.
        strict: Whether no two rows of a parent are equal.
        after: Whether the first row is never before the base.
        scale: What the column is counted in; its step divides every step.
        kind: Schema with one field of the target's type.
    """

    target: str
    relation: str
    members: tuple[str, ...]
    base: str
    strict: bool
    after: bool
    scale: Scale
    kind: pa.Schema
    determines: bool = True
    relations: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """The parent's moment, where there is one."""
        return (self.base,) if self.base else ()

    def text(self) -> str:
        """`increasing(a)`."""
        return f"increasing({quoted(self.target)})"

    def holds(self, rows: Rows) -> np.ndarray:
        """Where a row is not before the one above it of the same parent, [n] bool."""
        units, parent = self.scale.read(rows.columns[self.target]), families(rows, self.members)
        previous, _ = in_sequence(parent, np.arange(rows.length))
        at = np.maximum(previous, 0)
        ok = units.whole > units.whole[at] if self.strict else units.whole >= units.whole[at]
        return ok | (previous < 0) | ~units.valid | ~units.valid[at]

    def sequence(self, rows: Rows) -> Ints:
        """The row before each row of its parent, -1 for the first, and its position: [n, 2]."""
        units = self.scale.read(rows.columns[self.target])
        rank = np.lexsort((units.whole, ~units.valid))
        order = np.empty(rows.length, np.int64)
        order[rank] = np.arange(rows.length)
        return np.column_stack(in_sequence(families(rows, self.members), order))

    def forward(self, rows: Rows) -> dict[str, pa.Array]:
        """The step from the row before, or from the base."""
        units, previous = self.scale.read(rows.columns[self.target]), self.sequence(rows)[:, 0]
        before = np.where(previous < 0, self._base(rows), units.whole[np.maximum(previous, 0)])
        apart = (units.whole - before) // self.scale.step
        return {self.target: pa.array(apart, pa.int64(), mask=~units.valid)}

    def backward(self, rows: Rows, rng: np.random.Generator) -> pa.Array:
        """The steps of each parent's rows, summed up; null from the first null on."""
        parent, values = np.asarray(rows.columns[FAMILY]), rows.columns[self.target]
        steps = np.asarray(values.cast(pa.int64()).fill_null(0))
        first = starts(parent)
        at, of = np.flatnonzero(first), np.cumsum(first) - 1
        least = np.where(first, 0 if self.after else steps, int(self.strict))
        moved = np.maximum(steps, least) * self.scale.step
        total = np.cumsum(np.where(first, 0, moved))
        whole = (self._base(rows) + moved)[at][of] + total - total[at][of]
        absent = np.cumsum(~np.asarray(values.is_valid()))
        absent = absent - np.where(at > 0, absent[at - 1], 0)[of]
        return self.scale.write(whole, absent == 0, self.kind.field(0).type)

    def _base(self, rows: Rows) -> Ints:
        """What first rows are counted from, on the grid of the column: [n]."""
        if not self.base:
            return np.zeros(rows.length, np.int64)
        step = self.scale.step
        return -(-self.scale.read(rows.columns[self.base]).whole // step) * step


def starts(parent: Ints) -> np.ndarray:
    """Which rows begin a family where families stand together; one without parent does, [n]."""
    first = np.ones(len(parent), bool)
    first[1:] = (parent[1:] != parent[:-1]) | (parent[1:] < 0)
    return first


def families(rows: Rows, members: tuple[str, ...]) -> Ints:
    """A number for the parent of each row by its foreign key, -1 where that has a null: [n]."""
    codes, missing = np.zeros(rows.length, np.int64), np.zeros(rows.length, bool)
    for column in members:
        values = rows.columns[column].dictionary_encode().indices
        missing |= np.asarray(values.is_null())
        part = np.asarray(values.fill_null(0)).astype(np.int64)
        codes = codes * (int(part.max(initial=0)) + 1) + part
        codes = np.unique(codes, return_inverse=True)[1].astype(np.int64)
    return np.where(missing, -1, codes)


def in_sequence(parent: Ints, order: Ints) -> tuple[Ints, Ints]:
    """The row before each row of its parent, -1 for the first, and its position.

    Args:
        parent: Parent of each row, negative where there is none, [n].
        order: Rank of each row among all rows, [n].
    """
    by = np.lexsort((order, parent))
    first = starts(parent[by])
    previous, position = np.full(len(by), -1, np.int64), np.zeros(len(by), np.int64)
    later = np.flatnonzero(~first)
    previous[by[later]] = by[later - 1]
    at = np.flatnonzero(first)
    position[by] = np.arange(len(by)) - at[np.cumsum(first) - 1]
    return previous, position
