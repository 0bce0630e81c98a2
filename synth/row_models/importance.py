"""Rows with some columns held, from a model that draws its columns one after another.

Sequential importance resampling (Gordon, Salmond and Smith 1993): a pool of rows is drawn column
by column; where a column is held, it is set, and each row's weight is multiplied by the
probability that the model gives to the held value after what stands before it. The pool is then
resampled in proportion to the weights (systematic resampling, Kitagawa 1996), and the columns
after the last held one are drawn as always. Nothing is rejected: the rows asked for always come.

A sequential model calls it in its `sample`, having `order`, `draw` and `likelihood`:

    if conditions:
        return sample_held(self, self.layouts, context, conditions, rng)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints, Layout
from prefect_synth.synth.row_models.base import Among, Condition
from prefect_synth.synth.row_models.sequential import Given, SequentialModel

_GROWTH = 50
_SMALLEST_POOL = 256
_PER_CONTEXT = 32
_SPARE = 3
_MOST_ROWS = 200_000
_CONTEXTS = 4096
_IMPOSSIBLE = 1e-6


def sample_held(
    model: SequentialModel,
    layouts: tuple[Layout, ...],
    context: Encoded,
    held: Mapping[int, Condition],
    rng: np.random.Generator,
) -> Encoded:
    """Draw a row for each row of `context`, with columns held at an exact place, or in stretches.

    Rows without context columns compete in one pool, which grows (up to 50 times the rows asked)
    until its effective size suffices; with a context each row is chosen from a pool of its own.
    A value that no row of the pool makes likely is held all the same, on rows drawn as if it
    were not.

    Args:
        model: Draws columns, and says how likely a piece is.
        layouts: Pieces of the columns, d of them.
        context: Contexts, [n, c].
        held: What is held, by column; at least one.
        rng: Source of the draws.
    """
    return sample_with_odds(model, layouts, context, held, rng)[0]


def sample_with_odds(
    model: SequentialModel,
    layouts: tuple[Layout, ...],
    context: Encoded,
    held: Mapping[int, Condition],
    rng: np.random.Generator,
) -> tuple[Encoded, Floats]:
    """As `sample_held`, with the mean weight of each context's pool: how likely it makes it, [n].

    Without context columns all rows are alike, and so are the odds.
    """
    if context.width and len(context) > _CONTEXTS:  # their pools are large, and do not mix
        starts = range(0, len(context), _CONTEXTS)
        chunks = [np.arange(s, min(s + _CONTEXTS, len(context))) for s in starts]
        parts = [sample_with_odds(model, layouts, context.take(r), held, rng) for r in chunks]
        drawn = Encoded(
            np.concatenate([p.pieces for p, _ in parts]),
            np.concatenate([p.places for p, _ in parts]),
            layouts,
        )
        return drawn, np.concatenate([odds for _, odds in parts])
    order = list(model.order)
    last = max(order.index(column) for column in held)
    search = _Search(model, order[: last + 1], len(layouts), context, held)
    if not len(context):
        return Encoded.empty(0) if not layouts else _nothing(layouts), np.zeros(0)
    pool = search.rows(rng)
    rows = pool.rows
    for column in order[last + 1 :]:
        rows.put(column, *model.draw(column, rows, rng))
    return Encoded(rows.pieces, rows.places, layouts), np.exp(pool.log_weights)


def _nothing(layouts: tuple[Layout, ...]) -> Encoded:
    shape = (0, len(layouts))
    return Encoded(np.zeros(shape, np.int64), np.zeros(shape), layouts)


def systematic(weights: Floats, group: Ints, draws: int, rng: np.random.Generator) -> Ints:
    """Resample rows within groups, in proportion to their weights.

    Args:
        weights: Of each row, not negative, not all zero in a group, [n].
        group: Number of each row's group, 0 to G - 1, none empty, [n].
        draws: Rows to draw in each group.
        rng: One uniform number a group.

    Returns:
        Row numbers, group by group, [G * draws].
    """
    by_group = np.argsort(group, kind="stable")
    sizes = np.bincount(group)
    share = weights / np.bincount(group, weights)[group]
    points = (np.arange(draws) + rng.random((len(sizes), 1))) / draws
    targets = (np.arange(len(sizes))[:, None] + points).ravel()
    at = np.searchsorted(np.cumsum(share[by_group]), targets, side="right")
    first = np.repeat(np.cumsum(sizes) - sizes, draws)  # sums are not exact: stay in the group
    return by_group[np.clip(at, first, first + np.repeat(sizes, draws) - 1)]


@dataclass
class _Pool:
    """Weighted rows in groups: one row's candidates, or those of all rows."""

    rows: Given
    group: Ints
    log_weights: Floats

    def weights(self) -> Floats:
        """Weights, the greatest of each group being 1."""
        return np.exp(self.log_weights - self._greatest()[self.group])

    def effective(self) -> float:
        """Mean over groups of the effective sample size (Kong 1992): (sum w)^2 / sum w^2."""
        weights = self.weights()
        sums, squares = np.bincount(self.group, weights), np.bincount(self.group, weights**2)
        return float(np.mean(sums**2 / squares))

    def resampled(self, size: int, rng: np.random.Generator) -> _Pool:
        """Rows of equal weight in each group: the mean of the weights that they had."""
        chosen = systematic(self.weights(), self.group, size, rng)
        mean = np.bincount(self.group, self.weights()) / np.bincount(self.group)
        level = self._greatest() + np.log(mean)
        return _Pool(self.rows.take(chosen), self.group[chosen], level[self.group[chosen]])

    def shuffled(self, rng: np.random.Generator) -> _Pool:
        """The rows in random order; for a pool of one group."""
        return _Pool(self.rows.take(rng.permutation(len(self.rows))), self.group, self.log_weights)

    def joined(self, other: _Pool) -> _Pool:
        """Both pools' rows."""
        return _Pool(
            self.rows.followed_by(other.rows),
            np.concatenate([self.group, other.group]),
            np.concatenate([self.log_weights, other.log_weights]),
        )

    def _greatest(self) -> Floats:
        greatest = np.full(int(self.group.max()) + 1, -np.inf)
        np.maximum.at(greatest, self.group, self.log_weights)
        return greatest


@dataclass(frozen=True)
class _Search:
    """The columns up to the last held one, and what is known of them."""

    model: SequentialModel
    order: list[int]
    columns: int
    context: Encoded
    held: Mapping[int, Condition]

    def rows(self, rng: np.random.Generator) -> _Pool:
        """A row for each row of the context, drawn up to the last held column."""
        n, alone = len(self.context), self.context.width == 0
        enough = n if alone else _PER_CONTEXT
        size = max(n, _SMALLEST_POOL) if alone else _PER_CONTEXT
        pool = self._pool(size, rng)
        most = min(_GROWTH * size, _MOST_ROWS // (1 if alone else n))
        wanted = min(int(_SPARE * size * enough / pool.effective()), most)
        if wanted > size and len(self.order) > 1:
            pool = pool.joined(self._pool(wanted - size, rng))
        chosen = pool.resampled(n if alone else 1, rng)
        return chosen.shuffled(rng) if alone else chosen

    def _pool(self, size: int, rng: np.random.Generator) -> _Pool:
        """`size` rows in each group, drawn and weighted."""
        group = np.repeat(np.arange(len(self.context) if self.context.width else 1), size)
        candidates = self.context.take(group) if self.context.width else Encoded.empty(size)
        pool = _Pool(Given.nothing(candidates, self.columns), group, np.zeros(len(group)))
        for column in self.order:
            if column not in self.held:
                pool.rows.put(column, *self.model.draw(column, pool.rows, rng))
                continue
            odds = self._hold(column, self.held[column], pool.rows, rng)
            pool.log_weights += np.log(np.maximum(odds, _IMPOSSIBLE))
            if column != self.order[-1] and pool.effective() < size / 2:
                pool = pool.resampled(size, rng)
        return pool

    def _hold(self, column: int, held: Condition, rows: Given, rng: np.random.Generator) -> Floats:
        """Fill a held column; how likely each row makes it, [n]."""
        if isinstance(held, Among):
            odds, pieces = self.model.restrict(column, rows, held, rng)
            rows.put(column, pieces, held.inside(pieces, rng))
            return odds
        piece, place = held
        odds = self.model.likelihood(column, rows, piece)
        rows.put(column, piece, place)
        return odds
