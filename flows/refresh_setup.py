"""What a project file opens: its folder, staging, warehouse and sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic.main import IncEx

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
from prefect_synth.tasks.references import fingerprint
from prefect_synth.tasks.snapshots.store import SnapshotStore
from prefect_synth.tasks.staging import Staging, open_staging
from prefect_synth.tasks.warehouses.url import redact
from prefect_synth.tasks.warehouses.warehouse import Warehouse

_NO_ROW_DEPENDS_ON: Mapping[str, IncEx | bool] = {
    "feeds": True,
    "notify": True,
    "run": {"schedule", "timezone", "work_pool", "watch_minutes", "gc_schedule", "promise_hours"},
    "warehouse": {"concurrency"},
}


@dataclass(frozen=True)
class Setup:
    """A project and its places.

    Args:
        file: The project file.
        project: What it says.
    """

    file: Path
    project: Project

    @property
    def base(self) -> Path:
        """Where relative paths of the project file start."""
        return self.file.parent

    @cached_property
    def staging(self) -> Staging:
        """The project's private staging."""
        return open_staging(self.project.staging, self.project.project, self.base)

    @cached_property
    def sandbox(self) -> SnapshotStore:
        """Where snapshots are published."""
        return open_project_sandbox(self.project.sandbox, self.base)

    def open_warehouse(self) -> Warehouse:
        """Connect to the warehouse; the caller closes it."""
        return open_project_warehouse(self.project.warehouse, self.base)

    def reflect(self, warehouse: Warehouse) -> Metadata:
        """Read the catalogue, with what the project file adds, corrects and leaves out."""
        settings = self.project.warehouse
        catalogue = warehouse.reflect(settings.schemas, settings.include, settings.exclude)
        return apply_settings(catalogue, self.project)

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
        return fingerprint(said, place, metadata.to_dict())


def open_setup(project: Path | str) -> Setup:
    """Read a project file; nothing is connected yet.

    Raises:
        ProjectError: Something is wrong in the file.
    """
    file = project_file(project)
    return Setup(file, load_project(file))
