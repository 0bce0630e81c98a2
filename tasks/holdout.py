"""The step `hold out`: every staged table is divided into what is trained on and what is not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict

from prefect_synth.synth.holdout import hold_out
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.sources import read_batches, read_schema
from prefect_synth.tasks.references import TableRef, table_ref
from prefect_synth.tasks.steps import guarded
from prefect_synth.tasks.warehouses.staging_writer import write_staged

TRAINING, HOLDOUT = "training.parquet", "holdout.parquet"

Flags = npt.NDArray[np.bool_]


class DividedTables(BaseModel):
    """The staged real tables in two parts.

    Args:
        training: What models see; of shared tables everything.
        held_out: What they never see, of the tables that belong to families.
        units: The tables whose rows are the root entities.
    """

    model_config = ConfigDict(frozen=True)

    training: tuple[TableRef, ...]
    held_out: tuple[TableRef, ...]
    units: tuple[str, ...]


@task(name="hold out", task_run_name="hold out", cache_policy=NO_CACHE, persist_result=False)
@guarded
def divide_tables(
    metadata: Metadata,
    tables: tuple[TableRef, ...],
    folders: Mapping[str, Path],
    fraction: float,
    unit: str | None,
    keep: tuple[str, ...],
) -> DividedTables:
    """Divide the staged tables by families; the pulled files are gone afterwards.

    Args:
        metadata: The schema.
        tables: The pulled tables.
        folders: By table, where its parts go.
        fraction: Share of the root entities to hold out.
        unit: The table whose rows are people, where it is known.
        keep: Tables that are published as they are.

    Returns:
        Both parts. The file of the holdout lies beside the other one, so that their folder is the
        whole table.
    """
    sources = {ref.table: ref.path for ref in tables}
    holdout = hold_out(metadata, sources, fraction, unit=unit, keep=keep)
    training, unseen = [], []
    for ref in tables:
        folder, held = folders[ref.table], holdout.held.get(ref.table)
        if held is None:
            training.append(_moved(ref, folder / TRAINING))
        else:
            unseen.append(_part(ref, folder / HOLDOUT, held))
            training.append(_part(ref, folder / TRAINING, ~held))
            ref.path.unlink()
    return DividedTables(training=tuple(training), held_out=tuple(unseen), units=holdout.units)


def _moved(ref: TableRef, path: Path) -> TableRef:
    path.parent.mkdir(exist_ok=True)
    os.replace(ref.path, path)
    return ref.model_copy(update={"path": path})


def _part(ref: TableRef, path: Path, chosen: Flags) -> TableRef:
    path.parent.mkdir(exist_ok=True)
    rows = write_staged(path, read_schema(ref.path), _chosen(ref.path, chosen))
    return table_ref(ref.table, path, rows)


def _chosen(path: Path, flags: Flags) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in read_batches(path, read_schema(path).names):
        yield batch.filter(pa.array(flags[start : start + batch.num_rows]))
        start += batch.num_rows
