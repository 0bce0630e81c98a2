"""A row model that is always drawn on the same condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Floats
from prefect_synth.synth.row_models.base import Condition, RowModel


@dataclass
class Held:
    """A fitted row model of which only rows are drawn that meet a condition.

    Args:
        model: The row model.
        held: Columns that are held; the model as it is where there are none.
    """

    model: RowModel
    held: Mapping[int, Condition]

    def fit(self, rows: Encoded, context: Encoded, rng: np.random.Generator) -> Self:
        """Fit the model within."""
        self.model = self.model.fit(rows, context, rng)
        return self

    def sample(
        self,
        context: Encoded,
        rng: np.random.Generator,
        conditions: Mapping[int, Condition] | None = None,
    ) -> Encoded:
        """Draw rows that meet both conditions."""
        held = {**self.held, **(conditions or {})}
        return self.model.sample(context, rng, held or None)

    def sample_held(
        self, context: Encoded, rng: np.random.Generator, conditions: Mapping[int, Condition]
    ) -> tuple[Encoded, Floats]:
        """The same, and how likely each context makes them."""
        return self.model.sample_held(context, rng, {**self.held, **conditions})
