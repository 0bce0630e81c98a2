"""The steps `extend` and `train`: what parent rows know of their children, then table by table."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from prefect import task

from prefect_synth import __version__
from prefect_synth.expectations.scorecard import counted
from prefect_synth.synth.hierarchy.extensions import Extensions
from prefect_synth.synth.hierarchy.summary import summarize
from prefect_synth.tasks.folders import written_whole
from prefect_synth.tasks.progress import progress
from prefect_synth.tasks.references import ExtensionsRef, ModelRef
from prefect_synth.tasks.references import fingerprint as fingerprint_of
from prefect_synth.tasks.steps import guarded, keyed_by
from prefect_synth.tasks.synthesis import Synthesis
from prefect_synth.tasks.telling import run_log

STEP = "train"


@task(
    name="extend",
    task_run_name="extend",
    cache_policy=keyed_by("fingerprint"),
    persist_result=True,
    result_serializer="json",
)
@guarded
def extend_tables(fingerprint: str, synthesis: Synthesis, folder: Path) -> ExtensionsRef:
    """Extend every table by what its rows know of their children, bottom-up.

    Args:
        fingerprint: Of all that the extensions depend on.
        synthesis: Schema, settings and rows.
        folder: Where to keep the extensions, in private staging.

    Returns:
        Where they are, and a fingerprint for each table's part.
    """
    extensions = synthesis.synthesizer().extend(synthesis.paths())
    with written_whole(folder) as unfinished:
        extensions.save(unfinished)
    parts = {table: _part(synthesis, extensions, table) for table in extensions.plan.order}
    rows = {table: extended.rows for table, extended in extensions.tables.items()}
    return ExtensionsRef(path=folder, fingerprint=fingerprint, parts=parts, rows=rows)


def _part(synthesis: Synthesis, extensions: Extensions, table: str) -> str:
    model = synthesis.synthesizer(table)
    changes = extensions.fingerprint(model.metadata, table, model.settings)
    return fingerprint_of(__version__, table, changes)


@task(
    name=STEP,
    task_run_name="train[{table}]",
    cache_policy=keyed_by("fingerprint"),
    persist_result=True,
    result_serializer="json",
)
@guarded
def train_table(
    table: str, fingerprint: str, synthesis: Synthesis, extensions: ExtensionsRef, folder: Path
) -> ModelRef:
    """Train one table's part of the model.

    Args:
        table: The table's name.
        fingerprint: Of all that the part depends on; the same fingerprint is not trained twice.
        synthesis: Schema, settings and rows.
        extensions: What parent rows know of their children.
        folder: Where to keep the part, in private staging.

    Returns:
        Where the part is, and how the table is modelled.
    """
    progress().advance(STEP, 0, table)
    model, started = synthesis.synthesizer(table), perf_counter()
    needed = Extensions.load(extensions.path, model.metadata, table)
    part = model.fit_part(table, needed)
    with written_whole(folder) as unfinished:
        part.save(unfinished)
    made, seconds = summarize(part), round(perf_counter() - started, 3)
    columns = counted(len(model.metadata.tables[table].columns), "column")
    rows = counted(extensions.rows[table], "row")
    run_log().info(
        f"{table}: {made.row_model}, {columns}, {rows} in {seconds:.1f} s. {made.reason}"
    )
    progress().advance(STEP, 1, table)
    return ModelRef(table=table, path=folder, fingerprint=fingerprint, made=made, seconds=seconds)
