"""Small warehouses of both kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import duckdb
import psycopg
import pytest

from prefect_synth.tasks.warehouses.warehouse import Warehouse, open_warehouse

Build = Callable[[str], Warehouse]


@pytest.fixture
def build_duckdb(tmp_path: Path) -> Iterator[Build]:
    """Make a DuckDB file by SQL, and open it."""
    with ExitStack() as stack:

        def build(sql: str) -> Warehouse:
            path = tmp_path / "warehouse.duckdb"
            with duckdb.connect(path) as connection:
                connection.execute(sql)
            return stack.enter_context(closing(open_warehouse(f"duckdb:///{path}")))

        yield build


@pytest.fixture
def build_postgres(postgres_database: str) -> Iterator[Build]:
    """Fill a fresh PostgreSQL database by SQL, and open it."""
    with ExitStack() as stack:

        def build(sql: str) -> Warehouse:
            with psycopg.connect(postgres_database) as connection:
                connection.execute(sql)
            warehouse = open_warehouse(postgres_database, allow_writable=True)
            return stack.enter_context(closing(warehouse))

        yield build


@pytest.fixture(params=["duckdb", "postgres"])
def build(request: pytest.FixtureRequest) -> Build:
    """Make a warehouse of either kind by SQL that both understand."""
    built: Build = request.getfixturevalue(f"build_{request.param}")
    return built
