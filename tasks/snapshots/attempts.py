"""Unfinished attempts: how one is marked, sealed, taken back, and collected when it crashed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from prefect_synth.tasks.snapshots.backend import Backend, UnfinishedUpload
from prefect_synth.tasks.snapshots.errors import SandboxConflictError
from prefect_synth.tasks.snapshots.naming import (
    ATTEMPTS,
    SNAPSHOTS,
    attempt_key,
    commit_key,
    is_snapshot_id,
    manifest_key,
    run_of,
    snapshot_folder,
)
from prefect_synth.tasks.snapshots.records import Attempt, State, read_document


@dataclass(frozen=True)
class Attempts:
    """The marks in `attempts/`; what has neither mark nor commit record is never ours to delete."""

    backend: Backend

    def begin(self, snapshot_id: str) -> None:
        """Mark what is about to be uploaded, before the first file."""
        self.backend.put_new(attempt_key(snapshot_id), Attempt(snapshot_id).to_json())

    def seal(self, snapshot_id: str) -> None:
        """Say that all files are there; from now on nobody may collect them.

        Raises:
            SandboxConflictError: If the collector was faster.
        """
        if not self._move(snapshot_id, "sealed"):
            raise SandboxConflictError(
                f"{self.backend.url}/{snapshot_folder(snapshot_id)} was collected as a crashed "
                "attempt because it took longer than the grace period: run again, with a longer "
                "grace."
            )

    def finish(self, snapshot_id: str) -> None:
        """Take the mark away from a committed snapshot."""
        self.backend.delete(attempt_key(snapshot_id))

    def discard(self, snapshot_id: str) -> None:
        """Delete an attempt that can never be committed, its mark last."""
        delete_snapshot(self.backend, snapshot_id)
        self.finish(snapshot_id)

    def abandon(self, snapshot_id: str) -> None:
        """Do the same for one that may have broken within a file: its uploads go too."""
        folder = snapshot_folder(snapshot_id)
        for upload in list(self.backend.uploads(folder)):
            if upload.key is not None and upload.key.startswith(folder):
                self.backend.discard_upload(upload)
        self.discard(snapshot_id)

    def crashed(self, before: datetime) -> list[str]:
        """Return the attempts that `collect` would delete."""
        return [snapshot_id for snapshot_id in self._idle(before) if self._is_lost(snapshot_id)]

    def collect(self, before: datetime) -> list[str]:
        """Delete the attempts that have been idle since that moment; return their ids."""
        return [snapshot_id for snapshot_id in self._idle(before) if self._collect(snapshot_id)]

    def lost_uploads(self, before: datetime) -> list[UnfinishedUpload]:
        """Return our uploads that were begun before that moment and never ended."""
        old = [item for item in self.backend.uploads(SNAPSHOTS) if item.started <= before]
        owners = {item.key: _owner(item.key) for item in old if item.key is not None}
        ours = {owner for owner in set(owners.values()) if self._is_ours(owner)}
        return [item for item in old if item.key is None or owners[item.key] in ours]

    def _idle(self, before: datetime) -> list[str]:
        marks = [item for item in self.backend.objects(ATTEMPTS) if item.modified <= before]
        names = [item.key.removeprefix(ATTEMPTS).removesuffix(".json") for item in marks]
        return [name for name in names if is_snapshot_id(name)]  # the rest is not ours

    def _is_ours(self, snapshot_id: str) -> bool:
        keys = (attempt_key(snapshot_id), commit_key(run_of(snapshot_id)))
        return any(self.backend.read_with_token(key) is not None for key in keys)

    def _is_lost(self, snapshot_id: str) -> bool:
        commit = read_document(self.backend, commit_key(run_of(snapshot_id)))
        if commit:
            return bool(commit[0]["snapshot_id"] != snapshot_id)
        return self._state(snapshot_id) in ("writing", "abandoned")

    def _collect(self, snapshot_id: str) -> bool:
        commit = read_document(self.backend, commit_key(run_of(snapshot_id)))
        if commit and commit[0]["snapshot_id"] == snapshot_id:
            self.finish(snapshot_id)  # crashed right after its commit
            return False
        if commit or self._state(snapshot_id) == "abandoned":
            self.abandon(snapshot_id)
            return True
        if not self._move(snapshot_id, "abandoned"):
            return False  # sealed, or sealed this moment: only its own run may go on
        # the mark stays until the next collection: a slow publisher may still be uploading
        delete_snapshot(self.backend, snapshot_id)
        return True

    def _state(self, snapshot_id: str) -> str | None:
        found = read_document(self.backend, attempt_key(snapshot_id))
        return None if found is None else str(found[0]["state"])

    def _move(self, snapshot_id: str, state: State) -> bool:
        key = attempt_key(snapshot_id)
        found = read_document(self.backend, key)
        if found is None or found[0]["state"] != "writing":
            return False
        moved = Attempt(snapshot_id, state)
        # a lost reply looks like a refusal: read what is there now
        swapped = self.backend.compare_and_swap(key, moved.to_json(), found[1])
        return swapped or self._state(snapshot_id) == state


def _owner(key: str) -> str:
    return key.removeprefix(SNAPSHOTS).partition("/")[0]


def snapshot_keys(backend: Backend, snapshot_id: str) -> Iterator[str]:
    """Yield the files of a snapshot, the manifest first."""
    manifest = manifest_key(snapshot_id)
    keys = [item.key for item in backend.objects(snapshot_folder(snapshot_id))]
    yield from sorted(keys, key=lambda key: (key != manifest, key))


def delete_snapshot(backend: Backend, snapshot_id: str) -> None:
    """Delete a snapshot's files, the manifest first, so that what is left is plainly not whole."""
    for key in list(snapshot_keys(backend, snapshot_id)):
        backend.delete(key)


def discard_quietly(attempts: Attempts, snapshot_id: str) -> None:
    """Take an attempt back while another error is on its way; that error matters more."""
    with suppress(Exception):
        attempts.abandon(snapshot_id)
