"""Read what a score needs from a table in memory or on disk, and no more.

A source is an Arrow table, a Parquet file, or a folder of Parquet parts. Sources on disk are read
in batches, so that a bounded sample of a large table never brings the whole of it into memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.types as pt

Source: TypeAlias = "pa.Table | Path"
"""An Arrow table, a Parquet file, or a folder of Parquet parts."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BATCH_ROWS = 65_536

_State: TypeAlias = "tuple[tuple[str, int, int, int], ...]"


class MetricsError(ValueError):
    """The tables cannot be compared; the message names table, column and cure."""


def read_schema(source: Source) -> pa.Schema:
    """Read the schema of a source."""
    if isinstance(source, pa.Table):
        return source.schema
    return _opened(source).dataset.schema


def count_rows(source: Source) -> int:
    """Count the rows of a source."""
    if isinstance(source, pa.Table):
        return int(source.num_rows)
    return _opened(source).rows


def read_batches(source: Source, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Read `columns` of a source, in order, some ten thousand rows at a time."""
    if isinstance(source, pa.Table):
        yield from source.select(list(columns)).to_batches(max_chunksize=BATCH_ROWS)
        return
    # Little read ahead: many wide batches in flight are what fills the memory.
    yield from _opened(source).dataset.to_batches(
        columns=list(columns), batch_size=BATCH_ROWS, batch_readahead=2, fragment_readahead=1
    )


def read_columns(source: Source, columns: Iterable[str]) -> pa.Table:
    """Read `columns` of a source whole."""
    wanted = list(dict.fromkeys(columns))
    if isinstance(source, pa.Table):
        return source.select(wanted)
    return _opened(source).read(wanted)


def read_encoded(source: Source, column: str) -> pa.ChunkedArray:
    """Read a column whole, texts on disk as the dictionaries that they are stored as.

    Categories are then never written out row by row, which is what takes the time.
    """
    if isinstance(source, pa.Table):
        return source.column(column)
    options = ds.ParquetReadOptions(dictionary_columns={column})
    opened = _opened(source)
    if pt.is_string(opened.dataset.schema.field(column).type):
        whole = ds.dataset(source, format=ds.ParquetFileFormat(read_options=options))
        opened = replace(opened, dataset=whole)
    return opened.read([column]).column(0)


def take_rows(source: Source, columns: Sequence[str], rows: Ints | None) -> pa.Table:
    """Read some rows of a source.

    Args:
        source: Where the rows are.
        columns: The columns to read.
        rows: Positions in rising order; None for all.

    Returns:
        The rows, in their order in the source.
    """
    if rows is None:
        return read_columns(source, columns)
    if isinstance(source, pa.Table):
        return source.select(list(columns)).take(pa.array(rows))
    batches, start = [], 0
    for batch in read_batches(source, columns):
        first, last = np.searchsorted(rows, (start, start + batch.num_rows))
        if first < last:
            batches.append(batch.take(pa.array(rows[first:last] - start)))
        start += batch.num_rows
    schema = pa.schema([read_schema(source).field(column) for column in columns])
    return pa.Table.from_batches(batches, schema=schema)


def check_columns(table: str, side: str, source: Source, columns: Iterable[str]) -> None:
    """Check that a source has the columns that will be compared.

    Raises:
        MetricsError: A column is missing.
    """
    present = read_schema(source).names
    missing = [column for column in columns if column not in present]
    if missing:
        raise MetricsError(
            f"Table '{table}' has no column '{missing[0]}' in the {side} data, which has: "
            f"{', '.join(present)}. Both sides need the columns that the metadata names."
        )


@dataclass(frozen=True)
class _Opened:
    """Parquet files whose footers were read: scores ask the same ones for a column at a time."""

    dataset: ds.Dataset
    rows: int

    def read(self, columns: Sequence[str]) -> pa.Table:
        # threads cost twice the time of a few rows
        return self.dataset.to_table(columns=columns, use_threads=self.rows > BATCH_ROWS)


def _opened(path: Path) -> _Opened:
    if not path.exists():
        raise MetricsError(
            f"There is nothing at '{path}'. Give a Parquet file or a folder of them."
        )
    return _open(path.absolute(), _state(path))


@lru_cache(maxsize=256)
def _open(path: Path, state: _State) -> _Opened:
    """Open files as they are: others at the same place have another state."""
    dataset = ds.dataset(path, format="parquet")
    return _Opened(dataset, int(dataset.count_rows()))


def _state(path: Path) -> _State:
    """What tells files, and their like below a folder, from others."""
    files = [f for f in sorted(path.rglob("*")) if f.is_file()] if path.is_dir() else [path]
    seen = ((file, file.stat()) for file in files)
    return tuple((str(f), told.st_ino, told.st_size, told.st_mtime_ns) for f, told in seen)
