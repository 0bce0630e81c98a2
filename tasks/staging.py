"""Private staging: where a run keeps real rows, models and its own state; never the sandbox."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

from prefect_synth.tasks.folders import write_atomically, written_whole
from prefect_synth.tasks.looks import forget_looks
from prefect_synth.tasks.private_folder import StagingError, close_to_others, make_private
from prefect_synth.tasks.reuse import FILE, Trained, read_trained
from prefect_synth.tasks.settings import StagingSettings
from prefect_synth.tasks.sources import FILE as SOURCES
from prefect_synth.tasks.sources import Sources, read_sources
from prefect_synth.tasks.staged_run import (
    CATALOGUE,
    UNCHANGED,
    RunState,
    StagedRun,
    new_run_id,
)

SKETCHES = "sketches"
"""Folder of what samples of the warehouse's tables showed: real data."""
_KEEP_MODELS = 2
_LEARNED = ("models/*/*", "extensions/*/*", "links/*", "shared/*", "judged/*/*")
"""Folders under staging of what was learned from real rows, each named by a fingerprint."""
_KEEP_REPORTS = 30
_KEEP_QUARANTINED = 3


class RefreshRunningError(StagingError):
    """Another refresh of the same project is going."""


class Staging:
    """The private folder of one project.

    Args:
        root: The folder; it is made, readable for its owner only.
        make: Whether to make it where it is not there; there is nothing to be found then.
    """

    def __init__(self, root: Path, make: bool = True) -> None:
        self.root = root
        if not make and not root.exists():
            return
        make_private(root)
        close_to_others(root)
        for part in ("runs", "models", "results"):
            make_private(root / part)
        # real rows never belong into a repository
        (root / ".gitignore").write_text("*\n", encoding="utf-8")

    @property
    def results(self) -> Path:
        """Where Prefect keeps the small results of cached tasks."""
        return self.root / "results"

    @property
    def errors(self) -> Path:
        """Texts of errors that ended a refresh before it had a folder of its own."""
        return self.root / "errors"

    @property
    def pseudonyms(self) -> Path:
        """The secret that personal data are made with; it never leaves staging."""
        return self.root / "pseudonyms.key"

    def model(self, table: str, fingerprint: str) -> Path:
        """Folder of a table's trained part."""
        return self.root / "models" / quote(table, safe="") / fingerprint

    def links(self, fingerprint: str) -> Path:
        """Folder of how the rows of all tables hang together."""
        return self.root / "links" / fingerprint

    def extended(self, table: str, fingerprint: str) -> Path:
        """Folder of what a table's rows know of their children."""
        return self.root / "extensions" / quote(table, safe="") / fingerprint

    def shared(self, fingerprint: str) -> Path:
        """Folder of the ways to the values that personal columns share."""
        return self.root / "shared" / fingerprint

    def judged(self, table: str, fingerprint: str) -> Path:
        """Folder of the judgement of a table, and of what is remembered of the real one."""
        return self.root / "judged" / quote(table, safe="") / fingerprint

    def last_figures(self) -> Path | None:
        """File of the figures that the last judgement asked for, if there was one."""
        files = [run.figures for run in self.runs() if run.figures.is_file()]
        return files[-1] if files else None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the project for one refresh; the kernel lets go when the process dies.

        Raises:
            RefreshRunningError: Another refresh of this project is going.
        """
        with (self.root / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise RefreshRunningError(
                    f"A refresh of this project is going (process {file.read() or 'unknown'}, "
                    f"staging '{self.root}'). Wait until it is done, or end it, and try again."
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def runs(self) -> list[StagedRun]:
        """All runs that left something here, the oldest first."""
        folders = (self.root / "runs").iterdir()
        return sorted((StagedRun(f) for f in folders if f.is_dir()), key=lambda r: r.state.started)

    def run(self, run_id: str) -> StagedRun:
        """A run by its name; one that is not here has staged nothing."""
        return StagedRun(self.root / "runs" / quote(run_id, safe=""))

    def begin(self, plan: str) -> StagedRun:
        """Go on with the interrupted run where its staged rows are whole, or begin a new one.

        Args:
            plan: Fingerprint of project file and catalogue; another plan needs other rows.

        Returns:
            The run; those that can never be finished are deleted with their real rows.
        """
        resumed: StagedRun | None = None
        for run in reversed(self.runs()):
            if run.state.finished:
                continue
            if resumed is None and run.resumable(plan):
                resumed = run
            else:
                shutil.rmtree(run.folder)
        return resumed or self._new_run(plan)

    def _new_run(self, plan: str) -> StagedRun:
        run_id = new_run_id()
        folder = self.root / "runs" / run_id
        make_private(folder)
        run = StagedRun(folder)
        run.save(RunState(run_id=run_id, plan=plan))
        return run

    def quarantine(self, run: StagedRun) -> Path:
        """Keep what a gate refused for inspection: tables, verdicts and report.

        Returns:
            The folder; of several the last few are kept.
        """
        folder = self.root / "quarantine" / run.folder.name
        make_private(folder)
        for part in ("synthetic", "verdicts"):
            if (run.folder / part).is_dir():
                # the run was killed while it was refused, and went on
                shutil.rmtree(folder / part, ignore_errors=True)
                os.replace(run.folder / part, folder / part)
        shutil.copy2(run.report, folder / run.report.name)
        kept = sorted(folder.parent.iterdir())[-_KEEP_QUARANTINED:]
        for old in folder.parent.iterdir():
            if old not in kept:
                shutil.rmtree(old)
        return folder

    @property
    def first_catalogue(self) -> Path:
        """What the first published refresh saw of the catalogue: names, types and hashes."""
        return self.root / CATALOGUE

    @property
    def sketches(self) -> Path:
        """Folder of what samples of the warehouse's tables showed."""
        return self.root / SKETCHES

    @property
    def drift(self) -> Path:
        """Since when each change of the warehouse is there: names and times."""
        return self.root / "drift.json"

    @property
    def last_profiles(self) -> Path:
        """Folder of what is remembered of the real tables at the last published snapshot."""
        return self.root / "published" / "profiles"

    def remember(self, run: StagedRun) -> None:
        """Keep the profiles of a published run, for the next one to tell what moved.

        Which models it was drawn with, and what it was made from, is kept beside them. Of the first
        one it is kept for good what it saw of the catalogue: that is what drift is told from where
        there is no lock file.
        """
        self._keep_first(run)
        with written_whole(self.last_profiles) as unfinished:
            shutil.copytree(run.folder / "profiles", unfinished, dirs_exist_ok=True)
            for name in ("metadata.json", FILE, SOURCES):
                with suppress(FileNotFoundError):
                    shutil.copy2(run.folder / name, unfinished)

    def _keep_first(self, run: StagedRun) -> None:
        if not self.first_catalogue.exists():
            with suppress(FileNotFoundError):
                seen = run.catalogue.read_text(encoding="utf-8")
                write_atomically(self.first_catalogue, seen)

    def settle(
        self,
        published: Callable[[], Collection[str]],
        tell: Callable[[str], None] = lambda run_id: None,
    ) -> None:
        """Finish the runs that were cut off after their snapshot had become visible.

        Their profiles are remembered, where they are there: the next refresh tells what moved
        since that snapshot, not since an older one.

        Args:
            published: Gives the runs whose snapshots are in the sandbox; asked only where needed.
            tell: Tells that the snapshot of a run is there, which the run may not have done.
        """
        unfinished = [run for run in self.runs() if not run.state.finished]
        visible = published() if unfinished else ()
        for run in unfinished:
            if run.state.run_id in visible:
                with suppress(OSError):  # as after publishing: it takes nothing from the snapshot
                    self.remember(run)
                tell(run.state.run_id)
                run.update(outcome="published")

    def clean(self, keep_runs: int) -> None:
        """Delete staged real rows of all but the last `keep_runs` finished runs.

        Models that neither the last two runs with models, nor the last published one, nor an
        unfinished one used go as well, and so does all that is left of much older runs. Runs that
        changed nothing left no rows, and are counted apart: they push nothing out.
        """
        shutil.rmtree(self.errors, ignore_errors=True)
        forget_looks(self.root)
        over = [run for run in self.runs() if run.state.finished]
        finished = [run for run in over if run.state.outcome != UNCHANGED]
        unchanged = [run for run in over if run.state.outcome == UNCHANGED]
        for run in unchanged[:-_KEEP_REPORTS]:
            shutil.rmtree(run.folder)
        for run in finished[: max(0, len(finished) - keep_runs)]:
            run.forget_real_rows()
        for run in finished[: max(0, len(finished) - max(keep_runs, _KEEP_REPORTS))]:
            shutil.rmtree(run.folder)
        self._forget_models()

    @property
    def last_sources(self) -> Sources | None:
        """What the last published snapshot was made from, if there was one."""
        return read_sources(self.last_profiles)

    def report_of(self, run_id: str) -> Path | None:
        """The private report of a run, if it is still there."""
        report = self.run(run_id).report
        return report if report.is_file() else None

    @property
    def last_models(self) -> Trained | None:
        """The models of the last published snapshot, if there was one; staging may have moved."""
        trained = read_trained(self.last_profiles)
        return None if trained is None else self._here(trained)

    def _here(self, trained: Trained) -> Trained:
        known = trained.extensions
        extensions = known.at(self.links(known.path.name)).model_copy(
            update={
                "tables": {name: self.extended(name, f.name) for name, f in known.tables.items()},
                "shared": None if known.shared is None else self.shared(known.shared.name),
            }
        )
        models = tuple(ref.at(self.model(ref.table, ref.path.name)) for ref in trained.models)
        return trained.model_copy(update={"extensions": extensions, "models": models})

    def _forget_models(self) -> None:
        users = [run.state for run in self.runs() if run.state.models]
        last = [state for state in users if state.finished][-_KEEP_MODELS:]
        kept = [*last, *(state for state in users if not state.finished)]
        used = {self.root / path for state in kept for path in state.models}
        used |= set(self.last_models.paths if self.last_models else ())
        self.forget_learned(used)
        if kept:
            self._forget_results({path.name for path in used}, min(state.started for state in kept))

    def forget_learned(self, used: Collection[Path]) -> int:
        """Delete what was learned from real rows, but what is named.

        Args:
            used: The folders that stay.

        Returns:
            How many folders were deleted.
        """
        learned = [found for pattern in _LEARNED for found in self.root.glob(pattern)]
        unused = [f for f in learned if f not in used and f.parent not in used]
        for folder in unused:
            shutil.rmtree(folder, ignore_errors=True)
        return len(unused)

    def _forget_results(self, used: Collection[str], since: datetime) -> None:
        """Delete Prefect's small results, unless a model that is kept or a later run has them."""
        for file in self.results.iterdir():
            old = file.stat().st_mtime < since.timestamp()
            if old and file.name.rpartition("-")[2] not in used:
                file.unlink(missing_ok=True)


def open_staging(settings: StagingSettings, project: str, base: Path, make: bool = True) -> Staging:
    """Open a project's private staging.

    Args:
        settings: The project file's `staging`.
        project: The project's name.
        base: Folder of the project file; relative paths start there.
        make: Whether to make it where it is not there.

    Raises:
        StagingError: The folder cannot be made or is not local.
    """
    return Staging(staging_folder(settings, project, base), make)


def staging_folder(settings: StagingSettings, project: str, base: Path) -> Path:
    """Where a project's private staging is or will be; nothing is made.

    Args:
        settings: The project file's `staging`.
        project: The project's name.
        base: Folder of the project file; relative paths start there.

    Raises:
        StagingError: The folder is not local.
    """
    url = settings.url or f".synth/{project}"
    parts = urlsplit(url)
    if parts.scheme not in {"", "file"}:
        raise StagingError(
            f"staging.url must be a local folder, got one of the kind '{parts.scheme}://'. "
            "Give a path, such as .synth/shop."
        )
    return base / (parts.path if parts.scheme else url)
