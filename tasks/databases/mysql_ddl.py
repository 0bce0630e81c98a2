"""MySQL's and MariaDB's spelling of a snapshot's schema."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from prefect_synth.synth.metadata import Column
from prefect_synth.tasks.databases import ddl
from prefect_synth.tasks.databases.plain import is_binary
from prefect_synth.tasks.databases.plan import Place, Plan, PlannedTable
from prefect_synth.tasks.databases.sqlite_ddl import length_of

_SIMPLE = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INT",
    pa.int64(): "BIGINT",
    pa.uint8(): "TINYINT UNSIGNED",
    pa.uint16(): "SMALLINT UNSIGNED",
    pa.uint32(): "INT UNSIGNED",
    pa.uint64(): "BIGINT UNSIGNED",
    pa.float16(): "FLOAT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.date64(): "DATE",
    pa.uuid(): "CHAR(36)",
    pa.json_(): "JSON",
}
_IN_A_KEY = 255
_LONGEST_VARCHAR = 1000
_MOST_DIGITS, _MOST_DECIMALS = 65, 30

TABLE_OPTIONS = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
"""Text is compared as production's databases do: a capital letter is another letter."""


def quoted(name: str) -> str:
    """A name as an identifier."""
    return "`" + name.replace("`", "``") + "`"


def at(place: Place) -> str:
    """A table's quoted name; a foreign key may lead into another database."""
    return ".".join(quoted(part) for part in (place.schema, place.name) if part is not None)


def literal(value: str) -> str:
    """A text as an SQL literal."""
    return ddl.literal(value.replace("\\", "\\\\"))


@dataclass(frozen=True)
class MysqlSpelling:
    """MySQL's definitions.

    Args:
        plan: What is fed: a foreign key's column has its parent's type.
    """

    plan: Plan

    def quoted(self, name: str) -> str:
        """A name as an identifier."""
        return quoted(name)

    def column(self, table: PlannedTable, column: Column, field: pa.Field) -> str:
        """A column's definition."""
        required = " NOT NULL" if ddl.is_required(table, column) else " NULL"
        numbered = " AUTO_INCREMENT" if self._is_numbered(table, column, field) else ""
        comment = f" COMMENT {literal(column.comment)}" if column.comment else ""
        return f"{quoted(field.name)} {self._type(table, field.name)}{required}{numbered}{comment}"

    def _type(self, table: PlannedTable, name: str) -> str:
        table, name = self.plan.source(table, name)
        column, kind = ddl.column_of(table, name), table.schema.field(name).type
        if column.categories and column.sdtype != "id" and pa.types.is_string(kind):
            return f"ENUM({', '.join(map(literal, column.categories))})"
        return _type_of(kind, self._is_key(table, name), length_of(column.source_type))

    def _is_key(self, table: PlannedTable, name: str) -> bool:
        own = (table.meaning.primary_key, *table.meaning.unique)
        foreign = (key.child_columns for key in self.plan.parents(table.name))
        return any(name in key for key in (*own, *foreign))

    def _is_numbered(self, table: PlannedTable, column: Column, field: pa.Field) -> bool:
        """One column of a table may be numbered, if a key begins with it."""
        keys = (table.meaning.primary_key, *table.meaning.unique)
        first = {key[0] for key in keys if key}
        candidates = [
            f.name
            for f in table.schema
            if ddl.column_of(table, f.name).identity
            and pa.types.is_integer(f.type)
            and f.name in first
        ]
        return candidates[:1] == [field.name]


def _type_of(kind: pa.DataType, in_a_key: bool, length: int | None) -> str:
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if pa.types.is_dictionary(kind):
        return _type_of(kind.value_type, in_a_key, length)
    if pa.types.is_decimal(kind):
        fits = kind.precision <= _MOST_DIGITS and kind.scale <= _MOST_DECIMALS
        return f"DECIMAL({kind.precision}, {kind.scale})" if fits else f"VARCHAR({_IN_A_KEY})"
    if pa.types.is_timestamp(kind):
        return "DATETIME(6)"
    if pa.types.is_time(kind):
        return "TIME(6)"
    if pa.types.is_duration(kind):
        return "BIGINT"
    if is_binary(kind):
        return f"VARBINARY({_IN_A_KEY})" if in_a_key else "LONGBLOB"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        if in_a_key:
            return f"VARCHAR({min(length or _IN_A_KEY, _IN_A_KEY)})"
        return f"VARCHAR({length})" if length and length <= _LONGEST_VARCHAR else "LONGTEXT"
    return "JSON"
