"""A fitted autoregressive network, as arrays: it predicts with NumPy alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.storage import stored


@dataclass(frozen=True)
class Shape:
    """Sizes of a network.

    Args:
        codes: Number of codes of each input column: the context's, then the row's in their order.
        contexts: How many of them are the context's.
    """

    codes: tuple[int, ...]
    contexts: int

    @property
    def embedded(self) -> list[int]:
        """Width of each input column's embedding."""
        return [min(k, max(8, round(3 * k**0.25))) for k in self.codes]

    @property
    def hidden(self) -> list[int]:
        """Hidden units of each predicted column."""
        return [16 * round(np.log(k)) + 16 for k in self.codes[self.contexts :]]

    @property
    def inputs(self) -> list[int]:
        """First embedded dimension that each column may not see, by predicted column."""
        ends = np.concatenate([[0], np.cumsum(self.embedded)])
        return [int(end) for end in ends[self.contexts : -1]]


@stored
@dataclass(frozen=True)
class Network:
    """One hidden layer for each column, over the embeddings of the columns before it.

    Args:
        tables: Embedding of each input column, [K, e] each: the context's, then the row's.
        weights: Into each predicted column's hidden units, [inputs, H] each.
        biases: Of the hidden units, [H] each.
        heads: From the hidden units to the codes, [H, K] each.
        marginals: Bias of the codes, [K] each.
    """

    tables: tuple[Floats, ...]
    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]
    heads: tuple[Floats, ...]
    marginals: tuple[Floats, ...]

    def embed(self, codes: Iterable[Ints], rows: int) -> Floats:
        """The first input columns, embedded: [n, D]; D is 0 where there are none."""
        parts = [table[c] for table, c in zip(self.tables, codes, strict=False)]
        return np.hstack([np.empty((rows, 0), np.float32), *parts])

    def logits(self, column: int, embedded: Floats) -> Floats:
        """Logits of a column's codes, [n, K].

        Args:
            column: Predicted column, in the order of the network.
            embedded: Embeddings of at least the columns before it, [n, D].
        """
        weights = self.weights[column]
        hidden = np.maximum(embedded[:, : len(weights)] @ weights + self.biases[column], 0)
        return np.asarray(hidden @ self.heads[column] + self.marginals[column])
