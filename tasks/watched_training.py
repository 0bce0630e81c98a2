"""Networks in training: shown while they learn, and in a refresh resumed after a kill."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect_synth.synth.training_watch import Epoch, checkpointing, listening
from prefect_synth.tasks.progress import progress


@contextmanager
def shown_epochs(step: str, table: str) -> Iterator[None]:
    """Show each epoch as the detail of a step.

    Args:
        step: The step's name.
        table: The table that is trained.
    """
    shown = progress()

    def tell(epoch: Epoch) -> None:
        shown.advance(step, 0, f"{table}, epoch {epoch.done} of at most {epoch.most}")

    with listening(tell):
        yield


@contextmanager
def watched_training(step: str, table: str, checkpoints: Path) -> Iterator[None]:
    """Show each epoch, and keep checkpoints until all went well.

    Args:
        step: The step's name.
        table: The table that is trained.
        checkpoints: A folder in private staging that no other data use.
    """
    with shown_epochs(step, table), checkpointing(checkpoints):
        yield
    shutil.rmtree(checkpoints, ignore_errors=True)
