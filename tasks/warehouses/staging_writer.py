"""Writing a staged Parquet file: whole or not at all, in row groups of one size."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from prefect_synth.tasks.warehouses.errors import StagedFileError

ROW_GROUP_ROWS = 131_072
ROW_GROUP_CELLS = 64 * ROW_GROUP_ROWS
"""Wide tables have shorter row groups: one of them must fit in memory."""


def write_staged(
    path: Path,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    on_batch: Callable[[int], None] | None = None,
) -> int:
    """Stream `batches` to `path`, which appears only when it is complete.

    Row groups have `ROW_GROUP_ROWS` rows (fewer above 64 columns) however the source cuts its
    batches, so the same rows give the same bytes.

    Returns:
        The number of rows written.

    Raises:
        StagedFileError: The disk is full or the folder cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            writer = _open(partial, schema)
        rows = _write(writer, schema, batches, path, on_batch)
        partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return rows


def _open(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        path,
        schema,
        version="2.6",
        compression="zstd",
        compression_level=3,
        write_page_checksum=True,
        store_schema=True,
    )


def _write(
    writer: pq.ParquetWriter,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    path: Path,
    on_batch: Callable[[int], None] | None,
) -> int:
    rows = 0
    try:
        for group in row_groups(batches, schema):
            with _explained(path):
                writer.write_table(group, row_group_size=group.num_rows)
            rows += group.num_rows
            if on_batch is not None:
                on_batch(group.num_rows)
        with _explained(path):
            writer.close()
    except BaseException:
        with contextlib.suppress(OSError, ValueError):  # on a full disk it fails once more
            writer.close()
        raise
    return rows


def row_groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Cut a stream of batches into tables of one size, and the rest."""
    size = min(ROW_GROUP_ROWS, max(1024, ROW_GROUP_CELLS // max(len(schema), 1)))
    held: list[pa.RecordBatch] = []
    held_rows = 0
    for batch in batches:
        held.append(batch)
        held_rows += batch.num_rows
        while held_rows >= size:
            table = pa.Table.from_batches(held, schema)
            yield table.slice(0, size)
            held = table.slice(size).to_batches()
            held_rows -= size
    if held_rows:
        yield pa.Table.from_batches(held, schema)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn the system's error into one that says where and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(path.parent).free
            raise StagedFileError(
                f"The disk is full: '{path}' could not be written ({free / 2**20:.1f} MiB are "
                "free). Free space, set 'staging' to a larger disk, or limit the rows."
            ) from error
        raise StagedFileError(
            f"'{path}' could not be written: {error.strerror or error}. "
            "Set 'staging' to a folder that this process may write."
        ) from error
