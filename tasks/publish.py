"""The step `publish`: a judged snapshot into the sandbox, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from prefect_synth.tasks.progress import progress
from prefect_synth.tasks.snapshots.records import SnapshotRef
from prefect_synth.tasks.snapshots.store import SnapshotStore
from prefect_synth.tasks.steps import guarded, is_transient

STEP = "publish"
REPORT = "report.html"


@task(
    name=STEP,
    task_run_name="publish[{run_id}]",
    cache_policy=NO_CACHE,
    persist_result=False,
    retry_condition_fn=is_transient,
)
@guarded
def publish_snapshot(
    run_id: str,
    tables: dict[str, Path],
    manifest: Mapping[str, Any],
    report: Path,
    judged: Mapping[str, Sequence[str]],
    sandbox: SnapshotStore,
) -> SnapshotRef:
    """Publish the tables; the same run id counts once, however often this is called.

    Args:
        run_id: Name of the run.
        tables: The synthetic tables.
        manifest: What else the manifest shall say; aggregates only.
        report: The HTML report.
        judged: By table, the SHA-256 of each file that was judged.
        sandbox: Where to publish.

    Returns:
        The published snapshot.
    """
    reference = sandbox.publish(run_id, tables, manifest, {REPORT: report}, judged)
    progress().advance(STEP, len(tables), reference.snapshot_id)
    return reference


@task(name="retain", task_run_name="retain", cache_policy=NO_CACHE, persist_result=False)
@guarded
def retain_snapshots(sandbox: SnapshotStore, last: int, weekly: int) -> list[str]:
    """Delete the oldest snapshots; the one that readers see and the pinned ones stay.

    Args:
        sandbox: Where the snapshots are.
        last: How many of the newest to keep.
        weekly: In how many of the newest weeks to keep the newest.

    Returns:
        The names of those deleted.
    """
    return sandbox.retain(last, weekly=weekly)
