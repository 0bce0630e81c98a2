"""The step of a refresh that draws: a plan of all tables, then shards of it side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect_synth.flows.pinned import pinned_files
from prefect_synth.flows.refresh_log import log_planned, log_sampled
from prefect_synth.flows.refresh_work import Work
from prefect_synth.tasks.parquet_form import FORM
from prefect_synth.tasks.progress import step
from prefect_synth.tasks.pseudonyms import key_print
from prefect_synth.tasks.references import (
    ExtensionsRef,
    ModelRef,
    SampleRef,
    TableRef,
    file_fingerprint,
    fingerprint,
    part_file,
    whole_table,
)
from prefect_synth.tasks.sample import plan_sample, sample_shard, shard_name


def sample_tables(
    work: Work, extensions: ExtensionsRef, models: list[ModelRef]
) -> dict[str, TableRef]:
    """Draw every synthetic table, as many shards at a time as there are workers.

    Args:
        work: The refresh.
        extensions: What parent rows know of their children.
        models: The trained parts.

    Raises:
        ContractError: A scenario is out of reach.
    """
    key = _sample_key(work, models)
    work.staged.run.draw_by(drawn_by(work, models))
    with step("plan"):
        plan = _planned(work, extensions, models, key)
    log_planned(plan)
    with step("sample", sum(len(tables) for tables in plan.shards)):
        synthetic = _drawn(work, models, plan, key)
    log_sampled(synthetic)
    return synthetic


def drawn_by(work: Work, models: Sequence[ModelRef]) -> str:
    """Fingerprint of all that the files of the synthetic tables depend on, pinned rows included.

    Args:
        work: The refresh.
        models: The trained parts.
    """
    files = pinned_files(work.setup)
    pins = {name: (file, file_fingerprint(path)) for name, (file, path) in files.items()}
    return fingerprint(_sample_key(work, models), FORM, pins)


def _sample_key(work: Work, models: Sequence[ModelRef]) -> str:
    return fingerprint(
        key_print(work.setup.staging.pseudonyms),
        work.staged.run.state.run_id,
        work.scales,
        work.after,
        sorted(m.fingerprint for m in models),
        _scenarios(work),
    )


def _planned(work: Work, extensions: ExtensionsRef, models: list[ModelRef], key: str) -> SampleRef:
    run = work.staged.run
    return work.start(
        plan_sample,
        [run.plan],
        fingerprint=key,
        synthesis=work.synthesis,
        extensions=extensions,
        models=models,
        scales=work.scales,
        after=work.after,
        scenarios=work.setup.project.scenarios(),
        pseudonyms=work.setup.staging.pseudonyms,
        folder=run.plan,
    ).result()


def _drawn(work: Work, models: list[ModelRef], plan: SampleRef, key: str) -> dict[str, TableRef]:
    folders = {table: work.staged.run.synthetic(table) for table in work.staged.metadata.tables}
    facts = work.facts(models)
    futures = [
        work.start(
            sample_shard.with_options(task_run_name=shard_name(shard, len(plan.shards))),
            [part_file(folders[table], shard) for table in tables],
            shard=shard,
            fingerprint=fingerprint(key, shard, FORM),
            metadata=work.staged.metadata_file,
            plan=plan,
            models=models,
            pseudonyms=work.setup.staging.pseudonyms,
            folders=folders,
            facts=facts,
        )
        for shard, tables in enumerate(plan.shards)
    ]
    parts = [part for future in futures for part in future.result()]
    return {
        table: whole_table([part for part in parts if part.table == table]) for table in folders
    }


def _scenarios(work: Work) -> dict[str, Any]:
    """What is asked for as plain values."""
    return {
        name: [scenario.model_dump(mode="json") for scenario in table.scenarios]
        for name, table in work.setup.project.tables.items()
    }
