"""Gaussian mixtures over one column's values: the modes of mode-specific normalisation."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import Floats, Ints
from prefect_synth.synth.row_models.threads import one_thread
from prefect_synth.synth.storage import stored

MOST_MODES = 10
_MOST_VALUES = 10_000
_FEWEST = 20
_LIGHTEST = 0.005
REACH = 4.0
"""Standard deviations that a scalar of 1 is away from its mode's centre."""


@stored
@dataclass(frozen=True)
class Mixture:
    """Modes of a line.

    Args:
        centres: Mean of each mode, [M].
        spreads: Standard deviation of each mode, above 0, [M].
        weights: Share of each mode, [M].
    """

    centres: Floats
    spreads: Floats
    weights: Floats

    def __len__(self) -> int:
        return len(self.centres)

    @staticmethod
    def standard() -> Mixture:
        """One mode: the standard normal distribution."""
        return Mixture(np.zeros(1), np.ones(1), np.ones(1))

    def assign(self, at: Floats) -> tuple[Ints, Floats]:
        """The likeliest mode of each value, and its distance from the centre in 4 spreads, [n]."""
        offset = (at[:, None] - self.centres) / self.spreads  # [n, M]
        odds = np.log(self.weights) - np.log(self.spreads) - offset**2 / 2  # [n, M]
        own = odds.argmax(axis=1)
        return own, offset[np.arange(len(at)), own] / REACH

    def value(self, modes: Ints, offsets: Floats) -> Floats:
        """Values at distances from the centres of modes, [n]: the inverse of `assign`."""
        return np.asarray(self.centres[modes] + offsets * REACH * self.spreads[modes])


def fit_mixture(values: Floats, line: Floats, rng: np.random.Generator) -> Mixture:
    """A variational Gaussian mixture with as many modes as the values need (Bishop 2006, 10.2).

    Args:
        values: The values, [n]; at most 10,000 of them are looked at.
        line: Edges of the column's pieces: the scale where there are too few values.
        rng: Source of the start.
    """
    low, high = float(line[0]), float(line[-1])
    if len(values) < _FEWEST or np.ptp(values) <= 0:
        centre = float(values.mean()) if len(values) else (low + high) / 2
        reach = max(high - centre, centre - low, 1e-9 * max(abs(centre), 1.0))
        return Mixture(np.array([centre]), np.array([reach / REACH]), np.ones(1))
    if len(values) > _MOST_VALUES:
        values = rng.choice(values, _MOST_VALUES, replace=False)
    mean, spread = float(values.mean()), float(values.std())
    found = _variational((values - mean) / spread, rng)
    kept = found.weights > _LIGHTEST
    weights = found.weights[kept] / found.weights[kept].sum()
    return Mixture(found.centres[kept] * spread + mean, found.spreads[kept] * spread, weights)


def _variational(values: Floats, rng: np.random.Generator) -> Mixture:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import BayesianGaussianMixture

    model = BayesianGaussianMixture(
        n_components=min(MOST_MODES, len(values)),
        weight_concentration_prior=1e-3,
        max_iter=100,
        random_state=int(rng.integers(2**31)),
    )
    with warnings.catch_warnings(), one_thread:
        warnings.simplefilter("ignore", ConvergenceWarning)  # any of its rounds is good enough
        model.fit(values[:, None])
    spreads = np.sqrt(model.covariances_.ravel())
    return Mixture(model.means_.ravel(), spreads, model.weights_)
