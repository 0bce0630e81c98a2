"""From local files to a committed snapshot: upload, seal, commit once."""

from __future__ import annotations

from dataclasses import dataclass

from prefect_synth.tasks.snapshots.attempts import Attempts, discard_quietly
from prefect_synth.tasks.snapshots.backend import Backend
from prefect_synth.tasks.snapshots.errors import SandboxConflictError
from prefect_synth.tasks.snapshots.manifest import Draft
from prefect_synth.tasks.snapshots.naming import (
    commit_key,
    manifest_key,
    new_snapshot_id,
    snapshot_folder,
)
from prefect_synth.tasks.snapshots.records import CommitRecord, read_document

_TRIES = 8


@dataclass(frozen=True)
class Publisher:
    """Writes attempts, and makes exactly one attempt of a run count."""

    backend: Backend

    def committed(self, run_id: str) -> CommitRecord | None:
        """Return the record of the attempt that won, if one has."""
        found = read_document(self.backend, commit_key(run_id))
        return None if found is None else CommitRecord.from_dict(found[0])

    def publish(self, run_id: str, draft: Draft) -> CommitRecord:
        """Upload one more attempt of this run and try to commit it.

        Returns:
            The run's commit record: this attempt's, or that of a sibling that was faster.
        """
        attempts, snapshot_id = Attempts(self.backend), new_snapshot_id(run_id)
        try:
            attempts.begin(snapshot_id)
            self._upload(run_id, snapshot_id, draft)
            attempts.seal(snapshot_id)
        except Exception:
            discard_quietly(attempts, snapshot_id)  # nothing can have been committed yet
            raise
        winner = self._commit(commit_record(run_id, snapshot_id, draft))
        if winner.snapshot_id == snapshot_id:
            attempts.finish(snapshot_id)
        else:
            attempts.discard(snapshot_id)
        return winner

    def _upload(self, run_id: str, snapshot_id: str, draft: Draft) -> None:
        for path, place in draft.uploads:
            self.backend.put_file(path, f"{snapshot_folder(snapshot_id)}{place}")
        self.backend.put_new(manifest_key(snapshot_id), draft.manifest(run_id, snapshot_id))

    def _commit(self, record: CommitRecord) -> CommitRecord:
        for _ in range(_TRIES):
            if self.backend.put_new(commit_key(record.run_id), record.to_json()):
                return record
            # refused: a sibling was faster, or it is our own, whose reply was lost
            winner = self.committed(record.run_id)
            if winner is not None:
                return winner
        raise SandboxConflictError(
            f"{self.backend.url}/{commit_key(record.run_id)} can neither be created nor read: "
            "run again."
        )


def commit_record(run_id: str, snapshot_id: str, draft: Draft) -> CommitRecord:
    """Return what is written down of an attempt that won.

    Args:
        run_id: The run.
        snapshot_id: The attempt.
        draft: What was uploaded.
    """
    return CommitRecord(
        run_id=run_id,
        snapshot_id=snapshot_id,
        created=draft.created,
        tables=len(draft.facts["tables"]),
        rows=draft.total("rows"),
        bytes=draft.total("bytes"),
    )
