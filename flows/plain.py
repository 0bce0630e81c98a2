"""Tasks called as the plain functions that they are: no Prefect run, no server, the same cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, Self, TypeVar

from prefect.client.schemas.objects import State
from prefect.filesystems import LocalFileSystem
from prefect.futures import PrefectFuture
from prefect.results import ResultStore, resolve_serializer
from prefect.states import Completed, Failed, Running
from prefect.task_runners import TaskRunner
from prefect.tasks import Task
from prefect.utilities.annotations import quote

from prefect_synth.flows.runners import Runners
from prefect_synth.tasks.steps import cache_key

R = TypeVar("R")


class PlainFuture(PrefectFuture[R]):
    """The result of a plain call in another thread.

    Args:
        future: The thread's: what the call returned, and whether it was kept from before.
    """

    def __init__(self, future: Future[tuple[R, bool]]) -> None:
        self._future = future

    @property
    def state(self) -> State[R]:
        """What became of the call, in Prefect's words."""
        if not self._future.done():
            return Running()
        if self._future.exception():
            return Failed()
        return Completed(name="Cached" if self._future.result()[1] else "Completed")

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the call is over, however it ended."""
        self._future.exception(timeout)

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> R:
        """What the call returned; the error that ended it is raised."""
        return self._future.result(timeout)[0]

    def add_done_callback(self, fn: Callable[[PrefectFuture[R]], None]) -> None:
        """Call `fn` with this future at the end."""
        self._future.add_done_callback(lambda _: fn(self))


class PlainTaskRunner(TaskRunner[PlainFuture[Any]]):
    """Calls tasks in threads, outside of any Prefect run.

    Results of cached tasks are kept where a Prefect run keeps them and in the same form, so that
    neither repeats what the other one has done. Retries are left to whoever calls.

    Args:
        workers: How many tasks are called at a time.
    """

    def __init__(self, workers: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.workers = workers
        self._pool: ThreadPoolExecutor | None = None

    def duplicate(self) -> Self:
        """Another one like this."""
        return type(self)(self.workers)

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(self.workers)
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def submit(
        self,
        task: Task[..., R],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
        dependencies: dict[str, set[Any]] | None = None,
    ) -> PlainFuture[R]:
        """Call a task.

        Args:
            task: The task.
            parameters: Its arguments; none may be a future.
            wait_for: Not used: the steps of a refresh wait for each other by themselves.
            dependencies: Not used.

        Raises:
            RuntimeError: The runner was not started.
        """
        if self._pool is None:
            raise RuntimeError("The runner must be entered by `with` before tasks are submitted.")
        arguments = {name: _plain(value) for name, value in parameters.items()}
        return PlainFuture(self._pool.submit(copy_context().run, called, task, arguments))


def called(task: Task[..., R], arguments: dict[str, Any]) -> tuple[R, bool]:
    """Call a task's function, or take what it returned before, where it is cached.

    Args:
        task: The task.
        arguments: Its arguments.

    Returns:
        What the function returned, and whether that was kept from before.
    """
    if not task.persist_result:
        return task.fn(**arguments), False
    # as Prefect's engine would, which asks a server first
    results = ResultStore(
        result_storage=LocalFileSystem(basepath=str(task.result_storage)),
        serializer=resolve_serializer(task.result_serializer or "json"),
    )
    key = cache_key(task.name, arguments["fingerprint"])
    if not task.refresh_cache and results.exists(key):
        return results.read(key).result, True
    made = task.fn(**arguments)
    results.write(made, key=key)
    return made, False


@contextmanager
def plain_runners(workers: int) -> Iterator[Runners]:
    """Start runners that call tasks plainly, and stop them at the end.

    Args:
        workers: How many tasks are called at a time.
    """
    with PlainTaskRunner(workers) as here:
        yield Runners(here, here)


def _plain(value: Any) -> Any:
    return value.unquote() if isinstance(value, quote) else value
