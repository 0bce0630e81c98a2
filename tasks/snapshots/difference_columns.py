"""How the values of columns moved between two snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from prefect_synth.synth.metadata import Column, Table
from prefect_synth.synth.metrics.compared import ComparedColumn, is_scored
from prefect_synth.synth.metrics.sources import count_rows, read_encoded, take_rows
from prefect_synth.tasks.snapshots.difference_rows import TableFiles, distinct_and_nulls

MOST_ROWS = 1_000_000
"""Distributions of larger tables are compared on so many rows, evenly spread."""


@dataclass(frozen=True)
class ColumnDrift:
    """A column before and after.

    Args:
        table: The table.
        column: The column.
        alike: 1 for the same distribution, 0 for two that have nothing in common (KSComplement of
            numbers and moments, TVComplement of categories); None of keys, free text, generated
            columns, and where the type is another.
        nulls: The share of nulls before and after.
        distinct: How many different values before and after.
    """

    table: str
    column: str
    alike: float | None
    nulls: tuple[float, float]
    distinct: tuple[int, int]

    @property
    def moved(self) -> float:
        """How far it moved, from 0 to 1: its distribution, or its share of nulls."""
        apart = 0.0 if self.alike is None else 1 - self.alike
        return max(apart, abs(self.nulls[1] - self.nulls[0]))


def column_drift(
    table: str, before: TableFiles, after: TableFiles, meaning: Table | None
) -> list[ColumnDrift]:
    """Compare each column that a table has in both snapshots.

    Args:
        table: The table.
        before: Its files in the one.
        after: Its files in the other.
        meaning: What its columns mean; types decide where this is not known.
    """
    names = [name for name in before.schema.names if name in after.schema.names]
    counts = [distinct_and_nulls(side, names) for side in (before, after)]
    rows = [max(1, count_rows(_source(side))) for side in (before, after)]
    drift = []
    for name in names:
        (left, left_nulls), (right, right_nulls) = (side[name] for side in counts)
        nulls = (left_nulls / rows[0], right_nulls / rows[1])
        alike = _alike(before, after, _meaning(after.schema.field(name), meaning))
        drift.append(ColumnDrift(table, name, alike, nulls, (left, right)))
    return drift


def _meaning(field: pa.Field, table: Table | None) -> Column:
    if table is not None and field.name in table.columns:
        return table.columns[field.name]
    kind = field.type
    if pt.is_temporal(kind) and not pt.is_duration(kind):
        return Column(field.name, "datetime")
    if pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind):
        return Column(field.name, "numerical")
    return Column(field.name, "boolean" if pt.is_boolean(kind) else "unknown")


def _alike(before: TableFiles, after: TableFiles, column: Column) -> float | None:
    types = {side.schema.field(column.name).type for side in (before, after)}
    if not is_scored(column) or len(types) > 1 or pt.is_nested(types.pop()):
        return None
    return ComparedColumn.encode(column, *(_read(s, column.name) for s in (before, after))).shape


def _read(table: TableFiles, column: str) -> pa.ChunkedArray:
    source = _source(table)
    rows = count_rows(source)
    if rows <= MOST_ROWS:
        return read_encoded(source, column)
    chosen = np.linspace(0, rows - 1, MOST_ROWS).astype(np.int64)
    return take_rows(source, [column], chosen).column(0)


def _source(table: TableFiles) -> Path:
    first = table.files[0]
    return first if len(table.files) == 1 else first.parent
