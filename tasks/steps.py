"""What every step of a refresh shares: cache keys, retries, and errors that tell no secret."""

from __future__ import annotations

import functools
import secrets
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect.cache_policies import CacheKeyFnPolicy, CachePolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.tasks import Task

from prefect_synth.tasks.databases.errors import TargetConnectionError
from prefect_synth.tasks.snapshots.errors import SandboxUnreachableError
from prefect_synth.tasks.warehouses.errors import ConnectionFailed, SnapshotLost

P = ParamSpec("P")
R = TypeVar("R")

_OUR_PACKAGE = "prefect_synth."
_PRIVATE: ContextVar[Path | None] = ContextVar("private_errors", default=None)


class StepError(RuntimeError):
    """A step failed for a reason that this package does not know; the text is kept private."""


def keyed_by(argument: str) -> CachePolicy:
    """Cache a task's result by one of its arguments, which is a fingerprint."""

    def key(context: TaskRunContext, arguments: dict[str, Any]) -> str:
        return cache_key(context.task.name, arguments[argument])

    return CacheKeyFnPolicy(cache_key_fn=key)


def cache_key(task: str, fingerprint: str) -> str:
    """Under which name the result of a task is kept."""
    return f"{task}-{fingerprint}"


def is_transient(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether to try again: only a lost connection may be back the next time.

    A lost snapshot never is; then all tables must be pulled again.
    """
    ways_to_lose = ConnectionFailed | SandboxUnreachableError | TargetConnectionError
    lost = isinstance(state.data, ways_to_lose)
    return lost and not isinstance(state.data, SnapshotLost)


@contextmanager
def private_errors(folder: Path | None) -> Iterator[None]:
    """Keep the full text of unknown errors in `folder`, in private staging."""
    token = _PRIVATE.set(folder)
    try:
        yield
    finally:
        _PRIVATE.reset(token)


def private_folder() -> Path | None:
    """Where the full text of unknown errors is kept now."""
    return _PRIVATE.get()


def guarded(function: Callable[P, R]) -> Callable[P, R]:
    """Guard a whole function; see `guard`."""

    @functools.wraps(function)
    def step(*args: P.args, **kwargs: P.kwargs) -> R:
        with guard():
            return function(*args, **kwargs)

    return step


@contextmanager
def guard() -> Iterator[None]:
    """Keep a library's error text out of Prefect's API, since it may quote a real value.

    Our own errors are made for people and pass, and so do those of the operating system, which
    name files at most; what caused them does not. Any other is told by its kind only; its text
    goes to private staging.
    """
    try:
        yield
    except Exception as error:
        if not (_is_ours(error) or _of_the_system(error)):
            raise _told_by_kind(error) from None
        if (not error.__suppress_context__ and error.__context__) or error.__cause__:
            _keep(error)
        raise error from None


def _is_ours(error: Exception) -> bool:
    return type(error).__module__.startswith(_OUR_PACKAGE)


def _of_the_system(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno is not None


def _told_by_kind(error: Exception) -> StepError:
    file = _keep(error)
    place = (
        "Run again with --debug to see it."
        if file is None
        else "Its text may quote real values, so it is kept in private staging, as long as "
        f"staging.keep_runs says: {file}."
    )
    return StepError(f"An unexpected {type(error).__name__} stopped this step. {place}")


def _keep(error: Exception) -> Path | None:
    """Write the whole text of an error where only its owner may read it."""
    folder = _PRIVATE.get()
    if folder is None:
        return None
    file = folder / f"{type(error).__name__}-{secrets.token_hex(3)}.txt"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:  # a full disk, say: its context would carry the text along
        return None
    return file
