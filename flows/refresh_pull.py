"""The first steps of a refresh: every table out of one state of the warehouse, a part held out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from prefect.task_runners import TaskRunner
from prefect.utilities.annotations import quote

from prefect_synth.flows.drift import project_drift, require_baseline
from prefect_synth.flows.drift_told import tell_drift
from prefect_synth.flows.gone import idle_settings, refuse_needed
from prefect_synth.flows.pinned import check_contracts, check_meanings
from prefect_synth.flows.project import ProjectError
from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.flows.schema_settings import correct_meanings
from prefect_synth.synth.errors import OrphanError
from prefect_synth.synth.inference import refine_metadata
from prefect_synth.synth.metadata import Metadata
from prefect_synth.tasks.drift.baseline import write_facts
from prefect_synth.tasks.drift.changes import Drift
from prefect_synth.tasks.drift.facts import SchemaFacts
from prefect_synth.tasks.folders import write_atomically
from prefect_synth.tasks.holdout import divide_tables
from prefect_synth.tasks.progress import step
from prefect_synth.tasks.pull import STEP, pull_table
from prefect_synth.tasks.references import TableRef
from prefect_synth.tasks.retries import back_off, retried
from prefect_synth.tasks.staged_run import StagedRun
from prefect_synth.tasks.synthesis import read_metadata
from prefect_synth.tasks.telling import run_log
from prefect_synth.tasks.warehouses.selection import Selection, plan_selection
from prefect_synth.tasks.warehouses.warehouse import Warehouse, WarehouseSnapshot

_METADATA = "metadata.json"


@dataclass(frozen=True)
class Staged:
    """A run whose real tables are staged.

    Args:
        run: The run's folder.
        metadata: The schema, refined by what the rows show.
        metadata_file: The same as JSON.
        tables: The staged tables, as far as models see them.
        held_out: What they never see, of the tables that belong to families.
        units: The tables whose rows are the root entities of what is held out.
        resumed: Whether an interrupted run had staged them.
    """

    run: StagedRun
    metadata: Metadata
    metadata_file: Path
    tables: tuple[TableRef, ...]
    held_out: tuple[TableRef, ...]
    units: tuple[str, ...]
    resumed: bool

    @property
    def whole(self) -> dict[str, Path]:
        """Folder of each whole table: the part that models see and the one that they do not."""
        return {ref.table: ref.path.parent for ref in self.tables}

    @property
    def holdout(self) -> dict[str, Path]:
        """The schema without what models see: what is held out, and the shared tables whole."""
        shared = {ref.table: ref.path for ref in self.tables}
        return shared | {ref.table: ref.path for ref in self.held_out}

    @property
    def rows(self) -> dict[str, int]:
        """Rows of each whole table."""
        unseen = {ref.table: ref.rows for ref in self.held_out}
        return {ref.table: ref.rows + unseen.get(ref.table, 0) for ref in self.tables}


@dataclass(frozen=True)
class Pulled:
    """A run whose tables are out of the warehouse.

    Args:
        run: The run's folder.
        tables: The pulled tables, not yet divided; of a resumed run what models see of them.
        resumed: Whether an interrupted run had staged them.
    """

    run: StagedRun
    tables: tuple[TableRef, ...]
    resumed: bool


@dataclass(frozen=True)
class Source:
    """An open warehouse whose catalogue was read.

    Args:
        warehouse: The warehouse.
        metadata: Its schema, with what the project file adds and corrects.
        schemas: The Arrow schema of each table.
        drift: What moved in its catalogue since it was accepted; nothing of it blocks.
        catalogue: What its catalogue says of the tables that are read.
    """

    warehouse: Warehouse
    metadata: Metadata
    schemas: dict[str, pa.Schema]
    drift: Drift
    catalogue: SchemaFacts


@contextmanager
def opened(setup: Setup) -> Iterator[Source]:
    """Connect to the warehouse and read its catalogue.

    Args:
        setup: The project and its places.

    Raises:
        ProjectError: No table is left to synthesize, or a setting needs what is gone.
        DriftBlockedError: The warehouse moved in a way that ends a refresh.
        LockError: What was accepted of the warehouse cannot be read, or is gone.
        ContractError: A scenario, or a pinned row, does not fit the schema.
        WarehouseError: The subclass says what is wrong with the warehouse.
    """
    with closing(setup.open_warehouse()) as warehouse:
        warehouse.check_read_only()
        drift = project_drift(setup, warehouse)
        require_baseline(setup, drift)
        tell_drift(setup.project.project, drift)
        refuse_needed(drift)
        drift.refuse_blocked()
        metadata = setup.reflect(warehouse)
        _tell_idle(setup, warehouse, drift)
        if not metadata.tables:
            raise ProjectError(_no_table(drift))
        schemas = warehouse.schemas(metadata)
        check_contracts(setup, setup.guess(metadata), schemas)
        yield Source(warehouse, metadata, schemas, drift, setup.facts(warehouse))


def _tell_idle(setup: Setup, warehouse: Warehouse, drift: Drift) -> None:
    if idle := idle_settings(setup.project, setup.gone(warehouse, drift)):
        run_log().warning(
            f"The project file describes what is gone from the warehouse: {', '.join(idle)}. It "
            "has no effect; take it out before the change is accepted."
        )


def _no_table(drift: Drift) -> str:
    if waiting := [name for name in drift.unread_tables if name not in drift.excluded_tables]:
        return (
            f"No table is left to synthesize: nobody has accepted {', '.join(waiting)} yet. Accept "
            f"with `prefect-synth drift accept {' '.join(waiting)}`, and commit synth.lock."
        )
    return (
        "The warehouse has no table to synthesize. Look at warehouse.schemas, include and exclude"
        + (", and at what synth.lock leaves out for good." if drift.excluded_tables else ".")
    )


def pull_tables(setup: Setup, runner: TaskRunner[Any], run: StagedRun, source: Source) -> Pulled:
    """Pull every table, unless an interrupted run has staged them all.

    Args:
        setup: The project and its places.
        runner: Runs the tasks in this process, where the connection is.
        run: The run, new or interrupted.
        source: Where the tables are.

    Raises:
        WarehouseError: The subclass says what is wrong with the warehouse.
    """
    if run.state.pulled:
        return Pulled(run, run.state.pulled, resumed=True)
    retries = setup.project.run.retries
    tables = retried(lambda: _pull_snapshot(setup, runner, run, source), retries)
    return Pulled(run, tables, resumed=False)


def stage_tables(setup: Setup, runner: TaskRunner[Any], source: Source, pulled: Pulled) -> Staged:
    """See what the rows say of the schema, and hold a part of them out.

    Args:
        setup: The project and its places.
        runner: Runs the tasks in this process.
        source: What was read of the catalogue.
        pulled: The pulled tables.

    Raises:
        ContractError: A scenario or a balanced table asks for a column that is personal.
    """
    run = pulled.run
    if not pulled.resumed:
        refined = _refined(setup, source.metadata, pulled.tables)
        check_meanings(setup.project, refined)  # values may show a column to be personal
        write_atomically(run.folder / _METADATA, json.dumps(refined.to_dict(), indent=1))
        write_facts(run.catalogue, source.catalogue)
        run.update(held=source.drift.held_columns)
        _hold_out(setup, runner, run, refined, pulled.tables)
    return staged_tables(run, pulled.resumed)


def staged_tables(run: StagedRun, resumed: bool) -> Staged:
    """What a run has staged.

    Args:
        run: A run that has pulled all tables.
        resumed: Whether an interrupted run had staged them.
    """
    state, file = run.state, run.folder / _METADATA
    return Staged(
        run, read_metadata(file), file, state.pulled, state.held_out, state.units, resumed
    )


def _hold_out(
    setup: Setup,
    runner: TaskRunner[Any],
    run: StagedRun,
    metadata: Metadata,
    pulled: tuple[TableRef, ...],
) -> None:
    """Divide the staged tables; from here on the run can be resumed."""
    privacy = setup.project.privacy
    arguments = {
        "metadata": metadata,
        "tables": pulled,
        "folders": {name: run.divided(name) for name in metadata.tables},
        "fraction": privacy.holdout,
        "unit": privacy.unit,
        "keep": setup.project.copied(),
    }
    with step("hold out"):
        quoted = {name: quote(value) for name, value in arguments.items()}
        divided = runner.submit(divide_tables, quoted).result()
    run.update(pulled=divided.training, held_out=divided.held_out, units=divided.units)


def _pull_snapshot(
    setup: Setup, runner: TaskRunner[Any], run: StagedRun, source: Source
) -> tuple[TableRef, ...]:
    with source.warehouse.snapshot() as snapshot:
        return _pull_all(setup, runner, run, source, snapshot)


def _pull_all(
    setup: Setup,
    runner: TaskRunner[Any],
    run: StagedRun,
    source: Source,
    snapshot: WarehouseSnapshot,
) -> tuple[TableRef, ...]:
    metadata = source.metadata
    _check_orphans(setup, metadata, snapshot)
    counts = {table: snapshot.count(table) for table in metadata.tables}
    selection = selection_of(setup, metadata, counts)
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


def selection_of(setup: Setup, metadata: Metadata, counts: dict[str, int]) -> Selection | None:
    """Which rows are read; None where all are.

    Args:
        setup: The project and its places.
        metadata: The schema.
        counts: Rows of each table.
    """
    sample = setup.project.warehouse.sample
    if sample is None:
        return None
    return plan_selection(
        metadata, counts, rows=sample.rows, fraction=sample.fraction, root=sample.root
    )


def _refined(setup: Setup, metadata: Metadata, tables: tuple[TableRef, ...]) -> Metadata:
    refined = refine_metadata(metadata, {ref.table: ref.path for ref in tables})
    return correct_meanings(refined, setup.project)
