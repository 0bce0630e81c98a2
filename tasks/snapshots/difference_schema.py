"""How the schema of two snapshots differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from prefect_synth.tasks.snapshots.reading_snapshot import Snapshot

SchemaChangeKind = Literal[
    "table added", "table dropped", "column added", "column dropped", "type", "nullability",
    "order", "primary key", "comment",
]  # fmt: skip

_COMMENT = b"comment"
_TABLE_COMMENT = b"prefect_synth.comment"


@dataclass(frozen=True)
class SchemaChange:
    """One thing that is not as it was.

    Args:
        kind: What changed; a `comment` changes nothing for a reader's code.
        table: The table.
        column: The column, or None where the whole table is meant.
        before: What it was.
        after: What it is.
    """

    kind: SchemaChangeKind
    table: str
    column: str | None = None
    before: str | None = None
    after: str | None = None

    def __str__(self) -> str:
        place = self.table if self.column is None else f"{self.table}.{self.column}"
        if self.before is None and self.after is None:
            return f"{place}: {self.kind}"
        return f"{place}: {self.kind} {self.before or 'none'} -> {self.after or 'none'}"


def schema_changes(
    before: Snapshot, after: Snapshot, schemas: Mapping[str, tuple[pa.Schema, pa.Schema]]
) -> list[SchemaChange]:
    """List what differs.

    Args:
        before: The one snapshot.
        after: The other.
        schemas: Arrow schemas by table, of the tables that both have and that are compared.
    """
    added = [SchemaChange("table added", t) for t in after.tables if t not in before.tables]
    dropped = [SchemaChange("table dropped", t) for t in before.tables if t not in after.tables]
    keys = [_key_change(table, before, after) for table in schemas]
    return [
        *added,
        *dropped,
        *(change for table, sides in schemas.items() for change in _table(table, *sides)),
        *(change for change in keys if change is not None),
    ]


def primary_key(snapshot: Snapshot, table: str) -> tuple[str, ...]:
    """The primary key of a table; empty where none is known."""
    if "metadata" not in snapshot.manifest or table not in snapshot.metadata.tables:
        return ()
    return snapshot.metadata.tables[table].primary_key


def _key_change(table: str, before: Snapshot, after: Snapshot) -> SchemaChange | None:
    old, new = (", ".join(primary_key(side, table)) for side in (before, after))
    return None if old == new else SchemaChange("primary key", table, None, old, new)


def _table(table: str, before: pa.Schema, after: pa.Schema) -> Iterator[SchemaChange]:
    for name in after.names:
        if name not in before.names:
            yield SchemaChange("column added", table, name, None, str(after.field(name).type))
    for name in before.names:
        if name not in after.names:
            yield SchemaChange("column dropped", table, name, str(before.field(name).type), None)
        else:
            yield from _column(table, before.field(name), after.field(name))
    shared = set(before.names) & set(after.names)
    old, new = ([name for name in side.names if name in shared] for side in (before, after))
    if old != new:
        yield SchemaChange("order", table, None, ", ".join(old), ", ".join(new))
    yield from _comment(table, None, before.metadata, after.metadata, _TABLE_COMMENT)


def _column(table: str, before: pa.Field, after: pa.Field) -> Iterator[SchemaChange]:
    if before.type != after.type:
        yield SchemaChange("type", table, before.name, str(before.type), str(after.type))
    if before.nullable != after.nullable:
        old, new = ("NULL" if side.nullable else "NOT NULL" for side in (before, after))
        yield SchemaChange("nullability", table, before.name, old, new)
    yield from _comment(table, before.name, before.metadata, after.metadata, _COMMENT)


Notes = Mapping[bytes, bytes] | None


def _comment(
    table: str, column: str | None, before: Notes, after: Notes, key: bytes
) -> Iterator[SchemaChange]:
    old, new = ((side or {}).get(key, b"").decode() for side in (before, after))
    if old != new:
        yield SchemaChange("comment", table, column, old, new)
