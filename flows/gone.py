"""What a project file says of tables and columns that were accepted and are gone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from prefect_synth.flows.project import Project, ProjectError
from prefect_synth.flows.tables import TableSettings
from prefect_synth.synth.rules.declared import read_rule
from prefect_synth.tasks.drift.changes import Change, Drift
from prefect_synth.tasks.drift.facts import SchemaFacts


@dataclass(frozen=True)
class Gone:
    """What was accepted of the warehouse and is not there any more.

    Args:
        tables: Tables.
        columns: By table that is still there, columns.
    """

    tables: frozenset[str] = frozenset()
    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def between(cls, before: SchemaFacts, now: SchemaFacts, changes: Collection[Change]) -> Gone:
        """Tell what is gone.

        Args:
            before: The tables as they were accepted.
            now: The tables that are read, as they are.
            changes: What moved; a table that is no longer read is not gone.
        """
        dropped = {change.table for change in changes if change.kind == "table_dropped"}
        renamed = {str(change.old) for change in changes if change.kind == "table_renamed"}
        columns = {
            name: frozenset(set(before[name].by_name) - set(now[name].by_name))
            for name in before
            if name in now
        }
        return cls(frozenset(dropped | renamed), {n: c for n, c in columns.items() if c})

    def __bool__(self) -> bool:
        return bool(self.tables or self.columns)

    def has(self, place: str) -> bool:
        """Whether a table, or a `table.column`, is gone."""
        table, _, column = place.rpartition(".")
        return place in self.tables or table in self.tables or column in self.columns.get(table, ())


def without_gone(project: Project, gone: Gone) -> Project:
    """Take out what the file only describes: it has nothing to be said of any more.

    Args:
        project: The project file.
        gone: What is gone.
    """
    tables = {
        name: _without(settings, gone.columns.get(name, frozenset()))
        for name, settings in project.tables.items()
        if name not in gone.tables
    }
    identifying = {
        name: tuple(column for column in columns if not gone.has(f"{name}.{column}"))
        for name, columns in project.privacy.quasi_identifiers.items()
        if name not in gone.tables
    }
    privacy = {"quasi_identifiers": {name: left for name, left in identifying.items() if left}}
    return project.model_copy(
        update={"tables": tables, "privacy": project.privacy.model_copy(update=privacy)}
    )


def _without(settings: TableSettings, gone: Collection[str]) -> TableSettings:
    columns = {name: said for name, said in settings.columns.items() if name not in gone}
    return settings.model_copy(update={"columns": columns})


def idle_settings(project: Project, gone: Gone) -> tuple[str, ...]:
    """The settings that `without_gone` takes out, as the file names them.

    Args:
        project: The project file.
        gone: What is gone.
    """
    return tuple(_idle(project, gone))


def _idle(project: Project, gone: Gone) -> Iterator[str]:
    for name, settings in project.tables.items():
        if name in gone.tables:
            yield f"tables.{name}"
            continue
        for column in settings.columns:
            if gone.has(f"{name}.{column}"):
                yield f"tables.{name}.columns.{column}"
    for name, columns in project.privacy.quasi_identifiers.items():
        if any(gone.has(f"{name}.{column}") for column in columns):
            yield f"privacy.quasi_identifiers.{name}"


def with_needs(drift: Drift, project: Project, gone: Gone) -> Drift:
    """Let what is gone block where a setting needs it: what is asked for could not be kept.

    Args:
        drift: What moved.
        project: The project file.
        gone: What is gone.
    """
    if not gone:
        return drift
    needs = {place: setting for place, setting in _needs(project) if gone.has(place)}

    def weighed(change: Change) -> Change:
        setting = next((needs[place] for place in needs if _concerns(change, place)), None)
        if setting is None or change.effect == "blocks":
            return change
        return change.model_copy(update={"effect": "blocks", "needed_by": setting})

    return drift.model_copy(update={"changes": tuple(map(weighed, drift.changes))})


def _concerns(change: Change, place: str) -> bool:
    """Whether it is by this change that a table, or a `table.column`, is gone."""
    table = place.rpartition(".")[0]
    if change.kind in ("table_dropped", "table_renamed"):
        name = change.old if change.kind == "table_renamed" else change.table
        return name in (place, table)
    if change.kind in ("column_dropped", "column_renamed"):
        name = change.old if change.kind == "column_renamed" else change.column
        return f"{change.table}.{name}" == place
    return False


def refuse_needed(drift: Drift) -> None:
    """End where something is gone that a setting of the project file needs.

    Args:
        drift: What moved.

    Raises:
        ProjectError: The message names what is gone and the setting.
    """
    if needed := [change for change in drift.blocked if change.needed_by]:
        said = "; ".join(change.what for change in needed)
        raise ProjectError(
            f"The warehouse drifted, and nothing was pulled: {said}. Take that out of the project "
            "file, or bring back what is gone. The last good snapshot stays."
        )


def _needs(project: Project) -> Iterator[tuple[str, str]]:
    """Tables and `table.column`s whose absence changes what somebody asked for, and who did."""
    for relation in project.relationships():
        for table, columns in (
            (relation.child, relation.child_columns),
            (relation.parent, relation.parent_columns),
        ):
            yield from ((f"{table}.{column}", f"relations: '{relation}'") for column in columns)
    for target in project.gates.targets:
        yield target, "gates.targets"
    if project.privacy.unit:
        yield project.privacy.unit, "privacy.unit"
    if project.warehouse.sample and project.warehouse.sample.root:
        yield project.warehouse.sample.root, "warehouse.sample.root"
    for name, feed in project.feeds.items():
        yield from ((table, f"feeds.{name}.tables") for table in feed.tables or ())
    for name, settings in project.tables.items():
        yield from _needs_of_table(name, settings)


def _needs_of_table(name: str, settings: TableSettings) -> Iterator[tuple[str, str]]:
    place = f"tables.{name}"
    if settings.pin is not None:
        yield name, f"{place}.pin"
    for line in settings.rules:
        for rule in read_rule(line):
            for column in (rule.target, *rule.columns):
                yield column if "." in column else f"{name}.{column}", f"{place}.rules: '{line}'"
    for asked in settings.scenarios:
        setting = f"{place}.scenarios: '{asked.name}'"
        yield name, setting
        yield from ((child, setting) for child in asked.children)
        for comparison in asked.scenario().comparisons():
            yield f"{name}.{comparison.column}", setting
    if settings.balance is not None:
        yield f"{name}.{settings.balance.column}", f"{place}.balance"
