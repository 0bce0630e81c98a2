"""Task runners of Dask and Ray: a cluster of this machine's, or one that runs already."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from prefect.task_runners import TaskRunner


class RunnerError(RuntimeError):
    """The tasks of a refresh cannot be run as the project file says."""


class MissingRunnerError(RunnerError):
    """The package of a task runner is not installed."""


class RunnerUnreachableError(RunnerError):
    """The cluster of a task runner does not answer."""


@contextmanager
def dask_runner(workers: int, address: str | None) -> Iterator[TaskRunner[Any]]:
    """Dask's task runner, connected.

    Args:
        workers: Processes of a cluster on this machine.
        address: A scheduler that runs already, such as `tcp://scheduler:8786`.

    Raises:
        MissingRunnerError: prefect-dask is not installed.
        RunnerUnreachableError: No scheduler answers.
    """
    module = _module("prefect_dask", "dask")
    logging.getLogger("distributed").setLevel(logging.WARNING)  # it tells of every connection
    own = {
        "n_workers": workers,
        "threads_per_worker": 1,
        "memory_limit": 0,  # `run.memory` bounds it; a nanny would kill the worker instead
        "dashboard_address": None,
    }
    runner = module.DaskTaskRunner(address=address, cluster_kwargs=None if address else own)
    with runner:
        with _reached("Dask", address):
            runner.client.scheduler_info()
        yield runner


@contextmanager
def ray_runner(workers: int, address: str | None) -> Iterator[TaskRunner[Any]]:
    """Ray's task runner, connected.

    Args:
        workers: Processes of a cluster on this machine.
        address: A cluster that runs already, such as `ray://head:10001`.

    Raises:
        MissingRunnerError: prefect-ray is not installed.
        RunnerUnreachableError: No cluster answers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody outside
    module = _module("prefect_ray", "ray")
    own = {"num_cpus": workers, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    options = {"log_to_driver": False, **({} if address else own)}
    with _reached("Ray", address, Exception):  # of one that starts too slowly it raises just that
        runner = _started_ray(module, address, options)
    try:
        yield runner
    finally:
        runner.__exit__(None, None, None)


def _started_ray(
    module: ModuleType, address: str | None, options: dict[str, Any], tries: int = 3
) -> TaskRunner[Any]:
    """Ray gives the processes of a cluster 15 seconds to start, which a busy machine exceeds."""
    runner: TaskRunner[Any] = module.RayTaskRunner(address=address, init_kwargs=options)
    try:
        return runner.__enter__()
    except Exception:
        import_module("ray").shutdown()
        if address or tries == 1:
            raise
    return _started_ray(module, address, options, tries - 1)


def _module(name: str, extra: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise MissingRunnerError(
            f"run.runner is '{extra}', and {name.replace('_', '-')} is not installed. Install it "
            f"(pip install 'prefect-synth[{extra}]'), or set run.runner to threads or processes."
        ) from None


@contextmanager
def _reached(kind: str, address: str | None, other: type[Exception] = OSError) -> Iterator[None]:
    try:
        yield
    except (OSError, TimeoutError, other) as error:
        if address:
            what, remedy = f"at run.address '{address}'", "Start its cluster, correct run.address"
        else:
            what = "on this machine, where it was to start"
            remedy = "Try again when the machine is less busy"
        raise RunnerUnreachableError(
            f"{kind} does not answer {what} ({type(error).__name__}). {remedy}, or set run.runner "
            "to threads or processes."
        ) from None
