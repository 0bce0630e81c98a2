"""Load a snapshot into a database.

import prefect_synth
from prefect_synth.tasks.databases.feeding import feed_snapshot

snapshot = prefect_synth.snapshots("s3://test-data/shop").latest()
feed_snapshot(snapshot, "postgresql://tester:secret@localhost/test")
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import get_args

from prefect_synth.tasks.databases.address import DIALECTS, dialect_of
from prefect_synth.tasks.databases.errors import (
    FeedRequestError,
    ProtectedTargetError,
    RowsRefusedError,
)
from prefect_synth.tasks.databases.job import Create, Job, Mode
from prefect_synth.tasks.databases.plan import PlannedTable, chosen_tables
from prefect_synth.tasks.databases.preparation import prepared
from prefect_synth.tasks.databases.result import FedTable, FeedResult
from prefect_synth.tasks.databases.same_database import same_database
from prefect_synth.tasks.databases.target import Target, open_target
from prefect_synth.tasks.snapshots.reading_snapshot import Snapshot
from prefect_synth.tasks.warehouses.url import redact, scheme_of


def feed_snapshot(
    snapshot: Snapshot,
    url: str,
    *,
    mode: Mode = "replace",
    tables: Collection[str] | None = None,
    closure: bool = True,
    schema: str | None = None,
    create: Create = "missing",
    leave_out: bool = False,
    protect: str | None = None,
) -> FeedResult:
    """Load a snapshot into a database: all of it or nothing, and readers never see half.

    Args:
        snapshot: What to load.
        url: `postgresql://`, `mysql://`, `sqlite:///file.db` or `duckdb:///file.duckdb`.
        mode: What becomes of rows that are there: `replace` them, `append`, or `upsert`, which
            updates those with the same primary key.
        tables: Which tables; by default all.
        closure: Whether the tables that their foreign keys need are fed too.
        schema: The schema for all tables; by default the connection's own, or each table's own
            where the snapshot has several.
        create: `missing` tables are created; `never`: they must exist; `always`: all are made anew
            from the snapshot, and take the places of those that are there.
        leave_out: Whether columns that an existing table lacks are left out, not refused.
        protect: URL of the warehouse, which is never fed.

    Returns:
        What was loaded.

    Raises:
        FeedError: The subclass says what went wrong; the database is as it was.
        SandboxError: The snapshot cannot be read, or is not as its manifest says.
    """
    started = time.monotonic()
    _check_request(mode, create)
    _check_protected(url, protect)
    names = chosen_tables(snapshot.metadata, tables, closure)
    # every file is fetched and its hash checked before the database is opened
    schemas = {name: (snapshot.files(name), snapshot.schema(name))[1] for name in names}
    with open_target(url) as target:
        _check_server(url, protect)
        job = prepared(target, snapshot, schemas, schema, mode, create, leave_out)
        _check_job(target, job)
        seconds = _load(target, job)
    return _result(snapshot, url, job, seconds, time.monotonic() - started)


def _check_request(mode: Mode, create: Create) -> None:
    for what, value, allowed in (("mode", mode, Mode), ("create", create, Create)):
        if value not in get_args(allowed):
            raise FeedRequestError(
                f"{what} must be one of {', '.join(get_args(allowed))}, got '{value}'."
            )
    if create == "always" and mode != "replace":
        raise FeedRequestError(
            f"create: always makes tables anew, so the mode must be replace, got '{mode}'."
        )


def _check_protected(url: str, protect: str | None) -> None:
    if protect is not None and same_database(url, protect):
        raise ProtectedTargetError(
            f"The database {redact(url)} is the project's own warehouse, which is never written to."
            " Feed another database."
        )


def _check_server(url: str, protect: str | None) -> None:
    """Ask both servers who they are, where their addresses do not tell."""
    dialects = {dialect_of(url), DIALECTS.get(scheme_of(protect or ""))}
    if protect is None or dialects != {"postgresql"}:
        return
    from prefect_synth.tasks.databases.postgres_identity import same_server  # needs the driver

    if same_server(url, protect):
        raise ProtectedTargetError(
            f"The database {redact(url)} is the project's own warehouse by another address, or the "
            "one that it is a replica of, which is never written to. Feed another database."
        )


def _check_job(target: Target, job: Job) -> None:
    """Refuse, before anything is touched, what could not end well."""
    target.check_rights(job)
    if job.mode == "upsert":
        for table in job.plan.tables:
            job.key(table)
    if job.mode == "replace":
        for key in job.foreign_keys(outside=True):
            if target.refers(key):
                raise FeedRequestError(
                    f"Table '{key.child}' has rows that refer to '{key.parent}' and is not fed, so "
                    f"the rows of '{key.parent}' cannot be replaced. Feed it too, empty it, or use "
                    "the mode upsert."
                )


def _load(target: Target, job: Job) -> Mapping[str, float]:
    seconds: dict[str, float] = {}
    before = {table.name: 0 for table in job.plan.tables}
    with target.whole(job):
        if job.mode == "replace":
            target.empty(job)
        else:
            before |= {table.name: target.count(job.place(table)) for table in job.present()}
        target.create(job)
        for group in job.plan.groups:
            started = time.monotonic()
            target.fill(job, [job.plan[name] for name in group])
            seconds |= dict.fromkeys(group, time.monotonic() - started)
        target.finish(job)
        for table in job.plan.tables:
            _check_count(job.mode, table, before[table.name], target.count(job.place(table)))
    return seconds


def _check_count(mode: Mode, table: PlannedTable, before: int, found: int) -> None:
    least, most = before + table.rows, before + table.rows
    if mode == "upsert":
        least = max(before, table.rows)
    if not least <= found <= most:
        raise RowsRefusedError(
            f"Table '{table.place}' would have {found} rows, expected {least}. A trigger, a rule "
            "or another writer changes it; stop that and feed again."
        )


def _result(
    snapshot: Snapshot, url: str, job: Job, seconds: Mapping[str, float], total: float
) -> FeedResult:
    return FeedResult(
        snapshot.snapshot_id,
        redact(url),
        job.mode,
        tuple(
            FedTable(t.name, str(t.place), t.rows, job.target(t) is None, round(seconds[t.name], 3))
            for t in job.plan.tables
        ),
        round(total, 3),
        job.left_out(),
    )
