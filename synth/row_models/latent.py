"""Where rows lie in the latent space of an autoencoder, so that it is sampled where they are.

The encoder's distribution of all rows together is not the prior that it was drawn to. A Gaussian
mixture fitted to it after training (Ghosh et al. 2020, "From variational to deterministic
autoencoders", section 4) is drawn from in its stead. Where rows have a context, the mixture is of
what a linear regression on the context leaves.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from prefect_synth.synth.encoding.layout import Floats
from prefect_synth.synth.row_models.threads import one_thread
from prefect_synth.synth.storage import stored

_COMPONENTS, _ROWS_EACH = 20, 200
_DIMENSIONS, _INFORMATIVE = 16, 0.1
_MOST_ROWS = 10_000
_ROUNDS = 30
_RIDGE = 1e-2
_FEWEST = 300


@stored
@dataclass(frozen=True)
class Latent:
    """A mixture of Gaussians in the directions that tell most of a row, one Gaussian in the others.

    Args:
        slope: How the context moves latent vectors, [c, z].
        centre: Mean of latent vectors but for that, [z].
        turn: From directions to latent vectors, [z, z]; all directions have variance 1.
        weights: Share of each component, [k].
        means: Of each component in the first directions, [k, a].
        roots: Cholesky factor of each component's covariance, [k, a, a].
    """

    slope: Floats
    centre: Floats
    turn: Floats
    weights: Floats
    means: Floats
    roots: Floats

    @staticmethod
    def prior(context: int, width: int) -> Latent:
        """Standard normal, whatever the context."""
        none = np.zeros((1, 0)), np.zeros((1, 0, 0))
        return Latent(np.zeros((context, width)), np.zeros(width), np.eye(width), np.ones(1), *none)

    def draw(self, context: Floats, rng: np.random.Generator) -> Floats:
        """A latent vector for each context [n, c], [n, z] float32."""
        along = rng.standard_normal((len(context), len(self.centre)))  # [n, z]
        own, first = rng.choice(len(self.weights), len(along), p=self.weights), self.means.shape[1]
        for k, (mean, root) in enumerate(zip(self.means, self.roots, strict=True)):
            mine = own == k
            along[mine, :first] = along[mine, :first] @ root.T + mean
        drawn = along @ self.turn.T + self.centre + context @ self.slope
        return np.asarray(drawn, np.float32)


def fit_latent(
    means: Floats, log_variances: Floats, context: Floats, rng: np.random.Generator
) -> Latent:
    """Fit the mixture to the encoder's distributions of rows.

    Args:
        means: Of each row, [n, z].
        log_variances: Of each row, [n, z].
        context: Of each row, [n, c].
        rng: Source of the draws and of the start.
    """
    if len(means) < _FEWEST:
        return Latent.prior(context.shape[1], means.shape[1])
    if len(means) > _MOST_ROWS:
        some = rng.choice(len(means), _MOST_ROWS, replace=False)
        means, log_variances, context = means[some], log_variances[some], context[some]
    means, variances = means.astype(np.float64), np.exp(log_variances.astype(np.float64))
    slope = _slope(context, means)
    left = means - context @ slope
    centre = left.mean(axis=0)
    told = np.cov(left.T)  # [z, z]
    whole = told + np.diag(variances.mean(axis=0))
    shares, axes = eigh(told, whole)  # axes.T @ whole @ axes is the identity
    order = np.argsort(-shares)
    shares, axes = shares[order], axes[:, order]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(len(shares))])
    first = axes[:, : min(_DIMENSIONS, int((shares > _INFORMATIVE).sum()))]  # [z, a]
    noise = rng.standard_normal(means.shape) * np.sqrt(variances)
    mixture = _mixture((left - centre + noise) @ first, rng)
    return Latent(slope, centre, whole @ axes, *mixture)


def _slope(context: Floats, means: Floats) -> Floats:
    """Ridge regression of latent vectors on centred contexts, [c, z]."""
    centred = context - context.mean(axis=0)
    ridge = _RIDGE * len(means) * np.eye(context.shape[1])
    return np.asarray(np.linalg.solve(centred.T @ centred + ridge, centred.T @ means))


def _mixture(along: Floats, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Weights [k], means [k, a] and roots [k, a, a] of a mixture of Gaussians."""
    if not along.shape[1]:
        return np.ones(1), np.zeros((1, 0)), np.zeros((1, 0, 0))
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(
        max(min(_COMPONENTS, len(along) // _ROWS_EACH), 1),
        reg_covar=1e-3,
        max_iter=_ROUNDS,
        random_state=int(rng.integers(2**31)),
    )
    with warnings.catch_warnings(), one_thread:
        warnings.simplefilter("ignore", ConvergenceWarning)  # any of its rounds is good enough
        model.fit(along)
    weights = model.weights_ / model.weights_.sum()
    return weights, model.means_, np.linalg.cholesky(model.covariances_)
