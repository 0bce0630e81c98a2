"""The sandbox: publish snapshots, read what is there, go back, tidy up.

>>> store = open_store("sandbox")  # a folder; or s3://bucket/prefix
>>> store.latest() is None
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from prefect_synth.tasks.snapshots.address import open_backend
from prefect_synth.tasks.snapshots.attempts import Attempts
from prefect_synth.tasks.snapshots.backend import Backend
from prefect_synth.tasks.snapshots.catalogue import Catalogue
from prefect_synth.tasks.snapshots.errors import SandboxError
from prefect_synth.tasks.snapshots.manifest import draft_snapshot
from prefect_synth.tasks.snapshots.naming import checked_name, snapshot_folder
from prefect_synth.tasks.snapshots.pointing import PointerFile
from prefect_synth.tasks.snapshots.publishing import Publisher
from prefect_synth.tasks.snapshots.records import (
    CommitRecord,
    Pin,
    Pointer,
    SnapshotInfo,
    SnapshotRef,
    utc_text,
)
from prefect_synth.tasks.snapshots.retention import Garbage, Retention
from prefect_synth.tasks.snapshots.trial import try_sandbox
from prefect_synth.tasks.snapshots.verification import damages, differences

SnapshotInfos = list[SnapshotInfo]
Names = list[str]

_LONGEST_NOTE = 500


def open_store(
    url: str,
    *,
    endpoint_url: str | None = None,
    key: str | SecretStr | None = None,
    secret: str | SecretStr | None = None,
    token: str | SecretStr | None = None,
    region: str | None = None,
) -> SnapshotStore:
    """Open a sandbox; nothing is read or written yet.

    Args:
        url: A folder, `file:///folder`, or `s3://bucket/prefix`.
        endpoint_url: Address of an S3 server that is not Amazon's.
        key: Access key; by default the environment's own credentials are used.
        secret: Secret key that belongs to `key`.
        token: Session token that belongs to `key`.
        region: Region of the bucket.

    Raises:
        SandboxUrlError: If the address makes no sense.
        SandboxDependencyError: If s3fs is needed and not installed.
    """
    return SnapshotStore(open_backend(url, endpoint_url, key, secret, token, region))


@dataclass(frozen=True)
class SnapshotStore:
    """Snapshots that are whole or not there, in a folder or a bucket."""

    backend: Backend

    @property
    def url(self) -> str:
        """Address of the sandbox, without credentials."""
        return self.backend.url

    def publish(
        self,
        run_id: str,
        tables: Mapping[str, Path],
        manifest: Mapping[str, Any],
        extra_files: Mapping[str, Path] | None = None,
        judged: Mapping[str, Sequence[str]] | None = None,
    ) -> SnapshotRef:
        """Publish Parquet files, as they are, as one snapshot.

        It can be killed and called again with the same run id: one attempt of a run counts.

        Args:
            run_id: Name of the run.
            tables: Table name to Parquet file.
            manifest: What else the manifest shall say (model fingerprint, seed, verdict). Its
                `created` says when the data were taken and so which snapshot is newer; now, by
                default.
            extra_files: File name in the snapshot to local file, such as `report.html`.
            judged: By table, the SHA-256 of each file that may be published, in their order; any
                file where None.

        Raises:
            UnjudgedRowsError: A file is another one than was judged.
            SandboxError: The subclass says what went wrong; readers see what they saw before.
        """
        checked_name("Run", run_id)
        publisher = Publisher(self.backend)
        record = publisher.committed(run_id)
        if record is None:
            draft = draft_snapshot(tables, manifest, extra_files or {})
            if judged is not None:
                draft.check(judged)
            record = publisher.publish(run_id, draft)
        return self._ref(record, PointerFile(self.backend).advance(record))

    def latest(self) -> SnapshotRef | None:
        """Return the snapshot that readers shall use, or None before the first publication."""
        pointer = PointerFile(self.backend).read()
        return None if pointer is None else self._ref(pointer, pointer)

    def list(self) -> SnapshotInfos:
        """Return the committed snapshots, newest first."""
        return Catalogue(self.backend).infos()

    def show(self, snapshot_id: str) -> Mapping[str, Any]:
        """Return a snapshot's manifest.

        Raises:
            SnapshotNotFoundError: If there is no such committed snapshot.
        """
        return Catalogue(self.backend).manifest(checked_name("Snapshot", snapshot_id))

    def verify(self, snapshot_id: str, contents: bool = True) -> Names:
        """Return one sentence for each file that is not as it should be; none is good.

        Args:
            snapshot_id: Name of the snapshot.
            contents: Whether every file is read; without, they are counted and measured only,
                which costs a listing.

        Raises:
            SnapshotNotFoundError: If there is no such committed snapshot.
        """
        Catalogue(self.backend).record(checked_name("Snapshot", snapshot_id))
        pointer = PointerFile(self.backend).read()
        if pointer and snapshot_id in pointer.retired:
            # refused where half deleted
            return differences(self.backend, self.show(snapshot_id), contents)
        return damages(self.backend, snapshot_id) or differences(
            self.backend, self.show(snapshot_id), contents
        )

    def rollback(self, snapshot_id: str) -> SnapshotRef:
        """Point readers at this snapshot; a run committed before now cannot undo it.

        Raises:
            SnapshotNotFoundError: If there is no such committed snapshot.
        """
        catalogue = Catalogue(self.backend)
        record = catalogue.record(checked_name("Snapshot", snapshot_id))
        newest = max((other.order for other in catalogue.committed()), default=record.order)
        return self._ref(record, PointerFile(self.backend).turn_to(record, newest))

    def pin(self, snapshot_id: str, note: str = "") -> Pin:
        """Keep a snapshot from being deleted until it is unpinned.

        Args:
            snapshot_id: Name of the snapshot.
            note: Why, for those who read the list; a second pin replaces it.

        Raises:
            SnapshotNotFoundError: If there is no such snapshot, or it is being deleted.
        """
        if len(note) > _LONGEST_NOTE:
            raise SandboxError(
                f"A pin's note may have {_LONGEST_NOTE} characters, got {len(note)}: say less."
            )
        record = Catalogue(self.backend).record(checked_name("Snapshot", snapshot_id))
        pin = Pin(note, utc_text(datetime.now(UTC)))
        PointerFile(self.backend).pin(record, pin)
        return pin

    def unpin(self, snapshot_id: str) -> None:
        """Leave a snapshot to retention again.

        Raises:
            SnapshotNotFoundError: If it is not pinned.
        """
        PointerFile(self.backend).unpin(checked_name("Snapshot", snapshot_id))

    def pins(self) -> Mapping[str, Pin]:
        """Return the pinned snapshots by their names."""
        pointer = PointerFile(self.backend).read()
        return pointer.pins if pointer else {}

    def retain(self, last: int, grace_hours: float = 24, *, weekly: int = 0) -> Names:
        """Delete old snapshots, and crashed attempts of this store's own after a grace period.

        Args:
            last: How many of the newest snapshots to keep; the one readers use and the pinned ones
                stay in any case.
            grace_hours: How long an attempt may be idle before it counts as crashed.
            weekly: In how many of the newest weeks to keep the newest snapshot.

        Returns:
            The ids of the snapshots and attempts that were deleted.
        """
        garbage = self.gc(Retention(last, weekly), grace_hours)
        return [*garbage.snapshots, *garbage.attempts]

    def gc(
        self, retention: Retention | None = None, grace_hours: float = 24, dry_run: bool = False
    ) -> Garbage:
        """Delete what nobody needs: old snapshots, crashed attempts, their unfinished uploads.

        Args:
            retention: Which snapshots to keep; without it, no whole snapshot is deleted.
            grace_hours: How long an attempt may be idle before it counts as crashed.
            dry_run: Delete nothing.

        Returns:
            What was deleted, or would be.
        """
        if grace_hours < 0:
            raise SandboxError(f"grace_hours must be at least 0, got {grace_hours}.")
        before = datetime.now(UTC) - timedelta(hours=grace_hours)
        attempts, catalogue = Attempts(self.backend), Catalogue(self.backend)
        snapshots = catalogue.retire(retention, dry_run)
        # listed while marks still say whose they are, dropped when nobody adds to them any more
        uploads = attempts.lost_uploads(before)
        lost = attempts.crashed(before) if dry_run else attempts.collect(before)
        for upload in [] if dry_run else uploads:
            self.backend.discard_upload(upload)
        return Garbage(snapshots, tuple(lost), len(uploads))

    def check_writable(self, needed_bytes: int = 0) -> None:
        """See before the expensive part that publishing will be possible.

        Args:
            needed_bytes: About how much will be written; checked where space is limited.

        Raises:
            SandboxError: The subclass says what is missing, the message how to get it.
        """
        try_sandbox(self.backend, needed_bytes)

    def _ref(self, record: CommitRecord | Pointer, pointer: Pointer | None) -> SnapshotRef:
        return SnapshotRef(
            snapshot_id=record.snapshot_id,
            run_id=record.run_id,
            url=f"{self.url}/{snapshot_folder(record.snapshot_id)}".rstrip("/"),
            generation=pointer.generation if pointer else None,
            created=record.created,
        )
