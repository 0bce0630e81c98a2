"""Which rows a condition holds on: its comparisons as Arrow sees them, in the columns' types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.errors import ContractError
from prefect_synth.synth.scenarios.grammar import Comparison, Constant
from prefect_synth.synth.scenarios.scenario import Scenarios

_COMPARE: dict[str, Callable[[pa.Array, pa.Scalar], pa.Array]] = {
    "=": pc.equal,
    "<>": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


@dataclass(frozen=True)
class Match:
    """A comparison whose constants have the column's type.

    Args:
        comparison: The comparison.
        constants: Its constants, ready to be compared with the column's plain values.
    """

    comparison: Comparison
    constants: tuple[pa.Scalar, ...]

    def holds(self, values: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """On which values it holds; on null none but IS NULL does, [n]."""
        comparison, values = self.comparison, plain_values(values)
        if comparison.operator == "null":
            found = pc.is_null(values, nan_is_null=True)
        elif comparison.operator == "in":
            found = reduce(pc.or_kleene, (pc.equal(values, c) for c in self.constants))
        elif comparison.operator == "between":
            low, high = self.constants
            found = pc.and_kleene(pc.greater_equal(values, low), pc.less_equal(values, high))
        else:
            found = _COMPARE[comparison.operator](values, self.constants[0])
        found = pc.invert(found) if comparison.negated else found
        return np.asarray(pc.fill_null(found, False).to_numpy(zero_copy_only=False), bool)


def bind(
    comparisons: Sequence[Comparison], schema: pa.Schema, place: str = "A condition"
) -> tuple[Match, ...]:
    """Comparisons with constants of the columns' types.

    Args:
        comparisons: A condition, read.
        schema: The table's Arrow schema.
        place: Begins the message.

    Raises:
        ContractError: A constant is not of its column's type, or the type cannot be compared.
    """
    return tuple(
        Match(
            c, tuple(_typed(v, c.column, schema.field(c.column).type, place) for v in c.constants)
        )
        for c in comparisons
    )


def matching(matches: Sequence[Match], columns: Mapping[str, pa.Array], rows: int) -> np.ndarray:
    """On which rows all comparisons hold, [n]."""
    found = np.ones(rows, bool)
    for match in matches:
        found &= match.holds(columns[match.comparison.column])
    return found


def check_types(scenarios: Scenarios, schemas: Mapping[str, pa.Schema]) -> None:
    """Check the constants of scenarios against the types of the warehouse.

    Args:
        scenarios: What is asked for, by table.
        schemas: Arrow schemas by table.

    Raises:
        ContractError: A constant is not of its column's type, or the type cannot be compared.
    """
    for table, asked in scenarios.items():
        for scenario in asked:
            place = f"Scenario '{scenario.name}' of table '{table}'"
            bind(scenario.comparisons(), schemas[table], place)


def plain_values(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Values without dictionary or run ends."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return values.cast(kind.value_type)
    if pa.types.is_run_end_encoded(kind):
        return pc.run_end_decode(values)
    return values


def _typed(value: Constant, column: str, kind: pa.DataType, place: str) -> pa.Scalar:
    """A constant that can be compared with values of a type."""
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        kind = kind.value_type
    wanted, found = _wanted(kind), _constant_kind(value)
    if wanted is None:
        raise ContractError(
            f"{place} compares the column '{column}' of type {kind}, which cannot be compared. "
            "Only IS NULL and IS NOT NULL can be asked of it."
        )
    if wanted != found and not (wanted == "date or time" and found == "text"):
        raise ContractError(
            f"{place} compares the column '{column}' of type {kind} with a {found}; it needs a "
            f"{wanted}{_shown(wanted)}."
        )
    try:
        return _scalar(value, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError):
        raise ContractError(
            f"{place} compares the column '{column}' with a constant that is no {kind}"
            f"{_shown(wanted)}."
        ) from None


def _wanted(kind: pa.DataType) -> str | None:
    """What a column of a type is compared with."""
    if pa.types.is_boolean(kind):
        return "truth value"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        return "date or time"
    return None


def _constant_kind(value: Constant) -> str:
    if isinstance(value, bool):
        return "truth value"
    return "text" if isinstance(value, str) else "number"


def _shown(wanted: str) -> str:
    return {
        "truth value": ": TRUE or FALSE",
        "text": " in single quotes",
        "number": " without quotes",
        "date or time": " in single quotes, as '2026-01-31' or '2026-01-31 08:00:00'",
    }[wanted]


def _scalar(value: Constant, kind: pa.DataType) -> pa.Scalar:
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        if pa.types.is_floating(kind):
            return pa.scalar(float(value), pa.float64())
        if isinstance(value, Decimal) and pa.types.is_integer(kind):
            return pa.scalar(float(value), pa.float64())
        return pa.scalar(Decimal(value)) if pa.types.is_decimal(kind) else pa.scalar(value)
    if isinstance(value, str) and pa.types.is_timestamp(kind):
        moment = pa.array([value]).cast(pa.timestamp(kind.unit))
        return (pc.assume_timezone(moment, kind.tz) if kind.tz else moment)[0]
    if isinstance(value, str) and pa.types.is_time(kind):
        return pa.scalar(time.fromisoformat(value), kind)
    return pa.array([value]).cast(kind)[0]
