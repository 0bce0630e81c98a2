"""The conditional vector, and training by sampling (Xu et al. 2019, section 4.3).

Every generated row is asked to have one value of one column; which one is drawn in training by the
logarithm of its frequency, so that rare values are learned, and at sampling by its frequency. The
real row beside it in training has the same value: each value has a list of its rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.row_models.dense import DenseColumns
from prefect_synth.synth.storage import stored

NOTHING = -1
"""The value of a conditional vector that asks for nothing."""


@stored
@dataclass(frozen=True)
class Conditions:
    """What rows can be asked for: the values of all columns that are only a softmax block.

    Args:
        columns: The columns, [c].
        starts: Where each column's values begin among all of them, and their number, [c + 1].
        shares: Share of each value in its column, [W].
    """

    columns: Ints
    starts: Ints
    shares: Floats

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __bool__(self) -> bool:
        return len(self.columns) > 0

    @staticmethod
    def of_one(shares: Floats) -> Conditions:
        """The values of one column alone."""
        return Conditions(np.zeros(1, np.int64), np.array([0, len(shares)]), shares)

    def draw(self, rows: int, rng: np.random.Generator) -> Ints:
        """Values to ask for, in the shares of the data: any column, then a value of it, [n]."""
        ends = np.cumsum(self.shares)
        column = rng.integers(0, len(self.columns), rows)
        low, high = self.starts[column], self.starts[column + 1]
        before = ends[low] - self.shares[low]
        aim = before + rng.random(rows) * (ends[high - 1] - before)
        return np.clip(np.searchsorted(ends, aim, side="right"), low, high - 1)

    def column_of(self, values: Ints) -> Ints:
        """The column that each value belongs to, [n]."""
        return self.columns[np.searchsorted(self.starts, values, side="right") - 1]

    def mode_of(self, values: Ints) -> Ints:
        """Which mode of its column each value is, [n]."""
        return values - self.starts[np.searchsorted(self.starts, values, side="right") - 1]

    def value(self, column: int, mode: int) -> int:
        """The value that a mode of a column is; `NOTHING` where it cannot be asked for."""
        at = np.flatnonzero(self.columns == column)
        return int(self.starts[at[0]] + mode) if len(at) and mode >= 0 else NOTHING

    def vectors(self, values: Ints) -> Floats:
        """One-hot vectors, [n, W]; zeros where nothing is asked for."""
        return one_hot(values, len(self))

    def forced(self, modes: Ints, values: Ints) -> None:
        """Write what was asked for into modes, [n, d]."""
        asked = np.flatnonzero(values != NOTHING)
        modes[asked, self.column_of(values[asked])] = self.mode_of(values[asked])


def one_hot(values: Ints, width: int) -> Floats:
    """Vectors with a one at each value, and zeros for `NOTHING`, [n, width]."""
    vectors = np.zeros((len(values), width), np.float32)
    asked = np.flatnonzero(values != NOTHING)
    vectors[asked, values[asked]] = 1
    return vectors


def find_conditions(columns: DenseColumns) -> Conditions:
    """What rows of such columns can be asked for."""
    numbers = set(columns.scalars)
    several = [j for j, w in enumerate(columns.widths) if j not in numbers and w > 1]
    starts = np.concatenate([[0], np.cumsum([columns.widths[j] for j in several])])
    shares = [columns.columns[j].shares for j in several]
    return Conditions(
        np.array(several, np.int64), starts.astype(np.int64), np.concatenate([np.empty(0), *shares])
    )


class TrainingBySampling:
    """Draws values to ask for by the logarithm of their frequency, and a real row with each.

    Args:
        torch: The module.
        conditions: What can be asked for.
        asked: Modes of those columns in all rows, [n, c].
        rows: Those to draw from.
        device: Where the draws are used.
    """

    def __init__(
        self, torch: Any, conditions: Conditions, asked: Ints, rows: Ints, device: Any
    ) -> None:
        self.torch = torch
        values = asked[rows] + conditions.starts[:-1]  # [m, c]
        counts = np.bincount(values.ravel(), minlength=len(conditions))  # [W]
        order = np.argsort(values.ravel(order="F"), kind="stable")  # rows by value
        lists = np.tile(rows, len(conditions.columns))[order]  # [c * m]
        weights = np.log1p(counts)
        sums = np.add.reduceat(weights, conditions.starts[:-1])
        share = weights / np.repeat(sums, np.diff(conditions.starts))  # each column's sum is 1
        self.ends = torch.as_tensor(np.cumsum(share), dtype=torch.float32, device=device)  # [W]
        self.lists = torch.as_tensor(lists, device=device)
        self.counts = torch.as_tensor(counts, device=device)  # [W]
        self.first = torch.as_tensor(np.cumsum(counts) - counts, device=device)  # [W]
        self.columns = len(conditions.columns)
        every = np.arange(len(conditions))
        self.column_of = torch.as_tensor(conditions.column_of(every), device=device)  # [W]
        self.mode_of = torch.as_tensor(conditions.mode_of(every), device=device)  # [W]

    def draw(self, size: int, generator: Any) -> tuple[Any, Any]:
        """Values to ask for [b], and a row that has each [b]."""
        aim, place = self.torch.rand((2, size), generator=generator)
        aim = self.columns * aim.to(self.ends.device)  # columns of one unit: any is as likely
        values = self.torch.searchsorted(self.ends, aim, right=True)
        values = values.clamp(max=len(self.ends) - 1)  # [b]
        within = (place.to(self.ends.device) * self.counts[values]).long()
        return values, self.lists[self.first[values] + within]

    def place_of(self, values: Any) -> tuple[Any, Any]:
        """The column of each value, and which mode of it it is, [b] each."""
        return self.column_of[values], self.mode_of[values]
