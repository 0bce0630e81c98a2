"""Reading snapshots from notebooks, scripts and tests.

import prefect_synth

shop = prefect_synth.snapshots("s3://test-data/shop")
orders = shop.latest().table("orders")  # an Arrow table
frame = shop.get("run-2026-11-22-1a2b3c4d").pandas("orders")
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect_synth.tasks.snapshots.address import Secret
from prefect_synth.tasks.snapshots.errors import (
    SandboxError,
    SandboxUnreachableError,
    SnapshotNotFoundError,
    SnapshotWarning,
)
from prefect_synth.tasks.snapshots.folder import FolderBackend
from prefect_synth.tasks.snapshots.naming import checked_name
from prefect_synth.tasks.snapshots.reading_cache import CachedFiles, cache_folder
from prefect_synth.tasks.snapshots.reading_files import FilesInPlace, SnapshotFiles
from prefect_synth.tasks.snapshots.reading_snapshot import Snapshot
from prefect_synth.tasks.snapshots.records import SnapshotInfo
from prefect_synth.tasks.snapshots.store import SnapshotStore, open_store

LATEST = "latest"

SnapshotInfos = list[SnapshotInfo]


def snapshots(
    url: str | Path,
    *,
    endpoint_url: str | None = None,
    key: Secret = None,
    secret: Secret = None,
    token: Secret = None,
    region: str | None = None,
    cache: Path | str | None = None,
) -> Snapshots:
    """Open a sandbox for reading; nothing is read yet.

    Args:
        url: A folder, `s3://bucket/prefix`, or another address that `open_store` takes.
        endpoint_url: Address of an S3 server that is not Amazon's.
        key: Access key; by default the environment's own credentials are used.
        secret: Secret key that belongs to `key`.
        token: Session token that belongs to `key`.
        region: Region of the bucket.
        cache: Folder for the files of sandboxes that are not local; by default
            `$PREFECT_SYNTH_CACHE`, else `$XDG_CACHE_HOME/prefect-synth`, else
            `~/.cache/prefect-synth`.

    Raises:
        SandboxUrlError: If the address makes no sense.
        SandboxDependencyError: If s3fs is needed and not installed.
    """
    store = open_store(
        str(url), endpoint_url=endpoint_url, key=key, secret=secret, token=token, region=region
    )
    return snapshots_in(store, cache)


def snapshots_in(store: SnapshotStore, cache: Path | str | None = None) -> Snapshots:
    """Read the snapshots of a store that is open already.

    Args:
        store: The sandbox.
        cache: Folder for the files of buckets; by default as in `snapshots`.
    """
    backend = store.backend
    if isinstance(backend, FolderBackend):
        return Snapshots(store, FilesInPlace(backend.root))
    return Snapshots(store, CachedFiles(cache_folder(cache), backend))


@dataclass(frozen=True, repr=False)
class Snapshots:
    """The published snapshots of a sandbox.

    Args:
        store: The sandbox.
        files: Where their files lie on this machine.
    """

    store: SnapshotStore
    files: SnapshotFiles

    def __repr__(self) -> str:
        return f"Snapshots({self.store.url!r})"

    @property
    def url(self) -> str:
        """Address of the sandbox, without credentials."""
        return self.store.url

    def latest(self) -> Snapshot:
        """Return the snapshot that readers shall use.

        Where the sandbox cannot be reached, it is the one that was the latest when this machine
        asked before, with a `SnapshotWarning`.

        Raises:
            SnapshotNotFoundError: If nothing is published yet.
            SandboxUnreachableError: If nobody answers, and no snapshot is known here.
            SandboxError: The subclass says what else went wrong.
        """
        known = self.files.last_known()
        if known is None:
            return self._published_latest()
        try:
            _reach_quickly(self.store)
            return self._published_latest()
        except SandboxUnreachableError as error:
            snapshot = self._local(known)
            if snapshot is None:
                raise
            warnings.warn(
                f"{error} Going on with {known!r}, which was the latest snapshot when it was "
                "asked for before.",
                SnapshotWarning,
                stacklevel=2,
            )
            return snapshot

    def get(self, snapshot_id: str) -> Snapshot:
        """Return a snapshot by its name; one that is cached needs no network.

        Args:
            snapshot_id: Name of the snapshot, or `latest`.

        Raises:
            SnapshotNotFoundError: If there is no such committed snapshot.
            SandboxError: The subclass says what else went wrong.
        """
        if snapshot_id == LATEST:
            return self.latest()
        return self._local(snapshot_id) or self._fetched(snapshot_id)

    def list(self) -> SnapshotInfos:
        """Return the committed snapshots, newest first."""
        return self.store.list()

    def _published_latest(self) -> Snapshot:
        pointer = self.store.latest()
        if pointer is None:
            raise SnapshotNotFoundError(
                f"Nothing was published to '{self.url}' yet. Run `prefect-synth refresh` first, or "
                "correct the address."
            )
        snapshot = self._local(pointer.snapshot_id) or self._fetched(pointer.snapshot_id)
        self.files.remember_latest(pointer.snapshot_id)
        return snapshot

    def _local(self, snapshot_id: str) -> Snapshot | None:
        manifest = self.files.manifest(checked_name("Snapshot", snapshot_id))
        return None if manifest is None else self._snapshot(snapshot_id, manifest)

    def _fetched(self, snapshot_id: str) -> Snapshot:
        snapshot = self._snapshot(snapshot_id, self.store.show(snapshot_id))
        self.files.keep_manifest(snapshot_id, snapshot.manifest)
        return snapshot

    def _snapshot(self, snapshot_id: str, manifest: Mapping[str, Any]) -> Snapshot:
        named = manifest.get("snapshot_id")
        if named != snapshot_id:  # its name is a folder's name: another one could lead anywhere
            raise SandboxError(
                f"The manifest of snapshot {snapshot_id!r} in '{self.url}' says that it belongs to "
                f"{named!r}: it was not written by prefect-synth. Use another snapshot."
            )
        return Snapshot(manifest, self.files, self.store)


def _reach_quickly(store: SnapshotStore) -> None:
    """Fail at once where no S3 server answers; the patience of a read would be ten seconds or more.

    That a reader may not list the bucket, say, is not found out here: the read itself decides. To
    reach other file systems may make a folder, which is not for a reader to do.
    """
    if not store.url.startswith("s3://"):
        return
    try:
        store.backend.reach()
    except SandboxUnreachableError:
        raise
    except SandboxError:
        return
