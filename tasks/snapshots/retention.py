"""Which snapshots stay: the newest, one a week, and what is pinned.

>>> Retention(last=14, weekly=8).dropped([])
set()
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from prefect_synth.tasks.snapshots.errors import SandboxError
from prefect_synth.tasks.snapshots.records import CommitRecord


@dataclass(frozen=True)
class Retention:
    """A rule for what to keep; what is pinned and what readers use stays in any case.

    Args:
        last: How many of the newest snapshots to keep.
        weekly: In how many of the newest weeks that have a snapshot to keep the newest one. Weeks
            are those of ISO 8601, in UTC, and the newest weeks are counted, not the calendar's:
            a sandbox that is not published to any more does not run empty.

    Raises:
        SandboxError: If nothing would be kept.
    """

    last: int
    weekly: int = 0

    def __post_init__(self) -> None:
        if self.last < 1 or self.weekly < 0:
            raise SandboxError(
                "Retention needs last of at least 1 and weekly of at least 0, got "
                f"{self.last} and {self.weekly}."
            )

    def dropped(self, newest_first: Sequence[CommitRecord]) -> set[str]:
        """Return the ids of the snapshots that are not kept.

        Args:
            newest_first: The committed snapshots.
        """
        kept = {record.snapshot_id for record in newest_first[: self.last]}
        kept |= set(self._weeks(newest_first)[: self.weekly])
        return {record.snapshot_id for record in newest_first} - kept

    def _weeks(self, newest_first: Iterable[CommitRecord]) -> list[str]:
        newest: dict[tuple[int, int], str] = {}
        for record in newest_first:
            year, week, _ = datetime.fromisoformat(record.created).isocalendar()
            newest.setdefault((year, week), record.snapshot_id)
        return list(newest.values())


@dataclass(frozen=True)
class Garbage:
    """What was deleted, or would be.

    Args:
        snapshots: Committed snapshots that retention dropped.
        attempts: Crashed attempts whose grace period is over.
        uploads: How many unfinished uploads of ours were dropped.
    """

    snapshots: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()
    uploads: int = 0
