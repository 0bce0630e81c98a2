"""The variational autoencoder for tables: TVAE of Xu et al. (2019), section 4.4.

"Modeling Tabular Data using Conditional GAN": encoder and decoder of two layers of 128 units, a
latent space of 128 dimensions, softmax for modes and categories, a Gaussian with a learned spread
for each scalar, and the reconstruction weighted by 2. Here all of it is given the context; latent
vectors are drawn from where the encoder puts rows, not from the prior; and the shares of modes and
the ranks of scalars are those of the data, as near as can be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from prefect_synth.synth.devices import Device
from prefect_synth.synth.encoding.layout import Encoded, Floats, Layout
from prefect_synth.synth.row_models.argn import splits
from prefect_synth.synth.row_models.base import Condition
from prefect_synth.synth.row_models.dense import Numbers, fit_dense
from prefect_synth.synth.row_models.held_pool import hold
from prefect_synth.synth.row_models.latent import fit_latent
from prefect_synth.synth.row_models.threads import one_blas_thread
from prefect_synth.synth.row_models.tvae_network import TVAENetwork
from prefect_synth.synth.row_models.tvae_training import LATENT, train
from prefect_synth.synth.storage import stored
from prefect_synth.synth.training import History, Training

EPOCHS = 300
MOST_ROWS = 100_000
_BATCH, _STEPS, _PATIENCE = 500, 32, 20
_MOST_CONTEXT = 64
_CHUNK = 50_000
_FEWEST_CALIBRATED = 500


@stored
@dataclass
class TVAERowModel:
    """p(row | context) as a network's image of a latent vector.

    Args:
        epochs: Passes over the training rows at most; training stops earlier by itself.
        most_rows: Rows to train on at most; of more, a random part is taken.
        numbers: How numbers are written: by the scores of their ranks, or by modes.
        max_minutes: Wall clock that training may take; None for any.
        device: Where it is trained.
        calibrated: Whether the draws have the shares of the data, as near as can be.
        layouts: Pieces of the row's columns, learned.
        network: From contexts to rows, learned.
        history: What happened in training.
    """

    epochs: int = EPOCHS
    most_rows: int = MOST_ROWS
    numbers: Numbers = "scores"
    max_minutes: float | None = None
    device: Device = "auto"
    calibrated: bool = True
    layouts: tuple[Layout, ...] = ()
    network: TVAENetwork | None = None
    history: History | None = None

    def fit(self, rows: Encoded, context: Encoded, rng: np.random.Generator) -> Self:
        """Train the autoencoder, and see where it puts the rows.

        Raises:
            MissingTorchError: torch is not installed.
        """
        self.layouts = rows.layouts
        if not rows.width:
            return self
        if len(rows) > self.most_rows:
            some = np.sort(rng.choice(len(rows), self.most_rows, replace=False))
            rows, context = rows.take(some), context.take(some)
        form = fit_dense(rows, self.numbers, rng)
        told = fit_dense(context, "scores", rng, most=_MOST_CONTEXT)
        modes, scalars = form.encode(rows)
        known = told.inputs(context)  # [n, c]
        training = Training(
            self.epochs, _BATCH, _STEPS, _PATIENCE, max_minutes=self.max_minutes,
            device=self.device, mixed=True,
        )  # fmt: skip
        parts = splits(context, rng)
        found, self.history = train(form, modes, scalars, known, parts, training, rng)
        with one_blas_thread:
            both = np.hstack([form.inputs(rows), known])  # [n, x + c]
            means, log_variances = np.split(found.encoder(both), [LATENT], axis=1)  # [n, z]
            latent = fit_latent(means, np.clip(log_variances, -10, 10), known, rng)
        self.network = TVAENetwork(told, form, latent, found.decoder, found.spreads)
        return self

    def sample(
        self,
        context: Encoded,
        rng: np.random.Generator,
        conditions: Mapping[int, Condition] | None = None,
    ) -> Encoded:
        """Draw rows; without conditions each column's shares are met."""
        with one_blas_thread:
            if conditions and self.layouts:
                return hold(self._draw_freely, self.layouts, context, conditions, rng)[0]
            starts = range(0, max(len(context), 1), _CHUNK)
            parts = [context.take(np.arange(s, min(s + _CHUNK, len(context)))) for s in starts]
            drawn = [self._draw(part, rng, exact=self.calibrated) for part in parts]
        return Encoded(
            np.concatenate([d.pieces for d in drawn]),
            np.concatenate([d.places for d in drawn]),
            self.layouts,
        )

    def sample_held(
        self, context: Encoded, rng: np.random.Generator, conditions: Mapping[int, Condition]
    ) -> tuple[Encoded, Floats]:
        """Draw rows on which conditions hold, and how likely each context makes them."""
        with one_blas_thread:
            return hold(self._draw_freely, self.layouts, context, conditions, rng)

    def _draw_freely(self, context: Encoded, rng: np.random.Generator) -> Encoded:
        return self._draw(context, rng, exact=self.calibrated and not context.width)

    def _draw(self, context: Encoded, rng: np.random.Generator, *, exact: bool) -> Encoded:
        n, d = len(context), len(self.layouts)
        if not d or not n:
            return Encoded(np.empty((n, d), np.int64), np.empty((n, d)), self.layouts)
        assert self.network is not None  # noqa: S101 - the frame samples only what it fitted
        return self.network.draw(
            context, self.layouts, rng, exact=exact and n >= _FEWEST_CALIBRATED
        )
