"""Watching without pause: at once when PostgreSQL says so, and every few minutes anyway."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from types import FrameType
from typing import Any

from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.flows.yaml_document import ProjectError
from prefect_synth.tasks.connections import warehouse_url
from prefect_synth.tasks.retries import LONGEST_PAUSE
from prefect_synth.tasks.warehouses.errors import ConnectionFailed
from prefect_synth.tasks.warehouses.url import scheme_of

_FIRST_PAUSE = 2.0

Say = Callable[[str, str], None]
"""Takes a word on what happened, and a sentence."""


def check_listenable(setup: Setup) -> str:
    """The warehouse's URL, whose changes can be heard.

    Args:
        setup: The project and its places.

    Raises:
        ProjectError: It is not PostgreSQL.
    """
    url = warehouse_url(setup.project.warehouse, setup.base)
    if scheme_of(url) not in {"postgresql", "postgres"}:
        raise ProjectError(
            f"Only PostgreSQL says by itself that its schema changed, and the warehouse is of the "
            f"kind '{scheme_of(url)}'. Leave out --listen; a deployment of `watch` looks every few "
            "minutes at any warehouse."
        )
    return url


def listen(url: str, every: float, look: Callable[[], Any], say: Say, stop: Event) -> None:
    """Look whenever there is a reason to, until told to stop.

    A look that fails is said and made up for by the next one; a connection that is lost is made
    again, with pauses that grow to a minute.

    Args:
        url: The warehouse's URL.
        every: Seconds after which to look in any case.
        look: Looks once; what it gives is said.
        say: Says what happened.
        stop: Ends it.
    """
    from prefect_synth.tasks.warehouses.postgres_notice import Notices

    pause = _FIRST_PAUSE
    while not stop.is_set():
        try:
            for reason in Notices(url).reasons(every, stop):
                _look(reason, look, say)
                pause = _FIRST_PAUSE
        except ConnectionFailed as error:
            say("lost", f"{error} Trying again in {pause:g} seconds.")
            stop.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def _look(reason: str, look: Callable[[], Any], say: Say) -> None:
    try:
        say(reason, str(look()))
    except Exception as error:
        from prefect_synth.flows.failures import explain

        say("failed", explain(error))


@contextmanager
def ended_by_signals() -> Iterator[Event]:
    """Give an event that SIGTERM and SIGINT set; what goes on meanwhile comes to its end."""
    stop = Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def in_a_thread(action: Callable[[], None]) -> None:
    """Do `action` beside the main thread, and wait for it.

    In the main thread Prefect would answer a signal by breaking off the run that is going.

    Raises:
        Exception: Whatever ended it.
    """
    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            action()
        except BaseException as error:
            failed.append(error)

    thread = Thread(target=guarded, name="listener")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
