"""The autoregressive network over discretised columns.

Each column's codes are predicted from the context and the columns before it, by one hidden layer
of its own; all of them are one masked matrix product, as in MADE (Germain et al. 2015) and
TabularARGN (Tiwald et al. 2025), with the columns in a fixed order. At sampling the shares of each
column are raked to those of the data, and drawn stratified.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from prefect_synth.synth.devices import Device
from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints, Layout
from prefect_synth.synth.row_models.argn_codes import ColumnCodes, first_embedding, fit_codes
from prefect_synth.synth.row_models.argn_network import Network, Shape
from prefect_synth.synth.row_models.argn_training import train
from prefect_synth.synth.row_models.base import Among, Condition
from prefect_synth.synth.row_models.importance import sample_held, sample_with_odds
from prefect_synth.synth.row_models.raking import inverse, probabilities, raked, stratified
from prefect_synth.synth.row_models.sequential import Given
from prefect_synth.synth.row_models.threads import one_blas_thread
from prefect_synth.synth.storage import stored
from prefect_synth.synth.training import History, Training

MOST_ROWS = 100_000
EPOCHS = 40
_BATCH, _STEPS, _PATIENCE, _DECAY = 512, 32, 3, 0.5
_CHUNK = 50_000
_HELD_CHUNK = 10_000
_FEWEST_TRAINED = 20
_FEWEST_RAKED = 500
_VALIDATION = 10
_TRACE = 1e-12


@stored
@dataclass
class ARGNRowModel:
    """p(row | context) as a product of networks, column by column.

    Args:
        epochs: Passes over the training rows at most; training stops earlier by itself.
        most_rows: Rows to train on at most; of more, a random part is taken.
        layouts: Pieces of the row's columns, learned.
        context_codes: Codes of the context's columns, learned.
        codes: Codes of the row's columns, learned.
        network: The weights, learned.
        calibrated: Whether the draws have the shares of the data, as near as can be.
        max_minutes: Wall clock that training may take; None for any.
        device: Where it is trained.
        history: What happened in training.
    """

    epochs: int = EPOCHS
    most_rows: int = MOST_ROWS
    layouts: tuple[Layout, ...] = ()
    context_codes: tuple[ColumnCodes, ...] = ()
    codes: tuple[ColumnCodes, ...] = ()
    network: Network | None = None
    any_order: ClassVar[bool] = False
    calibrated: bool = True
    max_minutes: float | None = None
    device: Device = "auto"
    history: History | None = None

    def fit(self, rows: Encoded, context: Encoded, rng: np.random.Generator) -> Self:
        """Train the network.

        Raises:
            MissingTorchError: torch is not installed.
        """
        self.layouts = rows.layouts
        self.context_codes, self.codes = _fit_columns(context), _fit_columns(rows)
        if not rows.width:
            return self
        if len(rows) > self.most_rows:
            some = np.sort(rng.choice(len(rows), self.most_rows, replace=False))
            rows, context = rows.take(some), context.take(some)
        coded = [*coded_columns(self.context_codes, context), *coded_columns(self.codes, rows)]
        every = (*self.context_codes, *self.codes)
        shape = Shape(tuple(len(c) for c in every), context.width)
        shares = [c.shares for c in self.codes]
        parts = splits(context, rng)
        training = Training(
            self.epochs, _BATCH, _STEPS, _PATIENCE, _DECAY, max_minutes=self.max_minutes,
            device=self.device, mixed=True,
        )  # fmt: skip
        layouts = (*context.layouts, *rows.layouts)
        tables = [
            first_embedding(c, layout.nominal, width, rng)
            for c, layout, width in zip(every, layouts, shape.embedded, strict=True)
        ]
        self.network, self.history = train(
            np.column_stack(coded), shape, tables, shares, parts, training, rng,
            any_order=self.any_order,
        )  # fmt: skip
        return self

    def sample(
        self,
        context: Encoded,
        rng: np.random.Generator,
        conditions: Mapping[int, Condition] | None = None,
    ) -> Encoded:
        """Draw rows; without conditions each column's shares are met."""
        size = _HELD_CHUNK if conditions else _CHUNK
        starts = range(0, max(len(context), 1), size)
        parts = [context.take(np.arange(s, min(s + size, len(context)))) for s in starts]
        with one_blas_thread:
            if conditions and self.layouts:
                drawn = [sample_held(self, self.layouts, p, conditions, rng) for p in parts]
            else:
                drawn = [self._sample(p, rng) for p in parts]
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
            return sample_with_odds(self, self.layouts, context, conditions, rng)

    @property
    def order(self) -> Sequence[int]:
        """The columns as they stand."""
        return range(len(self.layouts))

    def draw(self, column: int, given: Given, rng: np.random.Generator) -> tuple[Ints, Floats]:
        """Draw a column after those before it."""
        odds = probabilities(self._logits(column, given))
        codes = inverse(odds, rng.random(len(given)))
        return self.codes[column].draw(self.layouts[column], codes, rng)

    def likelihood(self, column: int, given: Given, piece: int) -> Floats:
        """Probability of a piece after the columns before it, [n]."""
        code = int(self.codes[column].of(np.array([piece]))[0])
        odds = probabilities(self._logits(column, given))[:, code]
        return odds * self.codes[column].share_inside(self.layouts[column], piece)

    def restrict(
        self, column: int, given: Given, among: Among, rng: np.random.Generator
    ) -> tuple[Floats, Ints]:
        """Draw a column inside stretches of its pieces, and how likely they are, [n] each."""
        codes, layout = self.codes[column], self.layouts[column]
        weights = codes.shares_inside(layout) * among.by_piece(layout)  # [P]
        code_of = codes.of(np.arange(len(weights)))
        counting = np.bincount(code_of, weights, minlength=len(codes))
        odds = probabilities(self._logits(column, given)).astype(np.float64) * counting
        found = odds.sum(axis=1)
        drawn = inverse(odds + counting * _TRACE, rng.random(len(given)))
        ends = np.cumsum(weights)
        first = np.searchsorted(code_of, drawn)
        before = ends[first] - weights[first]
        aim = before + rng.random(len(given)) * counting[drawn]
        pieces = np.searchsorted(ends, aim, side="right")
        last = np.searchsorted(code_of, drawn, side="right") - 1
        pieces = np.clip(pieces, first, last)
        allowed = np.flatnonzero(weights > 0)
        near = allowed[np.clip(np.searchsorted(allowed, pieces), 0, len(allowed) - 1)]
        return found, np.where(weights[pieces] > 0, pieces, near)

    def _sample(self, context: Encoded, rng: np.random.Generator) -> Encoded:
        n, d = len(context), len(self.layouts)
        if not d or not n:
            return Encoded(np.empty((n, d), np.int64), np.empty((n, d)), self.layouts)
        network = self._network
        known = network.embed(coded_columns(self.context_codes, context), n)
        pieces, places = np.empty((n, d), np.int64), np.empty((n, d))
        for j, codes in enumerate(self.codes):
            odds = probabilities(network.logits(j, known))
            exact = self.calibrated and n >= _FEWEST_RAKED
            drawn = stratified(raked(odds, codes.shares) if exact else odds, rng)
            known = np.hstack([known, network.tables[len(self.context_codes) + j][drawn]])
            pieces[:, j], places[:, j] = codes.draw(self.layouts[j], drawn, rng)
        return Encoded(pieces, places, self.layouts)

    def _logits(self, column: int, given: Given) -> Floats:
        before = [c.of(given.pieces[:, j]) for j, c in enumerate(self.codes[:column])]
        coded = [*coded_columns(self.context_codes, given.context), *before]
        return self._network.logits(column, self._network.embed(coded, len(given)))

    @property
    def _network(self) -> Network:
        assert self.network is not None  # noqa: S101 - the frame samples only what it fitted
        return self.network


def _fit_columns(columns: Encoded) -> tuple[ColumnCodes, ...]:
    return tuple(fit_codes(columns.columns(j, j + 1)) for j in range(columns.width))


def coded_columns(codes: Sequence[ColumnCodes], columns: Encoded) -> Iterator[Ints]:
    """The codes of each column, [n] each."""
    return (c.of(columns.pieces[:, j]) for j, c in enumerate(codes))


def splits(context: Encoded, rng: np.random.Generator) -> list[Ints]:
    """Rows to train on, and to validate on: single rows of all parents, and all of some parents.

    Rows of one parent share its context. Held out singly they tell when rows are memorised, but
    not when parents are: their siblings give them away. So parents are held out as well.
    """
    n = len(context)
    if n < _FEWEST_TRAINED:
        return [np.arange(n)]
    split = np.where(rng.random(n) * _VALIDATION < 1, 1, 0)
    if context.width:
        _, parent = np.unique(context.pieces, axis=0, return_inverse=True)
        held = rng.random(int(parent.max()) + 1) * _VALIDATION < 1
        if len(held) >= _FEWEST_TRAINED:  # of few parents each is too large a part of the rows
            split[held[parent.ravel()]] = 2
    parts = [np.flatnonzero(split == s) for s in range(3)]
    return parts[:1] + [p for p in parts[1:] if len(p)]
