"""What a DuckDB database has already."""

from __future__ import annotations

import duckdb

from prefect_synth.tasks.databases.existing import Existing, TargetColumn, TargetKey, TargetTable
from prefect_synth.tasks.databases.plan import Place
from prefect_synth.tasks.warehouses.catalogue import CatalogueTable
from prefect_synth.tasks.warehouses.duckdb_reflection import read_catalogue

_WRITTEN = """
SELECT table_schema, table_name, column_name, column_default IS NOT NULL, is_generated = 'ALWAYS'
FROM information_schema.columns WHERE table_catalog = current_database()
"""


def reflect(connection: duckdb.DuckDBPyConnection) -> Existing:
    """All tables and foreign keys."""
    found = connection.execute(_WRITTEN).fetchall()
    facts = {(schema, table, column): rest for schema, table, column, *rest in found}
    listed = [table for table in read_catalogue(connection).tables if table.listed]
    keys = [
        TargetKey(_place(table), k.columns, Place(k.schema, k.table), k.referred_columns)
        for table in listed
        for k in table.foreign_keys
    ]
    tables = {_place(table): _table(table, facts) for table in listed}
    return Existing(tables, tuple(keys), folds_case=True)


def _place(table: CatalogueTable) -> Place:
    return Place(table.schema, table.name)


def _table(table: CatalogueTable, facts: dict[tuple[str, str, str], list[bool]]) -> TargetTable:
    columns = {}
    for column in table.columns.values():
        has_default, generated = facts[table.schema, table.name, column.name]
        columns[column.name] = TargetColumn(
            column.name, column.nullable, has_default and not generated, generated, column.identity
        )
    return TargetTable(_place(table), columns, table.primary_key)
