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

from prefect_synth.tasks.snapshots.errors import SandboxUnreachableError
from prefect_synth.tasks.warehouses.errors import ConnectionFailed

P = ParamSpec("P")
R = TypeVar("R")

_OUR_PACKAGE = "prefect_synth."
_PRIVATE: ContextVar[Path | None] = ContextVar("private_errors", default=None)


class StepError(RuntimeError):
    """A step failed for a reason that this package does not know; the text is kept private."""


def keyed_by(argument: str) -> CachePolicy:
    """Cache a task's result by one of its arguments, which is a fingerprint."""

    def key(context: TaskRunContext, arguments: dict[str, Any]) -> str:
        return f"{context.task.name}-{arguments[argument]}"

    return CacheKeyFnPolicy(cache_key_fn=key)


def is_transient(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether to try again: only a lost connection may be back the next time."""
    return isinstance(state.data, ConnectionFailed | SandboxUnreachableError)


@contextmanager
def private_errors(folder: Path) -> Iterator[None]:
    """Keep the full text of unknown errors in `folder`, in private staging."""
    token = _PRIVATE.set(folder)
    try:
        yield
    finally:
        _PRIVATE.reset(token)


def guarded(function: Callable[P, R]) -> Callable[P, R]:
    """Keep a library's error text out of Prefect's API, since it may quote a real value.

    Our own errors are made for people and pass, and so do those of the operating system, which
    name files at most. Any other is told by its kind only; its text goes to private staging.
    """

    @functools.wraps(function)
    def step(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            if type(error).__module__.startswith(_OUR_PACKAGE) or _of_the_system(error):
                raise
            raise _told_by_kind(error) from None

    return step


def _of_the_system(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno is not None


def _told_by_kind(error: Exception) -> StepError:
    folder, place = _PRIVATE.get(), "Run again with --debug to see it."
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{type(error).__name__}-{secrets.token_hex(3)}.txt"
        file.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        place = f"Its text may quote real values, so it is kept in private staging: {file}."
    return StepError(f"An unexpected {type(error).__name__} stopped this step. {place}")
