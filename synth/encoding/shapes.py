"""Nested columns as flat leaves, and back: what a shape is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import pyarrow as pa

from prefect_synth.synth.inference import infer_sdtype
from prefect_synth.synth.metadata import Column

SEPARATOR = "\x1f"
"""Parts a leaf's name from its column's; no column's name has it."""

Leaf = Callable[[str, np.ndarray | None], pa.Array]
"""Gives the values of a leaf, not null in the rows that are needed."""


class Shape(Protocol):
    """How a nested column is taken apart and put together."""

    def flatten(self, name: str, values: pa.Array) -> dict[str, pa.Array]:
        """Leaves by name, [n] each; a leaf may be nested again."""

    def build(
        self,
        name: str,
        leaf: Leaf,
        needed: np.ndarray | None,
        rows: int,
        rng: np.random.Generator,
    ) -> pa.Array:
        """The column of its leaves.

        Args:
            name: The column's name, as in `flatten`.
            leaf: Gives the leaves.
            needed: Rows in which the column may not be null, [n] bool; None for as drawn.
            rows: Number of rows.
            rng: Source of what is no leaf: the items of lists.
        """


def leaf_name(name: str, part: str) -> str:
    """The name of one leaf of column `name`."""
    return f"{name}{SEPARATOR}{part}"


def describe_leaf(leaf: str, values: pa.Array) -> Column:
    """What a leaf means, by its own name, type and values."""
    own = leaf.rsplit(SEPARATOR, 1)[-1].lstrip(".")
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        return Column(leaf, "unknown")
    sdtype, personal = infer_sdtype(own, pa.chunked_array([values]))
    return Column(leaf, sdtype, pii=personal)


def presence(name: str, values: pa.Array) -> dict[str, pa.Array]:
    """A leaf that is true where a nested value is there; none where it always is."""
    if not values.null_count:
        return {}
    there = np.asarray(values.is_valid())
    return {leaf_name(name, ""): pa.array(np.ones(len(there), bool), mask=~there)}


def present_rows(
    name: str, nullable: bool, leaf: Leaf, needed: np.ndarray | None, rows: int
) -> np.ndarray:
    """The rows in which a nested value is there, [n] bool."""
    if not nullable:
        return np.ones(rows, bool)
    return np.asarray(leaf(leaf_name(name, ""), needed).is_valid())
