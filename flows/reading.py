"""Where a command reads snapshots: the project's sandbox, or one that is named."""

from __future__ import annotations

from pathlib import Path

from prefect_synth.tasks.snapshots.reading import Snapshots, snapshots, snapshots_in


def open_snapshots(
    project: Path, sandbox: str | None = None, endpoint_url: str | None = None
) -> Snapshots:
    """Open a sandbox for reading.

    Args:
        project: The project file, or its folder; not needed where a sandbox is named.
        sandbox: A folder or `s3://bucket/prefix`; keys are found where the AWS tools find them.
        endpoint_url: Address of an S3 server that is not Amazon's.

    Raises:
        ProjectError: There is no project file, or something is wrong in it.
        SandboxError: The address makes no sense.
    """
    if sandbox is not None:
        return snapshots(sandbox, endpoint_url=endpoint_url)
    from prefect_synth.flows.refresh_setup import open_setup

    return snapshots_in(open_setup(project).sandbox)
