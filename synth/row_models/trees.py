"""Sequential trees: each column is drawn from the leaf of a tree over the columns before it.

The idea is CART synthesis (Reiter 2005, Using CART to generate partially synthetic public use
microdata; Nowok, Raab and Dibben 2016, synthpop). What is ours: the order of columns is found,
splits are significant or not made, large leaves are split further by levels of their own, and
draws are stratified and smoothed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints, Layout
from prefect_synth.synth.row_models.base import Among, Condition
from prefect_synth.synth.row_models.column_order import (
    column_order,
    distinct_values,
    nearly_unique,
)
from prefect_synth.synth.row_models.features import FeatureSet, TrainingColumns, fit_features
from prefect_synth.synth.row_models.growth import grow_tree, make_target
from prefect_synth.synth.row_models.importance import sample_held, sample_with_odds
from prefect_synth.synth.row_models.sequential import Given, neighbours
from prefect_synth.synth.row_models.streams import Streams
from prefect_synth.synth.row_models.tree import Leaves, Tree, fill_leaves, stratified
from prefect_synth.synth.storage import stored

_LEAF = 10
_UNIQUE_LEAF = 200


@stored
@dataclass(frozen=True)
class ColumnModel:
    """One column given those before it.

    Args:
        column: Number of the column in the row.
        features: What it is told by.
        tree: The tree.
        leaves: What its leaves hold.
    """

    column: int
    features: FeatureSet
    tree: Tree
    leaves: Leaves

    def find(self, pieces: Ints, middles: Floats) -> Ints:
        """The leaf of each row, [n]."""
        return self.tree.leaves(self.features.of(pieces, middles))


@stored
@dataclass
class TreesRowModel:
    """p(row | context), column by column.

    Args:
        layouts: Pieces of the row's columns, learned.
        width: Number of context columns, learned.
        columns: A model for each column, in the order of drawing; learned.
    """

    layouts: tuple[Layout, ...] = ()
    width: int = 0
    columns: tuple[ColumnModel, ...] = ()

    def fit(self, rows: Encoded, context: Encoded, rng: np.random.Generator) -> Self:
        """Find the order of the columns, and grow a tree for each."""
        known = TrainingColumns(Encoded.beside([context, rows], len(rows)))
        self.layouts, self.width = rows.layouts, context.width
        streams = Streams(rows.layouts, rng)
        distinct = distinct_values(rows)
        last = nearly_unique(rows, distinct)
        usable = list(range(context.width))
        columns = []
        for j in column_order(rows, distinct, last):
            leaf = _UNIQUE_LEAF if last[j] else _LEAF
            columns.append(self._column(known, j, usable, leaf, streams.of(j)))
            if not last[j]:
                usable.append(self.width + j)
        self.columns = tuple(columns)
        return self

    def sample(
        self,
        context: Encoded,
        rng: np.random.Generator,
        conditions: Mapping[int, Condition] | None = None,
    ) -> Encoded:
        """Draw rows, column by column."""
        if conditions and self.columns:
            return sample_held(self, self.layouts, context, conditions, rng)
        known, streams = _Known(context, self.layouts), Streams(self.layouts, rng)
        for model in self.columns:
            leaf = model.find(known.pieces, known.middles)
            layout = self.layouts[model.column]
            u = stratified(leaf, streams.of(model.column))
            known.put(model.column, *model.leaves.draw(leaf, u, layout))
        return known.rows()

    def sample_held(
        self, context: Encoded, rng: np.random.Generator, conditions: Mapping[int, Condition]
    ) -> tuple[Encoded, Floats]:
        """Draw rows on which conditions hold, and how likely each context makes them."""
        return sample_with_odds(self, self.layouts, context, conditions, rng)

    @property
    def order(self) -> Sequence[int]:
        """The columns as they are drawn."""
        return [model.column for model in self.columns]

    def draw(self, column: int, given: Given, rng: np.random.Generator) -> tuple[Ints, Floats]:
        """Draw a column after those before it."""
        model = self._model(column)
        leaf = model.find(*self._seen(model, given))
        return model.leaves.draw(leaf, stratified(leaf, rng), self.layouts[column])

    def likelihood(self, column: int, given: Given, piece: int) -> Floats:
        """Probability of a piece after the columns before it, [n]."""
        model, layout = self._model(column), self.layouts[column]
        among = neighbours(layout, piece)
        found = model.leaves.share(model.find(*self._seen(model, given)), among)
        near = layout.probabilities[among].sum()
        inside = layout.probabilities[piece] / near if near > 0 else 1.0
        return found * inside

    def restrict(
        self, column: int, given: Given, among: Among, rng: np.random.Generator
    ) -> tuple[Floats, Ints]:
        """Draw a column inside stretches of its pieces, and how likely they are, [n] each."""
        model, layout = self._model(column), self.layouts[column]
        leaf = model.find(*self._seen(model, given))
        return model.leaves.restrict(leaf, among.by_piece(layout), layout.probabilities, rng)

    def _model(self, column: int) -> ColumnModel:
        return next(model for model in self.columns if model.column == column)

    def _seen(self, model: ColumnModel, given: Given) -> tuple[Ints, Floats]:
        """Pieces of context and row, and the middles that the model's features need, [n, c + d]."""
        both, wanted = given.beside(self.layouts), list(model.features.columns)
        layouts = tuple(both.layouts[j] for j in wanted)
        middles = np.zeros(both.pieces.shape)
        middles[:, wanted] = middles_of(
            Encoded(both.pieces[:, wanted], both.places[:, wanted], layouts)
        )
        return both.pieces, middles

    def _column(
        self,
        known: TrainingColumns,
        j: int,
        usable: list[int],
        leaf: int,
        rng: np.random.Generator,
    ) -> ColumnModel:
        at, layout = self.width + j, self.layouts[j]
        pieces = known.pieces[:, at]
        told_by = [known.codes(column) for column in usable]
        target = make_target(pieces, known.middles[:, at], layout, told_by)
        features, x = fit_features(known, usable, target)
        # without features one leaf has all rows, so that each value has its exact share of them
        seed = int(rng.integers(2**31)) if x.bins.shape[1] else 0
        tree = grow_tree(x.bins, target, leaf, seed)
        leaves = fill_leaves(
            tree.leaves(x.bins), pieces, len(tree.features), len(layout.probabilities)
        )
        tree = replace(tree, thresholds=x.threshold(tree.features, tree.thresholds))
        return ColumnModel(j, features, tree, leaves)


class _Known:
    """What is known of rows while they are drawn: context first, then column after column."""

    def __init__(self, context: Encoded, layouts: tuple[Layout, ...]) -> None:
        n, c, d = len(context), context.width, len(layouts)
        self.width, self.layouts = c, layouts
        self.pieces, self.places = np.zeros((n, c + d), np.int64), np.full((n, c + d), 0.5)
        self.middles = np.zeros((n, c + d))
        self.pieces[:, :c], self.places[:, :c] = context.pieces, context.places
        self.middles[:, :c] = middles_of(context)

    def put(self, j: int, pieces: Ints, places: Floats) -> None:
        at = self.width + j
        self.pieces[:, at], self.places[:, at] = pieces, places
        one = Encoded(pieces[:, None], places[:, None], (self.layouts[j],))
        self.middles[:, at] = middles_of(one)[:, 0]

    def rows(self) -> Encoded:
        return Encoded(self.pieces[:, self.width :], self.places[:, self.width :], self.layouts)


def middles_of(known: Encoded) -> Floats:
    """Middle of each value's stretch of [0, 1], [n, d]."""
    lower, upper = known.intervals()
    return np.asarray((lower + upper) / 2)
