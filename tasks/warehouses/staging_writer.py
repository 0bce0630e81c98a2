"""Writing a Parquet file: whole or not at all, in row groups that do not depend on batches."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from prefect_synth.tasks.warehouses.errors import StagedFileError

ROW_GROUP_ROWS = 131_072
ROW_GROUP_CELLS = 64 * ROW_GROUP_ROWS
"""Wide tables have shorter row groups: one of them must fit in memory."""


class ParquetForm(Protocol):
    """How rows become a Parquet file: where row groups end, and how columns are encoded."""

    def groups(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
        """Cut a stream of batches into row groups."""

    def options(self, first: pa.Table) -> Mapping[str, Any]:
        """Return the writer's options, given the first row group."""


class StagedForm:
    """The form of what only this package reads, in private staging."""

    def groups(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
        """Cut a stream of batches into tables of one size, and the rest."""
        return row_groups(batches, schema)

    def options(self, first: pa.Table) -> Mapping[str, Any]:
        """Return the writer's options: the same for every table."""
        return {}


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
    return write_parquet(path, schema, batches, StagedForm(), on_batch)


def write_parquet(
    path: Path,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    form: ParquetForm,
    on_batch: Callable[[int], None] | None = None,
) -> int:
    """Stream `batches` to `path` in a form; it appears only when it is complete.

    Returns:
        The number of rows written.

    Raises:
        StagedFileError: The disk is full or the folder cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        groups = form.groups(batches, schema)
        first = next(groups, None)
        options = form.options(schema.empty_table() if first is None else first)
        with _explained(path):
            writer = _open(partial, schema, options)
        rows = _write(writer, groups if first is None else chain([first], groups), path, on_batch)
        partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return rows


def _open(path: Path, schema: pa.Schema, options: Mapping[str, Any]) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        path,
        schema,
        version="2.6",
        compression="zstd",
        compression_level=3,
        write_page_checksum=True,
        store_schema=True,
        **options,
    )


def _write(
    writer: pq.ParquetWriter,
    groups: Iterable[pa.Table],
    path: Path,
    on_batch: Callable[[int], None] | None,
) -> int:
    rows = 0
    try:
        for group in groups:
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
