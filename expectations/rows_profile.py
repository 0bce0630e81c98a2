"""What is remembered of the rows that models learned from, to tell whether they still fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from prefect_synth.expectations.column_profile import ColumnProfile, profile_column
from prefect_synth.expectations.columns import table_kinds
from prefect_synth.expectations.drift import drift_lines
from prefect_synth.expectations.families import parent_codes
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.sources import Ints, count_rows, read_columns, read_schema
from prefect_synth.synth.metrics.values import plain

MOST_ROWS = 0.1
"""A table may grow or shrink by this share before its models count as outgrown."""
_FEW = 10
"""What so few real rows decide is not said more exactly: it is about them."""


@dataclass(frozen=True)
class RowsProfile:
    """The distributions of one real table; for private staging only.

    Args:
        table: The table's name.
        rows: Its number of rows.
        columns: Profile by column.
    """

    table: str
    rows: int
    columns: Mapping[str, ColumnProfile]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        columns = {name: dict(vars(column)) for name, column in self.columns.items()}
        return {"table": self.table, "rows": self.rows, "columns": columns}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> RowsProfile:
        """Read what `to_dict` gave."""
        columns = {name: _column(fields) for name, fields in document["columns"].items()}
        return cls(document["table"], document["rows"], columns)


def profile_rows(
    path: Path, table: str, metadata: Metadata, families: Ints | None = None
) -> RowsProfile:
    """Profile a staged real table, one column in memory at a time.

    Args:
        path: A Parquet file, or a folder of Parquet parts.
        table: The table's name.
        metadata: The schema.
        families: The root entity of each row: rows of one are not independent.
    """
    meaning = metadata.tables[table]
    kinds = table_kinds(meaning, read_schema(path), metadata)
    parents = parent_codes(path, meaning, metadata)
    if families is not None:
        parents.append(np.unique(families, return_inverse=True)[1])
    columns = {
        name: profile_column(
            plain(read_columns(path, [name])[name]), meaning.columns[name], kind, parents
        )
        for name, kind in kinds.items()
    }
    return RowsProfile(table, count_rows(path), columns)


def moves(before: RowsProfile, now: RowsProfile) -> tuple[str, ...]:
    """Say in what a table's rows are others than those that its model learned from.

    Two nights have most rows in common. The test takes them for two samples, so that it speaks
    only where more moved than between two draws from one population: a model is made of one draw,
    and is as good for the other.

    Args:
        before: The rows that the model learned from.
        now: The rows of tonight.

    Returns:
        A few words for each thing that moved, without a value; nothing where all is as it was.
    """
    grown = now.rows / before.rows - 1 if before.rows else float(now.rows > 0)
    found = [f"it has {abs(grown):.0%} {'more' if grown > 0 else 'fewer'} rows"]
    lines = drift_lines({now.table: before}, {now.table: now})
    said = [
        f"{line.column}: {line.what if line.rows is None or line.rows >= _FEW else 'a few rows'}"
        for line in lines
        if line.column is not None
    ]
    return (*(found if abs(grown) > MOST_ROWS else ()), *dict.fromkeys(said))


def _column(fields: dict[str, Any]) -> ColumnProfile:
    read: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    return ColumnProfile(**read)
