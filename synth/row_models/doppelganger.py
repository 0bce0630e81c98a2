"""DoppelGANger: what a whole sequence has first, then its steps, several in each pass.

Lin, Jain, Wang, Fanti and Sekar (2020), "Using GANs for Sharing Networked Time Series Data". The
attributes of a sequence are its context here. A perceptron draws what normalises the sequence (the
paper's minima and maxima; here means and spreads, see innovations.py), and a recurrent network then
draws its steps, several in each pass. A Wasserstein critic with a gradient penalty judges windows,
an auxiliary one what is drawn first. Lengths come from the hierarchy, not from flags.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints
from prefect_synth.synth.row_models.argn import ARGNRowModel
from prefect_synth.synth.row_models.families import Families
from prefect_synth.synth.row_models.family_codec import FamilyCodec, fit_family_codec
from prefect_synth.synth.row_models.family_vectors import drawn
from prefect_synth.synth.row_models.recurrent import GRU, Rectified, Running
from prefect_synth.synth.row_models.scores import SCORE_END
from prefect_synth.synth.row_models.settling import Settling, fit_settling
from prefect_synth.synth.row_models.threads import one_blas_thread
from prefect_synth.synth.storage import stored
from prefect_synth.synth.training import Training

WINDOW = 50
"""Rows of the windows that critics judge; the generator runs on beyond them."""
STEPS = 2
"""Rows of each pass of the generator; the paper advises some 50 passes a sequence."""
NOISE = 32
"""Width of the noise of a pass: with less than its rows have innovations, these depend on each
other."""
EPOCHS = 100
_BATCH, _STEPS = 100, 8


@stored
@dataclass(frozen=True)
class DoppelGANgerNetwork:
    """The generators of a fitted DoppelGANger.

    Args:
        traits: From noise and what families are told to normal scores of their traits.
        passes: From noise and what the first row of a pass is told, pass by pass.
        rows: From the state and the noise of a pass to its rows, one after the other.
    """

    traits: Rectified
    passes: GRU
    rows: Rectified


@stored
@dataclass
class DoppelGANgerRowModel(ARGNRowModel):
    """p(family | context) by DoppelGANger; rows in no family are drawn by the ARGN alone.

    Args:
        codec: How families are written, learned.
        sequences: The weights, learned.
        settling: How drawn innovations become normal scores, learned.
    """

    epochs: int = EPOCHS
    codec: FamilyCodec | None = None
    sequences: DoppelGANgerNetwork | None = None
    settling: Settling = field(default_factory=Settling)

    @one_blas_thread
    def fit_families(
        self, rows: Encoded, context: Encoded, lengths: Ints, rng: np.random.Generator
    ) -> Self:
        """Train the networks on windows of the families.

        Raises:
            MissingTorchError: torch is not installed.
        """
        from prefect_synth.synth.row_models.doppelganger_training import train

        families = Families(lengths)
        self.codec = fit_family_codec(rows, context, families, rng)
        steps = self.codec.encode(rows, context, families)
        heads = self.codec.heads(context, families)
        settings = Training(
            self.epochs, _BATCH, _STEPS, max_minutes=self.max_minutes, device=self.device
        )
        network, self.history = train(self.codec, steps, heads, families, settings, rng)
        raw = self._rows(network, steps.told, families, rng)  # [n, w]
        modes, scores = drawn(self.codec, raw, rng)
        self.sequences = network
        self.settling = fit_settling(scores, self.codec.there(modes), families)
        return self

    @one_blas_thread
    def sample_families(self, context: Encoded, lengths: Ints, rng: np.random.Generator) -> Encoded:
        """Draw the traits of all families, then their rows side by side, pass by pass."""
        codec, network = self.codec, self.sequences
        assert codec is not None and network is not None  # noqa: S101, PT018 - fit_families was
        families = Families(lengths)
        traits = self._traits(network, codec.heads(context, families), rng)
        traits = traits[:, : len(codec.traits.marginals)]  # none where no column is a number
        told = codec.told(context, traits, families)  # [n, c]
        raw = self._rows(network, told, families, rng)  # [n, w]
        modes, scores = drawn(codec, raw, rng)
        scores = self.settling.settled(scores, codec.there(modes), families)
        return codec.decode(modes, scores, traits, families, rng)

    @staticmethod
    def _traits(network: DoppelGANgerNetwork, heads: Floats, rng: np.random.Generator) -> Floats:
        noise = rng.standard_normal((len(heads), NOISE), np.float32)
        said = np.tanh(network.traits(np.hstack([noise, heads])))  # [f, 2 s]
        return said.astype(np.float64) * SCORE_END

    @staticmethod
    def _rows(
        network: DoppelGANgerNetwork, told: Floats, families: Families, rng: np.random.Generator
    ) -> Floats:
        """What the last layer says of each row, [n, w]."""
        width = network.rows.biases[-1].shape[0] // STEPS
        raw = np.zeros((len(told), width), np.float32)
        running = Running(network.passes, len(families.lengths), WINDOW // STEPS // 2)
        block = np.zeros((len(families.lengths), STEPS, width), np.float32)
        for step, (at, family) in enumerate(families.steps()):
            if step % STEPS == 0:
                noise = rng.standard_normal((len(at), NOISE), np.float32)
                state = running.step(family, np.hstack([noise, told[at]]))
                said = network.rows(np.hstack([state, noise]))  # [m, steps w]
                block[family] = said.reshape(len(at), STEPS, width)
            raw[at] = block[family, step % STEPS]
        return raw
