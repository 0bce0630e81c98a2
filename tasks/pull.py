"""The step `pull`: one table out of the warehouse's snapshot into private staging."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from prefect_synth.expectations.scorecard import counted
from prefect_synth.tasks.progress import progress
from prefect_synth.tasks.references import TableRef, table_ref
from prefect_synth.tasks.steps import guarded, is_transient
from prefect_synth.tasks.telling import run_log
from prefect_synth.tasks.warehouses.selection import Selection
from prefect_synth.tasks.warehouses.warehouse import WarehouseSnapshot

STEP = "pull"


@task(
    name=STEP,
    task_run_name="pull[{table}]",
    cache_policy=NO_CACHE,
    persist_result=False,
    retry_condition_fn=is_transient,
)
@guarded
def pull_table(
    table: str,
    path: Path,
    schema: pa.Schema,
    snapshot: WarehouseSnapshot,
    selection: Selection | None,
) -> TableRef:
    """Stage one table.

    Args:
        table: The table's name.
        path: Where to stage it.
        schema: Its exact Arrow schema.
        snapshot: The one state of the warehouse that all tables are read from.
        selection: Which rows to read; all by default.

    Returns:
        Where it is staged.
    """
    listener, started = progress(), perf_counter()
    rows = snapshot.pull(
        table,
        schema,
        path,
        selection=selection,
        on_batch=lambda read: listener.advance(STEP, read, table),
    )
    seconds = perf_counter() - started
    run_log().info(f"{table}: {counted(rows, 'row')} in {seconds:.1f} s")
    return table_ref(table, path, rows)
