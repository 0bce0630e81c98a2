"""Blocks: found by Prefect, described for its interface, silent about secrets."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites import BlockStandardTestSuite

from prefect_synth.tasks.blocks import Database, Sandbox, Warehouse


class TestBlocks(BlockStandardTestSuite):
    """Prefect's own promises for blocks; the logo would be fetched over the network."""

    @pytest.fixture(params=[Warehouse, Sandbox, Database])
    def block(self, request: pytest.FixtureRequest) -> type[Block]:
        found: type[Block] = request.param
        return found

    test_has_a_valid_image = None  # it would open the logo's address over the network


def test_prefect_finds_the_blocks() -> None:
    """The entry point of the package leads to this module."""
    found = entry_points(group="prefect.collections", name="prefect_synth")
    assert [point.load().Warehouse for point in found] == [Warehouse]


def test_a_block_does_not_show_its_secret() -> None:
    """The password of a warehouse is in no representation."""
    block = Warehouse(url="postgresql://reader:hush-hush@db/shop")
    assert "hush" not in f"{block!r}{block}"
