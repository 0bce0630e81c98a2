"""Who watches a training, and where its checkpoints are kept: set around a fit, in this context."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from prefect_synth.synth.checkpoints import Checkpoints


@dataclass(frozen=True)
class Epoch:
    """How far a training is.

    Args:
        done: Epochs that are done.
        most: Epochs at most.
        loss: Mean loss of the last one.
        seconds: Since training began.
    """

    done: int
    most: int
    loss: float
    seconds: float


LISTENER: ContextVar[Callable[[Epoch], None] | None] = ContextVar("epochs", default=None)
CHECKPOINTS: ContextVar[Checkpoints | None] = ContextVar("checkpoints", default=None)


@contextmanager
def listening(listener: Callable[[Epoch], None]) -> Iterator[None]:
    """Tell `listener` of every epoch that is trained in this context."""
    token = LISTENER.set(listener)
    try:
        yield
    finally:
        LISTENER.reset(token)


@contextmanager
def checkpointing(folder: Path) -> Iterator[None]:
    """Keep checkpoints of what is trained in this context in `folder`, and resume from them.

    The folder is for one set of data: what is told apart in it is one network from another.
    """
    token = CHECKPOINTS.set(Checkpoints(folder))
    try:
        yield
    finally:
        CHECKPOINTS.reset(token)
