"""Columns of several sides as the features that a classifier learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.metadata import Column, Table
from prefect_synth.synth.metrics.compared import CONTINUOUS, is_scored
from prefect_synth.synth.metrics.sources import Floats, Ints, Source, read_columns
from prefect_synth.synth.metrics.values import NULL, codes, numbers, plain

Matrix = npt.NDArray[np.float64]

COMMONEST = 250
"""So many categories of the first side are told apart; all others are one."""


@dataclass(frozen=True)
class Feature:
    """A column of all sides.

    Args:
        categorical: Whether the values are category codes rather than numbers.
        sides: The values of each side, NaN for null.
    """

    categorical: bool
    sides: tuple[Floats, ...]

    def take(self, rows: Sequence[Ints]) -> Feature:
        """The same feature with some rows of each side, NaN where the position is negative."""
        return Feature(
            self.categorical,
            tuple(
                np.where(r >= 0, np.append(side, np.nan)[r], np.nan)
                for side, r in zip(self.sides, rows, strict=True)
            ),
        )


def feature(column: Column, sides: Sequence[pa.ChunkedArray]) -> Feature:
    """Make a feature of a column for which `is_scored` holds."""
    if column.sdtype in CONTINUOUS:
        return Feature(False, tuple(numbers(side, column) for side in sides))
    coded, size = codes(*sides)
    return Feature(True, commonest(coded, size))


def commonest(coded: Sequence[Ints], size: int) -> tuple[Floats, ...]:
    """Number categories by how common they are in the first side.

    Args:
        coded: The codes of each side, `NULL` for null.
        size: How many codes there are.

    Returns:
        From 0 for the commonest on; `COMMONEST` for all that are rarer; NaN for null.
    """
    counts = np.bincount(coded[0][coded[0] != NULL], minlength=size)
    ranks = np.empty(size + 1)
    ranks[np.argsort(-counts, kind="stable")] = np.minimum(np.arange(size), COMMONEST)
    ranks[:size][counts == 0] = COMMONEST
    ranks[NULL] = np.nan
    return tuple(ranks[side] for side in coded)


def feature_columns(table: Table, real: Source) -> list[Column]:
    """The columns of a table that take part: scored ones, but not categories that name a row.

    A category names a row where over half of its real values are distinct.
    """
    return [
        column
        for column in table.columns.values()
        if is_scored(column) and (column.sdtype in CONTINUOUS or not _names_rows(real, column.name))
    ]


def matrix(features: Sequence[Feature], side: int) -> Matrix:
    """The features of one side as columns of numbers."""
    return np.column_stack([f.sides[side] for f in features])


def categorical(features: Sequence[Feature]) -> npt.NDArray[np.bool_]:
    """Which columns of `matrix` are categories."""
    return np.array([f.categorical for f in features], dtype=bool)


def _names_rows(source: Source, column: str) -> bool:
    values: Any = plain(read_columns(source, [column]).column(0))
    present = len(values) - values.null_count
    return bool(pc.count_distinct(values).as_py() > present / 2)
