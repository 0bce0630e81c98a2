"""The step `feed`: a snapshot into one database, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from prefect_synth.tasks.connections import database_url
from prefect_synth.tasks.databases.feeding import feed_snapshot
from prefect_synth.tasks.databases.result import FeedResult
from prefect_synth.tasks.databases.settings import FeedSettings
from prefect_synth.tasks.snapshots.reading import snapshots_in
from prefect_synth.tasks.snapshots.store import SnapshotStore
from prefect_synth.tasks.steps import guarded, is_transient

STEP = "feed"


@task(
    name=STEP,
    task_run_name="feed[{target}]",
    cache_policy=NO_CACHE,
    persist_result=False,
    retry_condition_fn=is_transient,
)
@guarded
def feed_database(
    target: str,
    settings: FeedSettings,
    sandbox: SnapshotStore,
    base: Path,
    protect: str | None,
) -> FeedResult:
    """Load a snapshot into a database of the project file.

    Args:
        target: The database's name in the project file.
        settings: What the project file says of it.
        sandbox: Where the snapshots are.
        base: Folder of the project file; relative paths start there.
        protect: URL of the warehouse, which is not fed.

    Returns:
        What was loaded.
    """
    return feed_snapshot(
        snapshots_in(sandbox).get(settings.snapshot),
        database_url(settings, base),
        mode=settings.mode,
        tables=settings.tables,
        closure=settings.closure,
        schema=settings.into_schema,
        create=settings.create,
        leave_out=settings.leave_out,
        protect=None if settings.allow_warehouse else protect,
    )
