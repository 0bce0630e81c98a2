"""Where a command finds snapshots: in a project's sandbox, or in one that is named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prefect_synth.tasks.snapshots.errors import SandboxUrlError, SnapshotNotFoundError
from prefect_synth.tasks.snapshots.retention import Retention
from prefect_synth.tasks.snapshots.store import SnapshotStore, open_store


@dataclass(frozen=True)
class SandboxPlace:
    """A project file, or a sandbox's own address for those who have no project.

    Args:
        project: The project file, or its folder.
        url: A sandbox instead; credentials are then the environment's own.
        endpoint_url: S3 server of `url`, if not Amazon's.
    """

    project: Path
    url: str | None = None
    endpoint_url: str | None = None

    def open(self) -> SnapshotStore:
        """Open the sandbox; nothing is read yet.

        Raises:
            ProjectError: There is no project file, or something is wrong in it.
            SandboxUrlError: The address makes no sense.
        """
        if self.url is not None:
            return open_store(self.url, endpoint_url=self.endpoint_url)
        if self.endpoint_url is not None:
            raise SandboxUrlError(
                "--endpoint-url belongs to --sandbox s3://bucket/prefix; a project file has "
                "sandbox.endpoint_url."
            )
        from prefect_synth.flows.refresh_setup import open_setup

        return open_setup(self.project).sandbox

    def retention(self) -> Retention | None:
        """What the project keeps; nobody but the project knows that."""
        if self.url is not None:
            return None
        from prefect_synth.flows.refresh_setup import open_setup

        retain = open_setup(self.project).project.sandbox.retain
        return Retention(retain.last, retain.weekly)


def resolve_snapshot(sandbox: SnapshotStore, snapshot: str) -> str:
    """The name of a snapshot; `latest` is the one that readers see.

    Raises:
        SnapshotNotFoundError: Nothing was published yet.
    """
    if snapshot != "latest":
        return snapshot
    latest = sandbox.latest()
    if latest is None:
        raise SnapshotNotFoundError(
            f"Nothing was published to '{sandbox.url}' yet. Run `prefect-synth refresh` first."
        )
    return latest.snapshot_id
