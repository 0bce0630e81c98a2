"""One-hot groups: columns of which exactly one is true are modelled as one category."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.rules.formulas import quoted
from prefect_synth.synth.rules.rule import Rows
from prefect_synth.synth.storage import stored

GROUP = "\x1fgroup"
"""Ends the name of the column that says which of a group is true."""


@stored
@dataclass(frozen=True)
class OneHot:
    """`one_of(a, b, c)`: one column of a group of which exactly one is true.

    Args:
        target: The column.
        members: All columns of the group.
        kind: Schema with one field of the column's type.
    """

    target: str
    members: tuple[str, ...]
    kind: pa.Schema
    determines: bool = True
    inputs: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()

    def holds(self, rows: Rows) -> np.ndarray:
        """Exactly one of the group is true."""
        total = np.zeros(rows.length, np.int64)
        for member in self.members:
            total += truth(rows.columns[member])
        return total == 1

    def forward(self, rows: Rows) -> dict[str, pa.Array]:
        """The group's category, once."""
        if self.target != self.members[0]:
            return {}
        which = np.zeros(rows.length, np.int64)
        for place, member in enumerate(self.members):
            which[truth(rows.columns[member])] = place
        return {self.members[0] + GROUP: pa.array(list(self.members)).take(pa.array(which))}

    def backward(self, rows: Rows, rng: np.random.Generator) -> pa.Array:
        """Whether it is the one."""
        chosen = pc.equal(rows.columns[self.members[0] + GROUP], self.target)
        kind = self.kind.field(0).type
        return chosen if pa.types.is_boolean(kind) else chosen.cast(pa.int8()).cast(kind)

    def text(self) -> str:
        """`one_of(a, b, c)`."""
        return f"one_of({', '.join(quoted(m) for m in self.members)})"


def truth(values: pa.Array) -> np.ndarray:
    """Which values are true or 1, [n] bool."""
    if pa.types.is_boolean(values.type):
        return np.asarray(values.fill_null(False))
    return np.asarray(pc.fill_null(pc.equal(values.cast(pa.float64()), 1.0), False))
