"""TimeGAN: sequences drawn in a latent space that an autoencoder and a supervisor shape.

Yoon, Jarrett and van der Schaar (2019), "Time-series Generative Adversarial Networks". An embedder
and a recovery network learn a latent space of rows; a supervisor learns its next step; a generator
draws latent steps that a discriminator cannot tell, and that the supervisor would have taken. Rows
are innovations (family_codec.py), and windows are told what families are told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from scipy.special import expit

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints
from prefect_synth.synth.row_models.argn import ARGNRowModel
from prefect_synth.synth.row_models.families import Families
from prefect_synth.synth.row_models.family_codec import FamilyCodec, fit_family_codec
from prefect_synth.synth.row_models.family_vectors import drawn
from prefect_synth.synth.row_models.recurrent import GRU, Rectified, Running
from prefect_synth.synth.row_models.settling import Settling, fit_settling
from prefect_synth.synth.row_models.threads import one_blas_thread
from prefect_synth.synth.storage import stored
from prefect_synth.synth.training import Training

WINDOW = 24
"""Rows of the windows that it is trained on, as in the paper; it runs on beyond them."""
EPOCHS = 25
_BATCH, _STEPS = 128, 16


@stored
@dataclass(frozen=True)
class Recurrent:
    """A recurrent network and a linear layer on top.

    Args:
        layers: The network.
        top: From its state to what it says.
    """

    layers: GRU
    top: Rectified


@stored
@dataclass(frozen=True)
class TimeGANNetwork:
    """What is left of the five networks when rows are drawn.

    Args:
        noise: Width of the noise.
        generator: From noise and what rows are told to latent steps.
        supervisor: From latent steps to the next ones.
        recovery: From latent steps to rows.
    """

    noise: int
    generator: Recurrent
    supervisor: Recurrent
    recovery: Recurrent


@stored
@dataclass
class TimeGANRowModel(ARGNRowModel):
    """p(family | context) by TimeGAN; rows in no family are drawn by the ARGN alone.

    Args:
        codec: How families are written, learned.
        sequences: The weights, learned.
        settling: How drawn innovations become normal scores, learned.
    """

    epochs: int = EPOCHS
    codec: FamilyCodec | None = None
    sequences: TimeGANNetwork | None = None
    settling: Settling = field(default_factory=Settling)

    @one_blas_thread
    def fit_families(
        self, rows: Encoded, context: Encoded, lengths: Ints, rng: np.random.Generator
    ) -> Self:
        """Train the networks on windows of the families, in three phases.

        Raises:
            MissingTorchError: torch is not installed.
        """
        from prefect_synth.synth.row_models.timegan_training import train

        families = Families(lengths)
        self.codec = fit_family_codec(rows, context, families, rng)
        steps = self.codec.encode(rows, context, families)
        settings = Training(
            self.epochs, _BATCH, _STEPS, max_minutes=self.max_minutes, device=self.device
        )
        self.sequences, self.history = train(self.codec, steps, families, settings, rng)
        modes, scores = self._drawn(steps.told, families, rng)
        self.settling = fit_settling(scores, self.codec.there(modes), families)
        return self

    @one_blas_thread
    def sample_families(self, context: Encoded, lengths: Ints, rng: np.random.Generator) -> Encoded:
        """Draw latent steps of all families side by side, and the rows that they stand for."""
        codec, families = self.codec, Families(lengths)
        assert codec is not None  # noqa: S101 - the frame samples only what it fitted
        traits = codec.draw_traits(context, families, rng)
        modes, scores = self._drawn(codec.told(context, traits, families), families, rng)
        scores = self.settling.settled(scores, codec.there(modes), families)
        return codec.decode(modes, scores, traits, families, rng)

    def _drawn(
        self, told: Floats, families: Families, rng: np.random.Generator
    ) -> tuple[Ints, Floats]:
        """Modes [n, d] and innovations [n, s] of rows that are told `told`, [n, c]."""
        codec, network = self.codec, self.sequences
        assert codec is not None and network is not None  # noqa: S101, PT018 - fit_families was
        modes = np.zeros((len(told), len(codec.layouts)), np.int64)
        scores = np.zeros((len(told), len(codec.innovations)))
        parts = (network.generator, network.supervisor, network.recovery)
        running = [Running(p.layers, len(families.lengths), WINDOW // 2) for p in parts]
        for at, family in families.steps():
            noise = rng.random((len(at), network.noise), np.float32)
            said: Floats = np.hstack([noise, told[at]])
            for part, run in zip(parts[:2], running[:2], strict=True):
                said = expit(part.top(run.step(family, said)))  # [m, h]
            raw = network.recovery.top(running[2].step(family, said))  # [m, w]
            modes[at], scores[at] = drawn(codec, raw, rng)
        return modes, scores
