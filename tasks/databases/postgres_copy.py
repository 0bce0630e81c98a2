"""Arrow batches as the text that PostgreSQL's COPY reads."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from prefect_synth.tasks.databases import plain

_OPTIONS = pa_csv.WriteOptions(include_header=False, quoting_style="needed")


def csv_of(batch: pa.RecordBatch) -> memoryview:
    """A batch as CSV: a null is nothing, an empty text is two quotes."""
    columns = [_column(column) for column in batch.columns]
    sink = pa.BufferOutputStream()
    names = [f"c{place}" for place in range(len(columns))]
    pa_csv.write_csv(pa.RecordBatch.from_arrays(columns, names), sink, _OPTIONS)
    return memoryview(sink.getvalue())


def _column(array: pa.Array) -> pa.Array:
    if isinstance(array.type, pa.UuidType):
        return plain.hexadecimal(array)
    array = plain.storage(array)
    kind = array.type
    if pa.types.is_duration(kind):
        return _interval(array)
    if plain.is_binary(kind):
        return _bytea(array)
    if plain.is_list(kind):
        return plain.joined(array, _items, "NULL", "{", "}")
    if pa.types.is_time(kind) or pa.types.is_decimal256(kind):
        return plain.text(array)
    return array


def _interval(array: pa.Array) -> pa.Array:
    number = plain.microseconds(array).cast(pa.string())
    return pc.binary_join_element_wise(number, " microseconds", "")


def _bytea(array: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise("\\x", plain.hexadecimal(array), "")


def _items(items: pa.Array) -> pa.Array:
    """The items of an array, quoted as an array literal wants them."""
    spelled = _column(items)
    return plain.escaped(spelled if pa.types.is_string(spelled.type) else plain.text(spelled))
