"""A stream of random numbers for each column: none moves when another column comes or goes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prefect_synth.synth.encoding.layout import Layout
from prefect_synth.synth.randomness import stream


class Streams:
    """Generators by column.

    Args:
        layouts: The row's columns; their keys say which stream is whose.
        rng: All streams follow from it.
    """

    def __init__(self, layouts: Sequence[Layout], rng: np.random.Generator) -> None:
        self.layouts, self.seed = layouts, int(rng.integers(2**62))

    def of(self, column: int) -> np.random.Generator:
        """The generator of a column, fresh."""
        key = self.layouts[column].key
        return stream(self.seed, "column", f"key {key}" if key else str(column))
