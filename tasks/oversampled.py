"""Oversampled real rows: out of private staging, into private staging, and marked."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from prefect_synth.synth.errors import RequestError
from prefect_synth.synth.interpolated import INTERPOLATED
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.sources import read_columns
from prefect_synth.synth.oversampling import Method, Oversampled, oversample
from prefect_synth.tasks.staged_run import StagedRun
from prefect_synth.tasks.staging import Staging
from prefect_synth.tasks.synthesis import read_metadata

FOLDER = "oversampled"
"""Where they lie in staging; `purge` deletes it with the rows that they were made of."""


def oversample_staged(
    staging: Staging,
    table: str,
    column: str,
    method: Method,
    out: Path,
    features: tuple[str, ...] = (),
    neighbours: int = 5,
    seed: int = 0,
) -> tuple[Oversampled, Path]:
    """Oversample the rows that the last refresh has staged and models saw.

    Args:
        staging: The project's private staging.
        table: The table.
        column: The column of the classes.
        method: How.
        out: Name of a Parquet file, in staging's folder of oversampled rows.
        features: Columns to use; all that can be where empty.
        neighbours: Real rows that a new one may lie towards.
        seed: Of every draw.

    Returns:
        What came of it, and the file.

    Raises:
        RequestError: No rows are staged, the file would lie elsewhere, or the columns do not do.
    """
    path = _place(staging, out)
    rows, metadata = _read(staging, table)
    made = oversample(
        rows,
        metadata,
        table,
        column,
        method,
        features=features,
        neighbours=neighbours,
        seed=seed,
    )
    _write(path, made.table, method)
    return made, path


def _place(staging: Staging, out: Path) -> Path:
    """The file, which must lie in private staging."""
    folder = (staging.root / FOLDER).resolve()
    path = (folder / out).resolve()
    if path.suffix != ".parquet":
        raise RequestError(f"--out must be the name of a .parquet file, got '{out}'.")
    if not path.is_relative_to(folder):
        raise RequestError(
            f"--out must lie in private staging ('{folder}'), got '{out}': the rows are laid "
            "between real ones, and are real data. Give a name alone."
        )
    return path


def _read(staging: Staging, table: str) -> tuple[pa.Table, Metadata]:
    """The real rows of a table, and the schema."""
    run = _staged(staging)
    files = {ref.table: ref.path for ref in run.state.pulled}
    if table not in files:
        raise RequestError(f"There is no table '{table}'. Tables: {', '.join(files)}.")
    rows = read_columns(files[table], pq.read_schema(files[table]).names)
    return rows, read_metadata(run.folder / "metadata.json")


def _staged(staging: Staging) -> StagedRun:
    """The last run whose real rows are still there."""
    for run in reversed(staging.runs()):
        if run.state.pulled and all(ref.path.exists() for ref in run.state.pulled):
            return run
    raise RequestError(
        "No real rows are staged. Run a refresh first; staging.keep_runs says of how many runs "
        "they are kept."
    )


def _write(path: Path, table: pa.Table, method: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    mark = {INTERPOLATED: "true", f"{INTERPOLATED}.method": method}
    marked = table.replace_schema_metadata({**(table.schema.metadata or {}), **mark})
    partial = path.with_suffix(".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        pq.write_table(marked, file, compression="zstd")
    partial.replace(path)
