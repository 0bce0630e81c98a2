"""DuckDB cannot delete rows and insert the same keys in one transaction, so tables are made anew.

What the catalogue says of a table is kept, the table is dropped, and made again as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from prefect_synth.tasks.databases import ddl
from prefect_synth.tasks.databases.duckdb_ddl import DuckdbSpelling
from prefect_synth.tasks.databases.plan import Place
from prefect_synth.tasks.warehouses.catalogue import quote

_TABLE = """
SELECT sql, comment FROM duckdb_tables()
WHERE database_name = current_database() AND schema_name = ? AND table_name = ?
"""
_INDEXES = """
SELECT sql FROM duckdb_indexes()
WHERE database_name = current_database() AND schema_name = ? AND table_name = ?
"""
_COLUMNS = """
SELECT column_name, comment FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = ? AND table_name = ?
"""


@dataclass(frozen=True)
class KeptTable:
    """A table's definition, to be made again.

    Args:
        place: Where it lies.
        statements: What makes it, with its indexes and comments.
    """

    place: Place
    statements: Sequence[str]


def keep(connection: duckdb.DuckDBPyConnection, place: Place) -> KeptTable:
    """Read a table's definition."""
    at, spelling = [place.schema, place.name], DuckdbSpelling()
    [(created, comment)] = connection.execute(_TABLE, at).fetchall()
    indexes = [row[0] for row in connection.execute(_INDEXES, at).fetchall()]
    columns = connection.execute(_COLUMNS, at).fetchall()
    name = ddl.at(spelling, place)
    said = [(f"TABLE {name}", comment)]
    said += [(f"COLUMN {name}.{quote(column)}", text) for column, text in columns]
    comments = [f"COMMENT ON {what} IS {ddl.literal(text)}" for what, text in said if text]
    return KeptTable(place, [created, *indexes, *comments])
