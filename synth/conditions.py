"""Conditions on a table's columns: from a value to the piece and place that a row model holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.columns import NumberEncoder
from prefect_synth.synth.encoding.generated import (
    GeneratedEncoder,
    TextDatetimeEncoder,
    parse_datetimes,
)
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.row_models.base import Condition


def held_columns(part: TablePart, conditions: Mapping[str, Any]) -> dict[int, Condition]:
    """Pieces and places by the row model's column numbers.

    Args:
        part: The table's fitted part.
        conditions: Values by column; None is null.

    Raises:
        SynthesisError: A column cannot be a condition, or has no such value.
    """
    free = {c: v for c, v in conditions.items() if v is not None or not _is_always_null(part, c)}
    return dict(part.codec.conditions({c: _condition(part, c, v) for c, v in free.items()}))


def hold_exactly(
    part: TablePart, columns: dict[str, pa.Array], conditions: Mapping[str, Any], rows: int
) -> None:
    """Write into `columns` exactly what was asked for, not its piece's centre."""
    for column, value in conditions.items():
        if value is not None:
            kind = part.schema.field(column).type
            columns[column] = pa.array([value], kind).take(pa.array(np.zeros(rows, int)))


def _is_always_null(part: TablePart, column: str) -> bool:
    encoder = part.codec.encoders.get(column)
    return isinstance(encoder, GeneratedEncoder) and encoder.always_null


def _condition(part: TablePart, column: str, value: Any) -> tuple[int, float]:
    """The piece and place of one value."""
    rule = part.rules.computing(column)
    if rule is not None:
        inputs = [f"'{c}'" for c in rule.inputs] or ["nothing"]
        raise SynthesisError(
            f"'{column}' cannot be a condition: the rule '{rule.text()}' computes it from "
            f"{', '.join(inputs)}. Hold these, or fit with rules='none'."
        )
    own = [c for c in part.codec.modelled if c in part.schema.names]
    if column not in own:
        raise SynthesisError(
            f"'{column}' cannot be a condition: it is no modelled column of '{part.name}'. "
            f"Modelled columns: {', '.join(own)}."
        )
    encoder = part.codec.encoders[column]
    if value is None:
        if encoder.layout is None or not encoder.layout.has_null:
            raise SynthesisError(f"Column '{column}' is never null, so it cannot be asked for.")
        return 0, 0.5
    if isinstance(encoder, GeneratedEncoder):
        raise SynthesisError(f"'{column}' is generated; only null can be a condition on it.")
    wanted = _typed(column, value, encoder.kind.field(0).type)
    if isinstance(encoder, TextDatetimeEncoder) and not _is_datetime(wanted, encoder.format):
        raise SynthesisError(
            f"The condition {column}={value!r} is no datetime of the form '{encoder.format}'."
        )
    pieces, places = encoder.encode(wanted, stream(0, "condition"))
    if not isinstance(encoder, NumberEncoder | TextDatetimeEncoder):
        back = encoder.decode(pieces, places, stream(0, "condition"))
        if back.to_pylist() != wanted.to_pylist():
            raise SynthesisError(
                f"The condition {column}={value!r} cannot be met: the value is too rare, or "
                "was never seen."
            )
    return int(pieces[0]), float(places[0])


def _typed(column: str, value: Any, kind: pa.DataType) -> pa.Array:
    """The value as one of the column's type, unchanged."""
    try:
        wanted = pa.array([value], kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise SynthesisError(f"The condition {column}={value!r} is no {kind}: {error}.") from error
    if pa.types.is_integer(kind) and wanted[0].as_py() != value:  # Arrow cuts 1.5 to 1
        raise SynthesisError(f"The condition {column}={value!r} is no {kind}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise SynthesisError(f"The condition {column}={value!r} is no finite number.")
    return wanted


def _is_datetime(value: pa.Array, format: str) -> bool:
    return parse_datetimes(value, format).null_count == 0
