"""Columns that were keys: their values are generated until somebody accepts that they are none."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from prefect_synth.flows.project import Project
from prefect_synth.flows.tables import ColumnSettings
from prefect_synth.synth.metadata import Column, Metadata
from prefect_synth.tasks.drift.keys import LostKeys


def mark_lost_keys(metadata: Metadata, lost: LostKeys, project: Project) -> Metadata:
    """Mark the columns of keys that are not in the schema, so that nothing real of them is learned.

    Args:
        metadata: The schema, as the project file corrects it.
        lost: The keys that the warehouse has, or had when it was accepted.
        project: The project file, which has the last word on keys that nobody lost: those to
            tables that are not read.
    """
    for name, table in metadata.tables.items():
        spoken = _spoken_of(project, name)
        gone, unread = lost.gone.get(name, ()), lost.unread.get(name, frozenset()) - spoken
        here = _in_force(metadata, name)
        columns = {
            c: column if c in here else _marked(column, c in gone, c in unread)
            for c, column in table.columns.items()
        }
        metadata = metadata.with_table(replace(table, columns=columns))
    return metadata


def _spoken_of(project: Project, table: str) -> frozenset[str]:
    """The columns of which the project file says what they are."""
    settings = project.tables.get(table)
    columns: Mapping[str, ColumnSettings] = settings.columns if settings else {}
    said = {c for c, wanted in columns.items() if wanted.sdtype or wanted.pii is not None}
    return frozenset(said)


def _in_force(metadata: Metadata, name: str) -> Collection[str]:
    """The columns whose values a key of the schema makes."""
    single = {key[0] for key in metadata.tables[name].unique if len(key) == 1}
    referred = {c for r in metadata.children(name) for c in r.parent_columns}
    return {*metadata.key_columns(name), *single, *referred}


def _marked(column: Column, gone: bool, unread: bool) -> Column:
    """The column as one whose values are made up; labels and truth values are no secret."""
    if column.sdtype == "boolean" or column.categories is not None:
        return column
    if gone:
        sdtype = column.sdtype if column.is_personal else "id"
        return replace(column, sdtype=sdtype, lost_key=True)
    return replace(column, lost_key=True) if unread and column.sdtype == "id" else column
