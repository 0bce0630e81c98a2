"""The pointer `latest.json`: forwards by publishing, anywhere by roll-back, never at nothing.

Two rules keep it whole, both enforced by compare-and-swap on this one file:

* the pointer moves to a snapshot, and a pin is set on one, only if it is not `retired` and its
  manifest is there;
* a committed snapshot is deleted only after the pointer, naming another one and holding no pin of
  it, lists it as `retired`.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from prefect_synth.tasks.snapshots.backend import Backend
from prefect_synth.tasks.snapshots.errors import SandboxConflictError, SnapshotNotFoundError
from prefect_synth.tasks.snapshots.naming import LATEST, manifest_key
from prefect_synth.tasks.snapshots.records import (
    CommitRecord,
    Order,
    Pin,
    Pointer,
    read_document,
)

_TRIES = 40

Decision = Callable[[Pointer | None], Pointer | None]
Choice = Callable[[Pointer], Collection[str]]


@dataclass(frozen=True)
class PointerFile:
    """Reads and moves `latest.json`."""

    backend: Backend

    def read(self) -> Pointer | None:
        """Return the pointer, or None before the first publication."""
        found = read_document(self.backend, LATEST)
        return None if found is None else Pointer.from_dict(found[0])

    def advance(self, record: CommitRecord) -> Pointer | None:
        """Name this snapshot unless something at least as new has been decided about.

        Returns:
            The pointer if it names this snapshot now, else None.
        """

        def decide(current: Pointer | None) -> Pointer | None:
            if current and record.order <= current.newest:
                return None
            if self._gone(record, current):  # a run of long ago, published once more
                return None
            return _pointing_at(record, current, newest=record.order)

        pointer = self._change(decide)
        return pointer if pointer and pointer.snapshot_id == record.snapshot_id else None

    def turn_to(self, record: CommitRecord, newest: Order) -> Pointer:
        """Name this snapshot whatever its age; `newest` and older cannot undo that.

        Raises:
            SnapshotNotFoundError: If the snapshot is being deleted.
        """

        def decide(current: Pointer | None) -> Pointer | None:
            known = [current.newest] if current else []
            decided = max(newest, *known, record.order)
            if current and current.snapshot_id == record.snapshot_id:
                # named already, but a run that died before the pointer moved must not undo it
                return None if decided == current.newest else replace(current, newest=decided)
            self._check_there(record, current)
            return _pointing_at(record, current, newest=decided)

        pointer = self._change(decide)
        assert pointer is not None  # noqa: S101  (decide refuses only where a pointer is)
        return pointer

    def retire(self, choose: Choice) -> tuple[str, ...]:
        """Write down which snapshots will be deleted, so that nobody turns to them any more.

        Args:
            choose: Picks the snapshots, given the pointer; the one it names and those it has pins
                of are left out afterwards.
        """

        def decide(current: Pointer | None) -> Pointer | None:
            if current is None:
                return None
            doomed = _doomed(choose, current)
            return None if doomed == current.retired else replace(current, retired=doomed)

        pointer = self._change(decide)
        return pointer.retired if pointer else ()

    def would_retire(self, choose: Choice) -> tuple[str, ...]:
        """Return what `retire` would write down now."""
        current = self.read()
        return _doomed(choose, current) if current else ()

    def pin(self, record: CommitRecord, pin: Pin) -> None:
        """Keep a snapshot from being deleted; a second pin replaces the first one's note.

        Raises:
            SnapshotNotFoundError: If the snapshot is being deleted, or nothing was published yet.
        """

        def decide(current: Pointer | None) -> Pointer | None:
            current = self._published(current)
            self._check_there(record, current)
            return replace(current, pins={**current.pins, record.snapshot_id: pin})

        self._change(decide)

    def unpin(self, snapshot_id: str) -> None:
        """Leave a snapshot to retention again.

        Raises:
            SnapshotNotFoundError: If it is not pinned.
        """
        unpinned = False

        def decide(current: Pointer | None) -> Pointer | None:
            nonlocal unpinned
            current = self._published(current)
            if snapshot_id not in current.pins:
                # after a lost reply another change may have come between: then it was ours
                if unpinned:
                    return None
                pinned = ", ".join(sorted(current.pins)) or "none"
                raise SnapshotNotFoundError(
                    f"Snapshot {snapshot_id!r} is not pinned; pinned are: {pinned}."
                )
            unpinned = True
            pins = {name: pin for name, pin in current.pins.items() if name != snapshot_id}
            return replace(current, pins=pins)

        self._change(decide)

    def _published(self, current: Pointer | None) -> Pointer:
        if current is None:
            raise SnapshotNotFoundError(
                f"Nothing was published to {self.backend.url} yet, or its {LATEST} was deleted: "
                "publish, or roll back to a snapshot, first."
            )
        return current

    def _check_there(self, record: CommitRecord, current: Pointer | None) -> None:
        if self._gone(record, current):
            raise SnapshotNotFoundError(
                f"Snapshot {record.snapshot_id!r} was deleted by retention: choose one that "
                "`prefect-synth snapshots ls` shows."
            )

    def _gone(self, record: CommitRecord, current: Pointer | None) -> bool:
        if current and record.snapshot_id in current.retired:
            return True
        return read_document(self.backend, manifest_key(record.snapshot_id)) is None

    def _change(self, decide: Decision) -> Pointer | None:
        change = uuid.uuid4().hex
        for attempt in range(_TRIES):
            found = read_document(self.backend, LATEST)
            current = Pointer.from_dict(found[0]) if found else None
            if current and current.change == change:
                return current  # ours: only the reply was lost
            wanted = decide(current)
            if wanted is None:
                return current
            wanted = replace(wanted, change=change)
            token = found[1] if found else None
            if self.backend.compare_and_swap(LATEST, wanted.to_json(), token):
                return wanted
            time.sleep(random.uniform(0, 0.01 * 2 ** min(attempt, 6)))  # noqa: S311
        raise SandboxConflictError(
            f"{self.backend.url}/{LATEST} was changed by others {_TRIES} times in a row: run again."
        )


def _doomed(choose: Choice, current: Pointer) -> tuple[str, ...]:
    return tuple(sorted(set(choose(current)) - {current.snapshot_id} - current.pins.keys()))


def _pointing_at(record: CommitRecord, current: Pointer | None, newest: Order) -> Pointer:
    return Pointer(
        generation=current.generation + 1 if current else 1,
        snapshot_id=record.snapshot_id,
        run_id=record.run_id,
        created=record.created,
        newest=newest,
        retired=current.retired if current else (),
        pins=current.pins if current else {},
    )
