"""The demo warehouse: real rows, real keys, whole or not there."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from prefect_synth.flows.demo import build_demo_warehouse
from prefect_synth.flows.demo_schema import TABLES
from prefect_synth.tasks.warehouses.warehouse import open_warehouse


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo of twenty households."""
    path = tmp_path_factory.mktemp("demo") / "shop.duckdb"
    build_demo_warehouse(path, households=20)
    return path


def test_the_catalogue_declares_what_a_warehouse_declares(demo: Path) -> None:
    """Composite keys, foreign keys, enums and comments are there to be reflected."""
    metadata = open_warehouse(f"duckdb:///{demo}").reflect()
    assert len(metadata.relationships) == 8
    assert metadata.tables["campaign_targets"].primary_key == ("campaign_id", "household_id")
    assert metadata.tables["products"].columns["brand"].categories == ("National", "Private")
    assert metadata.tables["baskets"].columns["week"].comment == "Week of the programme, from 1"


def test_households_without_demographics_have_nulls(demo: Path) -> None:
    """What nobody knows about a household is null, not a category."""
    with duckdb.connect(str(demo), read_only=True) as warehouse:
        [(all_of_them, known)] = warehouse.sql(
            "SELECT count(*), count(age) FROM households"
        ).fetchall()
    assert 0 < known < all_of_them == 20


def test_the_same_households_are_chosen_every_time(demo: Path, tmp_path: Path) -> None:
    """The demo is the same on every machine."""
    build_demo_warehouse(tmp_path / "again.duckdb", households=20)
    with duckdb.connect(str(demo), read_only=True) as warehouse:
        warehouse.execute(f"ATTACH '{tmp_path / 'again.duckdb'}' AS again (READ_ONLY)")
        for table in TABLES:
            assert warehouse.sql(f"FROM {table} EXCEPT ALL FROM again.{table}").fetchall() == []


def test_an_older_demo_is_replaced(tmp_path: Path) -> None:
    """The command can be given again, and leaves nothing beside the warehouse."""
    for households in (5, 3):
        rows = build_demo_warehouse(tmp_path / "shop.duckdb", households)
    assert (rows["households"], [f.name for f in tmp_path.iterdir()]) == (3, ["shop.duckdb"])
