"""The staged files of a table, and taking rows out of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from prefect_synth.tasks.staged_run import StagedRun

_BATCH = 65_536


def staged_files(run: StagedRun, table: str) -> list[Path]:
    """The Parquet files of a table's real rows: one, or those of its folder (training, holdout)."""
    whole, folder = run.real(table), run.divided(table)
    parts = sorted(folder.rglob("*.parquet")) if folder.is_dir() else []
    return [*([whole] if whole.is_file() else []), *parts]


def without_rows(file: Path, rows: np.ndarray) -> None:
    """Rewrite a Parquet file without the rows of these numbers; it is whole at any moment."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    with pq.ParquetFile(file) as source, pq.ParquetWriter(unfinished, source.schema_arrow) as made:
        for batch in _kept(source, rows):
            made.write_batch(batch)
    unfinished.chmod(file.stat().st_mode & 0o777)
    os.replace(unfinished, file)


def _kept(source: pq.ParquetFile, rows: np.ndarray) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in source.iter_batches(_BATCH):
        gone = rows[(rows >= start) & (rows < start + len(batch))] - start
        keep = np.ones(len(batch), bool)
        keep[gone] = False
        start += len(batch)
        yield batch.filter(pa.array(keep))
