"""Sakila and Chinook, with their circle and self reference, through a real PostgreSQL."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import adbc_driver_postgresql.dbapi as adbc
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.metadata import Metadata
from prefect_synth.tasks.warehouses.selection import plan_selection
from prefect_synth.tasks.warehouses.warehouse import Warehouse, open_warehouse

SHARED = Path(os.environ.get("PREFECT_SYNTH_SHARED") or Path(__file__).parents[4] / "shared")
pytestmark = pytest.mark.skipif(
    not (SHARED / "data").is_dir(), reason="the shared data sets are not here"
)


def ordered_tables(schema: str) -> list[str]:
    """Table names in the order of their CREATE statements."""
    return [line.split('"')[1] for line in schema.splitlines() if line.startswith("CREATE TABLE")]


@pytest.fixture(params=["sakila", "chinook"])
def loaded(
    request: pytest.FixtureRequest, postgres_database: str
) -> Iterator[tuple[Path, Warehouse]]:
    """A data set's folder, and a warehouse that holds it with every constraint."""
    folder = SHARED / "data" / request.param
    schema = (folder / "schema.sql").read_text()
    with psycopg.connect(postgres_database) as connection:
        connection.execute(schema)
    with adbc.connect(postgres_database) as connection, connection.cursor() as cursor:
        for name in ordered_tables(schema):
            load(cursor, name, pq.read_table(folder / f"{name}.parquet"))
        connection.commit()
    with psycopg.connect(postgres_database) as connection:
        connection.execute((folder / "schema_cycles.sql").read_text())
    with closing(open_warehouse(postgres_database, allow_writable=True)) as warehouse:
        yield folder, warehouse


def load(cursor: adbc.Cursor, name: str, table: pa.Table) -> None:
    """Copy a table in; through a staging table, since the driver's types are not the column's."""
    cursor.adbc_ingest("incoming", table, mode="replace")
    cursor.execute(f'INSERT INTO "{name}" SELECT * FROM incoming')
    cursor.execute("DROP TABLE incoming")


def relationships(folder: Path) -> set[tuple[str, str, str]]:
    """The foreign keys that the data set's SDV metadata declares."""
    declared = json.loads((folder / "metadata.json").read_text())["relationships"]
    return {
        (r["child_table_name"], str(r["child_foreign_key"]), r["parent_table_name"])
        for r in declared
    }


def pull_all(
    warehouse: Warehouse, metadata: Metadata, folder: Path, **limits: float
) -> dict[str, pa.Table]:
    """Every table, limited where a limit is given."""
    with warehouse.snapshot() as snapshot:
        counts = {name: snapshot.count(name) for name in metadata.tables}
        selection = plan_selection(metadata, counts, **limits) if limits else None
        for name, schema in warehouse.schemas(metadata).items():
            snapshot.pull(name, schema, folder / f"{name}.parquet", selection=selection)
        assert not any(snapshot.orphans(r) for r in metadata.relationships)
    return {name: pq.read_table(folder / f"{name}.parquet") for name in metadata.tables}


def test_tables_arrive_as_they_were(loaded: tuple[Path, Warehouse], tmp_path: Path) -> None:
    """All keys are reflected, and every table has the rows that were put in."""
    folder, warehouse = loaded
    metadata = warehouse.reflect()
    assert {
        (r.child, r.child_columns[0], r.parent) for r in metadata.relationships
    } == relationships(folder)
    for name, table in pull_all(warehouse, metadata, tmp_path).items():
        expected = pq.read_table(folder / f"{name}.parquet")
        key = [(column, "ascending") for column in metadata.tables[name].primary_key]
        assert table.to_pylist() == expected.sort_by(key).to_pylist()


@pytest.mark.parametrize("fraction", [0.02, 0.3])
def test_limited_tables_resolve(
    loaded: tuple[Path, Warehouse], tmp_path: Path, fraction: float
) -> None:
    """A share of the rows leaves no key dangling in any of the data set's relationships."""
    _, warehouse = loaded
    metadata = warehouse.reflect()
    tables = pull_all(warehouse, metadata, tmp_path, fraction=fraction)
    for r in metadata.relationships:
        child = tables[r.child].select(r.child_columns).drop_null()
        parent = tables[r.parent].select(r.parent_columns)
        left = child.join(parent, list(r.child_columns), list(r.parent_columns), "left anti")
        assert (str(r), left.num_rows) == (str(r), 0)
