"""A decision tree as arrays: which leaf a row falls into, and what a leaf holds.

A leaf holds how many training rows fell on each piece of the target column. A draw from it is
smoothed: it falls between two neighbouring rows of the leaf, not on one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import Floats, Ints, Layout, from_uniform
from prefect_synth.synth.storage import stored

INNER = 0
"""Nodes whose feature is at least this are inner ones."""


@stored
@dataclass(frozen=True)
class Tree:
    """A binary tree; its root is node 0.

    Args:
        features: Feature that a node splits on, negative at a leaf, [nodes].
        thresholds: A row goes left where its feature is at most this, [nodes].
        left: Left child, [nodes].
        right: Right child, [nodes].
    """

    features: Ints
    thresholds: Floats
    left: Ints
    right: Ints

    def leaves(self, x: Floats) -> Ints:
        """The leaf of each row of features, [n].

        Args:
            x: Features, [n, f].
        """
        node = np.zeros(len(x), np.int64)
        active = np.flatnonzero(self.features[node] >= INNER)
        while len(active):
            at = node[active]
            below = x[active, self.features[at]] <= self.thresholds[at]
            at = np.where(below, self.left[at], self.right[at])
            node[active] = at
            active = active[self.features[at] >= INNER]
        return node

    def grafted(self, grafts: Sequence[tuple[int, Tree]]) -> Tree:
        """The tree with other trees in place of some of its leaves."""
        trees = [self, *(tree for _, tree in grafts)]
        starts = np.cumsum([0, *(len(t.features) for t in trees)])
        arrays = [
            np.concatenate([t.features for t in trees]),
            np.concatenate([t.thresholds for t in trees]),
            np.concatenate([t.left + start for t, start in zip(trees, starts, strict=False)]),
            np.concatenate([t.right + start for t, start in zip(trees, starts, strict=False)]),
        ]
        for (leaf, _), start in zip(grafts, starts[1:], strict=False):
            for array in arrays:  # a leaf takes over the root of its tree
                array[leaf] = array[start]
        return Tree(*arrays)

    @staticmethod
    def stump() -> Tree:
        """A tree that is a single leaf."""
        nothing = np.zeros(1, np.int32)
        return Tree(np.full(1, -1, np.int32), np.zeros(1), nothing, nothing)


@stored
@dataclass(frozen=True)
class Leaves:
    """Rows by leaf and piece of the target, as sorted runs.

    Args:
        starts: First run of each node, [nodes + 1]; inner nodes have none.
        pieces: Piece of each run, [runs].
        before: Rows before each run, over all leaves, [runs + 1].
    """

    starts: Ints
    pieces: Ints
    before: Ints

    def share(self, leaf: Ints, among: np.ndarray) -> Floats:
        """Share of each leaf's rows that are on certain pieces, [n].

        Args:
            leaf: Leaf of each row, [n].
            among: Which pieces count, [pieces] bool.
        """
        counted = np.where(among[self.pieces], np.diff(self.before), 0)
        found = np.concatenate([[0], np.cumsum(counted)])
        first, stop = self.starts[leaf], self.starts[leaf + 1]
        total = self.before[stop] - self.before[first]
        return np.asarray((found[stop] - found[first]) / np.maximum(total, 1))

    def restrict(
        self, leaf: Ints, shares: Floats, common: Floats, rng: np.random.Generator
    ) -> tuple[Floats, Ints]:
        """Draw a piece of those that count, by each leaf's rows and one row of all the data.

        The row more is for leaves that have none of these pieces: few rows prove nothing.

        Args:
            leaf: Leaf of each row, [n].
            shares: Share of each piece that counts, [pieces].
            common: Share of each piece in all the data, [pieces].
            rng: Source of the draws.

        Returns:
            Probability that a piece counts, [n]; and a piece that does, [n].
        """
        counted = np.concatenate([[0.0], np.cumsum(np.diff(self.before) * shares[self.pieces])])
        first, stop = self.starts[leaf], self.starts[leaf + 1]
        own, total = counted[stop] - counted[first], self.before[stop] - self.before[first]
        weights = common * shares if (common * shares).sum() > 0 else shares
        more = weights.sum()
        aim = rng.random(len(leaf)) * (own + more)
        elsewhere = aim >= own
        run = np.searchsorted(counted, counted[first] + aim, side="right") - 1
        pieces = self.pieces[np.clip(run, first, np.maximum(stop - 1, first))].astype(np.int64)
        # rounding may lead to a run that does not count
        elsewhere |= shares[pieces] <= 0
        pieces[elsewhere] = rng.choice(len(weights), int(elsewhere.sum()), p=weights / more)
        return np.asarray((own + more) / (total + 1)), pieces

    def draw(self, leaf: Ints, u: Floats, layout: Layout) -> tuple[Ints, Floats]:
        """The piece and place at quantile `u` of each leaf, [n] each."""
        first, last = self.before[self.starts[leaf]], self.before[self.starts[leaf + 1]]
        aim = first + u * (last - first)
        aim = np.minimum(aim, np.nextafter(last.astype(float), 0.0))
        run = np.searchsorted(self.before, aim, side="right") - 1
        piece = self.pieces[run].astype(np.int64)
        place = np.full(len(piece), 0.5)
        inside = np.flatnonzero(layout.ranges[piece])
        if not len(inside):
            return piece, place
        v = self._smooth(aim[inside], run[inside], first[inside], last[inside], layout)
        piece[inside], place[inside] = from_uniform(layout, v)
        return piece, place

    def _smooth(self, aim: Floats, run: Ints, first: Ints, last: Ints, layout: Layout) -> Floats:
        """Quantile between the rows on either side of `aim`, where both lie in ranges, [n]."""
        unit = np.floor(aim).astype(np.int64)
        offset = aim - unit - 0.5
        step = np.where(offset < 0, -1, 1)
        here, width = self._unit(unit, run, layout)
        other = unit + step
        known = (other >= first) & (other < last)
        other = np.where(known, other, unit)
        other_run = np.where(known, np.searchsorted(self.before, other, side="right") - 1, run)
        there, _ = self._unit(other, other_run, layout)
        known &= layout.ranges[self.pieces[other_run]]
        return np.where(known, here + np.abs(offset) * (there - here), here + offset * width)

    def _unit(self, unit: Ints, run: Ints, layout: Layout) -> tuple[Floats, Floats]:
        """Where a row of a run lies in [0, 1], rows of a run evenly spread; and its width."""
        edges, piece = layout.edges, self.pieces[run]
        count = self.before[run + 1] - self.before[run]
        width = (edges[piece + 1] - edges[piece]) / count
        return edges[piece] + (unit - self.before[run] + 0.5) * width, width


def fill_leaves(leaf: Ints, pieces: Ints, nodes: int, pieces_count: int) -> Leaves:
    """Count the training rows of each leaf by piece.

    Args:
        leaf: Leaf of each row, [n].
        pieces: Piece of the target of each row, [n].
        nodes: Nodes of the tree.
        pieces_count: Pieces of the target.
    """
    runs, counts = np.unique(leaf.astype(np.int64) * pieces_count + pieces, return_counts=True)
    starts = np.searchsorted(runs, np.arange(nodes + 1, dtype=np.int64) * pieces_count)
    return Leaves(
        starts.astype(np.int32),
        (runs % pieces_count).astype(np.int32),
        np.concatenate([[0], np.cumsum(counts)]),
    )


def stratified(leaf: Ints, rng: np.random.Generator) -> Floats:
    """Uniform numbers, one in each of as many equal strata as a leaf has rows, [n]."""
    order = np.lexsort((rng.random(len(leaf)), leaf))
    ordered = leaf[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    size = np.diff(np.append(first, len(leaf)))
    rank = np.arange(len(leaf)) - np.repeat(first, size)
    u = np.empty(len(leaf))
    u[order] = (rank + rng.random(len(leaf))) / np.repeat(size, size)
    return u
