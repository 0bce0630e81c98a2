"""Deleting from private staging: everything, parts of it, or one subject with all that is its own.

The warehouse is never touched, and published snapshots hold no real row of a generated table.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from prefect_synth.synth.privacy.ledger import FILE as LEDGER
from prefect_synth.synth.storage import folder_name
from prefect_synth.tasks.family import Family, PurgeError, family_of
from prefect_synth.tasks.looks import FOLDER as LOOKS
from prefect_synth.tasks.oversampled import FOLDER
from prefect_synth.tasks.references import file_fingerprint
from prefect_synth.tasks.reuse import read_trained
from prefect_synth.tasks.staged_rows import staged_files, without_rows
from prefect_synth.tasks.staged_run import CATALOGUE, COMPARED, LEARNED, StagedRun
from prefect_synth.tasks.staging import SKETCHES, Staging
from prefect_synth.tasks.synthesis import read_metadata

__all__ = ["PurgeError", "Purged", "purge_parts", "purge_subject"]

# without the catalogue the next refresh would take every new column for an accepted one
# what was spent of somebody's privacy stays spent
_STAYS = frozenset({"lock", ".gitignore", CATALOGUE, LEDGER, f"{LEDGER}.lock"})
_PARTS = {
    "runs": ("runs", "errors", "published", "quarantine", "judged", FOLDER, SKETCHES, LOOKS),
    "models": ("models", "extensions", "links", "shared", "judged", "results"),
    "pseudonyms": ("pseudonyms.key",),
}


@dataclass
class Purged:
    """What was deleted, in numbers.

    Args:
        parts: Parts of staging that were deleted whole.
        runs: Runs that were looked into.
        rows: Rows deleted by table.
        profiles: Tables whose remembered hashes were deleted.
        reports: Private reports that were deleted.
        samples: Runs whose sampled tables were deleted, published or refused: tables that are
            published as they are hold real rows.
        models: Models that were deleted, of tables and of what parents know of their children.
        unfinished: Interrupted runs that were deleted whole.
    """

    parts: list[str] = field(default_factory=list)
    runs: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    profiles: int = 0
    reports: int = 0
    samples: int = 0
    models: int = 0
    unfinished: int = 0

    @property
    def touched(self) -> bool:
        """Whether something was deleted that held the subject, or may have."""
        return bool(self.rows or self.models or self.samples or self.reports)

    @property
    def retrain(self) -> bool:
        """Whether the next refresh has to train anew."""
        return self.models > 0 or bool({"models", "everything"} & set(self.parts))


def purge_parts(staging: Staging, parts: Iterable[str]) -> Purged:
    """Delete parts of staging whole.

    Args:
        staging: The project's staging.
        parts: `runs`, `models`, `pseudonyms`, or `everything`.

    Raises:
        RefreshRunningError: A refresh is going.
    """
    done = Purged()
    with staging.lock():
        for part in parts:
            there = [p.name for p in staging.root.iterdir() if p.name not in _STAYS]
            done.runs += len(staging.runs()) if part in ("runs", "everything") else 0
            for name in there if part == "everything" else _PARTS[part]:
                _delete(staging.root / name)
            done.parts.append(part)
    Staging(staging.root)  # its empty folders
    return done


def purge_subject(staging: Staging, table: str, key: tuple[str, ...]) -> Purged:
    """Delete one row and all rows that descend from it, with what was learned from them.

    Args:
        staging: The project's staging.
        table: The subject's table.
        key: Its primary key, as texts.

    Raises:
        PurgeError: There is no such table, or the key does not fit it.
        RefreshRunningError: A refresh is going.
    """
    done = Purged()
    with staging.lock():
        _delete(staging.root / SKETCHES)  # nobody can tell whether the subject was in a sample
        _delete(staging.root / LOOKS)
        innocent = {
            run.folder.name
            for run in staging.runs()
            if not _purge_run(staging, run, table, key, done)
        }
        _forget_refused(staging, innocent, done)
        _forget_learned(staging, innocent, done)
        if done.touched:
            for run in staging.runs():
                _delete(run.folder / "profiles" / LEARNED)  # it may be of an earlier run's rows
            done.profiles += int(_delete(staging.last_profiles))
            _delete(staging.root / FOLDER)
    return done


def _forget_refused(staging: Staging, innocent: Collection[str], done: Purged) -> None:
    """Refused tables and their reports, but those of runs that are known not to hold the subject.

    Tables that are published as they are hold real rows, and others may: that is why a gate
    refuses them.
    """
    for folder in (staging.root / "quarantine").glob("*"):
        if folder.name not in innocent:
            done.samples += int(_delete(folder / "synthetic"))
            done.reports += int(_delete(folder / "report.html"))


def _forget_learned(staging: Staging, innocent: Collection[str], done: Purged) -> None:
    """All that was learned from rows, but by runs that are known not to hold the subject.

    A run that was killed may not have noted yet what it learned. A run that reused models has
    learned from the rows of the one that trained them, which may be gone.
    """
    known: set[Path] = set()
    for run in staging.runs():
        trained = read_trained(run.folder)
        if run.folder.name in innocent and (trained is None or trained.run_id in innocent):
            known |= {staging.root / path for path in run.state.models}
        elif run.state.models:
            run.update(models=())
    done.models += staging.forget_learned(known)


def _purge_run(
    staging: Staging, run: StagedRun, table: str, key: tuple[str, ...], done: Purged
) -> bool:
    """Purge one run; whether it held the subject, or may have."""
    done.runs += 1
    metadata_file = run.folder / "metadata.json"
    if not (run.folder / "real").is_dir() or not metadata_file.is_file():
        _forget_made(staging, run, done)  # nobody can tell any more whose rows it saw
        return True
    metadata = read_metadata(metadata_file)
    files = {name: staged_files(run, name) for name in metadata.tables}
    family = family_of(metadata, files, table, key)
    if not family.size:
        return False
    for name, rows in family.rows.items():
        done.rows[name] = done.rows.get(name, 0) + sum(len(at) for at in rows.values())
    _forget_made(staging, run, done)  # first: without the rows nobody could tell that it must go
    if run.state.finished:
        _take_out(run, family, done)
    else:
        shutil.rmtree(run.folder)
        done.unfinished += 1
    return True


def _forget_made(staging: Staging, run: StagedRun, done: Purged) -> None:
    """Delete what was made from a run's rows: models, the sample, the private report."""
    for path in run.state.models:
        done.models += int(_delete(staging.root / path))
    if run.state.models:
        run.update(models=())
    done.samples += int(_delete(run.folder / "synthetic"))
    done.reports += int(_delete(run.report))
    _delete(run.figures)


def _take_out(run: StagedRun, family: Family, done: Purged) -> None:
    """Rewrite the staged files, and forget what the run remembers of the tables."""
    for name, rows in family.rows.items():
        for file, at in rows.items():
            without_rows(file, at)
        profile = run.folder / "profiles" / folder_name(name)
        done.profiles += int(_delete(profile))
    _delete(run.errors)
    for name in (LEARNED, COMPARED):
        _delete(run.folder / "profiles" / name)
    state = run.state
    run.update(
        pulled=tuple(ref.model_copy(update=_changed(ref.path, family)) for ref in state.pulled),
        held_out=tuple(ref.model_copy(update=_changed(ref.path, family)) for ref in state.held_out),
    )


def _changed(path: Path, family: Family) -> dict[str, object]:
    """What is new of a staged file that rows were taken out of."""
    if path not in family.left:
        return {}
    return {"rows": family.left[path], "fingerprint": file_fingerprint(path)}


def _delete(path: Path) -> bool:
    """Delete a file or a folder; whether there was one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
        return True
    there = path.exists() or path.is_symlink()
    path.unlink(missing_ok=True)
    return there
