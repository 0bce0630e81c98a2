"""Rare values: categories that fewer than k units have must not be published, chance excepted.

An honest fresh sample of the population shows some of them too: by Good (1953), "The population
frequencies of species and the estimation of population parameters", Biometrika 40, what was seen
r times has in all about the share (r + 1) * N[r + 1] / N of a new sample, with N[r] the values
that were seen r times. A column with a long tail has many such hits, one without has hardly any.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from scipy.special import gammaincinv
from scipy.stats import poisson

from prefect_synth.synth.metrics.hashing import Hashes, combine, mix
from prefect_synth.synth.metrics.sources import Floats, Ints
from prefect_synth.synth.metrics.values import value_hashes

K = 5
"""A value that fewer units have is rare."""


@dataclass(frozen=True)
class RareProfile:
    """What finding rare values needs; it holds no value.

    Args:
        rows: Training rows, nulls included.
        natural: The share of the rows of a fresh sample that have a rare value, at the upper end
            of its sampling error.
        together: Rows of one unit that share a rare value, as a hit brings: 1 where rows are
            independent.
        hashes: Sorted hashes of the rare values.
    """

    rows: int = 0
    natural: float = 0.0
    together: float = 1.0
    hashes: Hashes = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))

    @classmethod
    def fit(cls, values: pa.ChunkedArray, units: Ints | None = None, k: int = K) -> RareProfile:
        """Learn which values of a training column are rare.

        Args:
            values: The training column.
            units: The unit (person, family) of each row; None where each row is one.
            k: A value that fewer units have is rare.
        """
        present = values.is_valid().to_numpy()
        hashes = value_hashes(values)[present]
        owners = np.arange(len(values))[present] if units is None else units[present]
        distinct, value = np.unique(hashes, return_inverse=True)
        first, sizes = _pairs(hashes, owners)
        having = np.bincount(value[first], minlength=len(distinct))  # units by value
        rare = having < k
        inside = sizes[rare[value[first]]].astype(np.float64)
        if not len(inside):
            return cls(len(values))
        fresh = _fresh_pairs(np.bincount(having, minlength=k + 1), k)
        natural = fresh * float(inside.mean()) / len(values)
        together = float((inside**2).sum() / inside.sum())
        return cls(len(values), min(1.0, natural), together, distinct[rare])

    def hits(self, values: pa.ChunkedArray) -> int:
        """Count the rows of a synthetic column that have a rare value."""
        if not len(self.hashes):
            return 0
        return int(np.isin(value_hashes(values)[values.is_valid().to_numpy()], self.hashes).sum())

    def allowed(self, rows: int, alpha: float = 0.001) -> int:
        """The largest number of hits that chance explains.

        Args:
            rows: Synthetic rows.
            alpha: Probability with which an honest sample has more.

        Returns:
            A quantile of the Poisson distribution, or of a compound one where units bring several
            rows; never more than `rows`.
        """
        if not len(self.hashes):
            return 0
        expected = rows * self.natural / self.together
        return min(rows, int(np.ceil(self.together * poisson.isf(alpha, expected))))


def _pairs(hashes: Hashes, owners: Ints) -> tuple[Ints, Ints]:
    """Of each distinct pair of a value and a unit the first row and the number of rows."""
    words = combine(hashes, mix(owners.astype(np.int64).view(np.uint64)))
    _, first, counts = np.unique(words, return_index=True, return_counts=True)
    return first, counts


def _fresh_pairs(counts: Ints, k: int) -> float:
    """How many units of a sample as large as the first have a value that was rare in it.

    Each class of values, those that r < k units had, is taken at the upper end of Good and
    Turing's estimate. Where no value was seen r + 1 times, that is an empty guess; then what was
    seen of the class itself, at its upper end, is taken if it is less.

    Args:
        counts: How many values r units had, by r from 0 to k.
        k: Values that r < k had are rare.
    """
    units = np.arange(1, k)
    here, above = counts[1:k], counts[2 : k + 1]
    estimate = (units + 1) * _upper(above)
    estimate = np.where(above > 0, estimate, np.minimum(estimate, _upper(units * here)))
    return float(estimate[here > 0].sum())


def _upper(counts: Ints) -> Floats:
    """The largest mean of a Poisson count that is compatible with what was seen, at 95 %.

    Garwood (1936), "Fiducial limits for the Poisson distribution", Biometrika 28.
    """
    return np.asarray(gammaincinv(counts + 1.0, 0.95), dtype=np.float64)
