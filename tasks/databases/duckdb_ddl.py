"""DuckDB's spelling of a snapshot's schema."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from prefect_synth.synth.metadata import Column
from prefect_synth.tasks.databases import ddl
from prefect_synth.tasks.databases.plain import is_binary, is_list
from prefect_synth.tasks.databases.plan import Place, Plan, PlannedTable
from prefect_synth.tasks.warehouses.catalogue import quote

_SIMPLE = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.uint8(): "UTINYINT",
    pa.uint16(): "USMALLINT",
    pa.uint32(): "UINTEGER",
    pa.uint64(): "UBIGINT",
    pa.float16(): "FLOAT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.date64(): "DATE",
    pa.uuid(): "UUID",
    pa.json_(): "JSON",
}
_MOST_DIGITS = 38


def type_of(kind: pa.DataType) -> str:
    """DuckDB's type for an Arrow type."""
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if pa.types.is_dictionary(kind):
        return type_of(kind.value_type)
    if is_list(kind):
        return f"{type_of(kind.value_type)}[]"
    if pa.types.is_decimal(kind):
        fits = kind.precision <= _MOST_DIGITS
        return f"DECIMAL({kind.precision}, {kind.scale})" if fits else "VARCHAR"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP WITH TIME ZONE" if kind.tz else _timestamp(kind)
    if pa.types.is_time(kind):
        return "TIME_NS" if kind.unit == "ns" else "TIME"
    if pa.types.is_duration(kind):
        return "INTERVAL"
    return "BLOB" if is_binary(kind) else "VARCHAR"


def _timestamp(kind: pa.DataType) -> str:
    return {"ns": "TIMESTAMP_NS", "ms": "TIMESTAMP_MS", "s": "TIMESTAMP_S"}.get(
        kind.unit, "TIMESTAMP"
    )


@dataclass(frozen=True)
class DuckdbSpelling:
    """DuckDB's definitions.

    Args:
        plan: What is fed: a foreign key's column has its parent's type.
    """

    plan: Plan | None = None

    def quoted(self, name: str) -> str:
        """A name as an identifier."""
        return quote(name)

    def column(self, table: PlannedTable, column: Column, field: pa.Field) -> str:
        """A column's definition."""
        source, name = self.plan.source(table, field.name) if self.plan else (table, field.name)
        kind = type_of(source.schema.field(name).type)
        if column.categories and column.sdtype != "id" and pa.types.is_string(field.type):
            kind = f"ENUM({', '.join(map(ddl.literal, column.categories))})"
        numbered = ""
        if is_numbered(column, field):
            sequence = ddl.at(self, sequence_of(table, field.name))
            numbered = f" DEFAULT nextval({ddl.literal(sequence)})"
        required = " NOT NULL" if ddl.is_required(table, column) else ""
        return f"{quote(field.name)} {kind}{numbered}{required}"


def is_numbered(column: Column, field: pa.Field) -> bool:
    """Whether the database numbers new rows in this column."""
    return column.identity and bool(pa.types.is_integer(field.type))


def sequence_of(table: PlannedTable, column: str) -> Place:
    """The sequence that numbers a column of a new table."""
    return Place(table.place.schema, f"{table.place.name}_{column}_seq")


def comments(table: PlannedTable) -> list[str]:
    """The statements that comment on a table and its columns."""
    name = ddl.at(DuckdbSpelling(), table.place)
    said = [(f"TABLE {name}", table.meaning.comment)] if table.meaning.comment else []
    said += [
        (f"COLUMN {name}.{quote(field.name)}", comment)
        for field in table.schema
        if (comment := ddl.column_of(table, field.name).comment)
    ]
    return [f"COMMENT ON {what} IS {ddl.literal(str(comment))}" for what, comment in said]
