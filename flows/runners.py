"""Who runs the tasks of a refresh: one place makes the task runners, from the file's `run`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from prefect.context import SettingsContext, get_settings_context
from prefect.futures import PrefectFuture
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task
from prefect.utilities.annotations import quote

from prefect_synth.flows.run_settings import RunSettings
from prefect_synth.flows.runners_elsewhere import dask_runner, ray_runner
from prefect_synth.tasks.elsewhere import Place, carried, meeting_folder, placed
from prefect_synth.tasks.progress_file import hearing_workers
from prefect_synth.tasks.steps import private_folder

R = TypeVar("R")


class _Processor(Protocol):
    def __call__(self, message_type: str, message_payload: Any) -> tuple[str, Any] | None: ...


@dataclass(frozen=True)
class Runners:
    """The started task runners of a refresh.

    Args:
        here: Threads of the flow's own process, for tasks that hold a connection to the warehouse
            or the sandbox, or that need the whole snapshot.
        workers: For the tasks whose arguments are references to files in staging; they may run in
            another process or on another machine.
        meeting: The folder in staging by which workers know the refresh; None where they are
            threads.
    """

    here: TaskRunner[Any]
    workers: TaskRunner[Any]
    meeting: Path | None = None

    def start(self, task: Task[..., R], arguments: dict[str, Any]) -> PrefectFuture[R]:
        """Start a task where the workers are, with all that it needs there.

        Args:
            task: The task, from the top of its module.
            arguments: References to files in staging, and small settings.
        """
        if self.meeting is None:
            return self.workers.submit(task, quoted(arguments))
        place = Place(meeting=self.meeting, errors=private_folder())
        return self.workers.submit(placed(task, place), carried(arguments))


def quoted(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments in which Prefect need not look for futures."""
    return {name: quote(value) for name, value in arguments.items()}


@contextmanager
def started_runners(run: RunSettings, staging: Path) -> Iterator[Runners]:
    """Start the task runners, and stop them at the end.

    Args:
        run: The project file's `run`.
        staging: The project's staging, which this process holds for itself.

    Raises:
        MissingRunnerError: The runner's package is not installed.
        RunnerUnreachableError: Nobody answers at `run.address`.
    """
    threads: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(run.workers)
    with threads as here:
        if run.runner == "threads":
            yield Runners(here, here)
            return
        with meeting_folder(staging) as meeting, hearing_workers(meeting), _elsewhere(run) as found:
            yield Runners(here, found, meeting)


@contextmanager
def _elsewhere(run: RunSettings) -> Iterator[TaskRunner[Any]]:
    if run.runner == "dask":
        with dask_runner(run.workers, run.address) as runner:
            yield runner
    elif run.runner == "ray":
        with ray_runner(run.workers, run.address) as runner:
            yield runner
    else:
        told = [_told_where_we_tell(get_settings_context())]
        with ProcessPoolTaskRunner(
            run.workers, subprocess_message_processor_factories=told
        ) as runner:
            yield runner


def _told_where_we_tell(settings: SettingsContext) -> Callable[[], _Processor]:
    """See to it that what processes tell goes to the refresh's Prefect server.

    Prefect passes it on in a thread of its own, which would not know the server that we have
    started, and start another one: the tasks would have no states.
    """

    def begin() -> _Processor:
        settings.model_copy().__enter__()  # until the thread ends, with the runner
        return _as_it_is

    return begin


def _as_it_is(message_type: str, message_payload: Any) -> tuple[str, Any]:
    return message_type, message_payload
