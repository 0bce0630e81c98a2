"""Distance to the closest record, and which side a synthetic row is nearer to.

A synthesizer that learned the population makes rows that are as near to rows it never saw as to
rows it saw; one that copies is nearer to the latter. With references of equal size one half of the
synthetic rows is nearer to training rows: the holdout test of Platzer and Reutterer (2021),
"Holdout-based empirical assessment of mixed-type synthetic data", Frontiers in Big Data 4. The
distances alone prove little: good data are near to real ones (Yao et al. 2025, "The DCR
delusion", arXiv 2505.01524), so they are given, never judged.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.metrics.clusters import fewest_units, quantile, standard_error
from prefect_synth.synth.metrics.gower import GowerRows, nearest
from prefect_synth.synth.metrics.sources import Floats, Ints


@dataclass(frozen=True)
class Quantiles:
    """The smallest twentieth and the median of a distribution."""

    p5: float
    median: float

    @classmethod
    def of(cls, values: Floats) -> Quantiles:
        """Take both from values that are not empty."""
        low, middle = np.quantile(values, (0.05, 0.5))
        return cls(float(low), float(middle))


@dataclass(frozen=True)
class Nearness:
    """Which reference synthetic rows are nearer to.

    Args:
        share: The share that is nearer to training than to holdout, ties half; 0.5 is best.
        error: Half width of its 95 % interval.
        columns: The columns that were compared.
    """

    share: float
    error: float
    columns: tuple[str, ...]

    @property
    def low(self) -> float:
        """The share that is certain."""
        return self.share - self.error


@dataclass(frozen=True)
class Sided:
    """References of equal size on both sides.

    Args:
        training: Rows that the synthesizer saw.
        holdout: As many that it never saw.
        training_units: The unit (family) of each training row; None where rows are independent.
        holdout_units: Likewise of each holdout row.
    """

    training: GowerRows
    holdout: GowerRows
    training_units: Ints | None = None
    holdout_units: Ints | None = None

    @property
    def units(self) -> tuple[Ints | None, Ints | None]:
        """The units of both sides."""
        return self.training_units, self.holdout_units


def closest(queries: GowerRows, reference: GowerRows) -> Quantiles:
    """Quantiles of the distance to the closest record (DCR)."""
    return Quantiles.of(nearest(queries, reference, 1)[0][:, 0])


def distance_ratios(queries: GowerRows, reference: GowerRows) -> Quantiles:
    """Quantiles of the nearest neighbour distance ratio (NNDR): the nearest over the second.

    Small ratios mean that a row stands out for its nearness to a single record. Two records at no
    distance have the ratio 1: they disclose nobody.
    """
    distances, _ = nearest(queries, reference, 2)
    first, second = distances.T
    ratios = np.divide(first, second, out=np.ones_like(first), where=second > 0)
    return Quantiles.of(ratios)


def nearer_to_training(
    synthetic: GowerRows,
    sides: Sided,
    units: Ints | None = None,
    columns: Collection[str] | None = None,
    comparisons: int = 1,
) -> Nearness:
    """Measure the share of synthetic rows that are nearer to training than to holdout rows.

    The error counts that one record may be the nearest of many rows: were its side decided by
    tossing a coin, all of them would change sides together. The same holds for a whole unit.

    Args:
        synthetic: The synthetic rows.
        sides: The references, of equal size.
        units: The unit of each synthetic row, where rows come in families.
        columns: Compare by these alone; None for all.
        comparisons: How many such shares the worst is taken from; the errors hold for all.
    """
    (left, left_at), (right, right_at) = (
        (found[:, 0], positions[:, 0])
        for found, positions in (
            nearest(synthetic, side, 1, columns) for side in (sides.training, sides.holdout)
        )
    )
    wins = np.where(left == right, 0.5, left < right)
    names = (units_of(sides.training_units, left_at), units_of(sides.holdout_units, right_at))
    _, winner = np.unique(
        np.where(left < right, 2 * names[0], 2 * names[1] + 1), return_inverse=True
    )
    tossed = np.sqrt((np.bincount(winner, wins - 0.5) ** 2).sum()) / len(wins)
    error = max(float(tossed), standard_error(wins, units))
    compared = tuple(synthetic.names if columns is None else columns)
    z = quantile(comparisons=comparisons, units=fewest_units(units, *sides.units))
    return Nearness(float(wins.mean()), z * error, compared)


def worst_subset(
    synthetic: GowerRows,
    sides: Sided,
    subsets: Mapping[str, Collection[str]],
    units: Ints | None = None,
) -> Nearness | None:
    """The subset of columns by which most of the rows are certainly nearer to training.

    A synthesizer may copy a few columns that a distance over all of them drowns; as mostlyai-qa
    does, random and correlated subsets are tried.

    Args:
        synthetic: The synthetic rows.
        sides: The references, of equal size.
        subsets: Columns by the subset's name; None is returned where there is none.
        units: The unit of each synthetic row.
    """
    tried = [
        nearer_to_training(synthetic, sides, units, columns, len(subsets))
        for columns in subsets.values()
    ]
    return max(tried, key=lambda n: n.low, default=None)


def units_of(units: Ints | None, positions: Ints) -> Ints:
    """The units at positions, or the positions where each row is a unit."""
    return positions if units is None else units[positions]
