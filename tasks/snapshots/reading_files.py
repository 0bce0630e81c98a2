"""Where the files of snapshots lie on this machine, each checked once against its manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from prefect_synth.tasks.snapshots.errors import (
    SandboxError,
    SandboxPermissionError,
    SnapshotDamagedError,
)
from prefect_synth.tasks.snapshots.naming import snapshot_folder

_SHOWN = 12
"""So much of a hash tells two of them apart."""

_checked: set[tuple[str, int, int, str]] = set()
"""Path, size, time of change and sha256 of each file that this process has found whole."""


class SnapshotFiles(Protocol):
    """The local side of a sandbox."""

    def manifest(self, snapshot_id: str) -> Mapping[str, Any] | None:
        """Return a manifest that is known here, without any network."""

    def keep_manifest(self, snapshot_id: str, manifest: Mapping[str, Any]) -> None:
        """Keep the manifest of a committed snapshot."""

    def last_known(self) -> str | None:
        """Return the snapshot that was the latest when the sandbox was asked before."""

    def remember_latest(self, snapshot_id: str) -> None:
        """Remember which snapshot the sandbox says is the latest."""

    def path(self, snapshot_id: str, file: Mapping[str, Any]) -> Path:
        """Return a local file that is as its manifest says.

        Args:
            snapshot_id: Name of the snapshot.
            file: Its path, bytes and sha256, as the manifest has them.

        Raises:
            SnapshotDamagedError: If the sandbox's own file is not as the manifest says.
        """


@dataclass(frozen=True)
class FilesInPlace:
    """A sandbox that is a local folder: its files are read where they are.

    Args:
        root: The sandbox.
    """

    root: Path

    def manifest(self, snapshot_id: str) -> None:
        """Return None: the sandbox itself is asked."""

    def keep_manifest(self, snapshot_id: str, manifest: Mapping[str, Any]) -> None:
        """Keep nothing: the sandbox is here."""

    def last_known(self) -> None:
        """Return None: the sandbox itself is asked."""

    def remember_latest(self, snapshot_id: str) -> None:
        """Remember nothing: the sandbox is here."""

    def path(self, snapshot_id: str, file: Mapping[str, Any]) -> Path:
        """Return the file in the sandbox, checked once in this process.

        Raises:
            SnapshotDamagedError: If it is missing or not as the manifest says.
            SandboxPermissionError: If this process may not read it.
        """
        path = self.root / snapshot_folder(snapshot_id) / safe_path(file)
        try:
            fault = fault_of(path, file)
        except OSError as error:
            raise SandboxPermissionError(
                f"{path} could not be read: {error.strerror or error}. Give this user the right to "
                "read the sandbox's folder."
            ) from error
        if fault is not None:
            raise damaged(snapshot_id, file, fault)
        return path


def safe_path(file: Mapping[str, Any]) -> PurePosixPath:
    """Return a file's path in its snapshot; a manifest may not lead out of it."""
    path = PurePosixPath(str(file["path"]))
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise SandboxError(
            f"The manifest names the file {str(path)!r}, which lies outside of its snapshot: it was"
            " not written by prefect-synth. Use another snapshot."
        )
    return path


def fault_of(path: Path, file: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a local file, or None; a whole one is read once in a process."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return "is missing"
    if status.st_size != file["bytes"]:
        return f"has {status.st_size} bytes, the manifest says {file['bytes']}"
    proof = (str(path), status.st_size, status.st_mtime_ns, str(file["sha256"]))
    if proof in _checked:
        return None
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != file["sha256"]:
        return other_hash(found, file)
    _checked.add(proof)
    return None


def found_whole(path: Path, file: Mapping[str, Any]) -> None:
    """Remember that a file was found whole while it was written."""
    status = path.stat()
    _checked.add((str(path), status.st_size, status.st_mtime_ns, str(file["sha256"])))


def other_hash(found: str, file: Mapping[str, Any]) -> str:
    """Say that a file has another hash than the manifest says."""
    return f"has sha256 {found[:_SHOWN]}…, the manifest says {str(file['sha256'])[:_SHOWN]}…"


def damaged(snapshot_id: str, file: Mapping[str, Any], fault: str) -> SnapshotDamagedError:
    """Return the error for a file of the sandbox that is not as its manifest says."""
    return SnapshotDamagedError(
        f"Snapshot {snapshot_id!r}: {file['path']} {fault}. Somebody changed or deleted it in the "
        f"sandbox. See `prefect-synth snapshots verify {snapshot_id}`, and use another snapshot "
        "(`prefect-synth snapshots ls`) or publish a new one."
    )
