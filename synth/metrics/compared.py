"""A column on both sides, real and synthetic, encoded once for all scores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from prefect_synth.synth.metadata import Column
from prefect_synth.synth.metrics.shapes import ks_complement, tv_complement_of_counts
from prefect_synth.synth.metrics.sources import Floats, Ints
from prefect_synth.synth.metrics.values import NULL, codes, numbers

Cells = npt.NDArray[np.integer[Any]]

CONTINUOUS = frozenset({"numerical", "datetime"})
DISCRETE = frozenset({"categorical", "boolean"})

_BINS = 10


def is_scored(column: Column) -> bool:
    """Whether a column is compared: ids, free text, the unknown and generated columns are not."""
    return column.sdtype in CONTINUOUS | DISCRETE and not column.is_generated


@dataclass(frozen=True)
class ComparedColumn:
    """A column on both sides, ready to be compared.

    Args:
        name: The column's name.
        continuous: Whether the values are numbers (NaN for null) rather than category codes.
        real: The real values.
        synthetic: The synthetic values.
        size: How many codes there are, null's included, which is the last; 0 where continuous.
    """

    name: str
    continuous: bool
    real: npt.NDArray[Any]
    synthetic: npt.NDArray[Any]
    size: int = 0

    @classmethod
    def encode(
        cls, column: Column, real: pa.ChunkedArray, synthetic: pa.ChunkedArray
    ) -> ComparedColumn:
        """Encode a column for which `is_scored` holds."""
        if column.sdtype in CONTINUOUS:
            return cls(column.name, True, numbers(real, column), numbers(synthetic, column))
        sides, size = codes(real, synthetic)
        smallest = np.min_scalar_type(-size - 1)  # millions of codes: their width is the memory
        left, right = (side.astype(smallest) for side in sides)
        for side in (left, right):
            side[side == NULL] = size
        return cls(column.name, False, left, right, size + 1)

    def take(self, real: Ints, synthetic: Ints) -> ComparedColumn:
        """The same column with some rows, in the order given."""
        return ComparedColumn(
            self.name, self.continuous, self.real[real], self.synthetic[synthetic], self.size
        )

    @property
    def shape(self) -> float | None:
        """How alike the two distributions are, nulls left out; None where a side has no value."""
        if self.continuous:
            score = ks_complement(self.real, self.synthetic)
        else:
            real, synthetic = self.counts
            score = tv_complement_of_counts(real[:-1], synthetic[:-1])
        return None if np.isnan(score) else score

    @property
    def counts(self) -> tuple[Ints, Ints]:
        """How often each code occurs on both sides, null last; of categories only."""
        return (
            np.bincount(self.real, minlength=self.size),
            np.bincount(self.synthetic, minlength=self.size),
        )

    @cached_property
    def cells(self) -> tuple[Cells, Cells, int]:
        """Codes on both sides and how many there are; numbers are cut into bins."""
        if self.continuous:
            return _bins(self.real), _bins(self.synthetic), _BINS + 2
        return self.real, self.synthetic, self.size


def _bins(values: Floats) -> Cells:
    """Cut into ten bins of equal width over the values' own range, as SDMetrics does.

    The highest value and nulls share a bin of their own, as they do there.
    """
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    bins = np.where(np.isnan(values), np.int8(_BINS + 1), np.int8(0))
    for edge in np.linspace(low, high, _BINS + 1):  # faster than a search for each value
        bins += values >= edge
    return bins
