"""Private staging: where a run keeps real rows, models and its own state; never the sandbox."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

from prefect_synth.tasks.settings import StagingSettings
from prefect_synth.tasks.staged_run import RunState, StagedRun, new_run_id

_PRIVATE = 0o700


class StagingError(RuntimeError):
    """Staging cannot be used; the message names the folder and the cure."""


class RefreshRunningError(StagingError):
    """Another refresh of the same project is going."""


class Staging:
    """The private folder of one project.

    Args:
        root: The folder; it is made, readable for its owner only.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in (root, root / "runs", root / "models", root / "results"):
            _make_private(folder)
        # real rows never belong into a repository
        (root / ".gitignore").write_text("*\n", encoding="utf-8")

    @property
    def results(self) -> Path:
        """Where Prefect keeps the small results of cached tasks."""
        return self.root / "results"

    def model(self, table: str, fingerprint: str) -> Path:
        """Folder of a table's trained part."""
        return self.root / "models" / quote(table, safe="") / fingerprint

    def extensions(self, fingerprint: str) -> Path:
        """Folder of what parent rows know of their children."""
        return self.root / "extensions" / fingerprint

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
        return sorted(
            (StagedRun(f) for f in folders if f.is_dir()), key=lambda run: run.folder.name
        )

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
        _make_private(folder)
        run = StagedRun(folder)
        run.save(RunState(run_id=run_id, plan=plan))
        return run

    def clean(self, keep_runs: int) -> None:
        """Delete staged real rows of all but the last `keep_runs` finished runs.

        Models and extensions that none of the last two finished runs used go as well.
        """
        finished = [run for run in self.runs() if run.state.finished]
        for run in finished[: len(finished) - keep_runs]:
            run.forget_real_rows()
        used = {path for run in finished[-2:] for path in run.state.models}
        for folder in (*self.root.glob("models/*/*"), *self.root.glob("extensions/*")):
            if str(folder.relative_to(self.root)) not in used:
                shutil.rmtree(folder)


def open_staging(settings: StagingSettings, project: str, base: Path) -> Staging:
    """Open a project's private staging.

    Args:
        settings: The project file's `staging`.
        project: The project's name.
        base: Folder of the project file; relative paths start there.

    Raises:
        StagingError: The folder cannot be made or is not local.
    """
    url = settings.url or f".synth/{project}"
    parts = urlsplit(url)
    if parts.scheme not in {"", "file"}:
        raise StagingError(
            f"staging.url must be a local folder, got one of the kind '{parts.scheme}://'. "
            "Give a path, such as .synth/shop."
        )
    return Staging(base / (parts.path if parts.scheme else url))


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
    except OSError as error:
        raise StagingError(
            f"The staging folder '{folder}' cannot be made: {error.strerror}. Give another folder "
            "as staging.url."
        ) from None
