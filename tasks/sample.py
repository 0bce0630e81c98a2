"""The steps `plan` and `sample`: synthetic tables out of trained parts, into private staging."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from time import perf_counter

from prefect import task

from prefect_synth.expectations.disclosure import Disclosure
from prefect_synth.expectations.scorecard import counted
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.sampling import Sampler
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.scenarios.scenario import Scenario
from prefect_synth.synth.storage import load_state
from prefect_synth.tasks.folders import written_whole
from prefect_synth.tasks.parquet_form import FileFacts, write_published
from prefect_synth.tasks.progress import progress
from prefect_synth.tasks.pseudonyms import pseudonym_key
from prefect_synth.tasks.references import (
    ExtensionsRef,
    ModelRef,
    SampleRef,
    TableRef,
    part_file,
    table_ref,
)
from prefect_synth.tasks.steps import guarded, keyed_by
from prefect_synth.tasks.synthesis import Synthesis, read_metadata
from prefect_synth.tasks.telling import run_log

STEP = "sample"

_SHARD_ROWS = 2_000_000
_MOST_SHARDS = 64


@task(
    name="plan",
    task_run_name="plan",
    cache_policy=keyed_by("fingerprint"),
    persist_result=True,
    result_serializer="json",
)
@guarded
def plan_sample(
    fingerprint: str,
    synthesis: Synthesis,
    extensions: ExtensionsRef,
    models: list[ModelRef],
    scales: dict[str, float],
    after: list[dict[str, float]],
    scenarios: dict[str, tuple[Scenario, ...]],
    pseudonyms: Path,
    folder: Path,
) -> SampleRef:
    """Decide how many rows each table gets, and which rows belong together.

    Args:
        fingerprint: Of the trained parts, the scales and the place.
        synthesis: Schema, settings and rows.
        extensions: Where the order of the tables is.
        models: The trained parts.
        scales: By table, synthetic rows for each row trained on.
        after: Scales at which earlier snapshots were drawn with these parts: their rows stay.
        scenarios: What must occur, by table.
        pseudonyms: File of the secret that personal data are made with.
        folder: Where to keep the plan, in private staging.

    Returns:
        The plan, and the shards that can be drawn apart; their number depends on the rows alone.
    """
    order = load_state(extensions.path, "plan")
    model = synthesis.synthesizer().assemble(order, _parts(models))
    model.pseudonym_key = pseudonym_key(pseudonyms)
    sampler = model.sampler(scales, memory=synthesis.memory, after=after, scenarios=scenarios)
    if sampler.anew:
        run_log().warning(
            f"Rows that were published before could not stay in {', '.join(sampler.anew)}: fewer "
            "were asked for, or there was no place to append to. They are drawn anew."
        )
    with written_whole(folder) as unfinished:
        sampler.save(unfinished)
    shards = min(-(-sum(sampler.rows.values()) // _SHARD_ROWS) or 1, _MOST_SHARDS)
    drawn = tuple(
        tuple(name for name in sampler.rows if _has_part(sampler, name, shard, shards))
        for shard in range(shards)
    )
    return SampleRef(path=folder, fingerprint=fingerprint, shards=drawn, rows=sampler.rows)


def shard_name(shard: int, shards: int) -> str:
    """`sample[2/16]` for the second shard; where one shard is all, `sample`."""
    return STEP if shards == 1 else f"{STEP}[{shard + 1}/{shards}]"


@task(
    name=STEP,
    task_run_name="sample[{shard}]",
    cache_policy=keyed_by("fingerprint"),
    persist_result=True,
    result_serializer="json",
)
@guarded
def sample_shard(
    shard: int,
    fingerprint: str,
    metadata: Path,
    plan: SampleRef,
    models: list[ModelRef],
    pseudonyms: Path,
    folders: dict[str, Path],
    facts: dict[str, FileFacts],
) -> list[TableRef]:
    """Draw one shard of every table.

    Args:
        shard: Its number.
        fingerprint: Of the plan and the shard.
        metadata: JSON file of the schema.
        plan: The plan of the sample.
        models: The trained parts.
        pseudonyms: File of the secret that personal data are made with.
        folders: Where to write each table's parts.
        facts: What the files of each table say of themselves.

    Returns:
        The parts of the synthetic tables.
    """
    started = perf_counter()
    planned = plan.path, plan.fingerprint
    sampler = _planned(planned, metadata, tuple(models), pseudonym_key(pseudonyms))
    meaning = Disclosure(read_metadata(metadata)).metadata
    parts = [
        _write(
            sampler,
            (shard, len(plan.shards)),
            part_file(folders[name], shard),
            facts[name],
            meaning,
        )
        for name in plan.shards[shard]
    ]
    rows, seconds = counted(sum(part.rows for part in parts), "row"), perf_counter() - started
    run_log().info(f"{counted(len(parts), 'table')}, {rows} in {seconds:.1f} s")
    return parts


def _write(
    sampler: Sampler, shard: tuple[int, int], path: Path, facts: FileFacts, meaning: Metadata
) -> TableRef:
    name = facts.table
    schema, rows = sampler.parts[name].schema, sampler.table_batches(name, shard)
    written = write_published(path, schema, rows, facts, meaning.tables[name])
    progress().advance(STEP, 1, name)
    return table_ref(name, path, written)


def _has_part(sampler: Sampler, name: str, shard: int, shards: int) -> bool:
    """Whether a shard has rows of a table; the first one writes tables without any."""
    return bool(sampler.blocks(name, (shard, shards))) or (shard == 0 and not sampler.rows[name])


def _parts(models: list[ModelRef]) -> dict[str, TablePart]:
    return {model.table: TablePart.load(model.path) for model in models}


@lru_cache(maxsize=1)
def _planned(
    plan: tuple[Path, str], metadata: Path, models: tuple[ModelRef, ...], pseudonyms: bytes
) -> Sampler:
    """The plan, read once for all shards of it that this process draws."""
    return Sampler.load(plan[0], read_metadata(metadata), _parts(list(models)), pseudonyms)
