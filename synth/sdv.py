"""SDV's multi-table metadata, read and written, so that nobody starts again.

Source of the form: SDV's public documentation of its metadata JSON (`METADATA_SPEC_VERSION` V1 and
MULTI_TABLE_V1). Two liberties are read as well: a key may be a list of columns, and a table may
refer to itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect_synth.synth.metadata import (
    PII_SDTYPES,
    SDTYPES,
    Column,
    Metadata,
    MetadataError,
    Relationship,
    Table,
)

_SAME_MEANING = {
    "unknown": "unknown",
    "country_code": "categorical",
    "administrative_unit": "categorical",
    "city": "categorical",
    "state": "categorical",
    "latitude": "numerical",
    "longitude": "numerical",
    "street_name": "street_address",
}


def metadata_from_sdv(document: Mapping[str, Any] | Path | str) -> Metadata:
    """Read SDV's metadata, from a mapping, a file, or a JSON text.

    Raises:
        MetadataError: The document is no SDV metadata, or contradicts itself.
    """
    content = _load(document)
    if "tables" not in content:
        raise MetadataError(
            "This is no SDV multi-table metadata: the key 'tables' is missing. "
            f"Its keys are: {', '.join(content)}."
        )
    return Metadata(
        {name: _read_table(name, table) for name, table in content["tables"].items()},
        tuple(_read_relationship(r) for r in content.get("relationships", ())),
    )


def metadata_to_sdv(metadata: Metadata) -> dict[str, Any]:
    """Write SDV's MULTI_TABLE_V1 form; a key of several columns becomes a list."""
    return {
        "METADATA_SPEC_VERSION": "MULTI_TABLE_V1",
        "tables": {name: _write_table(table) for name, table in metadata.tables.items()},
        "relationships": [
            {
                "parent_table_name": r.parent,
                "parent_primary_key": _one_or_list(r.parent_columns),
                "child_table_name": r.child,
                "child_foreign_key": _one_or_list(r.child_columns),
            }
            for r in metadata.relationships
        ],
    }


def _load(document: Mapping[str, Any] | Path | str) -> Mapping[str, Any]:
    if isinstance(document, Mapping):
        return document
    text = str(document)
    try:
        loaded = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text())
    except json.JSONDecodeError as error:
        raise MetadataError(f"The metadata '{text[:80]}' is no JSON: {error}.") from error
    if not isinstance(loaded, dict):
        raise MetadataError(f"The metadata '{text[:80]}' must be a JSON object.")
    return loaded


def _names(value: str | list[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _one_or_list(names: tuple[str, ...]) -> str | list[str]:
    return names[0] if len(names) == 1 else list(names)


def _read_table(name: str, table: Mapping[str, Any]) -> Table:
    primary_key = _names(table.get("primary_key"))
    columns = {c: _read_column(c, keys, c in primary_key) for c, keys in table["columns"].items()}
    return Table(
        name,
        columns,
        primary_key,
        tuple(_names(key) for key in table.get("alternate_keys", ())),
        table.get("sequence_key"),
        table.get("sequence_index"),
    )


def _read_column(name: str, keys: Mapping[str, Any], in_key: bool) -> Column:
    given = str(keys.get("sdtype", "unknown"))
    sdtype = _SAME_MEANING.get(given, given)
    pii = bool(keys.get("pii", sdtype in PII_SDTYPES))
    if sdtype not in SDTYPES:  # SDV takes any Faker function as sdtype; unknown ones are text
        sdtype = "text"
    return Column(
        name,
        sdtype,
        nullable=not in_key,
        pii=pii and sdtype != "id",
        datetime_format=keys.get("datetime_format"),
        regex_format=keys.get("regex_format"),
    )


def _read_relationship(relationship: Mapping[str, Any]) -> Relationship:
    return Relationship(
        relationship["child_table_name"],
        _names(relationship["child_foreign_key"]),
        relationship["parent_table_name"],
        _names(relationship["parent_primary_key"]),
    )


def _write_table(table: Table) -> dict[str, Any]:
    document: dict[str, Any] = {
        "columns": {name: _write_column(column) for name, column in table.columns.items()}
    }
    if table.primary_key:
        document["primary_key"] = _one_or_list(table.primary_key)
    if table.unique:
        document["alternate_keys"] = [_one_or_list(key) for key in table.unique]
    for key in ("sequence_key", "sequence_index"):
        if getattr(table, key) is not None:
            document[key] = getattr(table, key)
    return document


def _write_column(column: Column) -> dict[str, Any]:
    document: dict[str, Any] = {"sdtype": column.sdtype}
    if column.is_personal:
        document["pii"] = True
    for key in ("datetime_format", "regex_format"):
        if getattr(column, key) is not None:
            document[key] = getattr(column, key)
    return document
