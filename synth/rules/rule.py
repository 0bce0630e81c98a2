"""What a rule is: a column that others determine, or a bound that others set it.

A *derivation* computes its target from its inputs. Before fitting the target is taken out of the
table; what its inputs leave open stays behind: the target's own values where an input is null
(*rest*), and whether it is null where it need not be (*gap*).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints

GAP = "\x1fgap"
"""Ends the name of the column that says where a derived column is null without need."""
ALONE = -2
"""From here down a code stands for one parent that is like no other: nothing is stored of it."""


@dataclass
class Rows:
    """Some rows of one table: all of them before fitting, a block of them after sampling.

    Args:
        columns: Arrow arrays by column name, each [n].
        codes: By relation, what stands for the parent of each row: the row of a kept table, or
            the parent's style; -1 where there is none, [n]. A parent that no style stands for has
            a number of its own, `ALONE` or less.
        length: n.
        units: The person that each row belongs to, where people are known, [n]: what few of them
            have is not kept.
    """

    columns: dict[str, pa.Array]
    codes: Mapping[str, Ints] = field(default_factory=dict)
    length: int = 0
    units: Ints | None = None

    def nulls(self, kind: pa.DataType) -> pa.Array:
        """As many nulls as there are rows."""
        return pa.nulls(self.length, kind)


class Rule(Protocol):
    """One rule of one table.

    `forward` says what stands in the table instead of the target (name -> array; an empty answer
    drops it), and `backward` restores the target from what stands there and from its inputs, all
    of them restored before. Both see any block of rows alone.
    """

    @property
    def target(self) -> str:
        """The column that is taken out, replaced, or repaired."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that it depends on."""

    @property
    def relations(self) -> tuple[str, ...]:
        """The relations whose codes it depends on."""

    def text(self) -> str:
        """The rule as the project file has it."""

    def holds(self, rows: Rows) -> np.ndarray:
        """Which rows obey the rule; a row in which it says nothing does, [n] bool."""

    def forward(self, rows: Rows) -> dict[str, pa.Array]:
        """What stands in the table instead of the target."""

    def backward(self, rows: Rows, rng: np.random.Generator) -> pa.Array:
        """The target, exact, of the type it had."""


class Derivation(ABC):
    """A rule that computes its target; subclasses say how."""

    target: str
    kind: pa.Schema
    rest: bool
    gap: bool

    @property
    def relations(self) -> tuple[str, ...]:
        """The relations whose codes it depends on: none."""
        return ()

    @abstractmethod
    def computed(self, rows: Rows) -> pa.Array:
        """The target by the rule; null where an input is missing."""

    def holds(self, rows: Rows) -> np.ndarray:
        """Where both are known, the target is what is computed."""
        return agree(self.computed(rows), rows.columns[self.target])

    def forward(self, rows: Rows) -> dict[str, pa.Array]:
        """The rest and the gap, where there are any."""
        left: dict[str, pa.Array] = {}
        known, values = self.computed(rows).is_valid(), rows.columns[self.target]
        if self.rest and values.null_count:
            left[self.target] = pc.if_else(known, pa.scalar(None, values.type), values)
        elif self.rest:  # never null: it stays, so that it has a value wherever one is needed
            left[self.target] = values
        if self.gap:
            left[self.target + GAP] = pc.and_(known, values.is_null())
        return left

    def backward(self, rows: Rows, rng: np.random.Generator) -> pa.Array:
        """What is computed, and what is left elsewhere."""
        values = self.computed(rows)
        if self.rest:
            values = pc.if_else(values.is_valid(), values, rows.columns[self.target])
        if self.gap:
            gap = rows.columns[self.target + GAP]
            values = pc.if_else(gap, pa.scalar(None, values.type), values)
        return values


def leftovers(computed: pa.Array, values: pa.Array) -> tuple[bool, bool]:
    """Whether a derivation leaves a rest, and a gap."""
    known, valid = np.asarray(computed.is_valid()), np.asarray(values.is_valid())
    return bool((~known & valid).any()), bool((known & ~valid).any())


def agree(computed: pa.Array, values: pa.Array) -> np.ndarray:
    """Where two arrays of one type are equal, or either is null, [n] bool."""
    return np.asarray(pc.fill_null(pc.equal(computed, values), True))
