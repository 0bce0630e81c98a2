"""The step `pin`: rows that a person wrote, behind the synthetic ones of their tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
from prefect import task

from prefect_synth.expectations.disclosure import Disclosure
from prefect_synth.expectations.pins import check_not_real
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.sampling import Sampler
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.pins.filling import complete
from prefect_synth.synth.pins.keys import check_keys_beside, check_own_keys, check_references
from prefect_synth.synth.pins.reading import Pins, read_pins
from prefect_synth.synth.rules.checking import broken_rows
from prefect_synth.tasks.parquet_form import FileFacts, write_published
from prefect_synth.tasks.progress import progress
from prefect_synth.tasks.pseudonyms import pseudonym_key
from prefect_synth.tasks.references import ModelRef, TableRef, table_ref
from prefect_synth.tasks.steps import guarded, keyed_by
from prefect_synth.tasks.synthesis import read_metadata

STEP = "pin"
PART = "part-pinned.parquet"
"""The file of a table's pinned rows: the last of its folder."""


@task(
    name=STEP,
    task_run_name=STEP,
    cache_policy=keyed_by("fingerprint"),
    persist_result=True,
    result_serializer="json",
)
@guarded
def pin_rows(
    fingerprint: str,
    files: dict[str, tuple[str, Path]],
    metadata: Path,
    plan: Path,
    models: list[ModelRef],
    pseudonyms: Path,
    folders: dict[str, Path],
    real: dict[str, Path],
    kept: tuple[str, ...],
    facts: dict[str, FileFacts],
    k: int,
) -> list[TableRef]:
    """Check the pinned rows, complete them, and write them beside the synthetic ones.

    Args:
        fingerprint: Of the sample and the files.
        files: By table, the file's name in the project file, and its path.
        metadata: JSON file of the schema.
        plan: Folder of the plan of the sample.
        models: The trained parts.
        pseudonyms: File of the secret that personal data are made with.
        folders: Folders of the synthetic tables.
        real: The real tables, whole.
        kept: Tables that are published as they are.
        facts: What the files of each table say of themselves.
        k: Rows that must share values before they tell of nobody.

    Returns:
        The parts that were written.

    Raises:
        ContractError: A row breaks a key, a rule or the table's types, or is a real one.
    """
    schema = read_metadata(metadata)
    parts = {model.table: TablePart.load(model.path) for model in models}
    for name in files:
        (folders[name] / PART).unlink(missing_ok=True)  # of a run that was interrupted
    sampler = Sampler.load(plan, schema, parts, pseudonym_key(pseudonyms))
    pins = {
        name: read_pins(path, file, schema.tables[name], parts[name].schema)
        for name, (file, path) in files.items()
    }
    check_not_real(schema, pins, real, k)
    stable = folders if sampler.keys.stable else {}
    check_references(schema, pins, {name: folders[name] for name in kept}, stable)
    whole = {name: _completed(one, sampler, folders[name]) for name, one in pins.items()}
    written = _write(whole, folders, facts, Disclosure(schema))
    for name, one in whole.items():
        _check_rules(schema, one, parts[name], folders, Disclosure(schema))
    progress().advance(STEP, len(pins), "pinned rows")
    return written


def _completed(one: Pins, sampler: Sampler, synthetic: Path) -> Pins:
    """The pinned rows of a table with all columns; no key is another row's, given or drawn."""
    whole = replace(one, rows=complete(one, sampler))
    check_own_keys(whole)
    check_keys_beside(whole, synthetic, sampler.parts[one.table.name])
    return whole


def _write(
    pins: Mapping[str, Pins],
    folders: Mapping[str, Path],
    facts: Mapping[str, FileFacts],
    told: Disclosure,
) -> list[TableRef]:
    """One file more for each table that has pinned rows."""
    written = []
    for name, one in pins.items():
        path, meaning = folders[name] / PART, told.metadata.tables[name]
        rows = write_published(path, one.rows.schema, one.rows.to_batches(), facts[name], meaning)
        written.append(table_ref(name, path, rows))
    return written


def pinned_rows(folders: Mapping[str, Path]) -> dict[str, int]:
    """How many rows are pinned, by table.

    Args:
        folders: Folders of the tables that have pinned rows.
    """
    return {name: pq.read_metadata(folder / PART).num_rows for name, folder in folders.items()}


def _check_rules(
    metadata: Metadata, one: Pins, part: TablePart, folders: dict[str, Path], told: Disclosure
) -> None:
    """Refuse pinned rows that break a rule; those of other tables are there by now."""
    if not part.rules.rules:
        return
    name = one.table.name
    tables = {**folders, name: folders[name] / PART}
    for text, count in broken_rows(metadata, name, part.rules, tables).items():
        if count:
            raise one.wrong(
                f"{count} of its rows break the rule '{told.rule(name, text)}', which holds on "
                "every row. Mend them, or set defaults.rules to none."
            )
