"""Gower's distance between rows of numbers and categories, and a search for the nearest rows.

The distance of two values of a numerical column is their difference over the range of the middle
98 % of the real values, at most 1; of two categories 0 or 1; of a null and a value 1; of two
nulls 0. The distance of two rows is the mean over the columns: Gower (1971), "A general
coefficient of similarity and some of its properties", Biometrics 27, with a range that outliers
do not stretch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pt

from prefect_synth.synth.metadata import Column
from prefect_synth.synth.metrics.compared import CONTINUOUS, is_scored
from prefect_synth.synth.metrics.sources import Floats, Ints
from prefect_synth.synth.metrics.values import numbers, value_hashes

Float32s = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int32]

FAR = np.float32(4e6)
"""Where nulls stand: further from any number than a distance can tell, and at no distance from
each other."""

_EDGE = 1e6  # numbers stay this side of it, so that nulls are far from the largest of them
_CELLS = 160_000  # of a block of distances: what stays in a core's cache
_DECIMALS = 6  # sums of 32-bit floats in another order are ties up to here


@dataclass(frozen=True)
class GowerRows:
    """Rows, encoded for the search.

    Args:
        number_names: Names of the numerical columns.
        code_names: Names of the categorical columns.
        numbers: Scaled numbers, one line a column: (numerical columns, rows).
        codes: Codes of categories, equal where the values are: (categorical columns, rows).
    """

    number_names: tuple[str, ...]
    code_names: tuple[str, ...]
    numbers: Float32s
    codes: Codes

    def __len__(self) -> int:
        """How many rows there are."""
        return int(self.numbers.shape[1])

    @property
    def names(self) -> tuple[str, ...]:
        """The columns: numerical ones first."""
        return self.number_names + self.code_names

    def take(self, rows: Ints) -> GowerRows:
        """Some of the rows, in the order given."""
        return GowerRows(
            self.number_names, self.code_names, self.numbers[:, rows], self.codes[:, rows]
        )

    def select(self, columns: Collection[str]) -> GowerRows:
        """The same rows with fewer columns."""
        left = [i for i, name in enumerate(self.number_names) if name in columns]
        right = [i for i, name in enumerate(self.code_names) if name in columns]
        return GowerRows(
            tuple(self.number_names[i] for i in left),
            tuple(self.code_names[i] for i in right),
            self.numbers[left],
            self.codes[right],
        )


@dataclass(frozen=True)
class GowerSpace:
    """How the columns of a table are scaled; made from the training rows.

    Args:
        number_columns: The numerical columns.
        code_columns: The categorical columns.
        centres: Median of each numerical column.
        widths: Range of the middle 98 % of each numerical column.
    """

    number_columns: tuple[Column, ...]
    code_columns: tuple[Column, ...]
    centres: Floats
    widths: Floats

    @classmethod
    def fit(cls, reference: pa.Table, columns: Sequence[Column]) -> GowerSpace:
        """Learn the ranges from real rows.

        Args:
            reference: The training rows, or a sample of them.
            columns: What their columns mean; `comparable_columns` says which can be taken.
        """
        continuous = tuple(c for c in columns if c.sdtype in CONTINUOUS)
        discrete = tuple(c for c in columns if c.sdtype not in CONTINUOUS)
        scales = [_scale(numbers(reference[c.name], c)) for c in continuous]
        centres, widths = np.array(scales, dtype=np.float64).reshape(-1, 2).T
        return cls(continuous, discrete, centres, widths)

    @property
    def names(self) -> list[str]:
        """The columns: numerical ones first."""
        return [column.name for column in self.number_columns + self.code_columns]

    def select(self, columns: Collection[str]) -> GowerSpace:
        """The same space with fewer columns."""
        kept = [i for i, c in enumerate(self.number_columns) if c.name in columns]
        return GowerSpace(
            tuple(self.number_columns[i] for i in kept),
            tuple(c for c in self.code_columns if c.name in columns),
            self.centres[kept],
            self.widths[kept],
        )

    def encode(self, table: pa.Table) -> GowerRows:
        """Encode rows of any side; the columns' types may differ from the training rows'."""
        scaled = np.empty((len(self.number_columns), table.num_rows), dtype=np.float32)
        for i, column in enumerate(self.number_columns):
            values = (numbers(table[column.name], column) - self.centres[i]) / self.widths[i]
            scaled[i] = np.where(np.isnan(values), FAR, np.clip(values, -_EDGE, _EDGE))
        codes = np.empty((len(self.code_columns), table.num_rows), dtype=np.int32)
        for i, column in enumerate(self.code_columns):
            codes[i] = _codes(table[column.name])
        return GowerRows(
            tuple(c.name for c in self.number_columns),
            tuple(c.name for c in self.code_columns),
            scaled,
            codes,
        )


def comparable_columns(columns: Sequence[Column], *schemas: pa.Schema) -> list[Column]:
    """The columns that distances are computed from: present on all sides, neither text nor nested.

    Args:
        columns: The learned columns.
        schemas: The schema of each side.
    """
    return [
        column
        for column in columns
        if is_scored(column)
        and all(
            c in s.names and not _nested(s.field(c).type) for c in [column.name] for s in schemas
        )
    ]


def nearest(
    queries: GowerRows,
    reference: GowerRows,
    k: int = 2,
    columns: Collection[str] | None = None,
) -> tuple[Floats, Ints]:
    """Find the k nearest reference rows of each query, by comparing with all of them.

    Args:
        queries: The rows that ask.
        reference: The rows among which is searched, encoded by the same space.
        k: How many are found.
        columns: Compare by these alone; None for all.

    Returns:
        Distances (queries, k) in rising order, rounded to 6 decimals, and positions (queries, k)
        in the reference; of equally near rows the first. Where there are fewer than k reference
        rows, the distance is infinite and the position -1.
    """
    if columns is not None:
        queries, reference = queries.select(columns), reference.select(columns)
    distances = np.full((len(queries), k), np.inf)
    positions = np.full((len(queries), k), -1, dtype=np.int64)
    for part, sums in _sums(queries, reference):
        lines = np.arange(len(sums))
        for i in range(min(k, len(reference))):
            found = sums.argmin(axis=1)
            positions[part, i], distances[part, i] = found, sums[lines, found]
            sums[lines, found] = np.inf
    return np.round(distances / max(1, len(queries.names)), _DECIMALS), positions


def nearest_but_one(queries: GowerRows, reference: GowerRows) -> Ints:
    """Find the nearest reference row of each query by all columns but one, for every such choice.

    Args:
        queries: The rows that ask.
        reference: The rows among which is searched; at least one.

    Returns:
        Positions (columns, queries): the i-th line leaves the i-th of `names` out.
    """
    positions = np.empty((len(queries.names), len(queries)), dtype=np.int64)
    left_out = len(queries.number_names)
    for part, sums in _sums(queries, reference):
        rest, one = np.empty_like(sums), np.empty_like(sums)
        for i, column in enumerate(queries.numbers[:, part]):
            np.subtract(sums, _apart(column, reference.numbers[i], one), out=rest)
            positions[i, part] = rest.argmin(axis=1)
        for i, codes in enumerate(queries.codes[:, part]):
            np.subtract(sums, codes[:, None] != reference.codes[i], out=rest)
            positions[left_out + i, part] = rest.argmin(axis=1)
    return positions


def _sums(queries: GowerRows, reference: GowerRows) -> Iterator[tuple[slice, Float32s]]:
    """Block after block the sums of the columns' distances, in one array that is used again."""
    size = max(1, _CELLS // max(1, len(reference)))
    shape = (min(size, len(queries)), len(reference))
    sums, one = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)
    differs, many = np.empty(shape, dtype=bool), len(queries.code_names) > np.iinfo(np.uint8).max
    mismatches = np.empty(shape, dtype=np.uint16 if many else np.uint8)
    for start in range(0, len(queries), size):
        part = slice(start, min(start + size, len(queries)))
        count = part.stop - start
        total, wrong = sums[:count], mismatches[:count]
        total.fill(0)
        wrong.fill(0)
        for i, column in enumerate(queries.numbers[:, part]):
            np.add(total, _apart(column, reference.numbers[i], one[:count]), out=total)
        for i, codes in enumerate(queries.codes[:, part]):
            np.not_equal(codes[:, None], reference.codes[i], out=differs[:count])
            np.add(wrong, differs[:count].view(np.uint8), out=wrong)
        yield part, np.add(total, wrong, out=total)


def _apart(queries: Float32s, reference: Float32s, out: Float32s) -> Float32s:
    np.subtract(queries[:, None], reference, out=out)
    np.abs(out, out=out)
    return np.minimum(out, np.float32(1), out=out)


def _scale(values: Floats) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return 0.0, 1.0
    low, centre, high = np.quantile(finite, (0.01, 0.5, 0.99))
    width = high - low if high > low else finite.max() - finite.min()
    usable = np.isfinite(width) and width > 0
    return float(centre), float(width) if usable else 1.0


def _codes(values: pa.ChunkedArray) -> Codes:
    hashes = value_hashes(values)
    # The upper half of a hash is a hash: two of a thousand categories share it once in 8,000 times.
    return (hashes >> np.uint64(32)).astype(np.uint32).view(np.int32)


def _nested(type_: pa.DataType) -> bool:
    return bool(pt.is_nested(type_.value_type if pt.is_dictionary(type_) else type_))
