"""The quantile marginal: a distribution as spikes and ranges, none of which is a few rows.

Source of the idea: an empirical CDF whose every knot stands for at least k rows
(value protection as in k-anonymity); spikes keep the mass of repeated values exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prefect_synth.synth.encoding.layout import RARE, Floats, Ints
from prefect_synth.synth.storage import stored

MOST_PIECES = 1000
MOST_SPIKES = 5000


@stored
@dataclass(frozen=True)
class QuantileMarginal:
    """Pieces of a numeric column, in ascending order.

    Args:
        lows: Smallest tick of each piece, [P].
        highs: Largest tick of each piece, [P]; equal to `lows` for a spike.
        weights: Share of the rows in each piece, [P].
        whole: Whether ticks are whole numbers.
    """

    lows: Floats
    highs: Floats
    weights: Floats
    whole: bool

    @property
    def ranges(self) -> np.ndarray:
        """Which pieces are ranges, [P] bool."""
        return self.highs > self.lows

    def locate(self, ticks: Floats) -> tuple[Ints, Floats]:
        """Piece [n] and place in it [n]; a value between two pieces goes to the nearer end."""
        piece = np.clip(np.searchsorted(self.lows, ticks, side="right") - 1, 0, None)
        after = np.minimum(piece + 1, len(self.lows) - 1)
        beyond = ticks - self.highs[piece]
        piece = np.where((beyond > 0) & (self.lows[after] - ticks < beyond), after, piece)
        start, width = self._stretch(piece)
        return piece, np.clip((ticks - start) / width, 0.0, 1.0)

    def value(self, piece: Ints, place: Floats) -> Floats:
        """Ticks at places in pieces, [n]."""
        start, width = self._stretch(piece)
        ticks = np.clip(start + place * width, self.lows[piece], self.highs[piece])
        return np.rint(ticks) if self.whole else ticks

    def _stretch(self, piece: Ints) -> tuple[Floats, Floats]:
        half = 0.5 if self.whole else 0.0  # a whole tick t stands for [t - 0.5, t + 0.5]
        width = self.highs[piece] - self.lows[piece] + 2 * half
        return self.lows[piece] - half, np.where(width > 0, width, 1.0)


def fit_quantiles(
    ticks: Floats,
    whole: bool,
    *,
    min_rows: int = 10,
    tail_rows: int = RARE,
    blur: float | None = None,
) -> QuantileMarginal:
    """Fit spikes and ranges of at least `min_rows` rows each.

    Args:
        ticks: The non-null values, [n].
        whole: Whether ticks are whole numbers.
        min_rows: Rows that a spike or range must stand for.
        tail_rows: The smallest and largest values published are these order statistics.
        blur: Half the width, in ticks, that hides a handful of values; 5 % of their mean if None.

    Returns:
        The marginal. Of fewer than 2 `min_rows` values only the mean and spread are kept, unless
        each of them is shared by at least `tail_rows` rows.
    """
    if len(ticks) < 2 * min_rows:
        return _few(ticks, whole, tail_rows, blur)
    ordered = np.sort(ticks)
    ordered = np.clip(ordered, ordered[tail_rows - 1], ordered[-tail_rows])
    values, counts = np.unique(ordered, return_counts=True)
    enough = max(min_rows, len(ticks) // MOST_PIECES)
    spikes = counts >= max(tail_rows, len(ticks) // MOST_SPIKES)
    group = _groups(values, counts, spikes, enough)
    first = np.flatnonzero(np.diff(group, prepend=-1))
    last = np.append(first[1:], len(values)) - 1
    weights = np.add.reduceat(counts, first).astype(float)
    return _absorb_small(
        values[first], values[last], weights, spikes[first], min_rows, whole, len(ticks)
    )


def _few(ticks: Floats, whole: bool, tail_rows: int, blur: float | None) -> QuantileMarginal:
    """Few values: those that repeat often enough if all do, else a stretch around their mean."""
    if not len(ticks):
        return QuantileMarginal(np.zeros(1), np.zeros(1), np.ones(1), whole)
    values, counts = np.unique(ticks, return_counts=True)
    if counts.min() >= tail_rows:
        return QuantileMarginal(values, values, counts / len(ticks), whole)
    centre, spread = float(ticks.mean()), float(ticks.std())
    hidden = 0.05 * abs(centre) if blur is None else blur
    spread = max(spread * np.sqrt(3.0), hidden, 2.0 if whole else 1e-3)
    low, high = centre - spread, centre + spread
    if ticks.min() >= 0:
        low = max(low, 0.0)
    if whole:
        low, high = np.rint(low), np.rint(high)
    return QuantileMarginal(np.array([low]), np.array([high]), np.ones(1), whole)


def _groups(values: Floats, counts: Ints, spikes: np.ndarray, enough: int) -> Ints:
    """A piece number for each distinct value: each spike alone, the runs between cut evenly."""
    run = np.cumsum(spikes | np.roll(spikes, 1)) if len(values) > 1 else np.zeros(1, int)
    rows_in_run = np.bincount(run, np.where(spikes, 0, counts))
    before = np.cumsum(counts) - counts
    start = np.full(len(rows_in_run), np.iinfo(np.int64).max)
    np.minimum.at(start, run, before)
    cuts = np.maximum(rows_in_run // enough, 1)
    middle = before - start[run] + counts / 2
    cut = np.minimum(
        (middle * cuts[run] / np.maximum(rows_in_run[run], 1)).astype(int), cuts[run] - 1
    )
    cut = np.where(spikes, 0, cut)
    return np.cumsum((np.diff(run, prepend=-1) != 0) | (np.diff(cut, prepend=0) != 0))


def _absorb_small(
    lows: Floats,
    highs: Floats,
    weights: Floats,
    spikes: np.ndarray,
    min_rows: int,
    whole: bool,
    rows: int,
) -> QuantileMarginal:
    """Merge pieces of too few rows into their neighbours; at most some thousand pieces."""
    merged: list[list[float]] = []
    waiting = 0.0  # rows of small pieces at the very start
    for low, high, weight, spike in zip(lows, highs, weights, spikes, strict=True):
        if weight >= min_rows:
            merged.append([low, high, weight + waiting, float(spike)])
            waiting = 0.0
        elif merged and not merged[-1][3]:
            merged[-1][1], merged[-1][2] = high, merged[-1][2] + weight
        elif merged:
            merged[-1][2] += weight
        else:
            waiting += weight
    table = np.array(merged) if merged else np.array([[lows[0], highs[-1], waiting, 0.0]])
    return QuantileMarginal(table[:, 0], table[:, 1], table[:, 2] / rows, whole)
