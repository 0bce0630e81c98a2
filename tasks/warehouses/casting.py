"""From what a driver hands over to the exact Arrow schema of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.tasks.warehouses.errors import UnrepresentableValue

_NOT_A_DECIMAL = pa.array(["nan", "inf", "-inf"])


def cast_batches(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, table: str
) -> Iterator[pa.RecordBatch]:
    """Cast every batch of `table` to `schema`, column by column and by position.

    Raises:
        UnrepresentableValue: A value does not fit its column's type.
    """
    for batch in batches:
        columns = [
            _cast_column(array, field, table)
            for array, field in zip(batch.columns, schema, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast_column(array: pa.Array, field: pa.Field, table: str) -> pa.Array:
    try:
        cast = _cast(array, field.type)
    except pa.ArrowInvalid:
        raise UnrepresentableValue(
            f"Column '{table}.{field.name}' holds a value that {field.type} cannot express. "
            "Exclude the column in synth.yaml, or cast it in a view."
        ) from None  # its text quotes the value
    if not field.nullable and cast.null_count:
        raise UnrepresentableValue(
            f"Column '{table}.{field.name}' is NOT NULL and holds a value that {field.type} cannot "
            "express (infinity, NaN or 24:00). Replace it in a view, or exclude the column in "
            "synth.yaml."
        )
    return cast


def _cast(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    if array.type == wanted:
        return array
    array = _plain(array)
    if pa.types.is_decimal(wanted) and pa.types.is_string(array.type):
        array = pc.if_else(pc.is_in(array, _NOT_A_DECIMAL), None, array)
    return array.cast(wanted)


def _plain(array: pa.Array) -> pa.Array:
    """Storage for extension types: numeric comes as opaque text, DuckDB's booleans as bytes."""
    if isinstance(array, pa.ExtensionArray):
        return array.storage
    if pa.types.is_list(array.type) and isinstance(array.values, pa.ExtensionArray):
        nulls = array.is_null() if array.null_count else None
        return pa.ListArray.from_arrays(array.offsets, array.values.storage, mask=nulls)
    return array
