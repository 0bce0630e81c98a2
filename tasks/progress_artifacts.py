"""Progress in Prefect's interface: an artifact for each step of a run that takes its time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import cache
from threading import Event, Lock, Thread
from time import perf_counter
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate

from prefect_synth.tasks.progress import also_listening
from prefect_synth.tasks.telling import run_log

PATIENCE = 3.0
"""Seconds after which a step is shown, and between two updates."""


@dataclass
class _Bar:
    """A step that is going on, or was shown and is done."""

    step: str
    total: int | None
    started: float = field(default_factory=perf_counter)
    done: int = 0
    detail: str = ""
    seconds: float | None = None
    artifact: UUID | None = None
    shown: str = ""

    @property
    def percent(self) -> float:
        if self.seconds is not None:
            return 100.0
        return min(99.0, round(100 * self.done / self.total, 1)) if self.total else 0.0

    @property
    def text(self) -> str:
        """`train: 3 of 8, at orders`, or `train: done in 31.0 s`."""
        if self.seconds is not None:
            return f"{self.step}: done in {self.seconds:.1f} s"
        count = f"{self.done:,} of {self.total:,}" if self.total else f"{self.done:,} so far"
        return f"{self.step}: {count}" + (f", at {self.detail}" if self.detail else "")


class ProgressArtifacts:
    """Shows the steps of a run that take longer than a few seconds, one artifact for each.

    A thread of its own talks to Prefect, every few seconds and only of what has changed: no step
    waits for it. What fails there takes nothing from the run.

    Args:
        project: The project's name; the artifacts' keys are `<project>-progress-<step>`.
        flow_run: The run.
        patience: Seconds after which a step is shown, and between two updates.
    """

    def __init__(self, project: str, flow_run: UUID, patience: float = PATIENCE) -> None:
        self._project, self._flow_run, self._patience = project, flow_run, patience
        self._bars: dict[str, _Bar] = {}
        self._done: list[_Bar] = []
        self._lock, self._over, self._log = Lock(), Event(), run_log()
        self._failed = False
        self._thread = Thread(target=copy_context().run, args=(self._show_until_over,), daemon=True)

    def begin(self, step: str, total: int | None) -> None:
        """Remember when a step began; one of the same name may have been done before."""
        with self._lock:
            self._bars[step] = _Bar(step, total)

    def advance(self, step: str, amount: int, detail: str = "") -> None:
        """Remember how far a step is, and which table it is at."""
        with self._lock:
            if step in self._bars:
                bar = self._bars[step]
                bar.done, bar.detail = bar.done + amount, detail

    def end(self, step: str) -> None:
        """A step that is shown is shown as done; a quick one never is."""
        with self._lock:
            bar = self._bars.pop(step)
            bar.seconds = perf_counter() - bar.started
            if bar.artifact is not None or bar.seconds >= self._patience:
                self._done.append(bar)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Show how it ended, and look no more."""
        self._over.set()
        self._thread.join()

    def _show_until_over(self) -> None:
        # one client, made when there is something to tell: each reads all certificates
        with ExitStack() as end:
            client = cache(lambda: end.enter_context(get_client(sync_client=True)))
            while not self._over.wait(self._patience):
                self._show(client)
            self._show(client)

    def _show(self, client: Callable[[], SyncPrefectClient]) -> None:
        now = perf_counter()
        with self._lock:
            late = [bar for bar in self._bars.values() if now - bar.started >= self._patience]
            shown = [*self._done, *late]
            told = [(bar, bar.text, bar.percent) for bar in shown if bar.text != bar.shown]
        try:
            for bar, text, percent in told:
                self._tell(client(), bar, text, percent)
        except Exception as error:  # the run is worth more than a picture of it
            self._warn(error)
        with self._lock:
            self._done = [bar for bar in self._done if bar.text != bar.shown]

    def _warn(self, error: Exception) -> None:
        if not self._failed:
            self._log.warning(f"Progress could not be shown: {type(error).__name__}.")
        self._failed = True

    def _tell(self, client: SyncPrefectClient, bar: _Bar, text: str, percent: float) -> None:
        if bar.artifact is None:
            created = ArtifactCreate(
                key=f"{self._project}-progress-{bar.step.replace(' ', '-')}",
                type="progress",
                description=text,
                data=percent,
                flow_run_id=self._flow_run,
            )
            bar.artifact = client.create_artifact(created).id
        else:
            client.update_artifact(bar.artifact, ArtifactUpdate(description=text, data=percent))
        bar.shown = text


@contextmanager
def showing_progress_in_prefect(project: str, flow_run: str | None) -> Iterator[None]:
    """Show long steps as artifacts while the context is open.

    Args:
        project: The project's name.
        flow_run: The run; outside of one, nothing is shown.
    """
    if flow_run is None:
        yield
        return
    artifacts = ProgressArtifacts(project, UUID(flow_run))
    artifacts.start()
    try:
        with also_listening(artifacts):
            yield
    finally:
        artifacts.stop()
