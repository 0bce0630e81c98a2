"""A fitted variational autoencoder, as arrays: it draws rows with NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints, Layout
from prefect_synth.synth.row_models.copula import calibrated
from prefect_synth.synth.row_models.dense import DenseColumn, DenseColumns
from prefect_synth.synth.row_models.latent import Latent
from prefect_synth.synth.row_models.mixtures import REACH
from prefect_synth.synth.row_models.perceptron import Perceptron
from prefect_synth.synth.row_models.raking import probabilities, raked, stratified
from prefect_synth.synth.storage import stored


@stored
@dataclass(frozen=True)
class TVAENetwork:
    """From contexts to rows.

    Args:
        told: How contexts are written.
        form: How rows are written.
        latent: Where rows lie in the latent space.
        decoder: From latent vectors and contexts to logits of modes and scalars.
        spreads: Standard deviation of each scalar around the decoder's, [s].
    """

    told: DenseColumns
    form: DenseColumns
    latent: Latent
    decoder: Perceptron
    spreads: Floats

    def draw(
        self,
        context: Encoded,
        layouts: tuple[Layout, ...],
        rng: np.random.Generator,
        *,
        exact: bool,
    ) -> Encoded:
        """Draw a row for each context.

        Args:
            context: Contexts, [n, c].
            layouts: Pieces of the row's columns, d of them.
            rng: Source of the draws.
            exact: Whether modes are to have the shares of the data, and scores their ranks.
        """
        known = self.told.inputs(context)  # [n, c]
        z = self.latent.draw(known, rng)  # [n, z]
        decoded = self.decoder(np.hstack([z, known]))  # [n, x]
        starts = self.form.starts
        modes = np.zeros((len(context), len(layouts)), np.int64)
        for j, column in enumerate(self.form.columns):
            odds = probabilities(decoded[:, starts[j] : starts[j + 1]])  # [n, K]
            modes[:, j] = stratified(raked(odds, column.shares) if exact else odds, rng)
        means = np.tanh(decoded[:, starts[-1] :])  # [n, s]
        scalars = means + self.spreads * rng.standard_normal(means.shape)
        for i, j in enumerate(self.form.scalars if exact else []):
            scalars[:, i] = _ranked(self.form.columns[j], modes[:, j], scalars[:, i], rng)
        return self.form.decode(modes, scalars, layouts, rng)


def _ranked(column: DenseColumn, modes: Ints, scalars: Floats, rng: np.random.Generator) -> Floats:
    """Scores in their order, but normal: as many in each stretch as the data have, [n]."""
    if not column.scores:
        return scalars
    scalars, own = scalars.copy(), np.flatnonzero(modes >= column.first)
    scalars[own] = ndtri(np.clip(calibrated(scalars[own], rng), 1e-9, 1 - 1e-9)) / REACH
    return scalars
