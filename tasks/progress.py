"""How far a long step is: steps report here, and whoever shows progress listens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import Protocol


class ProgressListener(Protocol):
    """Someone who shows progress, such as the bars on a terminal."""

    def begin(self, step: str, total: int | None) -> None:
        """A step begins; `total` is in the step's own unit, None where it is not known."""

    def advance(self, step: str, amount: int, detail: str = "") -> None:
        """A step got further by `amount`; 0 where work on `detail` has only begun."""

    def end(self, step: str) -> None:
        """A step is done."""


class Silence:
    """Nobody listens."""

    def begin(self, step: str, total: int | None) -> None:
        """Show nothing."""

    def advance(self, step: str, amount: int, detail: str = "") -> None:
        """Show nothing."""

    def end(self, step: str) -> None:
        """Show nothing."""


class Both:
    """Two listen, such as the bars on a terminal and Prefect's interface.

    Args:
        first: The one.
        second: The other.
    """

    def __init__(self, first: ProgressListener, second: ProgressListener) -> None:
        self._both = (first, second)

    def begin(self, step: str, total: int | None) -> None:
        """Tell both."""
        for listener in self._both:
            listener.begin(step, total)

    def advance(self, step: str, amount: int, detail: str = "") -> None:
        """Tell both."""
        for listener in self._both:
            listener.advance(step, amount, detail)

    def end(self, step: str) -> None:
        """Tell both."""
        for listener in self._both:
            listener.end(step)


_SILENCE = Silence()
_LISTENER: ContextVar[ProgressListener | None] = ContextVar("progress_listener", default=None)
_SECONDS: ContextVar[dict[str, float] | None] = ContextVar("step_seconds", default=None)
_LAST: ContextVar[dict[str, float]] = ContextVar("last_step_seconds")


def progress() -> ProgressListener:
    """Whoever listens now; task threads inherit it."""
    return _LISTENER.get() or _SILENCE


@contextmanager
def listening(listener: ProgressListener) -> Iterator[None]:
    """Send progress to `listener`, in this context and the threads it starts."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


@contextmanager
def also_listening(listener: ProgressListener) -> Iterator[None]:
    """Send progress to `listener` too, besides whoever listens already."""
    with listening(Both(progress(), listener)):
        yield


@contextmanager
def timed_steps() -> Iterator[dict[str, float]]:
    """Note how long each step takes, in seconds by its name; one that is repeated counts in all."""
    seconds: dict[str, float] = {}
    token, last = _SECONDS.set(seconds), _LAST.set({})
    try:
        yield seconds
    finally:
        _SECONDS.reset(token)
        _LAST.reset(last)


def seconds_so_far() -> dict[str, float]:
    """Seconds of the steps that are done, by name; empty where nobody asked for times."""
    return {name: round(spent, 2) for name, spent in (_SECONDS.get() or {}).items()}


def took(name: str) -> str:
    """` in 3.1 s`, once a step is done for the last time; empty where nobody asked for times."""
    seconds = _LAST.get({}).get(name)
    return "" if seconds is None else f" in {seconds:.1f} s"


@contextmanager
def step(name: str, total: int | None = None) -> Iterator[None]:
    """Report that a step begins, and that it is done."""
    start, seconds = perf_counter(), _SECONDS.get()
    progress().begin(name, total)
    yield
    progress().end(name)
    if seconds is not None:
        _LAST.get()[name] = spent = perf_counter() - start
        seconds[name] = seconds.get(name, 0.0) + spent
