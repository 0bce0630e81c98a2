"""The snapshot's rows, as DuckDB takes them, and what has to be known of them beforehand."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.metadata import Relationship
from prefect_synth.tasks.databases import plain
from prefect_synth.tasks.databases.job import Job
from prefect_synth.tasks.databases.plan import PlannedTable


def reader(job: Job, table: PlannedTable) -> pa.RecordBatchReader:
    """The rows under the database's names; what DuckDB has no type for is text."""
    names = job.columns[table.name]
    kinds = [_kind(table.schema.field(name).type) for name in names]
    schema = pa.schema(list(zip(names.values(), kinds, strict=True)))
    batches = (
        pa.RecordBatch.from_arrays([_column(column) for column in batch.columns], schema=schema)
        for batch in job.batches(table)
    )
    return pa.RecordBatchReader.from_batches(schema, batches)


def _kind(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_decimal256(kind) else kind


def _column(array: pa.Array) -> pa.Array:
    return plain.text(array) if pa.types.is_decimal256(array.type) else array


def extremes(job: Job, table: PlannedTable, column: str) -> list[int]:
    """The lowest and the highest number in a column of the snapshot; empty where there is none."""
    found: list[int] = []
    for batch in job.rows.batches(table.name, [column]):
        both = pc.min_max(batch.column(0)).as_py()
        found += [number for number in both.values() if number is not None]
    return [min(found), max(found)] if found else []


def refers_to_itself(job: Job, table: PlannedTable, key: Relationship) -> bool:
    """Whether a row refers to itself, which no foreign key of DuckDB allows."""
    pairs = list(zip(key.child_columns, key.parent_columns, strict=True))
    for batch in job.rows.batches(table.name, [name for pair in pairs for name in pair]):
        same = [pc.equal(batch.column(2 * n), batch.column(2 * n + 1)) for n in range(len(pairs))]
        together = same[0]
        for one in same[1:]:
            together = pc.and_(together, one)
        if pc.any(together).as_py():
            return True
    return False
