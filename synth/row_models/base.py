"""What a row model is: a conditional distribution p(row | context)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, Self

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded

Condition = tuple[int, float]
"""A piece and a place that a column is held at."""


class RowModel(Protocol):
    """A distribution of encoded rows given encoded contexts.

    It sees pieces and places only, never names, keys or nulls. The frame sees no torch.
    """

    def fit(self, rows: Encoded, context: Encoded, rng: np.random.Generator) -> Self:
        """Learn p(row | context) from `rows` [n, d] and `context` [n, c]."""

    def sample(
        self,
        context: Encoded,
        rng: np.random.Generator,
        conditions: Mapping[int, Condition] | None = None,
    ) -> Encoded:
        """Draw a row for each row of `context`.

        Args:
            context: Contexts, [n, c]; without columns where the table has none.
            rng: Source of the draws.
            conditions: Columns of the row that are held at a piece and place.
        """
