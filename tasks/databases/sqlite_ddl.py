"""SQLite's spelling of a snapshot's schema."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from prefect_synth.synth.metadata import Column
from prefect_synth.tasks.databases import ddl
from prefect_synth.tasks.databases.plain import is_binary
from prefect_synth.tasks.databases.plan import PlannedTable
from prefect_synth.tasks.warehouses.catalogue import quote

_LENGTH = re.compile(r"(?:character varying|character|varchar|char)\((\d+)\)", re.IGNORECASE)
_EXACT_DIGITS = 15
_NUMBERED = "INTEGER PRIMARY KEY"


def length_of(source_type: str | None) -> int | None:
    """The length that a source type declares, as in `character varying(40)`."""
    match = _LENGTH.fullmatch(source_type or "")
    return int(match[1]) if match else None


def type_of(kind: pa.DataType, source_type: str | None) -> str:
    """SQLite's declared type: it decides how a value is stored, and what reads it as.

    What would lose digits as a number, and what has no type here, is text.
    """
    if pa.types.is_boolean(kind):
        return "BOOLEAN"
    if pa.types.is_integer(kind):
        return "TEXT" if kind == pa.uint64() else _integer(kind)
    if pa.types.is_floating(kind):
        return "DOUBLE"
    if pa.types.is_decimal(kind):
        size = f"({kind.precision}, {kind.scale})"
        return f"DECIMAL{size}" if kind.precision <= _EXACT_DIGITS else "TEXT"
    if pa.types.is_date(kind):
        return "DATE"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP"
    if pa.types.is_time(kind):
        return "TIME"
    if pa.types.is_duration(kind):
        return "BIGINT"
    if isinstance(kind, pa.UuidType):
        return "CHAR(36)"
    if is_binary(kind):
        return "BLOB"
    length = length_of(source_type)
    return f"VARCHAR({length})" if length else "TEXT"


def _integer(kind: pa.DataType) -> str:
    return "BIGINT" if kind.bit_width == 64 or kind == pa.uint32() else "INTEGER"


@dataclass(frozen=True)
class SqliteSpelling:
    """SQLite's definitions."""

    def quoted(self, name: str) -> str:
        """A name as an identifier."""
        return quote(name)

    def column(self, table: PlannedTable, column: Column, field: pa.Field) -> str:
        """A column's definition; a single whole-number key numbers new rows by itself."""
        name = quote(field.name)
        if is_numbered(table, field):
            return f"{name} {_NUMBERED}"
        required = " NOT NULL" if ddl.is_required(table, column) else ""
        allowed = ""
        if column.categories and pa.types.is_string(field.type):
            allowed = f" CHECK ({name} IN ({', '.join(map(ddl.literal, column.categories))}))"
        return f"{name} {type_of(field.type, column.source_type)}{required}{allowed}"


def is_numbered(table: PlannedTable, field: pa.Field) -> bool:
    """Whether a column is the table's single whole-number key."""
    whole = pa.types.is_integer(field.type) and field.type != pa.uint64()
    return bool(table.meaning.primary_key == (field.name,) and whole)


def constraints(table: PlannedTable) -> list[str]:
    """The keys that are not said with a column."""
    lines = ddl.keys(SqliteSpelling(), table)
    key = table.meaning.primary_key
    numbered = len(key) == 1 and is_numbered(table, table.schema.field(key[0]))
    return lines[1:] if numbered else lines
