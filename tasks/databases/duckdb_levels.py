"""A table that refers to itself, loaded level by level.

DuckDB checks foreign keys row by row against what was there before the statement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import duckdb

from prefect_synth.tasks.databases import ddl
from prefect_synth.tasks.databases.duckdb_ddl import DuckdbSpelling
from prefect_synth.tasks.databases.errors import RowsRefusedError
from prefect_synth.tasks.databases.existing import TargetKey
from prefect_synth.tasks.warehouses.catalogue import quote

_WAITING = "prefect_synth_waiting"
_NEXT = "prefect_synth_next"
_ROW = "prefect_synth_row"


def insert_levels(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    keys: Sequence[TargetKey],
    insert: Callable[[str], str],
) -> None:
    """Insert those rows whose parents are there already, until none is left.

    Args:
        connection: The database.
        source: Where all rows are.
        keys: The table's foreign keys to itself.
        insert: The statement that inserts from a source.

    Raises:
        RowsRefusedError: Rows refer to one another in a circle, or to rows that are not there.
    """
    place = keys[0].child
    ready = " AND ".join(f"({_is_ready(key)})" for key in keys)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_WAITING} AS SELECT * FROM {source}")
    while _count(connection, _WAITING):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {_NEXT} AS "
            f"SELECT w.rowid AS {_ROW}, w.* FROM {_WAITING} w WHERE {ready}"
        )
        if not _count(connection, _NEXT):
            raise RowsRefusedError(
                f"Rows of table '{place}' refer to one another in a circle, or to rows that are "
                "not there, which DuckDB cannot hold. Create the table without that foreign key."
            )
        connection.execute(insert(_NEXT))
        gone = f"SELECT {_ROW} FROM {_NEXT}"
        connection.execute(f"DELETE FROM {_WAITING} WHERE rowid IN ({gone})")
    connection.execute(f"DROP TABLE {_WAITING}")
    connection.execute(f"DROP TABLE IF EXISTS {_NEXT}")


def _is_ready(key: TargetKey) -> str:
    pairs = zip(key.columns, key.parent_columns, strict=True)
    null = " OR ".join(f"w.{quote(column)} IS NULL" for column in key.columns)
    same = " AND ".join(f"p.{quote(parent)} = w.{quote(column)}" for column, parent in pairs)
    name = ddl.at(DuckdbSpelling(), key.parent)
    return f"{null} OR EXISTS (SELECT 1 FROM {name} p WHERE {same})"


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    [(count,)] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    return int(count)
