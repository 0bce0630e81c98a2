"""Rules of one column: a constant, a range, a grid, nulls where another column has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.rules.formulas import quoted
from prefect_synth.synth.rules.rule import Derivation, Rows, agree
from prefect_synth.synth.rules.units import counted, from_numbers
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


@stored
@dataclass(frozen=True)
class Copied(Derivation):
    """`billing_city = customers.city`: a column that repeats another, or one of the parent.

    Args:
        target: The column.
        source: What it repeats.
        kind: Schema with one field of its type.
        rest: Whether it has values where the source has none.
        gap: Whether it is null where the source is not.
    """

    target: str
    source: str
    kind: pa.Schema
    rest: bool = False
    gap: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """The source."""
        return (self.source,)

    def computed(self, rows: Rows) -> pa.Array:
        """The source's values."""
        kind = self.kind.field(0).type
        values = rows.columns[self.source]
        return values if values.type == kind else values.cast(kind)

    def text(self) -> str:
        """`a = parent.b`."""
        return f"{quoted(self.target)} = {quoted(self.source)}"


@stored
@dataclass(frozen=True)
class Range:
    """`0 <= share <= 1`: what is outside is brought to the nearest end.

    Args:
        target: The column.
        low: The smallest value, one row or none.
        high: The largest value, one row or none.
        shown: As it was declared.
        kind: Schema with one field of the column's type.
    """

    target: str
    low: pa.Array
    high: pa.Array
    shown: str
    kind: pa.Schema
    inputs: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()

    def holds(self, rows: Rows) -> np.ndarray:
        """Between the ends, or null."""
        values = rows.columns[self.target]
        return agree(self._clipped(values), values)

    def forward(self, rows: Rows) -> dict[str, pa.Array]:
        """The column as it is."""
        return {self.target: rows.columns[self.target]}

    def backward(self, rows: Rows, rng: np.random.Generator) -> pa.Array:
        """The column, clipped."""
        return self._clipped(rows.columns[self.target])

    def text(self) -> str:
        """As it was declared."""
        return self.shown

    def _clipped(self, values: pa.Array) -> pa.Array:
        for end, inside in ((self.low, pc.max_element_wise), (self.high, pc.min_element_wise)):
            if len(end):
                values = pc.if_else(values.is_valid(), inside(values, end[0]), values)
        return values


@stored
@dataclass(frozen=True)
class Step:
    """`step(price, 0.05)`: numbers on a grid; what is beside it is brought to the nearest.

    Args:
        target: The column.
        step: Distance of the grid's lines, in units.
        offset: A line of the grid, in units.
        decimals: Digits that make a number whole.
        kind: Schema with one field of the column's type.
    """

    target: str
    step: int
    offset: int
    decimals: int
    kind: pa.Schema
    inputs: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()

    def holds(self, rows: Rows) -> np.ndarray:
        """On the grid, or null."""
        units = counted(rows.columns[self.target], self.decimals)
        return ((units.whole - self.offset) % self.step == 0) | ~units.valid

    def forward(self, rows: Rows) -> dict[str, pa.Array]:
        """The column as it is."""
        return {self.target: rows.columns[self.target]}

    def backward(self, rows: Rows, rng: np.random.Generator) -> pa.Array:
        """The column, on the grid."""
        units = counted(rows.columns[self.target], self.decimals)
        lines = (units.whole - self.offset + self.step // 2) // self.step
        whole = lines * self.step + self.offset
        return from_numbers(whole, units.valid, self.decimals, self.kind.field(0).type)

    def text(self) -> str:
        """`step(a, 5)`, or `step(a, 1, 0.99)`."""
        sizes = [n / 10**self.decimals for n in (self.step, self.offset) if n]
        return f"step({', '.join([quoted(self.target), *(f'{s:.12g}' for s in sizes)])})"


@stored
@dataclass(frozen=True)
class NullWith:
    """`null(sold_on) -> null(price)`: a column that is null wherever another is.

    Args:
        target: The column that is made null.
        cause: The column that says where.
    """

    target: str
    cause: str
    relations: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """The column that says where."""
        return (self.cause,)

    def holds(self, rows: Rows) -> np.ndarray:
        """The cause is known, or the target is null."""
        known = np.asarray(rows.columns[self.cause].is_valid())
        return known | ~np.asarray(rows.columns[self.target].is_valid())

    def forward(self, rows: Rows) -> dict[str, pa.Array]:
        """The column as it is."""
        return {self.target: rows.columns[self.target]}

    def backward(self, rows: Rows, rng: np.random.Generator) -> pa.Array:
        """The column, null where the cause is."""
        values = rows.columns[self.target]
        known = rows.columns[self.cause].is_valid()
        return pc.if_else(known, values, pa.scalar(None, values.type))

    def text(self) -> str:
        """`null(a) -> null(b)`."""
        return f"null({quoted(self.cause)}) -> null({quoted(self.target)})"
