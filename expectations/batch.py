"""The rows that a suite sees: a bounded sample, as a frame that the engine is quick with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.types as pt

from prefect_synth.synth.metrics.sources import count_rows, read_schema, take_rows

_DOUBLE_DIGITS = 15


@dataclass(frozen=True)
class Batch:
    """Rows of a synthetic table.

    Args:
        table: The rows.
        total: Rows of the whole table.
    """

    table: pa.Table
    total: int

    @property
    def note(self) -> str:
        """What a check's detail says of the sample; empty where all rows are judged."""
        judged = self.table.num_rows
        return "" if judged == self.total else f"a sample of {judged:,} of {self.total:,} rows"


def read_batch(path: Path, max_rows: int, seed: int) -> Batch:
    """Read a table, or a seeded sample of its rows where it has more than `max_rows`."""
    total = count_rows(path)
    rows = None
    if total > max_rows:
        rng = np.random.default_rng(seed)
        rows = np.sort(rng.choice(total, size=max_rows, replace=False))
    return Batch(take_rows(path, read_schema(path).names, rows), total)


def numpy_frame(table: pa.Table) -> pd.DataFrame:
    """The table as a pandas frame over NumPy arrays.

    Great Expectations hashes every frame whole, which takes five times as long on Arrow's types.
    Integers keep their exact values; of lists, structs and bytes only the presence is kept.
    """
    return pd.DataFrame({name: _series(table[name]) for name in table.column_names})


def _series(values: pa.ChunkedArray) -> Any:
    if isinstance(values.type, pa.BaseExtensionType):
        values = values.cast(values.type.storage_type)
    if pt.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind = values.type
    if pt.is_decimal(kind) and kind.precision <= _DOUBLE_DIGITS:
        values = values.cast(pa.float64())
    elif pt.is_date(kind):
        values = values.cast(pa.timestamp("s"))
    elif pt.is_integer(kind) and values.null_count:
        return values.to_pandas(types_mapper=_nullable)
    elif pt.is_nested(kind) or _is_bytes(kind) or pt.is_null(kind):
        present = np.full(len(values), None, dtype=object)
        present[values.is_valid().to_numpy()] = "present"
        return present
    return values.to_pandas()


def _nullable(kind: pa.DataType) -> Any:
    # int64 -> Int64, uint8 -> UInt8
    return pd.api.types.pandas_dtype(str(kind).replace("int", "Int").replace("uI", "UI"))


def _is_bytes(kind: pa.DataType) -> bool:
    tests = (pt.is_binary, pt.is_large_binary, pt.is_fixed_size_binary)
    return any(test(kind) for test in tests)
