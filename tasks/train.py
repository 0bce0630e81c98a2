"""The step `train`: each table's part of the model."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from prefect import task

from prefect_synth.expectations.scorecard import counted
from prefect_synth.synth.hierarchy.extensions import Extensions
from prefect_synth.synth.hierarchy.summary import summarize
from prefect_synth.synth.storage import load_state
from prefect_synth.tasks.folders import written_whole
from prefect_synth.tasks.paying import Paying
from prefect_synth.tasks.progress import progress
from prefect_synth.tasks.references import ExtensionsRef, ModelRef
from prefect_synth.tasks.steps import guarded, keyed_by
from prefect_synth.tasks.synthesis import Synthesis
from prefect_synth.tasks.telling import run_log
from prefect_synth.tasks.watched_training import watched_training

STEP = "train"


@task(
    name=STEP,
    task_run_name="train[{table}]",
    cache_policy=keyed_by("fingerprint"),
    persist_result=True,
    result_serializer="json",
)
@guarded
def train_table(
    table: str,
    fingerprint: str,
    synthesis: Synthesis,
    extensions: ExtensionsRef,
    folder: Path,
    paying: Paying | None = None,
) -> ModelRef:
    """Train one table's part of the model.

    Args:
        table: The table's name.
        fingerprint: Of all that the part depends on; the same fingerprint is not trained twice.
        synthesis: Schema, settings and rows.
        extensions: What parent rows know of their children.
        folder: Where to keep the part, in private staging.
        paying: Who pays for what is learned, where that costs privacy.

    Returns:
        Where the part is, and how the table is modelled.
    """
    progress().advance(STEP, 0, table)
    model, started = synthesis.synthesizer(table), perf_counter()
    if paying is not None:
        paying.pay(model, table, "train", fingerprint)
    plan = load_state(extensions.path, "plan")
    needed = Extensions.gather(plan, extensions.tables, model.metadata, table)
    if extensions.shared is not None:
        needed = needed.sharing(load_state(extensions.shared, "shared"))
    with watched_training(STEP, table, folder.with_name(f"{folder.name}.training")):
        part = model.fit_part(table, needed)
    with written_whole(folder) as unfinished:
        part.save(unfinished)
    made, seconds = summarize(part), round(perf_counter() - started, 3)
    columns = counted(len(model.metadata.tables[table].columns), "column")
    rows = counted(part.rows, "row")
    run_log().info(
        f"{table}: {made.row_model}, {columns}, {rows} in {seconds:.1f} s. {made.reason}"
    )
    for alarm in made.alarms:
        run_log().warning(alarm)
    progress().advance(STEP, 1, table)
    return ModelRef(table=table, path=folder, fingerprint=fingerprint, made=made, seconds=seconds)
