"""Families: the rows of a parent in their order, and models that draw them whole.

A family model is a row model too: a row that stands in no family is drawn alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, Self, runtime_checkable

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints
from prefect_synth.synth.row_models.base import RowModel


@runtime_checkable
class FamilyModel(RowModel, Protocol):
    """A distribution of whole families of encoded rows, given their contexts and lengths."""

    def fit_families(
        self, rows: Encoded, context: Encoded, lengths: Ints, rng: np.random.Generator
    ) -> Self:
        """Learn p(family | context).

        Args:
            rows: Families one after the other, each in its order, [n, d].
            context: What each row is told, [n, c].
            lengths: Rows of each family, at least 1, [f]; they sum to n.
            rng: Source of the draws.
        """

    def sample_families(self, context: Encoded, lengths: Ints, rng: np.random.Generator) -> Encoded:
        """Draw families of the given lengths, one after the other.

        Args:
            context: What each row is told, [n, c].
            lengths: Rows of each family, [f].
            rng: Source of the draws.
        """


@dataclass(frozen=True)
class Families:
    """Where the rows of families are.

    Args:
        lengths: Rows of each family, [f].
    """

    lengths: Ints

    @property
    def starts(self) -> Ints:
        """First row of each family, [f]."""
        return np.asarray(np.cumsum(self.lengths) - self.lengths)

    @property
    def positions(self) -> Ints:
        """Rows before each row in its family, [n]."""
        return np.arange(int(self.lengths.sum())) - np.repeat(self.starts, self.lengths)

    @property
    def clocks(self) -> Floats:
        """How far each row is from either end of its family, by order of magnitude, [n, 3]."""
        position = self.positions
        left = np.repeat(self.lengths, self.lengths) - 1 - position
        told = (position == 0, np.log1p(position) / 5, np.log1p(left) / 5)
        return np.column_stack(told).astype(np.float32)

    def sums(self, numbers: Floats) -> Floats:
        """Sums over each family, [f, s]."""
        nothing = np.zeros((1, numbers.shape[1]))
        sums = np.vstack([nothing, np.cumsum(numbers, axis=0)])  # [n + 1, s]
        return np.asarray(sums[self.starts + self.lengths] - sums[self.starts])

    def spread(self, each: Floats) -> Floats:
        """What each family has, [f, k], for each of its rows: [n, k]."""
        return np.repeat(each, self.lengths, axis=0)

    def before(self, numbers: Floats) -> Floats:
        """The numbers of the row before, 0 before the first of a family: [n, s]."""
        shifted = np.vstack([numbers[:1], numbers[:-1]])
        return np.where((self.positions > 0)[:, None], shifted, 0.0)

    def steps(self) -> Iterator[tuple[Ints, Ints]]:
        """For each position the rows that stand there, and their families, [m] each."""
        position = self.positions
        order = np.argsort(position, kind="stable")  # by position, families in their order
        family = np.repeat(np.arange(len(self.lengths)), self.lengths)
        bounds = np.searchsorted(position[order], np.arange(position.max(initial=-1) + 2))
        for start, stop in pairwise(bounds):
            yield order[start:stop], family[order[start:stop]]

    def windows(self, length: int) -> tuple[Ints, Ints]:
        """Cut families into windows of at most `length` rows: first rows and lengths, [w] each.

        Windows of a longer family are as long as can be; the last two may overlap.
        """
        each = np.maximum(-(-self.lengths // length), 1)  # windows of each family
        family = np.repeat(np.arange(len(each)), each)
        number = np.arange(len(family)) - np.repeat(np.cumsum(each) - each, each)
        sizes = np.minimum(self.lengths[family], length)
        offset = np.minimum(number * length, self.lengths[family] - sizes)
        return self.starts[family] + offset, sizes


def padded(starts: Ints, sizes: Ints, length: int) -> tuple[Ints, np.ndarray]:
    """Rows of windows, and whether they are there: [w, length] each; the rest repeats the last."""
    at = np.arange(length)
    return starts[:, None] + np.minimum(at, sizes[:, None] - 1), at < sizes[:, None]
