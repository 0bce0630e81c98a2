"""Some rows of each table for a review before the first refresh; nothing of them is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from prefect_synth.synth.metadata import Metadata
from prefect_synth.tasks.warehouses.errors import WarehouseError
from prefect_synth.tasks.warehouses.selection import Rule, Selection
from prefect_synth.tasks.warehouses.warehouse import Warehouse, WarehouseSnapshot

ROWS = 2_000
"""Rows of each table that are looked at, those whose keys hash lowest."""
_TOO_MANY = 50_000_000
"""Of larger tables the names alone are looked at: to choose rows by a hash reads all keys."""


def sample_rows(
    warehouse: Warehouse,
    snapshot: WarehouseSnapshot,
    metadata: Metadata,
    counts: Mapping[str, int],
) -> dict[str, pa.Table]:
    """Read some rows of each table, through a private temporary folder that is deleted.

    Args:
        warehouse: The warehouse.
        snapshot: One state of it.
        metadata: The catalogue's schema.
        counts: Rows of each table.

    Returns:
        Rows by table, without key columns; tables that cannot be read so are left out.
    """
    found: dict[str, pa.Table] = {}
    with tempfile.TemporaryDirectory(prefix="prefect-synth-") as folder:  # for its owner only
        for name in metadata.tables:
            if 0 < counts[name] <= _TOO_MANY:
                rows = _rows(warehouse, snapshot, metadata, name, counts[name], Path(folder))
                found |= {} if rows is None else {name: rows}
    return found


def _rows(
    warehouse: Warehouse,
    snapshot: WarehouseSnapshot,
    metadata: Metadata,
    name: str,
    count: int,
    folder: Path,
) -> pa.Table | None:
    file, keys = folder / "rows.parquet", metadata.key_columns(name)
    table = metadata.tables[name]
    alone = Metadata({name: replace(table, unique=())})
    rule = Rule("all") if count <= ROWS else Rule("hashed", ROWS)
    try:
        schema = warehouse.schemas(alone)[name]
        columns = pa.schema([f for f in schema if f.name not in keys])
        if not len(columns):
            return None
        snapshot.pull(name, columns, file, selection=Selection(alone, {name: rule}, (name,)))
    except WarehouseError:  # a refresh will say it; here the names are enough
        return None
    return pq.read_table(file)
