"""The schema as a picture."""

from __future__ import annotations

import re
from collections.abc import Mapping

from prefect_synth.synth.metadata import Column, Metadata, Relationship


def to_mermaid(metadata: Metadata, notes: Mapping[tuple[str, str], str] | None = None) -> str:
    """The schema as a Mermaid entity-relationship diagram.

    Key columns come first in each table. Names that Mermaid does not take are written with
    underscores; a relation is labelled with its foreign key.

    Args:
        metadata: The schema.
        notes: What to say of a column, by table and column.
    """
    said = notes or {}
    lines = ["erDiagram"]
    for name, table in metadata.tables.items():
        lines.append(f"    {_word(name)} {{")
        lines += [
            f"        {_attribute(metadata, name, c, said.get((name, c.name)))}"
            for c in table.columns.values()
        ]
        lines.append("    }")
    lines += [f"    {_edge(metadata, r)}" for r in metadata.relationships]
    return "\n".join(lines) + "\n"


def _word(name: str) -> str:
    word = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return word if word[:1].isalpha() else f"_{word}"


def _attribute(metadata: Metadata, table: str, column: Column, note: str | None) -> str:
    marks = []
    if column.name in metadata.tables[table].primary_key:
        marks.append("PK")
    if column.name in metadata.foreign_key_columns(table):
        marks.append("FK")
    if (column.name,) in metadata.tables[table].unique:
        marks.append("UK")
    said = "" if note is None else f'"{note}"'.replace("\n", " ")
    return " ".join(
        part for part in (_word(column.sdtype), _word(column.name), ", ".join(marks), said) if part
    )


def _edge(metadata: Metadata, relationship: Relationship) -> str:
    child = metadata.tables[relationship.child]
    nullable = any(child.columns[c].nullable for c in relationship.child_columns)
    one = relationship.child_columns in (child.primary_key, *child.unique)
    left = "|o" if nullable else "||"
    right = "o|" if one else "o{"
    label = ", ".join(relationship.child_columns).replace('"', "'")
    return f'{_word(relationship.parent)} {left}--{right} {_word(relationship.child)} : "{label}"'
