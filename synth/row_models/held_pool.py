"""Rows with some columns held, from a model that draws whole rows at once.

Importance resampling (Rubin 1987) from a pool of rows that were drawn as always: each is weighted
by how near its columns are to what is held (the same category; of ordered columns near places by a
kernel), rows are drawn from the pool by weight, and what is held is then written into them.
Nothing is rejected: the rows asked for always come.

A model that has no order of columns calls it in its `sample` and `sample_held`:

    if conditions:
        return hold(self.draw, self.layouts, context, conditions, rng)[0]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints, Layout
from prefect_synth.synth.row_models.base import Among, Condition
from prefect_synth.synth.row_models.importance import systematic
from prefect_synth.synth.row_models.sequential import neighbours

Draw = Callable[[Encoded, np.random.Generator], Encoded]
"""Draws a row for each row of a context, [n, c], which may have no columns."""

_SMALLEST_POOL = 256
_GROWTH = 50
_MOST_ROWS = 200_000
_PER_CONTEXT = 16
_CONTEXTS = 4096
_BANDWIDTH = 0.02
_FAR = 0.1
_SECOND_BEST = 1e-4
_IMPOSSIBLE = 1e-6


def hold(
    draw: Draw,
    layouts: tuple[Layout, ...],
    context: Encoded,
    held: Mapping[int, Condition],
    rng: np.random.Generator,
) -> tuple[Encoded, Floats]:
    """Draw a row for each row of `context`, with columns held at an exact place, or in stretches.

    Rows without context columns are drawn from one pool, which grows until it has as many
    independent rows as are asked for, up to 50 times as many; with a context each row is drawn
    from a small pool of its own.

    Args:
        draw: Draws rows of which nothing is held, or something already.
        layouts: Pieces of the columns, d of them.
        context: Contexts, [n, c].
        held: What is held, by column; at least one.
        rng: Source of the draws.

    Returns:
        The rows; and the mean weight of each row's pool, [n]: in proportion to the probability of
        what is held, as far as a pool of that size tells.
    """
    if not context.width:
        pool, odds = _shared_pool(draw, layouts, len(context), held, rng)
        return _written(pool, held, rng), np.full(len(context), odds)
    starts = range(0, len(context), _CONTEXTS)
    parts = [context.take(np.arange(s, min(s + _CONTEXTS, len(context)))) for s in starts]
    found = [_own_pools(draw, layouts, part, held, rng) for part in parts]
    rows = Encoded(
        np.concatenate([np.empty((0, len(layouts)), np.int64), *(f.pieces for f, _ in found)]),
        np.concatenate([np.empty((0, len(layouts))), *(f.places for f, _ in found)]),
        layouts,
    )
    return _written(rows, held, rng), np.concatenate([np.empty(0), *(odds for _, odds in found)])


def nearness(rows: Encoded, held: Mapping[int, Condition]) -> Floats:
    """The logarithm of how near each row is to what is held: a sum over columns, 0 at best, [n]."""
    weights = np.zeros(len(rows))
    for column, condition in sorted(held.items()):
        one = rows.columns(column, column + 1)
        near = _among(one, condition) if isinstance(condition, Among) else _at(one, *condition)
        weights += np.log(np.maximum(near, _IMPOSSIBLE))
    return weights


def _at(column: Encoded, piece: int, place: float) -> Floats:
    """Nearness of one column, [n, 1], to a place in a piece."""
    layout, pieces = column.layouts[0], column.pieces[:, 0]
    like = neighbours(layout, piece)
    exact = (pieces == piece).astype(float)
    if like.sum() == 1:
        return exact if layout.nominal else np.maximum(exact, _second_best(column, piece, piece))
    distance = _positions(column) - _position(layout, piece, place)
    kernel = np.exp(-0.5 * (distance / _BANDWIDTH) ** 2)
    near = np.where(like[pieces], kernel, 0.0)
    near = near if layout.ranges[piece] else np.maximum(near, exact)
    return np.maximum(near, _second_best(column, piece, piece))


def _among(column: Encoded, among: Among) -> Floats:
    """Nearness of one column, [n, 1], to stretches: the share of its piece that they cover."""
    layout = column.layouts[0]
    covered = among.by_piece(layout)[column.pieces[:, 0]]
    if layout.nominal:
        return covered
    ends = int(among.pieces.min()), int(among.pieces.max())
    return np.maximum(covered, _second_best(column, *ends))


def _second_best(column: Encoded, first: int, last: int) -> Floats:
    """A trace of weight for what lies near pieces: the nearest is taken where none is there.

    Null is near nothing.
    """
    layout, at = column.layouts[0], _positions(column)
    away = np.maximum(np.maximum(layout.edges[first] - at, at - layout.edges[last + 1]), 0)
    trace = _SECOND_BEST * np.exp(-away / _FAR)
    null = (column.pieces[:, 0] == 0) & layout.has_null
    return np.where(null | (layout.has_null and last == 0), 0.0, trace)


def _positions(column: Encoded) -> Floats:
    """Where each value lies in [0, 1]; the middle of its piece where that is no range, [n]."""
    lower, upper = column.intervals()
    return np.asarray((lower[:, 0] + upper[:, 0]) / 2)


def _position(layout: Layout, piece: int, place: float) -> float:
    one = Encoded(np.array([[piece]]), np.array([[place]], float), (layout,))
    return float(_positions(one)[0])


def _shared_pool(
    draw: Draw,
    layouts: tuple[Layout, ...],
    rows: int,
    held: Mapping[int, Condition],
    rng: np.random.Generator,
) -> tuple[Encoded, float]:
    """Rows by weight from one pool, and its mean weight."""
    size = max(rows, _SMALLEST_POOL)
    pool = draw(Encoded.empty(size), rng)
    logs = nearness(pool, held)
    weights = np.exp(logs - logs.max())
    effective = weights.sum() ** 2 / (weights**2).sum()  # Kong 1992
    most = min(_GROWTH * size, max(_MOST_ROWS, size))
    wanted = min(int(size * max(rows, 1) / effective), most)
    if wanted > size:
        more = draw(Encoded.empty(wanted - size), rng)
        pool = Encoded(
            np.concatenate([pool.pieces, more.pieces]),
            np.concatenate([pool.places, more.places]),
            layouts,
        )
        logs = np.concatenate([logs, nearness(more, held)])
        weights = np.exp(logs - logs.max())
    odds = float(np.exp(logs).mean())
    if not rows:
        return pool.take(np.empty(0, np.int64)), odds
    chosen = systematic(weights, np.zeros(len(weights), np.int64), rows, rng)
    return pool.take(rng.permutation(chosen)), odds


def _own_pools(
    draw: Draw,
    layouts: tuple[Layout, ...],
    context: Encoded,
    held: Mapping[int, Condition],
    rng: np.random.Generator,
) -> tuple[Encoded, Floats]:
    """A row by weight from a pool for each context, and the mean weight of each pool."""
    group = np.repeat(np.arange(len(context)), _PER_CONTEXT)
    pool = draw(context.take(group), rng)
    logs = nearness(pool, held).reshape(len(context), _PER_CONTEXT)
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    chosen = systematic(weights.ravel(), group, 1, rng)
    return pool.take(chosen), np.exp(logs).mean(axis=1)


def _written(rows: Encoded, held: Mapping[int, Condition], rng: np.random.Generator) -> Encoded:
    """The rows with what is held written into them."""
    pieces, places = rows.pieces.astype(np.int64), rows.places.astype(np.float64)
    for column, condition in sorted(held.items()):
        if not isinstance(condition, Among):
            pieces[:, column], places[:, column] = condition
            continue
        layout = rows.layouts[column]
        inside = condition.by_piece(layout)[pieces[:, column]] > 0
        moved = _moved(pieces[:, column], condition, layout, rng)
        pieces[:, column] = np.where(inside, pieces[:, column], moved)
        places[:, column] = condition.inside(pieces[:, column], rng)
    return Encoded(pieces, places, rows.layouts)


def _moved(pieces: Ints, among: Among, layout: Layout, rng: np.random.Generator) -> Ints:
    """Pieces with stretches in them: the nearest; of categories as many as the data have."""
    if layout.nominal:
        return among.drawn(layout, len(pieces), rng)[0]
    allowed = np.unique(among.pieces)
    above = allowed[np.clip(np.searchsorted(allowed, pieces), 0, len(allowed) - 1)]
    below = allowed[np.clip(np.searchsorted(allowed, pieces, side="right") - 1, 0, None)]
    return np.where(np.abs(above - pieces) < np.abs(below - pieces), above, below)
