"""Choose the rows that privacy attacks run on: bounded, seeded, and dense enough to find copies.

A uniform sample of a large table thins it out: of two equal rows, one on each side, both are drawn
so rarely that a copied table looks innocent. Here the rows are put into cells by a few of their
columns, and of all sides the same cells are drawn, whole: whatever resembles a row of one side is
in the sample together with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from prefect_synth.synth.metadata import Column
from prefect_synth.synth.metrics.bins import Bins, cell_hashes
from prefect_synth.synth.metrics.distances import Sided, units_of
from prefect_synth.synth.metrics.gower import GowerRows, GowerSpace
from prefect_synth.synth.metrics.hashing import Hashes, mix
from prefect_synth.synth.metrics.sources import Ints, Source, count_rows, read_batches, take_rows
from prefect_synth.synth.randomness import stream

_COARSE = 8  # bins of a number: near copies shall seldom fall into another cell
_CELLS = 100  # at least so many cells of usual size are drawn


@dataclass(frozen=True)
class Sampled:
    """Rows of one side.

    Args:
        rows: The encoded rows.
        units: The unit (family) of each; None where rows are independent.
    """

    rows: GowerRows
    units: Ints | None = None

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.rows)

    def take(self, rows: Ints) -> Sampled:
        """Some of the rows."""
        return Sampled(self.rows.take(rows), None if self.units is None else self.units[rows])

    def at_most(self, rows: int, rng: np.random.Generator) -> Sampled:
        """A random choice of the rows, where there are more."""
        if len(self) <= rows:
            return self
        return self.take(np.sort(rng.choice(len(self), rows, replace=False)))


def sample_sides(
    sources: Sequence[Source],
    units: Sequence[Ints | None],
    columns: Sequence[Column],
    rows: int,
    seed: int,
) -> tuple[GowerSpace, list[Sampled]]:
    """Read and encode at most `rows` rows of each side, the same cells of all.

    Args:
        sources: The training rows, then the other sides.
        units: The unit of each row of each side, as of the whole source; None where rows are
            independent.
        columns: The columns to compare.
        rows: The bound.
        seed: Seed of the draw.

    Returns:
        The space that was fitted to the training rows, and the rows of each side.
    """
    names = [column.name for column in columns]
    first = take_rows(sources[0], names, _uniform(count_rows(sources[0]), rows, seed))
    space = GowerSpace.fit(first, columns)
    chosen = _choose(sources, space, space.encode(first), rows, seed)
    sampled = []
    for source, unit, picked in zip(sources, units, chosen, strict=True):
        encoded = space.encode(take_rows(source, names, picked))
        kept = unit if unit is None or picked is None else unit[picked]
        sampled.append(Sampled(encoded, kept))
    return space, sampled


def equal_sides(training: Sampled, holdout: Sampled, rows: int, seed: int) -> Sided:
    """Make both sides equally large: as many units, then as many rows, at most `rows`.

    Many families are spread more widely than few, so equally many rows alone would not do.
    """
    rng = stream(seed, "equal sides")
    groups = [units_of(side.units, np.arange(len(side))) for side in (training, holdout)]
    count = min(len(np.unique(g)) for g in groups)
    sides = [
        side.take(np.flatnonzero(np.isin(g, rng.choice(np.unique(g), count, replace=False))))
        for side, g in zip((training, holdout), groups, strict=True)
    ]
    count = min(rows, *map(len, sides))
    left, right = (side.at_most(count, rng) for side in sides)
    return Sided(left.rows, right.rows, left.units, right.units)


def split_reference(holdout: Sampled, fewest: int, seed: int) -> tuple[Sampled, Sampled | None]:
    """Set a third of the holdout's units apart as a sample of the population.

    Args:
        holdout: Rows that the synthesizer never saw.
        fewest: The least number of rows that the reference must have.
        seed: Seed of the draw.

    Returns:
        The rest and the reference; the holdout and None where it is too small.
    """
    groups = units_of(holdout.units, np.arange(len(holdout)))
    distinct = np.unique(groups)
    apart = stream(seed, "reference").choice(distinct, len(distinct) // 3, replace=False)
    inside = np.isin(groups, apart)
    if inside.sum() < fewest:
        return holdout, None
    return holdout.take(np.flatnonzero(~inside)), holdout.take(np.flatnonzero(inside))


def _choose(
    sources: Sequence[Source], space: GowerSpace, first: GowerRows, rows: int, seed: int
) -> list[Ints | None]:
    counts = [count_rows(source) for source in sources]
    if max(counts) <= rows:
        return [None] * len(sources)
    bins = Bins.fit(first, _COARSE)
    order = stream(seed, "cells").permutation(len(first.names)).tolist()
    columns = _cell_columns(bins.cut(first), order, rows / max(counts) / _CELLS)
    names = [first.names[i] for i in columns]
    narrow = space.select(names)
    cut = Bins.fit(first.select(names), _COARSE)
    salt = np.uint64(stream(seed, "salt").integers(0, 2**63))
    hashes = [_hashes(source, narrow, cut, salt) for source in sources]
    largest = hashes[int(np.argmax(counts))]
    limit = np.partition(largest, rows)[rows]
    found = [np.flatnonzero(h < limit) for h in hashes]
    # A cell that is larger than the bound cannot be drawn whole: then all are drawn alike.
    if min(map(len, found)) == 0:
        return [_uniform(count, rows, seed) for count in counts]
    return [x if len(x) < count else None for x, count in zip(found, counts, strict=True)]


def _cell_columns(cells: Ints, order: Sequence[int], largest: float) -> list[int]:
    """As many columns as it takes for two rows to share a cell with the probability `largest`."""
    for count in range(1, len(order)):
        _, sizes = np.unique(cell_hashes(cells, order[:count]), return_counts=True)
        total = cells.shape[1]
        if (sizes * (sizes - 1)).sum() <= largest * total * (total - 1):
            return list(order[:count])
    return list(order)


def _hashes(source: Source, space: GowerSpace, bins: Bins, salt: np.uint64) -> Hashes:
    parts = [np.zeros(0, dtype=np.uint64)]
    for batch in read_batches(source, space.names):
        cells = bins.cut(space.encode(pa.Table.from_batches([batch])))
        parts.append(mix(cell_hashes(cells, range(len(cells))) ^ salt))
    return np.concatenate(parts)


def _uniform(count: int, rows: int, seed: int) -> Ints | None:
    if count <= rows:
        return None
    return np.sort(stream(seed, "rows").choice(count, rows, replace=False))
