"""Probabilistic autoregressive sequences: each row given its parents and all rows before it.

A recurrent network carries what went before (Zhang, Patki and Veeramachaneni 2022, "Sequential
Models in the Synthetic Data Vault", has the idea); each column of the next row is drawn from
codes, given that and the columns before it, as the autoregressive network for single rows does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints
from prefect_synth.synth.row_models.argn import ARGNRowModel
from prefect_synth.synth.row_models.families import Families
from prefect_synth.synth.row_models.family_codec import FamilyCodec, fit_family_codec
from prefect_synth.synth.row_models.raking import inverse, probabilities
from prefect_synth.synth.row_models.recurrent import GRU, Running
from prefect_synth.synth.row_models.scores import from_bins, to_bins
from prefect_synth.synth.row_models.threads import one_blas_thread
from prefect_synth.synth.storage import stored
from prefect_synth.synth.training import Training

BINS = 64
"""Codes of an innovation: as many equally likely bins."""
WINDOW = 100
"""Rows that the network sees one after the other in training, at most."""
_BATCH, _STEPS, _PATIENCE, _DECAY = 64, 16, 4, 0.5


@stored
@dataclass(frozen=True)
class PARNetwork:
    """The fitted network: a recurrent one over rows, and inside a row a head for each code.

    Args:
        columns: What each code is of: mode of column j as j, innovation k as -1 - k; [q].
        tables: Embedding of the codes, [K, e] each.
        history: Reads the row before, its numbers, and what the row is told.
        weights: From the history's state, what it was told last, and the codes before to the hidden
            units, [h + i + e.., H].
        biases: Of the hidden units, [H] each.
        heads: From the hidden units to the codes, [H, K] each.
        marginals: Bias of the codes, [K] each.
    """

    columns: tuple[int, ...]
    tables: tuple[Floats, ...]
    history: GRU
    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]
    heads: tuple[Floats, ...]
    marginals: tuple[Floats, ...]

    def embed(self, codes: Ints) -> Floats:
        """The codes of whole rows, embedded, [m, e]."""
        parts = [table[codes[:, i]] for i, table in enumerate(self.tables)]
        return np.hstack([np.zeros((len(codes), 0), np.float32), *parts])

    def logits(self, i: int, known: Floats) -> Floats:
        """Logits of a code given the history and the codes before it, [m, K]."""
        hidden = np.maximum(known @ self.weights[i] + self.biases[i], 0)  # [m, H]
        return np.asarray(hidden @ self.heads[i] + self.marginals[i])


@stored
@dataclass
class PARRowModel(ARGNRowModel):
    """p(row | context, rows before it); rows in no family are drawn by the ARGN alone.

    Args:
        codec: How families are written, learned.
        recurrent: The weights, learned.
    """

    codec: FamilyCodec | None = None
    recurrent: PARNetwork | None = None

    @one_blas_thread
    def fit_families(
        self, rows: Encoded, context: Encoded, lengths: Ints, rng: np.random.Generator
    ) -> Self:
        """Train the network on windows of the families.

        Raises:
            MissingTorchError: torch is not installed.
        """
        from prefect_synth.synth.row_models.par_training import train

        families = Families(lengths)
        self.codec = fit_family_codec(rows, context, families, rng)
        steps = self.codec.encode(rows, context, families)
        codes, columns = _codes(self.codec, steps.modes, steps.scores)
        self.recurrent = None
        if not columns:
            return self
        settings = Training(
            self.epochs, _BATCH, _STEPS, _PATIENCE, _DECAY, 1.0, self.max_minutes, self.device
        )
        self.recurrent, self.history = train(
            codes, columns, self.codec, steps, families, settings, rng
        )
        return self

    @one_blas_thread
    def sample_families(self, context: Encoded, lengths: Ints, rng: np.random.Generator) -> Encoded:
        """Draw families step by step, all of them at once."""
        codec, network = self.codec, self.recurrent
        assert codec is not None  # noqa: S101 - the frame samples only what it fitted
        families = Families(lengths)
        modes = np.zeros((len(context), len(codec.layouts)), np.int64)
        numbers = np.zeros((len(context), len(codec.innovations)))
        if network is None:  # every row is the same
            return codec.rows(modes, numbers, rng)
        traits = codec.draw_traits(context, families, rng)
        told = codec.told(context, traits, families)  # [n, c]
        drawing = _Drawing(codec, network, codec.traits.traits(traits), rng)
        for step, (at, family) in enumerate(families.steps()):
            modes[at], numbers[at] = drawing.next(step, family, told[at])
        return codec.rows(modes, numbers, rng)


class _Drawing:
    """Families that are drawn side by side, step by step.

    Args:
        codec: How they are written.
        network: The weights.
        traits: Of each family, [f, 2 s].
        rng: Source of the draws.
    """

    def __init__(
        self, codec: FamilyCodec, network: PARNetwork, traits: Floats, rng: np.random.Generator
    ) -> None:
        self.codec, self.network, self.traits, self.rng = codec, network, traits, rng
        f, width = len(traits), sum(t.shape[1] for t in network.tables)
        self.numbers = np.zeros((f, len(codec.innovations)))
        self.embedded = np.zeros((f, width), np.float32)
        self.history = Running(network.history, f, WINDOW // 2)

    def next(self, step: int, family: Ints, told: Floats) -> tuple[Ints, Floats]:
        """The next row of some families: modes [m, d] and numbers [m, s]."""
        before = self.numbers[family]
        seen = np.hstack([self.embedded[family], before.astype(np.float32), told])
        state = self.history.step(family, seen)
        return self._row(step, family, np.hstack([state, seen]), before)

    def _row(self, step: int, family: Ints, history: Floats, before: Floats) -> tuple[Ints, Floats]:
        codec, network, m = self.codec, self.network, len(family)
        known, now, traits = history, before.copy(), self.traits[family]
        modes = np.zeros((m, len(codec.layouts)), np.int64)
        for i, column in enumerate(network.columns):
            odds = probabilities(network.logits(i, known))
            code = inverse(odds, self.rng.random(m))
            if column >= 0:
                modes[:, column] = code
            else:
                k = -1 - column
                there = codec.there(modes)[:, k]
                score = from_bins(code, BINS, self.rng)
                made = codec.innovations.number(k, score, before, traits, now, step == 0)
                now[:, k] = np.where(there, made, now[:, k])
                code = np.where(there, code, BINS)
            known = np.hstack([known, network.tables[i][code]])
        self.embedded[family], self.numbers[family] = known[:, history.shape[1] :], now
        return modes, now


def _codes(codec: FamilyCodec, modes: Ints, scores: Floats) -> tuple[Ints, tuple[int, ...]]:
    """Codes of rows [n, q], and what they are of: modes where there are several, innovations."""
    there = codec.there(modes)
    codes, columns = [np.zeros((len(modes), 0), np.int64)], list[int]()
    for j, width in enumerate(codec.widths):
        if width > 1:
            codes.append(modes[:, [j]])
            columns.append(j)
        if j in codec.dense.scalars:
            k = codec.dense.scalars.index(j)
            codes.append(np.where(there[:, k], to_bins(scores[:, k], BINS), BINS)[:, None])
            columns.append(-1 - k)
    return np.hstack(codes), tuple(columns)
