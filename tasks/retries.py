"""Trying a lost warehouse again."""

from __future__ import annotations

from collections.abc import Callable
from time import sleep
from typing import TypeVar

from prefect_synth.tasks.telling import run_log
from prefect_synth.tasks.warehouses.errors import ConnectionFailed

R = TypeVar("R")

LONGEST_PAUSE = 60.0


def back_off(retries: int) -> list[float]:
    """The pauses before each retry, in seconds.

    Example:
        >>> back_off(7)
        [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    """
    return [min(2.0 * 2**retry, LONGEST_PAUSE) for retry in range(retries)]


def retried(action: Callable[[], R], retries: int) -> R:
    """Do `action`; if the warehouse's connection is lost, all of it again after a pause.

    Args:
        action: What to do.
        retries: How often to try again.

    Raises:
        ConnectionFailed: The connection was lost the last time too.
    """
    for pause in back_off(retries):
        try:
            return action()
        except ConnectionFailed as error:
            run_log().warning("%s Trying again in %g seconds.", error, pause)
        sleep(pause)
    return action()
