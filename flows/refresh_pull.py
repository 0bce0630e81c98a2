"""The first step of a refresh: every table out of one state of the warehouse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.annotations import quote

from prefect_synth.flows.project import ProjectError
from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.flows.schema_settings import correct_meanings
from prefect_synth.synth.errors import OrphanError
from prefect_synth.synth.inference import refine_metadata
from prefect_synth.synth.metadata import Metadata
from prefect_synth.tasks.folders import write_atomically
from prefect_synth.tasks.progress import step
from prefect_synth.tasks.pull import STEP, pull_table
from prefect_synth.tasks.references import TableRef
from prefect_synth.tasks.retries import back_off, retried
from prefect_synth.tasks.staged_run import StagedRun
from prefect_synth.tasks.warehouses.selection import Selection, plan_selection
from prefect_synth.tasks.warehouses.warehouse import Warehouse, WarehouseSnapshot


@dataclass(frozen=True)
class Staged:
    """A run whose real tables are staged.

    Args:
        run: The run's folder.
        metadata: The schema, refined by what the rows show.
        metadata_file: The same as JSON.
        tables: The staged tables.
        resumed: Whether an interrupted run had staged them.
    """

    run: StagedRun
    metadata: Metadata
    metadata_file: Path
    tables: tuple[TableRef, ...]
    resumed: bool


@dataclass(frozen=True)
class Source:
    """An open warehouse whose catalogue was read.

    Args:
        warehouse: The warehouse.
        metadata: Its schema, with what the project file adds and corrects.
        schemas: The Arrow schema of each table.
    """

    warehouse: Warehouse
    metadata: Metadata
    schemas: dict[str, pa.Schema]


@contextmanager
def opened(setup: Setup) -> Iterator[Source]:
    """Connect to the warehouse and read its catalogue.

    Args:
        setup: The project and its places.

    Raises:
        ProjectError: No table is left to synthesize.
        WarehouseError: The subclass says what is wrong with the warehouse.
    """
    with closing(setup.open_warehouse()) as warehouse:
        warehouse.check_read_only()
        metadata = setup.reflect(warehouse)
        if not metadata.tables:
            raise ProjectError(
                "The warehouse has no table to synthesize. Look at warehouse.schemas, include and "
                "exclude."
            )
        yield Source(warehouse, metadata, warehouse.schemas(metadata))


def pull_tables(
    setup: Setup, runner: ThreadPoolTaskRunner[Any], run: StagedRun, source: Source
) -> Staged:
    """Stage every table, unless an interrupted run has staged them all.

    Args:
        setup: The project and its places.
        runner: Runs the tasks.
        run: The run, new or interrupted.
        source: Where the tables are.

    Raises:
        WarehouseError: The subclass says what is wrong with the warehouse.
    """
    tables = run.state.pulled
    resumed = bool(tables)
    if not resumed:
        retries = setup.project.run.retries
        tables = retried(lambda: _pull_snapshot(setup, runner, run, source), retries)
        run.update(pulled=tables)
    return _staged(setup, run, source.metadata, tables, resumed)


def _pull_snapshot(
    setup: Setup, runner: ThreadPoolTaskRunner[Any], run: StagedRun, source: Source
) -> tuple[TableRef, ...]:
    with source.warehouse.snapshot() as snapshot:
        return _pull_all(setup, runner, run, source, snapshot)


def _pull_all(
    setup: Setup,
    runner: ThreadPoolTaskRunner[Any],
    run: StagedRun,
    source: Source,
    snapshot: WarehouseSnapshot,
) -> tuple[TableRef, ...]:
    metadata = source.metadata
    _check_orphans(setup, metadata, snapshot)
    counts = {table: snapshot.count(table) for table in metadata.tables}
    selection = _selection(setup, metadata, counts)
    retries = setup.project.run.retries
    pull = pull_table.with_options(retries=retries, retry_delay_seconds=back_off(retries))
    with step(STEP, None if selection else sum(counts.values())):
        futures = [
            runner.submit(
                pull,
                {
                    "table": table,
                    "path": run.real(table),
                    "schema": quote(source.schemas[table]),
                    "snapshot": quote(snapshot),
                    "selection": quote(selection),
                },
            )
            for table in metadata.tables
        ]
        for future in futures:  # none may still write when all are pulled again
            future.wait()
        return tuple(future.result() for future in futures)


def _check_orphans(setup: Setup, metadata: Metadata, snapshot: WarehouseSnapshot) -> None:
    """Look before the expensive part; relations that the file declares are enforced by nobody."""
    if setup.project.defaults.on_orphan != "error":
        return
    for relationship in setup.project.relationships():
        count = snapshot.orphans(relationship)
        if count:
            raise OrphanError(relationship.name, count, snapshot.count(relationship.child))


def _selection(setup: Setup, metadata: Metadata, counts: dict[str, int]) -> Selection | None:
    sample = setup.project.warehouse.sample
    if sample is None:
        return None
    return plan_selection(
        metadata, counts, rows=sample.rows, fraction=sample.fraction, root=sample.root
    )


def _staged(
    setup: Setup,
    run: StagedRun,
    metadata: Metadata,
    tables: tuple[TableRef, ...],
    resumed: bool,
) -> Staged:
    refined = refine_metadata(metadata, {ref.table: ref.path for ref in tables})
    refined = correct_meanings(refined, setup.project)
    file = run.folder / "metadata.json"
    write_atomically(file, json.dumps(refined.to_dict(), indent=1))
    return Staged(run, refined, file, tables, resumed)
