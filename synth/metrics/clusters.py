"""Sampling errors of rates where rows come in families, so that they are not independent."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri, stdtrit

from prefect_synth.synth.metrics.sources import Floats, Ints


def standard_error(values: Floats, units: Ints | None = None) -> float:
    """The standard error of a mean of rows that come in units (families).

    The sandwich estimator of survey statistics: deviations are summed within each unit first.
    See Cameron and Miller (2015), "A practitioner's guide to cluster-robust inference", J. Human
    Resources 50.

    Args:
        values: One number for each row.
        units: The unit of each row; None where each row is a unit of its own.

    Returns:
        Never less than that of independent rows; 0 for fewer than two rows.
    """
    count = len(values)
    if count < 2:
        return 0.0
    alone = float(values.std(ddof=1) / np.sqrt(count))
    if units is None:
        return alone
    _, unit = np.unique(units, return_inverse=True)
    groups = int(unit.max()) + 1
    if groups < 2:
        return alone
    sums = np.bincount(unit, weights=values - values.mean())
    together = np.sqrt((sums**2).sum() * groups / (groups - 1)) / count
    return max(alone, float(together))


def quantile(confidence: float = 0.95, comparisons: int = 1, units: int | None = None) -> float:
    """The quantile of a two-sided interval, widened for several comparisons (Bonferroni).

    Args:
        confidence: Probability with which all intervals hold.
        comparisons: How many figures the worst was taken from.
        units: The fewer units there are, the less is known of their spread: Student's quantile.
            None for the normal one.
    """
    level = 1 - (1 - confidence) / (2 * max(1, comparisons))
    return float(ndtri(level) if units is None else stdtrit(max(1, units - 1), level))


def fewest_units(*units: Ints | None) -> int | None:
    """The number of units of the side that has fewest; None where all rows are independent."""
    counts = [len(np.unique(side)) for side in units if side is not None]
    return min(counts, default=None)


def design_effect(values: Floats, units: Ints | None) -> float:
    """How many rows tell as much as one independent row, for a mean; at least 1."""
    alone = standard_error(values)
    return (standard_error(values, units) / alone) ** 2 if alone > 0 else 1.0
