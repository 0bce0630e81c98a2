"""How much of the dependence of pairs of columns is kept; `dependence` says what that means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from prefect_synth.synth.metadata import Relationship
from prefect_synth.synth.metrics.cells import CutColumn, distance, independent, joint, raked
from prefect_synth.synth.metrics.halves import split
from prefect_synth.synth.metrics.side import Side
from prefect_synth.synth.metrics.sources import Floats, Ints
from prefect_synth.synth.randomness import stream

Flags = npt.NDArray[np.bool_]

SHUFFLES = 20
"""How often real rows are shuffled to see what independent columns look like."""

_ALONE = 8  # shuffles of the synthetic rows
_HALVES = 16  # halves of the real rows
_FAMILIES = 7.0  # of so many expected, an honest sample lacks all less than once in a thousand
_ROWS = 50  # fewer on a side tell nothing
_CLEARLY = 5.0  # standard deviations from what shuffled rows show
_APART = 10.0  # standard deviations of honest samples between alone and chance
_LEAST = 0.01  # of dependence, in total variation


@dataclass(frozen=True)
class Kept:
    """What a pair keeps.

    Args:
        share: From 0, as drawn alone, to 1, as an honest second sample.
        weight: How much the real columns depend, beyond chance.
    """

    share: float
    weight: float


@dataclass(frozen=True)
class Rows:
    """Which rows of two columns belong together, and what is shuffled and halved.

    Args:
        first: For each side, positions in the first column.
        second: For each side, positions in the second.
        sizes: For each side, how many rows the first column has: these are shuffled.
        kin: For each real pair of rows, its family: these are halved.
    """

    first: tuple[Ints, ...]
    second: tuple[Ints, ...]
    sizes: tuple[int, ...]
    kin: Ints

    @classmethod
    def alone(cls, counts: Sequence[int], kin: Ints) -> Rows:
        """The rows of one table."""
        rows = tuple(np.arange(count) for count in counts)
        return cls(rows, rows, tuple(counts), kin)

    @classmethod
    def of_parents(cls, relationship: Relationship, sides: Sequence[Side], kin: Ints) -> Rows:
        """Children beside their parents: first the parent, second the child.

        Args:
            relationship: The foreign key.
            sides: The sides.
            kin: The family of each real row of the parent.
        """
        joined = [side.joined(relationship) for side in sides]
        sizes = []
        for side in sides:
            rows = side.rows[relationship.parent]
            sizes.append(side.counts[relationship.parent] if rows is None else len(rows))
        children, parents = zip(*joined, strict=True)
        return cls(tuple(parents), tuple(children), tuple(sizes), kin[parents[0]])


def kept_pairs(
    pairs: Sequence[tuple[CutColumn, CutColumn]], rows: Rows, seed: int, *purpose: str
) -> dict[tuple[str, str], Kept]:
    """What each pair of columns keeps, by their names; only pairs that count.

    Args:
        pairs: Columns cut into cells: real, synthetic and perhaps the holdout.
        rows: Which of their rows belong together.
        seed: Seed of shuffles and halves.
        purpose: What they are for.
    """
    if not pairs or min(len(side) for side in rows.first[:2]) < _ROWS:
        return {}
    draws = _Draws.draw(rows, seed, *purpose)
    kept = ((first.name, second.name, _kept(first, second, rows, draws)) for first, second in pairs)
    return {(first, second): found for first, second, found in kept if found is not None}


@dataclass(frozen=True)
class _Draws:
    """Shuffles and halves that all pairs share.

    Args:
        kin: For each real pair of rows, its family.
        real: For each shuffle, the position that takes the place of each real pair's first.
        synthetic: The same of the synthetic rows.
        halves: For each half, whether each real pair is in it.
        to_synthetic: For each half, what turns its distance from the other one to that of real and
            synthetic rows: distances of samples fall with the root of their sizes.
        to_holdout: The same for the holdout; 0 without one.
        size: How many synthetic rows there are for a real one.
    """

    kin: Ints
    real: list[Ints]
    synthetic: list[Ints]
    halves: list[Flags]
    to_synthetic: Floats
    to_holdout: Floats
    size: float

    @classmethod
    def draw(cls, rows: Rows, seed: int, *purpose: str) -> _Draws:
        rng = stream(seed, "dependence", *purpose)
        counts = [len(side) for side in rows.first]
        share = min(0.5, counts[1] / (counts[0] + counts[1]))
        real, synthetic = (
            [rng.permutation(rows.sizes[i])[rows.first[i]] for _ in range(times)]
            for i, times in ((0, SHUFFLES), (1, _ALONE))
        )
        halves = [split(rows.kin, share, rng) for _ in range(_HALVES)]
        sizes = np.array([np.count_nonzero(half) for half in halves])
        within = np.sqrt(1 / np.maximum(1, sizes) + 1 / np.maximum(1, counts[0] - sizes))
        between = [np.sqrt(1 / counts[0] + 1 / max(1, n)) for n in counts[1:]]
        to_holdout = between[1] / within if len(counts) > 2 else np.zeros(_HALVES)
        size = counts[1] / counts[0]
        return cls(rows.kin, real, synthetic, halves, between[0] / within, to_holdout, size)

    def among(self, told: Flags) -> _Draws:
        """The same for some of the real pairs of rows."""
        real = [at[told] for at in self.real]
        return replace(self, kin=self.kin[told], real=real, halves=[h[told] for h in self.halves])


@dataclass(frozen=True)
class _Pair:
    """The cells of two columns, side by side, on all sides."""

    first: list[Ints]
    second: list[Ints]
    sizes: tuple[int, int]

    def joint(self, side: int, rows: Flags | slice = slice(None)) -> Floats:
        return joint(self.first[side][rows], self.second[side][rows], self.sizes)

    def told(self, side: int, kin: Ints, size: float) -> Flags:
        """Real rows of which a side has both cells, or must have if it were an honest sample."""
        told = np.ones(len(self.first[0]), dtype=bool)
        for cells, length in zip((self.first, self.second), self.sizes, strict=True):
            missing = np.bincount(cells[side], minlength=length) == 0
            lacking = missing[cells[0]]
            if lacking.any():
                families = np.unique(np.stack([cells[0][lacking], kin[lacking]]), axis=1)[0]
                seldom = np.bincount(families, minlength=length) * size < _FAMILIES
                told &= ~(missing & seldom)[cells[0]]
        return told

    def among(self, told: Flags) -> _Pair:
        """The same with some of the real rows."""
        first, second = ([cells[0][told], *cells[1:]] for cells in (self.first, self.second))
        return _Pair(first, second, self.sizes)


def _kept(first: CutColumn, second: CutColumn, rows: Rows, draws: _Draws) -> Kept | None:
    pair = _Pair(
        [side[at] for side, at in zip(first.sides, rows.first, strict=True)],
        [side[at] for side, at in zip(second.sides, rows.second, strict=True)],
        (first.size, second.size),
    )
    told = pair.told(1, draws.kin, draws.size)
    if not told.all():
        pair, draws = pair.among(told), draws.among(told)
    real = pair.joint(0)
    shuffled = (joint(first.sides[0][at], pair.second[0], pair.sizes) for at in draws.real)
    null = [distance(shares, independent(shares)) for shares in shuffled]
    weight = distance(real, independent(real)) - float(np.mean(null))
    if weight < max(_LEAST, _CLEARLY * float(np.std(null))):
        return None
    chance = _chance(pair, draws)
    if chance is None:
        return None
    apart = (joint(first.sides[1][at], pair.second[1], pair.sizes) for at in draws.synthetic)
    alone = float(np.mean([_distance(real, shares) for shares in apart]))
    if alone <= chance:
        return None
    found = _distance(real, pair.joint(1))
    return Kept(float(np.clip((alone - found) / (alone - chance), 0, 1)), weight)


def _distance(real: Floats, other: Floats) -> float:
    return distance(real, raked(other, real))


def _chance(pair: _Pair, draws: _Draws) -> float | None:
    """The distance of an honest second sample; None where chance alone could hide everything."""
    real = pair.joint(0)
    halves = np.array([_distance(pair.joint(0, h), pair.joint(0, ~h)) for h in draws.halves])
    expected = halves * draws.to_synthetic
    spread = float(expected.std())
    chance = float(expected.mean()) + spread
    if distance(real, independent(real)) - chance < _APART * spread:
        return None
    if len(pair.first) > 2 and len(pair.first[2]):
        size = len(pair.first[2]) / len(pair.first[0])
        seen = pair.told(2, draws.kin, size)
        unseen = _distance(pair.joint(0, seen), pair.joint(2)) if seen.any() else 0.0
        chance += max(0.0, unseen - float(np.mean(halves * draws.to_holdout)))
    return chance
