"""The autoregressive network with its columns in any order: whatever is known may be given.

Each column is predicted from whichever others are known: training draws a new order of columns in
each step (Uria, Murray and Larochelle 2014; TabularARGN of Tiwald et al. 2025). So missing values
are drawn given all that is there, and what conditions hold is given to every other column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Floats
from prefect_synth.synth.row_models.argn import ARGNRowModel, coded_columns
from prefect_synth.synth.row_models.base import Among, Condition
from prefect_synth.synth.row_models.raking import inverse, probabilities, raked, stratified
from prefect_synth.synth.row_models.sequential import Given
from prefect_synth.synth.row_models.threads import one_blas_thread
from prefect_synth.synth.storage import stored

EPOCHS = 80
_FEWEST_RAKED = 500
_CHUNK = 50_000
_TRACE = 1e-9


@stored
@dataclass
class AnyOrderRowModel(ARGNRowModel):
    """p(columns | any other columns, context).

    Args:
        held: Columns that are drawn before all others.
    """

    epochs: int = EPOCHS
    any_order: ClassVar[bool] = True
    held: tuple[int, ...] = ()

    def sample(
        self,
        context: Encoded,
        rng: np.random.Generator,
        conditions: Mapping[int, Condition] | None = None,
    ) -> Encoded:
        """Draw rows; all other columns are told what conditions hold."""
        return ARGNRowModel.sample(self._holding(conditions or {}), context, rng, conditions)

    def sample_held(
        self, context: Encoded, rng: np.random.Generator, conditions: Mapping[int, Condition]
    ) -> tuple[Encoded, Floats]:
        """Draw rows on which conditions hold, and how likely each context makes them."""
        return ARGNRowModel.sample_held(self._holding(conditions), context, rng, conditions)

    def complete(
        self,
        rows: Encoded,
        missing: np.ndarray,
        context: Encoded,
        rng: np.random.Generator,
        unseen: Sequence[int] = (),
    ) -> Encoded:
        """Draw what is missing given what is there; never null.

        Args:
            rows: Rows whose missing values are anything, [n, d].
            missing: Where values are missing, [n, d] bool.
            context: Their contexts, [n, c].
            rng: Source of the draws.
            unseen: Columns that say nothing and stay as they are.
        """
        known = ~missing
        known[:, list(unseen)] = False
        pieces, places = rows.pieces.astype(np.int64), rows.places.astype(np.float64)
        for start in range(0, len(rows), _CHUNK):
            part = np.arange(start, min(start + _CHUNK, len(rows)))
            given = Given(context.take(part), pieces[part], places[part])
            with one_blas_thread:
                self._complete(given, known[part], missing[part], rng)
            pieces[part], places[part] = given.pieces, given.places
        return Encoded(pieces, places, rows.layouts)

    @property
    def order(self) -> Sequence[int]:
        """The columns, those that are held first."""
        return (*self.held, *(j for j in range(len(self.layouts)) if j not in self.held))

    def _holding(self, conditions: Mapping[int, Condition]) -> AnyOrderRowModel:
        """The same with held columns first: single places, then stretches, that are drawn."""
        among = {j: isinstance(c, Among) for j, c in sorted(conditions.items())}
        return replace(self, held=tuple(sorted(among, key=lambda j: among[j])))

    def _complete(
        self, given: Given, known: np.ndarray, missing: np.ndarray, rng: np.random.Generator
    ) -> None:
        embedded = self._embedded(given, known)  # [n, D]
        for j in range(len(self.layouts)):
            at = np.flatnonzero(missing[:, j])
            odds = probabilities(self._network.logits(j, embedded[at])).astype(np.float64)
            odds += _TRACE * self.codes[j].shares
            if self.layouts[j].has_null and odds.shape[1] > 1:
                odds[:, 0] = 0
            drawn = inverse(odds, rng.random(len(at)))
            found = self.codes[j].draw(self.layouts[j], drawn, rng)
            given.pieces[at, j], given.places[at, j] = found
            embedded[at, self._block(j)] = self._tables[j][drawn]

    def _sample(self, context: Encoded, rng: np.random.Generator) -> Encoded:
        n, d = len(context), len(self.layouts)
        given = Given.nothing(context, d)
        if not d or not n:
            return Encoded(given.pieces, given.places, self.layouts)
        embedded = self._embedded(given, np.zeros((n, d), bool))  # [n, D]
        for j, codes in enumerate(self.codes):
            odds = probabilities(self._network.logits(j, embedded))  # [n, K]
            exact = self.calibrated and n >= _FEWEST_RAKED
            drawn = stratified(raked(odds, codes.shares) if exact else odds, rng)
            embedded[:, self._block(j)] = self._tables[j][drawn]
            given.put(j, *codes.draw(self.layouts[j], drawn, rng))
        return Encoded(given.pieces, given.places, self.layouts)

    def _logits(self, column: int, given: Given) -> Floats:
        known = np.zeros((1, len(self.layouts)), bool)
        known[:, list(self.order[: self.order.index(column)])] = True
        return self._network.logits(column, self._embedded(given, known))

    def _embedded(self, given: Given, known: np.ndarray) -> Floats:
        """Embeddings of the context and of the known columns; 0 for the others, [n, D]."""
        own = (c.of(given.pieces[:, j]) for j, c in enumerate(self.codes))
        coded = [*coded_columns(self.context_codes, given.context), *own]
        embedded = self._network.embed(coded, len(given))
        for j in range(len(self.layouts)):
            embedded[:, self._block(j)] *= known[:, [j]]
        return embedded

    @property
    def _tables(self) -> Sequence[Floats]:
        """Embeddings of the row's columns."""
        return self._network.tables[len(self.context_codes) :]

    def _block(self, column: int) -> slice:
        """Where the embedding of a column of the row stands."""
        ends = np.cumsum([table.shape[1] for table in self._network.tables])
        at = len(self.context_codes) + column
        return slice(int(ends[at] - self._network.tables[at].shape[1]), int(ends[at]))
