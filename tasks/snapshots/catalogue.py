"""What is in the sandbox: the committed snapshots, their manifests, and what retention drops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prefect_synth.tasks.snapshots.attempts import delete_snapshot
from prefect_synth.tasks.snapshots.backend import Backend
from prefect_synth.tasks.snapshots.errors import SnapshotNotFoundError
from prefect_synth.tasks.snapshots.naming import (
    MANIFEST,
    SNAPSHOTS,
    commit_key,
    manifest_key,
    run_of,
)
from prefect_synth.tasks.snapshots.pointing import PointerFile
from prefect_synth.tasks.snapshots.records import (
    CommitRecord,
    Pointer,
    SnapshotInfo,
    read_document,
)
from prefect_synth.tasks.snapshots.retention import Retention


@dataclass(frozen=True)
class Catalogue:
    """Lists and reads committed snapshots."""

    backend: Backend

    def committed(self) -> list[CommitRecord]:
        """Return the commit records of the snapshots that are there, newest first."""
        records = [self._record(snapshot_id) for snapshot_id, whole in self._folders() if whole]
        known = [record for record in records if record is not None]
        return sorted(known, key=lambda record: record.order, reverse=True)

    def infos(self) -> list[SnapshotInfo]:
        """Return what `snapshots ls` shows, newest first."""
        pointer = PointerFile(self.backend).read()
        retired = pointer.retired if pointer else ()
        return [
            _info(record, pointer)
            for record in self.committed()
            if record.snapshot_id not in retired
        ]

    def record(self, snapshot_id: str) -> CommitRecord:
        """Return a snapshot's commit record.

        Raises:
            SnapshotNotFoundError: If there is no such committed snapshot.
        """
        record = self._record(snapshot_id)
        if record is None:
            known = ", ".join(info.snapshot_id for info in self.infos()[:5]) or "none"
            raise SnapshotNotFoundError(
                f"{self.backend.url} has no snapshot {snapshot_id!r}; the newest are: {known}."
            )
        return record

    def manifest(self, snapshot_id: str) -> Mapping[str, Any]:
        """Return a committed snapshot's manifest.

        Raises:
            SnapshotNotFoundError: If there is no such committed snapshot.
        """
        self.record(snapshot_id)
        found = read_document(self.backend, manifest_key(snapshot_id))
        if found is None:
            raise SnapshotNotFoundError(
                f"Snapshot {snapshot_id!r} in {self.backend.url} was deleted by retention."
            )
        return found[0]

    def retire(self, retention: Retention | None, dry_run: bool = False) -> tuple[str, ...]:
        """Delete what retention does not keep, and finish deletions that were interrupted.

        Args:
            retention: The rule; without one only interrupted deletions are finished.
            dry_run: Delete nothing.

        Returns:
            The ids of the snapshots deleted, or to be deleted.
        """
        records, folders = self.committed(), dict(self._folders())

        def choose(pointer: Pointer) -> set[str]:
            unfinished = set(pointer.retired) & folders.keys()
            # what is being deleted must not take the place of one that could stay
            living = [record for record in records if record.snapshot_id not in unfinished]
            return unfinished | (retention.dropped(living) if retention else set())

        if dry_run:
            return PointerFile(self.backend).would_retire(choose)
        doomed = PointerFile(self.backend).retire(choose)
        for snapshot_id in doomed:
            delete_snapshot(self.backend, snapshot_id)
        return doomed

    def _record(self, snapshot_id: str) -> CommitRecord | None:
        found = read_document(self.backend, commit_key(run_of(snapshot_id)))
        if found is None or found[0]["snapshot_id"] != snapshot_id:
            return None
        return CommitRecord.from_dict(found[0])

    def _folders(self) -> list[tuple[str, bool]]:
        whole: dict[str, bool] = {}
        for item in self.backend.objects(SNAPSHOTS):
            snapshot_id, _, rest = item.key.removeprefix(SNAPSHOTS).partition("/")
            whole[snapshot_id] = whole.get(snapshot_id, False) or rest == MANIFEST
        return list(whole.items())


def _info(record: CommitRecord, pointer: Pointer | None) -> SnapshotInfo:
    return SnapshotInfo(
        snapshot_id=record.snapshot_id,
        run_id=record.run_id,
        created=record.created,
        tables=record.tables,
        rows=record.rows,
        bytes=record.bytes,
        is_latest=pointer is not None and pointer.snapshot_id == record.snapshot_id,
        pin=pointer.pins.get(record.snapshot_id) if pointer else None,
    )
