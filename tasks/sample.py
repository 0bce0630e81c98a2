"""The step `sample`: synthetic tables out of the trained parts, into private staging."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from prefect import task

from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.storage import load_state
from prefect_synth.tasks.progress import progress
from prefect_synth.tasks.references import ExtensionsRef, ModelRef, TableRef, table_ref
from prefect_synth.tasks.steps import guarded, keyed_by
from prefect_synth.tasks.synthesis import Synthesis
from prefect_synth.tasks.warehouses.staging_writer import write_staged

STEP = "sample"


@task(
    name=STEP,
    task_run_name=STEP,
    cache_policy=keyed_by("fingerprint"),
    persist_result=True,
    result_serializer="json",
)
@guarded
def sample_tables(
    fingerprint: str,
    synthesis: Synthesis,
    extensions: ExtensionsRef,
    models: list[ModelRef],
    scale: float,
    paths: dict[str, Path],
) -> list[TableRef]:
    """Sample every table, parents before children.

    Args:
        fingerprint: Of the trained parts, the scale and the place.
        synthesis: Schema, settings and rows.
        extensions: Where the order of the tables is.
        models: The trained parts.
        scale: Synthetic rows for each real row.
        paths: Where to write each table.

    Returns:
        The synthetic tables.
    """
    parts = {model.table: TablePart.load(model.path) for model in models}
    plan = load_state(extensions.path, "plan")
    tables = synthesis.synthesizer().assemble(plan, parts).sample(scale)
    return [_write(name, tables.pop(name), paths[name]) for name in list(tables)]


def _write(name: str, table: pa.Table, path: Path) -> TableRef:
    write_staged(path, table.schema, table.to_batches())
    progress().advance(STEP, 1, name)
    return table_ref(name, path, table.num_rows)
