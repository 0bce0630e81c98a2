"""Who runs the tasks of a refresh: one place makes the task runners, from the file's `run`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from prefect_synth.flows.run_settings import RunSettings


@dataclass(frozen=True)
class Runners:
    """The started task runners of a refresh.

    Args:
        here: Threads of the flow's own process, for tasks that hold a connection to the warehouse
            or the sandbox, or that need the whole snapshot.
        workers: For the tasks whose arguments are references to files in staging; they may run in
            another process or on another machine.
    """

    here: TaskRunner[Any]
    workers: TaskRunner[Any]


@contextmanager
def started_runners(run: RunSettings) -> Iterator[Runners]:
    """Start the task runners, and stop them at the end.

    Args:
        run: The project file's `run`.
    """
    threads: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(run.workers)
    with threads as here:
        yield Runners(here, here)
