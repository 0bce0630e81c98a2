"""Rules of one column: a constant, a range, a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from prefect_synth.synth.rules.formulas import quoted
from prefect_synth.synth.rules.rule import Derivation, Rows
from prefect_synth.synth.storage import stored


@stored
@dataclass(frozen=True)
class Constant(Derivation):
    """`constant(currency)`: a column with one value.

    Args:
        target: The column.
        value: The value, one row.
        kind: Schema with one field of its type.
        gap: Whether it is null at times.
    """

    target: str
    value: pa.Array
    kind: pa.Schema
    gap: bool = False
    rest: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """None."""
        return ()

    def computed(self, rows: Rows) -> pa.Array:
        """The value in every row."""
        return self.value.take(pa.array(np.zeros(rows.length, np.int64)))

    def text(self) -> str:
        """`constant(a)`."""
        return f"constant({quoted(self.target)})"
