"""Nested columns as flat leaves, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.choice import EncodingSettings
from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.metadata import Column

SEPARATOR = "\x1f"

Leaf = Callable[[str, np.ndarray | None], pa.Array]


class Shape(Protocol):
    """How a nested column is taken apart and put together."""

    def flatten(self, name: str, values: pa.Array) -> dict[str, pa.Array]:
        """Leaves by name, [n] each."""

    def leaf(self, name: str, leaf: str, values: pa.Array) -> Column:
        """What a leaf means."""

    def build(
        self,
        name: str,
        leaf: Leaf,
        needed: np.ndarray | None,
        rows: int,
        rng: np.random.Generator,
    ) -> pa.Array:
        """The column of its leaves."""


def fit_shape(
    table: str, column: Column, values: pa.Array, settings: EncodingSettings, units: Ints | None
) -> Shape | None:
    """The shape of a nested column, or None where it is flat."""
    return None
