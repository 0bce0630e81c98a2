"""Metadata as plain JSON values: our own form, version 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect_synth.synth.metadata import Column, Metadata, MetadataError, Relationship, Table

VERSION = 1


def write_document(metadata: Metadata) -> dict[str, Any]:
    """The schema as plain JSON values."""
    return {
        "version": VERSION,
        "tables": {name: _table_to_dict(table) for name, table in metadata.tables.items()},
        "relationships": [
            {
                "child": r.child,
                "child_columns": list(r.child_columns),
                "parent": r.parent,
                "parent_columns": list(r.parent_columns),
                **({} if r.when is None else {"when": dict([r.when])}),
            }
            for r in metadata.relationships
        ],
    }


def read_document(document: Mapping[str, Any]) -> Metadata:
    """Read what `write_document` wrote.

    Raises:
        MetadataError: The document is of another version or contradicts itself.
    """
    if document.get("version") != VERSION:
        raise MetadataError(
            f"Metadata version {document.get('version')!r} is not known; version {VERSION} is. "
            "Read SDV's form with Metadata.from_sdv()."
        )
    return Metadata(
        {name: _table_from_dict(name, t) for name, t in document["tables"].items()},
        tuple(
            Relationship(
                r["child"],
                tuple(r["child_columns"]),
                r["parent"],
                tuple(r["parent_columns"]),
                next(iter(r.get("when", {}).items()), None),
            )
            for r in document["relationships"]
        ),
    )


def _table_to_dict(table: Table) -> dict[str, Any]:
    document: dict[str, Any] = {
        "columns": {name: _column_to_dict(column) for name, column in table.columns.items()},
        "primary_key": list(table.primary_key),
        "unique": [list(key) for key in table.unique],
    }
    for key in ("sequence_key", "sequence_index", "comment"):
        if getattr(table, key) is not None:
            document[key] = getattr(table, key)
    return document


def _column_to_dict(column: Column) -> dict[str, Any]:
    document: dict[str, Any] = {"sdtype": column.sdtype, "nullable": column.nullable}
    if column.pii:
        document["pii"] = True
    for flag in ("identity", "lost_key"):
        if getattr(column, flag):
            document[flag] = True
    for key in ("datetime_format", "regex_format", "source_type", "comment"):
        if getattr(column, key) is not None:
            document[key] = getattr(column, key)
    if column.categories is not None:
        document["categories"] = list(column.categories)
    return document


def _table_from_dict(name: str, document: Mapping[str, Any]) -> Table:
    columns = {}
    for column, keys in document["columns"].items():
        keys = dict(keys)
        if keys.get("categories") is not None:
            keys["categories"] = tuple(keys["categories"])
        columns[column] = Column(column, **keys)
    return Table(
        name,
        columns,
        tuple(document.get("primary_key", ())),
        tuple(tuple(key) for key in document.get("unique", ())),
        document.get("sequence_key"),
        document.get("sequence_index"),
        document.get("comment"),
    )
