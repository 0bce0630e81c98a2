"""How much of the dependence of pairs of columns is kept; `dependence` says what that means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.metadata import Relationship
from prefect_synth.synth.metrics.cells import CutColumn, distance, excess
from prefect_synth.synth.metrics.halves import split
from prefect_synth.synth.metrics.side import Side
from prefect_synth.synth.metrics.sources import Floats, Ints
from prefect_synth.synth.randomness import stream

SHUFFLES = 20
"""How often real rows are shuffled to see what independent columns look like."""

_DRAWS = 8  # of shuffled synthetic rows, and of halves of the real rows
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
    if not pairs or min(len(side) for side in rows.first[:2]) < 2:
        return {}
    draws = _Draws.draw(rows, seed, *purpose)
    kept = ((first.name, second.name, _kept(first, second, rows, draws)) for first, second in pairs)
    return {(first, second): found for first, second, found in kept if found is not None}


@dataclass(frozen=True)
class _Draws:
    """Shuffles and halves that all pairs share.

    Args:
        real: For each shuffle, the position that takes the place of each real pair's first.
        synthetic: The same of the synthetic rows.
        halves: For each half, whether each real pair is in it.
        to_synthetic: For each half, what turns its distance from the other one to that of real and
            synthetic rows: distances of samples fall with the root of their sizes.
        to_holdout: The same for the holdout; 0 without one.
    """

    real: list[Ints]
    synthetic: list[Ints]
    halves: list[np.ndarray[tuple[int], np.dtype[np.bool_]]]
    to_synthetic: Floats
    to_holdout: Floats

    @classmethod
    def draw(cls, rows: Rows, seed: int, *purpose: str) -> _Draws:
        rng = stream(seed, "dependence", *purpose)
        counts = [len(side) for side in rows.first]
        share = min(0.5, counts[1] / (counts[0] + counts[1]))
        real, synthetic = (
            [rng.permutation(rows.sizes[i])[rows.first[i]] for _ in range(times)]
            for i, times in ((0, SHUFFLES), (1, _DRAWS))
        )
        halves = [split(rows.kin, share, rng) for _ in range(_DRAWS)]
        sizes = np.array([np.count_nonzero(half) for half in halves])
        within = np.sqrt(1 / np.maximum(1, sizes) + 1 / np.maximum(1, counts[0] - sizes))
        between = [np.sqrt(1 / counts[0] + 1 / max(1, n)) for n in counts[1:]]
        to_holdout = between[1] / within if len(counts) > 2 else np.zeros(_DRAWS)
        return cls(real, synthetic, halves, between[0] / within, to_holdout)


def _kept(first: CutColumn, second: CutColumn, rows: Rows, draws: _Draws) -> Kept | None:
    sizes = first.size, second.size
    a = [side[at] for side, at in zip(first.sides, rows.first, strict=True)]
    b = [side[at] for side, at in zip(second.sides, rows.second, strict=True)]
    real = excess(a[0], b[0], sizes)
    null = [distance(excess(first.sides[0][at], b[0], sizes)) for at in draws.real]
    weight = distance(real) - float(np.mean(null))
    if weight < max(_LEAST, _CLEARLY * float(np.std(null))):
        return None
    alone = float(
        np.mean([distance(real, excess(first.sides[1][at], b[1], sizes)) for at in draws.synthetic])
    )
    chance = _chance(a, b, real, sizes, draws)
    if chance is None or alone <= chance:
        return None
    found = distance(real, excess(a[1], b[1], sizes))
    return Kept(float(np.clip((alone - found) / (alone - chance), 0, 1)), weight)


def _chance(
    a: Sequence[Ints], b: Sequence[Ints], real: Floats, sizes: tuple[int, int], draws: _Draws
) -> float | None:
    """The distance of an honest second sample; None where chance alone could hide everything."""
    halves = np.array(
        [
            distance(excess(a[0][half], b[0][half], sizes), excess(a[0][~half], b[0][~half], sizes))
            for half in draws.halves
        ]
    )
    expected = halves * draws.to_synthetic
    spread = float(expected.std())
    chance = float(expected.mean()) + spread
    if distance(real) - chance < _APART * spread:
        return None
    if len(a) > 2 and len(a[2]):
        unseen = distance(real, excess(a[2], b[2], sizes))
        chance += max(0.0, unseen - float(np.mean(halves * draws.to_holdout)))
    return chance
