"""What a project file opens: its folder, staging, warehouse and sandbox."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from pydantic.main import IncEx

from prefect_synth.flows.gone import Gone, with_needs, without_gone
from prefect_synth.flows.held import check_held
from prefect_synth.flows.lost_keys import mark_lost_keys
from prefect_synth.flows.project import Project, load_project, project_file
from prefect_synth.flows.schema_settings import (
    apply_settings,
    correct_meanings,
    guess_personal,
)
from prefect_synth.synth.metadata import Metadata
from prefect_synth.tasks.connections import (
    open_project_sandbox,
    open_project_warehouse,
    warehouse_url,
)
from prefect_synth.tasks.drift.accepted import accepted_catalogue
from prefect_synth.tasks.drift.baseline import read_baseline
from prefect_synth.tasks.drift.changes import Drift
from prefect_synth.tasks.drift.detecting import Baseline, schema_drift
from prefect_synth.tasks.drift.facts import SchemaFacts, schema_facts, schema_fingerprint
from prefect_synth.tasks.drift.keys import lost_keys
from prefect_synth.tasks.drift.lock import lock_file
from prefect_synth.tasks.references import fingerprint
from prefect_synth.tasks.snapshots.store import SnapshotStore
from prefect_synth.tasks.staged_run import CATALOGUE
from prefect_synth.tasks.staging import Staging, open_staging, staging_folder
from prefect_synth.tasks.warehouses.catalogue import CatalogueTable
from prefect_synth.tasks.warehouses.choice import choose_tables
from prefect_synth.tasks.warehouses.url import redact
from prefect_synth.tasks.warehouses.warehouse import Warehouse

_NO_ROW_DEPENDS_ON: Mapping[str, IncEx | bool] = {
    "feeds": True,
    "notify": True,
    "run": {
        "schedule",
        "timezone",
        "work_pool",
        "watch_minutes",
        "watch_data_hours",
        "gc_schedule",
        "promise_hours",
    },
    "warehouse": {"concurrency"},
}


@dataclass(frozen=True)
class Setup:
    """A project and its places.

    Args:
        file: The project file.
        project: What it says.
        look: Whether to leave no trace: private staging is not made where it is not there.
    """

    file: Path
    project: Project
    look: bool = False

    @property
    def base(self) -> Path:
        """Where relative paths of the project file start."""
        return self.file.parent

    @cached_property
    def staging(self) -> Staging:
        """The project's private staging."""
        project = self.project
        return open_staging(project.staging, project.project, self.base, make=not self.look)

    @cached_property
    def sandbox(self) -> SnapshotStore:
        """Where snapshots are published."""
        return open_project_sandbox(self.project.sandbox, self.base)

    def open_warehouse(self) -> Warehouse:
        """Connect to the warehouse; the caller closes it."""
        return open_project_warehouse(self.project.warehouse, self.base)

    @property
    def lock_file(self) -> Path:
        """`synth.lock`, which need not be there."""
        return lock_file(self.file)

    @cached_property
    def baseline(self) -> Baseline:
        """What was accepted of the warehouse's schema: `synth.lock`, or the first refresh's."""
        settings = self.project.staging
        staging = staging_folder(settings, self.project.project, self.base)
        return read_baseline(self.lock_file, staging / CATALOGUE)

    def tables(self, warehouse: Warehouse) -> dict[str, CatalogueTable]:
        """The tables that the project file reads, as the warehouse's own catalogue has them."""
        wanted = self.project.warehouse
        catalogue = warehouse.catalogue()
        return choose_tables(catalogue, wanted.schemas, wanted.include, wanted.exclude)

    def facts(self, warehouse: Warehouse) -> SchemaFacts:
        """What the warehouse's own catalogue says of the tables that the project file reads."""
        return schema_facts(warehouse.catalogue(), self.tables(warehouse))

    def drift(self, warehouse: Warehouse) -> Drift:
        """What moved in the warehouse's catalogue since it was accepted, and what comes of it."""
        tables, policies = self.tables(warehouse), self.project.on_drift
        left_out = self.project.left_out()
        catalogue, named = warehouse.catalogue(), self._named(warehouse)
        drift = schema_drift(self.baseline, catalogue, tables, policies, left_out, named)
        return with_needs(drift, self.project, self.gone(warehouse, drift))

    def gone(self, warehouse: Warehouse, drift: Drift) -> Gone:
        """What was accepted and is not in the warehouse any more."""
        return Gone.between(self.baseline.tables or {}, self.facts(warehouse), drift.changes)

    def _named(self, warehouse: Warehouse) -> Collection[str]:
        """What the project file's patterns name, views and partitions included."""
        wanted, catalogue = self.project.warehouse, warehouse.catalogue()
        every = replace(
            catalogue, tables=tuple(replace(table, listed=True) for table in catalogue.tables)
        )
        return choose_tables(every, wanted.schemas, wanted.include, wanted.exclude)

    def reflect(self, warehouse: Warehouse) -> Metadata:
        """Read the schema that is accepted, with what the project file adds and corrects.

        From here on the warehouse goes by it: a column that is held is read as NULL.
        """
        drift, before = self.drift(warehouse), self.baseline.tables or {}
        check_held(self.project, drift)
        tables = self.tables(warehouse)
        warehouse.go_by(accepted_catalogue(warehouse.catalogue(), tables, before, drift))
        wanted = self.project.warehouse
        metadata = warehouse.reflect(wanted.schemas, wanted.include, wanted.exclude)
        read = [name for name in metadata.tables if name not in drift.unread_tables]
        lost = lost_keys(before, schema_facts(warehouse.catalogue(), tables), drift, read)
        left = without_gone(self.project, self.gone(warehouse, drift))
        settled = apply_settings(metadata.subset(read), left)
        return mark_lost_keys(settled, lost, left)

    def about(self, metadata: Metadata) -> Setup:
        """The same without settings of what was accepted and is gone, as `reflect` has found.

        Args:
            metadata: The schema that `reflect` gave.
        """
        tables = frozenset(set(self.project.tables) - set(metadata.tables))
        columns = {
            name: frozenset(
                column
                for column, said in settings.columns.items()
                if column not in metadata.tables[name].columns and not said.exclude
            )
            for name, settings in self.project.tables.items()
            if name in metadata.tables
        }
        gone = Gone(tables, {name: names for name, names in columns.items() if names})
        return replace(self, project=without_gone(self.project, gone)) if gone else self

    def reflect_and_guess(self, warehouse: Warehouse) -> Metadata:
        """The same with a guess of what is personal, which a refresh makes when it sees rows."""
        return self.guess(self.reflect(warehouse))

    def guess(self, metadata: Metadata) -> Metadata:
        """A schema with a guess of what is personal, by names alone."""
        return correct_meanings(guess_personal(metadata), self.project)

    def plan(self, metadata: Metadata) -> str:
        """Fingerprint of project file, warehouse and schema.

        Passwords are masked and do not count; a new one leads to the same rows.
        """
        place = redact(warehouse_url(self.project.warehouse, self.base))
        said = self.project.model_dump(mode="json", exclude=_NO_ROW_DEPENDS_ON)
        return fingerprint(said, place, metadata.to_dict(), self.accepted)

    @property
    def accepted(self) -> str:
        """Fingerprint of what was accepted, which decides what is held; decisions do not count."""
        facts = self.baseline.tables or {}
        return fingerprint(schema_fingerprint(facts), sorted(self.baseline.excluded))


def open_setup(project: Path | str, look: bool = False) -> Setup:
    """Read a project file; nothing is connected yet.

    Args:
        project: The project file, or its folder.
        look: Whether to leave no trace, as `plan` does.

    Raises:
        ProjectError: Something is wrong in the file.
    """
    file = project_file(project)
    return Setup(file, load_project(file), look)
