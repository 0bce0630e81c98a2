"""Reading DuckDB's catalogue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from prefect_synth.tasks.warehouses.catalogue import (
    Catalogue,
    CatalogueColumn,
    CatalogueTable,
    ForeignKey,
    quote,
)
from prefect_synth.tasks.warehouses.duckdb_types import labels, translate

_HERE = "database_name = current_database() AND NOT internal"
_TABLES = f"""
SELECT schema_name AS schema, table_name AS name, comment, true AS listed
FROM duckdb_tables() WHERE {_HERE}
UNION ALL
SELECT schema_name, view_name, comment, false FROM duckdb_views() WHERE {_HERE}
ORDER BY ALL
"""
_COLUMNS = f"""
SELECT schema_name AS schema, table_name AS "table", column_name AS name, is_nullable AS nullable,
       data_type AS source_type, comment,
       coalesce(column_default, '') LIKE 'nextval(%' AS identity, column_default AS "default"
FROM duckdb_columns() WHERE {_HERE} ORDER BY schema_name, table_name, column_index
"""
_CONSTRAINTS = """
SELECT schema_name AS schema, table_name AS "table", constraint_type AS kind,
       constraint_column_names AS columns, referenced_table AS referred,
       referenced_column_names AS referred_columns
FROM duckdb_constraints()
WHERE database_name = current_database() AND constraint_type <> 'NOT NULL'
ORDER BY schema_name, table_name, constraint_index
"""
_UNIQUE_INDEXES = """
SELECT schema_name AS schema, table_name AS "table", expressions
FROM duckdb_indexes() WHERE database_name = current_database() AND is_unique ORDER BY index_name
"""

Row = Mapping[str, Any]
Grouped = Mapping[tuple[str, str], list[Row]]


def read_catalogue(cursor: duckdb.DuckDBPyConnection) -> Catalogue:
    """All tables and views of the open database."""
    columns = _by_table(cursor, _COLUMNS)
    constraints = _by_table(cursor, _CONSTRAINTS)
    indexes = _by_table(cursor, _UNIQUE_INDEXES)
    spelling = {
        (schema, table.lower()): _Spelling(
            table, {row["name"].lower(): row["name"] for row in rows}
        )
        for (schema, table), rows in columns.items()
    }
    tables = []
    for row in _rows(cursor, _TABLES):
        at = (row["schema"], row["name"])
        read = _columns(cursor, at, columns[at])
        tables.append(_table(row, read, constraints[at], indexes[at], spelling))
    return Catalogue(tuple(tables), "main")


@dataclass(frozen=True)
class _Spelling:
    """How a table and its columns are spelled; constraints keep the case they were typed in."""

    table: str
    columns: Mapping[str, str]

    def of(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names as the table has them."""
        return tuple(self.columns[name.lower()] for name in names)


def _rows(cursor: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    result = cursor.execute(sql)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _by_table(cursor: duckdb.DuckDBPyConnection, sql: str) -> Grouped:
    grouped: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in _rows(cursor, sql):
        grouped[row["schema"], row["table"]].append(row)
    return grouped


def _columns(
    cursor: duckdb.DuckDBPyConnection, at: tuple[str, str], rows: list[Row]
) -> dict[str, CatalogueColumn]:
    """Columns with their types as objects, which the catalogue has only as text."""
    relation = cursor.sql(f"SELECT * FROM {quote(at[0])}.{quote(at[1])} LIMIT 0")
    types = dict(zip(relation.columns, relation.types, strict=True))
    return {
        row["name"]: CatalogueColumn(
            row["name"],
            row["source_type"],
            translate(types[row["name"]]),
            nullable=row["nullable"],
            comment=row["comment"],
            categories=labels(types[row["name"]]),
            identity=row["identity"],
            default=row["default"],
        )
        for row in rows
    }


def _table(
    row: Row,
    columns: Mapping[str, CatalogueColumn],
    constraints: list[Row],
    indexes: list[Row],
    spelling: Mapping[tuple[str, str], _Spelling],
) -> CatalogueTable:
    spelled = spelling[row["schema"], row["name"].lower()]
    keys = {
        kind: [spelled.of(c["columns"]) for c in constraints if c["kind"] == kind]
        for kind in ("PRIMARY KEY", "UNIQUE")
    }
    plain = [_plain(index["expressions"]) for index in indexes]
    unique = keys["UNIQUE"] + [
        spelled.of(key) for key in plain if {name.lower() for name in key} <= spelled.columns.keys()
    ]
    return CatalogueTable(
        row["schema"],
        row["name"],
        columns,
        listed=row["listed"],
        primary_key=next(iter(keys["PRIMARY KEY"]), ()),
        unique=tuple(sorted(set(unique))),
        foreign_keys=_foreign_keys(row["schema"], constraints, spelled, spelling),
        comment=row["comment"],
    )


def _plain(expressions: str) -> tuple[str, ...]:
    """The columns of an index, which the catalogue has as text: `[z, x]`."""
    return tuple(part.strip("\"' ") for part in expressions.strip("[]").split(","))


def _foreign_keys(
    schema: str,
    constraints: list[Row],
    spelled: _Spelling,
    spelling: Mapping[tuple[str, str], _Spelling],
) -> tuple[ForeignKey, ...]:
    position = {column: place for place, column in enumerate(spelled.columns.values())}
    keys = []
    for c in constraints:
        if c["kind"] == "FOREIGN KEY":  # DuckDB has none between schemas
            parent = spelling[schema, c["referred"].lower()]
            referred = parent.of(c["referred_columns"])
            keys.append(ForeignKey(spelled.of(c["columns"]), schema, parent.table, referred))
    return tuple(sorted(keys, key=lambda key: [position[column] for column in key.columns]))
