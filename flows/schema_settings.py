"""The catalogue's schema with what the project file adds, corrects and leaves out."""

from __future__ import annotations

import re
from dataclasses import replace

from prefect_synth.flows.private_settings import check_private
from prefect_synth.flows.project import Project, ProjectError
from prefect_synth.flows.tables import ColumnSettings
from prefect_synth.synth.metadata import PII_SDTYPES, Column, Metadata, Table
from prefect_synth.synth.pii.names import name_sdtype, person_number
from prefect_synth.synth.rules.contradictions import with_unique
from prefect_synth.tasks.warehouses.errors import did_you_mean

_NUMBER = re.compile(
    r"(u?(tiny|small|medium|big|huge)?int(eger|\d+)?|numeric|decimal|float\d*|double|real)\b",
    re.IGNORECASE,
)


def apply_settings(metadata: Metadata, project: Project) -> Metadata:
    """Add relations, correct meanings and drop excluded columns.

    Args:
        metadata: The schema that the catalogue declares.
        project: The project file.

    Returns:
        The schema to synthesize.

    Raises:
        ProjectError: The file names a table or column that does not exist, or leaves out a key.
        MetadataError: A relation contradicts the schema.
        RuleError: A rule names what does not exist, or contradicts another.
        RequestError: Differential privacy is asked for, and cannot be had on this schema.
    """
    _check_root(metadata, project)
    _check_unit(metadata, project)
    _check_quasi(metadata, project)
    _check_targets(metadata, project)
    for name, settings in project.tables.items():
        table = _table(metadata, name)
        for column, wanted in settings.columns.items():
            _check_column(metadata, table, column, wanted)
        excluded = {column for column, wanted in settings.columns.items() if wanted.exclude}
        columns = {name: c for name, c in table.columns.items() if name not in excluded}
        metadata = metadata.with_table(replace(table, columns=columns))
    metadata = correct_meanings(metadata, project).with_relationships(project.relationships())
    check_private(metadata, project)
    return with_unique(metadata, project.rules())


def correct_meanings(metadata: Metadata, project: Project) -> Metadata:
    """Say of columns what the project file says; it has the last word over every guess."""
    for name, settings in project.tables.items():
        if name not in metadata.tables:
            continue  # `apply_settings` has refused what was never there
        table = metadata.tables[name]
        columns = {
            column: _corrected(meaning, settings.columns.get(column, ColumnSettings()))
            for column, meaning in table.columns.items()
        }
        metadata = metadata.with_table(replace(table, columns=columns))
    return metadata


def guess_personal(metadata: Metadata) -> Metadata:
    """Guess from names alone which columns are personal, before any row is read."""
    for name, table in metadata.tables.items():
        keys = metadata.key_columns(name)
        columns = {
            column: meaning if column in keys else _by_name(meaning, name)
            for column, meaning in table.columns.items()
        }
        metadata = metadata.with_table(replace(table, columns=columns))
    return metadata


def _by_name(column: Column, table: str) -> Column:
    sdtype = None
    if column.sdtype == "categorical" and column.categories is None:
        sdtype = name_sdtype(column.name, table)
    elif column.sdtype == "numerical":
        sdtype = person_number(column.name)
    return column if sdtype is None else replace(column, sdtype=sdtype, pii=True)


def _check_root(metadata: Metadata, project: Project) -> None:
    sample = project.warehouse.sample
    if sample and sample.root and sample.root not in metadata.tables:
        raise ProjectError(
            f"warehouse.sample.root names the table '{sample.root}', which was not found. "
            f"{did_you_mean(sample.root, metadata.tables)}"
        )


def _check_unit(metadata: Metadata, project: Project) -> None:
    unit = project.privacy.unit
    if unit is not None and unit not in metadata.tables:
        raise ProjectError(
            f"privacy.unit names the table '{unit}', which was not found. "
            f"{did_you_mean(unit, metadata.tables)}"
        )
    if unit in project.copied():
        raise ProjectError(
            f"privacy.unit says that the rows of '{unit}' are people, and tables.{unit}.model "
            "that its real rows are published as they are. Take one of them away."
        )


def _check_targets(metadata: Metadata, project: Project) -> None:
    known = [f"{name}.{c}" for name, table in metadata.tables.items() for c in table.columns]
    for target in project.gates.targets:
        if target not in known:
            raise ProjectError(
                f"gates.targets names '{target}', and there is no such column. "
                f"{did_you_mean(target, known)}"
            )


def _check_quasi(metadata: Metadata, project: Project) -> None:
    for name, columns in project.privacy.quasi_identifiers.items():
        place = f"privacy.quasi_identifiers.{name}"
        if name not in metadata.tables:
            raise ProjectError(
                f"{place} names a table that was not found in the warehouse. "
                f"{did_you_mean(name, metadata.tables)}"
            )
        for column in columns:
            if column not in metadata.tables[name].columns:
                raise ProjectError(
                    f"{place} names the column '{column}', which the table does not have. "
                    f"{did_you_mean(column, metadata.tables[name].columns)}"
                )


def _table(metadata: Metadata, name: str) -> Table:
    if name not in metadata.tables:
        raise ProjectError(
            f"tables.{name} names a table that was not found in the warehouse. "
            f"{did_you_mean(name, metadata.tables)}"
        )
    return metadata.tables[name]


def _check_column(metadata: Metadata, table: Table, column: str, wanted: ColumnSettings) -> None:
    place = f"tables.{table.name}.columns.{column}"
    if column not in table.columns:
        raise ProjectError(
            f"{place} names a column that table '{table.name}' does not have. "
            f"{did_you_mean(column, table.columns)}"
        )
    unique = {name for key in table.unique for name in key}
    referred = {name for r in metadata.children(table.name) for name in r.parent_columns}
    if wanted.exclude and column in metadata.key_columns(table.name) | unique | referred:
        raise ProjectError(
            f"{place} excludes a column that is part of a key. Exclude the whole table under "
            "warehouse.exclude, or keep the column."
        )


def _corrected(column: Column, wanted: ColumnSettings) -> Column:
    if column.lost_key:  # still generated, whatever is said: a person has to accept the loss
        personal = wanted.sdtype if wanted.sdtype in PII_SDTYPES else None
        return replace(column, sdtype=personal or column.sdtype)
    sdtype, pii = wanted.sdtype or column.sdtype, column.pii if wanted.pii is None else wanted.pii
    if wanted.pii is False and wanted.sdtype is None and sdtype in PII_SDTYPES:
        sdtype = "numerical" if _NUMBER.match(column.source_type or "") else "categorical"
    return replace(column, sdtype=sdtype, pii=pii)
