"""The project file `synth.yaml`: one page that says what is refreshed, from where, to where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.suite_settings import SqlCheck, SuiteSettings
from prefect_synth.flows.project_errors import project_error
from prefect_synth.flows.relations import parse_relation
from prefect_synth.flows.run_settings import RunSettings
from prefect_synth.flows.tables import DefaultSettings, PrivacySettings, TableSettings
from prefect_synth.flows.yaml_document import ProjectError, read_yaml
from prefect_synth.synth.metadata import Relationship
from prefect_synth.synth.scenarios.balance import Balance
from prefect_synth.synth.scenarios.scenario import Scenario
from prefect_synth.tasks.databases.settings import FeedSettings
from prefect_synth.tasks.drift.policies import DriftPolicies
from prefect_synth.tasks.settings import (
    SandboxSettings,
    Settings,
    StagingSettings,
    WarehouseSettings,
)

__all__ = ["Project", "ProjectError", "load_project"]

DEFAULT_FILE = "synth.yaml"


def _is_relation(text: str) -> str:
    parse_relation(text)
    return text


def _is_name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text):
        raise ValueError(f"must be small letters, digits and dashes between them, got '{text}'")
    return text


def _is_block(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+/[a-z0-9-]+", text):
        raise ValueError(
            f"must be the type and the name of a saved block, such as slack-webhook/oncall, "
            f"got '{text}'"
        )
    return text


class Project(Settings):
    """A project file. `project`, a warehouse and a sandbox are a complete one."""

    version: Literal[1] = Field(default=1, description="Version of this file's form.")
    project: Annotated[str, AfterValidator(_is_name)] = Field(
        description="A short name: small letters, digits and dashes.",
    )
    warehouse: WarehouseSettings = Field(description="The production warehouse, read only.")
    sandbox: SandboxSettings = Field(description="Where synthetic snapshots are published.")
    staging: StagingSettings = Field(
        default_factory=StagingSettings,
        description="Private staging for real rows and models.",
    )
    relations: tuple[Annotated[str, AfterValidator(_is_relation)], ...] = Field(
        default=(),
        description="Foreign keys that the catalogue does not declare.",
    )
    defaults: DefaultSettings = Field(
        default_factory=DefaultSettings,
        description="What holds for every table.",
    )
    tables: dict[str, TableSettings] = Field(
        default_factory=dict,
        description="What differs for single tables, by name.",
    )
    privacy: PrivacySettings = Field(
        default_factory=PrivacySettings,
        description="Whom the values protect.",
    )
    gates: Gates = Field(
        default_factory=Gates,
        description="What must hold before anything becomes visible.",
    )
    suites: SuiteSettings = Field(
        default_factory=SuiteSettings,
        description="Where the suite files lie, and expectations of your own.",
    )
    checks: dict[str, SqlCheck] = Field(
        default_factory=dict,
        description="Your own checks by name: SQL over the synthetic tables that must return no "
        "row.",
    )
    feeds: dict[Annotated[str, AfterValidator(_is_name)], FeedSettings] = Field(
        default_factory=dict,
        description="Databases that are fed with snapshots, by name.",
    )
    on_drift: DriftPolicies = Field(
        default_factory=DriftPolicies,
        description="What becomes of what moved in the warehouse, until somebody accepts it.",
    )
    run: RunSettings = Field(
        default_factory=RunSettings,
        description="Seed, schedule and resources.",
    )
    notify: tuple[Annotated[str, AfterValidator(_is_block)], ...] = Field(
        default=(),
        description="Saved Prefect notification blocks, as type/name, that are told of trouble.",
    )

    def relationships(self) -> tuple[Relationship, ...]:
        """The declared relations, read."""
        return tuple(parse_relation(text) for text in self.relations)

    def copied(self) -> tuple[str, ...]:
        """Tables whose real rows are published as they are."""
        return tuple(name for name, table in self.tables.items() if table.model == "copy")

    def excluded(self) -> tuple[str, ...]:
        """Patterns of tables, and columns, that are left out by request."""
        columns = (
            f"{table}.{column}"
            for table, settings in self.tables.items()
            for column, wanted in settings.columns.items()
            if wanted.exclude
        )
        return (*self.warehouse.exclude, *columns)

    def left_out(self) -> dict[str, frozenset[str]]:
        """By table, the columns that are left out by request."""
        return {
            table: frozenset(name for name, c in settings.columns.items() if c.exclude)
            for table, settings in self.tables.items()
        }

    def table_gates(self) -> dict[str, Gates]:
        """The gates of tables that have their own."""
        own = {name: table.gates for name, table in self.tables.items() if table.gates}
        return {name: self.gates.with_overrides(gates) for name, gates in own.items()}

    def rules(self) -> dict[str, tuple[str, ...]]:
        """Declared rules by table."""
        return {name: table.rules for name, table in self.tables.items() if table.rules}

    def scenarios(self) -> dict[str, tuple[Scenario, ...]]:
        """What must occur, by table."""
        return {
            name: tuple(scenario.scenario() for scenario in table.scenarios)
            for name, table in self.tables.items()
            if table.scenarios
        }

    def balances(self) -> tuple[Balance, ...]:
        """The balanced tables."""
        return tuple(t.balance.balance(n) for n, t in self.tables.items() if t.balance)

    def marginals(self) -> dict[str, str]:
        """Chosen distributions by `table.column`."""
        return {
            f"{table}.{column}": settings.marginal
            for table, tables in self.tables.items()
            for column, settings in tables.columns.items()
            if settings.marginal
        }


def load_project(path: Path | str, environment: Mapping[str, str] | None = None) -> Project:
    """Read and check a project file.

    Args:
        path: The file, or the folder that holds `synth.yaml`.
        environment: Where `${NAME}` is looked up; by default the process's environment.

    Returns:
        The project.

    Raises:
        ProjectError: Something is wrong; every finding names file, line, key and cure.
    """
    document = read_yaml(project_file(path), environment)
    try:
        return Project.model_validate(document.values)
    except ValidationError as error:
        raise project_error(error, Project, document) from None


def project_file(path: Path | str) -> Path:
    """The project file at `path`, which may be its folder."""
    path = Path(path)
    return (path / DEFAULT_FILE if path.is_dir() else path).absolute()
