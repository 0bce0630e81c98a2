"""Rare values and canaries."""

from __future__ import annotations

from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.sides import Sides
from prefect_synth.expectations.verdict import Check


def check_rarity(table: str, sides: Sides, gates: Gates) -> list[Check]:
    """Look for values that few people have."""
    return []
