"""The step `compare`: are the rows of tonight still those that the models learned from?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from prefect_synth.expectations.rows_profile import RowsProfile, profile_rows
from prefect_synth.synth.people import unit_codes
from prefect_synth.tasks.folders import write_atomically
from prefect_synth.tasks.progress import progress
from prefect_synth.tasks.staged_run import COMPARED
from prefect_synth.tasks.staged_run import LEARNED as FILE
from prefect_synth.tasks.steps import guarded
from prefect_synth.tasks.synthesis import read_metadata

STEP = "compare"


@task(name=STEP, task_run_name=STEP, cache_policy=NO_CACHE, persist_result=False)
@guarded
def profile_staged(
    tables: Sequence[str],
    metadata: Path,
    whole: Mapping[str, Path],
    units: tuple[str, ...],
    workers: int,
) -> dict[str, RowsProfile]:
    """Profile the staged rows of tables; the profiles never leave this process and staging.

    Args:
        tables: Names of the tables.
        metadata: JSON file of the schema.
        whole: Folder of each staged table.
        units: The tables whose rows are the root entities of what is held out.
        workers: How many tables are profiled at a time.
    """
    schema, listener = read_metadata(metadata), progress()

    def profile(table: str) -> RowsProfile:
        families = unit_codes(schema, whole, table, units)
        found = profile_rows(whole[table], table, schema, families)
        listener.advance(STEP, 1, table)
        return found

    with ThreadPoolExecutor(workers) as pool:
        return dict(zip(tables, pool.map(profile, tables), strict=True))


def save_learned(folder: Path, profiles: Mapping[str, RowsProfile]) -> None:
    """Keep the profiles of the rows that models are trained on.

    Args:
        folder: A folder of private staging.
        profiles: Profile by table.
    """
    folder.mkdir(parents=True, exist_ok=True)
    document = {name: profile.to_dict() for name, profile in profiles.items()}
    write_atomically(folder / FILE, json.dumps(document))


def forget_learned(folder: Path) -> None:
    """Delete what `save_learned` kept, if it did."""
    (folder / FILE).unlink(missing_ok=True)


def read_learned(folder: Path) -> dict[str, RowsProfile] | None:
    """What `save_learned` kept; None where there is nothing, or another version wrote it."""
    return _read(folder / FILE)


def save_compared(folder: Path, profiles: Mapping[str, RowsProfile]) -> None:
    """Keep the profiles of a night's rows for the next one, by a fingerprint of these rows.

    Args:
        folder: A folder of private staging.
        profiles: Profile by fingerprint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    document = {key: profile.to_dict() for key, profile in profiles.items()}
    write_atomically(folder / COMPARED, json.dumps(document))


def read_compared(folder: Path) -> dict[str, RowsProfile]:
    """What `save_compared` kept; nothing where there is nothing, or another version wrote it."""
    return _read(folder / COMPARED) or {}


def _read(file: Path) -> dict[str, RowsProfile] | None:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return {name: RowsProfile.from_dict(profile) for name, profile in document.items()}
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return None
