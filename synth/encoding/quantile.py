"""The quantile marginal: a distribution as spikes and ranges, none of which is a few rows.

Source of the idea: an empirical CDF whose every knot stands for at least k rows
(value protection as in k-anonymity); spikes keep the mass of repeated values exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from prefect_synth.synth.encoding.layout import RARE, Floats, Ints
from prefect_synth.synth.encoding.rhythm import Rhythm, fit_rhythm
from prefect_synth.synth.encoding.units import holders, kth_unit
from prefect_synth.synth.storage import stored

MOST_PIECES = 1000
_BENDS = np.array([1 / 8, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 1.5, 2, 3, 4, 6, 8])
_LIKELY, _CERTAIN = 1.5, 3.0  # standard deviations of the median of evenly spread values
_MANY = 50
_GRID = 50_000


@stored
@dataclass(frozen=True)
class QuantileMarginal:
    """Pieces of a numeric column, in ascending order.

    Args:
        lows: Smallest tick of each piece, [P].
        highs: Largest tick of each piece, [P]; equal to `lows` for a spike.
        weights: Share of the rows in each piece, [P].
        whole: Whether ticks are whole numbers.
        bends: How values crowd in each piece, [P]: at its start above 1 (a heavy tail), at its
            end below 1; None for evenly.
        rhythm: How likely ticks are by their remainder; None for equally.
    """

    lows: Floats
    highs: Floats
    weights: Floats
    whole: bool
    bends: Floats | None = None
    rhythm: Rhythm | None = None

    @property
    def ranges(self) -> np.ndarray:
        """Which pieces are ranges, [P] bool."""
        return self.highs > self.lows

    @property
    def edges(self) -> Floats:
        """Where pieces meet: half way between their ends, [P + 1]."""
        half = 0.5 if self.whole else 0.0
        between = (self.highs[:-1] + self.lows[1:]) / 2
        return np.concatenate([self.lows[:1] - half, between, self.highs[-1:] + half])

    def locate(self, ticks: Floats) -> tuple[Ints, Floats]:
        """Piece [n] and place in it [n]; a value between two pieces goes to the nearer end."""
        piece = np.clip(np.searchsorted(self.lows, ticks, side="right") - 1, 0, None)
        after = np.minimum(piece + 1, len(self.lows) - 1)
        beyond = ticks - self.highs[piece]
        piece = np.where((beyond > 0) & (self.lows[after] - ticks < beyond), after, piece)
        place = self._even_place(piece, ticks)
        return piece, place if self.bends is None else place ** (1 / self.bends[piece])

    def value(self, piece: Ints, place: Floats) -> Floats:
        """Ticks at places in pieces, [n]."""
        low, high = self.lows[piece], self.highs[piece]
        place = place if self.bends is None else np.asarray(place, float) ** self.bends[piece]
        if self.rhythm is not None:
            base = np.floor(low / self.rhythm.period) * self.rhythm.period
            first, mass = self._masses(low - base, high - base)
            return np.clip(np.floor(self.rhythm.tick(first + place * mass) + base), low, high)
        start, width = self._stretch(piece)
        ticks = np.clip(start + place * width, low, high)
        return np.rint(ticks) if self.whole else ticks

    def _even_place(self, piece: Ints, ticks: Floats) -> Floats:
        """Places before they are bent."""
        if self.rhythm is None:
            start, width = self._stretch(piece)
            return np.clip((ticks - start) / width, 0.0, 1.0)
        low = self.lows[piece]
        base = np.floor(low / self.rhythm.period) * self.rhythm.period
        first, mass = self._masses(low - base, self.highs[piece] - base)
        return np.clip((self.rhythm.mass(ticks + 0.5 - base) - first) / mass, 0.0, 1.0)

    def _masses(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        assert self.rhythm is not None  # noqa: S101 - asked by the callers
        first = self.rhythm.mass(low)
        return first, self.rhythm.mass(high + 1) - first

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
    units: Ints | None = None,
    rhythms: Sequence[tuple[int, int]] = (),
) -> QuantileMarginal:
    """Fit spikes and ranges of at least `min_rows` rows each.

    Args:
        ticks: The non-null values, [n].
        whole: Whether ticks are whole numbers.
        min_rows: Rows that a spike or range must stand for.
        tail_rows: The smallest and largest values published are these order statistics, and a
            spike or range has this many units.
        blur: Half the width, in ticks, that hides a handful of values; 5 % of their mean if None.
        units: The unit of each value, if known, [n]: extremes are then of the so-manieth unit.
        rhythms: Periods and blocks, in ticks, in which values may recur.

    Returns:
        The marginal. Of fewer than 2 `min_rows` values only the mean and spread are kept, unless
        each of them is shared by at least `tail_rows` rows.
    """
    handful = units is not None and len(np.unique(units)) < 2 * tail_rows
    if len(ticks) < 2 * min_rows or handful:
        return _few(ticks, whole, tail_rows, blur, units)
    ordered, owners = _within_tails(ticks, tail_rows, units)
    new = np.diff(ordered, prepend=np.nan) != 0
    values, code = ordered[new], np.cumsum(new) - 1
    counts = np.bincount(code)
    enough = max(min_rows, len(ticks) // MOST_PIECES)
    spikes = counts >= enough
    if owners is not None:
        spikes &= holders(code, len(values), owners) >= tail_rows
    group = _groups(values, counts, spikes, enough)
    first = np.flatnonzero(np.diff(group, prepend=-1))
    last = np.append(first[1:], len(values)) - 1
    weights = np.add.reduceat(counts, first).astype(float)
    of_piece = np.searchsorted(first, np.arange(len(values)), side="right") - 1
    held = weights if owners is None else holders(of_piece[code], len(first), owners)
    small = (weights < min_rows) | (held < tail_rows)
    marginal = _absorb_small(
        values[first], values[last], weights, spikes[first], small, whole, len(ticks)
    )
    return _refined(marginal, ordered, rhythms if whole else ())


def _within_tails(ticks: Floats, tail_rows: int, units: Ints | None) -> tuple[Floats, Ints | None]:
    """Ticks in order, the extremes drawn in to the so-manieth, and whose they are."""
    order = np.argsort(ticks, kind="stable")
    ordered, owners = ticks[order], None if units is None else units[order]
    low, high = kth_unit(owners, tail_rows), kth_unit(owners, tail_rows, last=True)
    return np.clip(ordered, *sorted((ordered[low], ordered[high]))), owners


def _few(
    ticks: Floats, whole: bool, tail_rows: int, blur: float | None, units: Ints | None
) -> QuantileMarginal:
    """Few values: those that repeat often enough if all do, else a stretch around their mean."""
    if not len(ticks):
        return QuantileMarginal(np.zeros(1), np.zeros(1), np.ones(1), whole)
    values, code, counts = np.unique(ticks, return_inverse=True, return_counts=True)
    if holders(code, len(values), units).min() >= tail_rows:
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
    small: np.ndarray,
    whole: bool,
    rows: int,
) -> QuantileMarginal:
    """Merge small pieces into their neighbours; at most some thousand pieces."""
    merged: list[list[float]] = []
    waiting = 0.0  # rows of small pieces at the very start
    for low, high, weight, spike, few in zip(lows, highs, weights, spikes, small, strict=True):
        if not few:
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


def _refined(
    marginal: QuantileMarginal, ordered: Floats, rhythms: Sequence[tuple[int, int]]
) -> QuantileMarginal:
    """The same with what is learned of the values inside ranges."""
    ranges = np.flatnonzero(marginal.ranges)
    if not len(ranges):
        return marginal
    if rhythms:
        piece, _ = marginal.locate(ordered)
        inside = ordered[marginal.ranges[piece]]
        rhythm = fit_rhythm(inside, _evenly(marginal, ranges), rhythms)
        marginal = replace(marginal, rhythm=rhythm)
    starts = np.searchsorted(ordered, marginal.lows[ranges], side="left")
    stops = np.searchsorted(ordered, marginal.highs[ranges], side="right")
    middle = (ordered[(starts + stops - 1) // 2] + ordered[(starts + stops) // 2]) / 2
    place = np.clip(marginal._even_place(ranges, middle), 1e-6, 1 - 1e-6)
    bend = np.log(place) / np.log(0.5)
    nearest = _BENDS[np.abs(np.log(bend)[:, None] - np.log(_BENDS)[None, :]).argmin(axis=1)]
    certainty = np.abs(place - 0.5) * 2 * np.sqrt(stops - starts)
    end = (ranges == 0) | (ranges == len(marginal.lows) - 1)
    bent = np.where(end, certainty > _LIKELY, (certainty > _CERTAIN) & (stops - starts >= _MANY))
    if not np.any(bent & (nearest != 1)):
        return marginal
    bends = np.ones(len(marginal.lows))
    bends[ranges[bent]] = nearest[bent]
    return replace(marginal, bends=bends)


def _evenly(marginal: QuantileMarginal, ranges: Ints) -> Floats:
    """Ticks of the ranges as if all inside each were equally likely."""
    edges = np.cumsum(marginal.weights[ranges])
    at = (np.arange(_GRID) + 0.5) / _GRID * edges[-1]
    piece = np.minimum(np.searchsorted(edges, at, side="right"), len(ranges) - 1)
    place = 1 - (edges[piece] - at) / marginal.weights[ranges][piece]
    return marginal.value(ranges[piece], np.clip(place, 0.0, 1.0))
