"""What a watch has told already: nothing is told twice, and nothing is lost."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict, ValidationError

from prefect_synth.tasks.drift.changes import Change, Drift
from prefect_synth.tasks.drift.policies import DATA_KINDS
from prefect_synth.tasks.folders import write_atomically
from prefect_synth.tasks.private_folder import StagingError
from prefect_synth.tasks.references import fingerprint
from prefect_synth.tasks.staging import Staging

_PATIENCE = 240.0  # less than the time between two watches, so that they do not pile up
_SECONDS_BETWEEN_TRIES = 0.2


class Told(BaseModel):
    """A change that was told; no real value in it.

    Args:
        kind: What moved.
        place: The table, or `table.column`.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    place: str


class Reported(BaseModel):
    """What was told and still stands.

    Args:
        changes: The changes by fingerprint.
        compared: When the rows were compared last, not the catalogue alone.
    """

    model_config = ConfigDict(frozen=True)

    changes: dict[str, Told] = {}
    compared: datetime | None = None

    def due(self, hours: float, now: datetime) -> bool:
        """Whether the rows are to be compared again."""
        return self.compared is None or now - self.compared >= timedelta(hours=hours)

    def untold(self, drift: Drift) -> tuple[Change, ...]:
        """The changes that nobody was told of yet."""
        return tuple(change for change in drift.changes if change_key(change) not in self.changes)

    def gone(self, drift: Drift, data: bool) -> int:
        """How many changes were told and do not stand any more."""
        return len(self.changes.keys() - self._standing(drift, data).keys())

    def after(self, drift: Drift, told: Collection[Change], data: bool, now: datetime) -> Reported:
        """What is known after a watch: a change that was taken back is forgotten.

        Args:
            drift: What stands now.
            told: What this watch told.
            data: Whether this watch compared the rows too.
            now: When it did so.
        """
        new = {change_key(c): Told(kind=c.kind, place=c.place) for c in told}
        standing = {**self._standing(drift, data), **new}
        return Reported(changes=standing, compared=now if data else self.compared)

    def _standing(self, drift: Drift, data: bool) -> dict[str, Told]:
        """What was told and stands; of the rows nothing is known where they were not compared."""
        seen = {change_key(change) for change in drift.changes}
        return {
            key: told
            for key, told in self.changes.items()
            if key in seen or (not data and told.kind in DATA_KINDS)
        }


def change_key(change: Change) -> str:
    """What makes a change the same one at the next watch.

    Of rows only the place counts: how far a volume jumped is another number every day.
    """
    exactly = () if change.kind in DATA_KINDS else (change.old, change.new)
    return fingerprint(change.kind, change.table, change.column, change.policy, *exactly)


class Memory:
    """What was told, as a file of private staging.

    Args:
        file: The file.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> Reported:
        """What was told; nothing where the file is missing or damaged, so that all is told."""
        try:
            return Reported.model_validate_json(self._file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValidationError, UnicodeDecodeError):
            return Reported()

    def write(self, reported: Reported) -> None:
        """Keep what was told."""
        write_atomically(self._file, reported.model_dump_json(indent=1))


@contextmanager
def memory_of(staging: Staging) -> Iterator[Memory]:
    """What was told of a project, for one watch at a time; a second one waits, but not for ever.

    Args:
        staging: The project's private staging.

    Raises:
        StagingError: The first one has been at it for minutes.
    """
    with (staging.root / "watch.lock").open("a") as lock:
        deadline = time.monotonic() + _PATIENCE
        while not _locked(lock):
            if time.monotonic() > deadline:
                raise StagingError(
                    f"Another watch has been looking for more than {_PATIENCE:g} seconds. See "
                    "whether the warehouse answers, and end that watch if it does not."
                )
            time.sleep(_SECONDS_BETWEEN_TRIES)
        yield Memory(staging.root / "watch.json")


def _locked(lock: IO[str]) -> bool:
    """Take the lock if nobody has it; the kernel lets go of it when a process dies."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)
