"""Where a table's columns come from: memory, or a Parquet file read a column at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq


class ColumnSource(Protocol):
    """A table of which one column is asked for at a time; `pa.Table` is one."""

    @property
    def num_rows(self) -> int:
        """Number of rows."""

    def column(self, name: str) -> pa.ChunkedArray:
        """The values of one column."""


class ParquetColumns:
    """A Parquet file, or a folder of them, as a source that never holds the whole table.

    Args:
        path: The file or folder.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "t.parquet"
        >>> pq.write_table(pa.table({"a": [1, 2], "b": [3, 4]}), path)
        >>> source = ParquetColumns(path)
        >>> source.num_rows, source.column("b").to_pylist()
        (2, [3, 4])
    """

    def __init__(self, path: Path) -> None:
        self._files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        self._rows = sum(pq.read_metadata(file).num_rows for file in self._files)

    @property
    def num_rows(self) -> int:
        """Number of rows of all files."""
        return self._rows

    def column(self, name: str) -> pa.ChunkedArray:
        """The values of one column, of all files in the order of their names."""
        tables = [pq.read_table(file, columns=[name], partitioning=None) for file in self._files]
        return pa.concat_tables(tables).column(0)


def whole(values: pa.ChunkedArray) -> pa.Array:
    """A column as one array.

    Text of more than 2 GB becomes `large_string` rather than fail.
    """
    try:
        combined = values.combine_chunks()
    except pa.ArrowInvalid:
        wide = pa.large_binary() if pa.types.is_binary(values.type) else pa.large_string()
        combined = values.cast(wide).combine_chunks()
    return combined.combine_chunks() if isinstance(combined, pa.ChunkedArray) else combined
