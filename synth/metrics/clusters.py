"""Sampling errors of rates where rows come in families, so that they are not independent."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

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


def quantile(confidence: float = 0.95, comparisons: int = 1) -> float:
    """The normal quantile of a two-sided interval, widened for several comparisons (Bonferroni).

    Args:
        confidence: Probability with which all intervals hold.
        comparisons: How many figures the worst was taken from.
    """
    return float(ndtri(1 - (1 - confidence) / (2 * max(1, comparisons))))


def effective_rows(outcomes: Floats, units: Ints | None) -> float:
    """How many independent attacks tell as much as these: the number over the design effect.

    Args:
        outcomes: 1 for each attack that succeeded, else 0.
        units: The unit of each attacked row.
    """
    rate = float(outcomes.mean()) if len(outcomes) else 0.0
    error = standard_error(outcomes, units)
    if error == 0.0:
        return float(len(outcomes))
    return float(min(len(outcomes), rate * (1 - rate) / error**2))
