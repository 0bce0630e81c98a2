"""Columns of clocks, and clocks that are others moved by minutes."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.rules.clock import DAY, Clock, ClockSum, is_clock, to_minutes
from prefect_synth.synth.rules.search import FEWEST, Search

_VALUES = 30
_HOURS = 5
_DELAYS = 5


def find_clock_sums(search: Search) -> None:
    """Accept clocks that are another clock moved by a column of minutes, modulo a day."""
    clocks = _clocks(search)
    midnight = _midnight(search, clocks)
    minutes = [c for c in search.numeric if _decimals(search, c) == 0 and c not in clocks]
    for target, start in permutations(clocks, 2):
        for moved in minutes:
            if search.open([target]) and _moved(search, target, start, moved):
                kind = pa.schema([("v", search.rows.columns[target].type)])
                search.accept(ClockSum(target, start, moved, midnight, kind))


def find_clocks(search: Search) -> None:
    """Model clocks that nothing determines in minutes."""
    clocks = _clocks(search)
    midnight = _midnight(search, clocks)
    for column in search.open(clocks):
        kind = pa.schema([("v", search.rows.columns[column].type)])
        search.accept(Clock(column, midnight, kind))


def _clocks(search: Search) -> list[str]:
    return [c for c in search.numeric if _decimals(search, c) == 0 and _looks_like(search, c)]


def _looks_like(search: Search, column: str) -> bool:
    known = _known(search, column)
    if not is_clock(known).all():
        return False
    values = np.unique(known)
    minutes, hours = np.unique(values % 100), np.unique(values // 100)
    return len(values) >= _VALUES and len(hours) >= _HOURS and len(minutes) > 1


def _moved(search: Search, target: str, start: str, moved: str) -> bool:
    """Whether the rule holds in the sample, and says something there."""
    at = search.sample
    units = [search.units(c) for c in (target, start, moved)]
    known = np.all([u.valid[at] for u in units if u], axis=0)
    if known.sum() < FEWEST:
        return False
    end, begin, minutes = (u.whole[at][known] for u in units if u)
    apart = (to_minutes(end) - to_minutes(begin) - minutes) % DAY
    return bool((apart == 0).all() and len(np.unique(minutes)) >= _DELAYS)


def _midnight(search: Search, clocks: list[str]) -> int:
    """What this table writes at midnight."""
    late = any((_known(search, c) == 2400).any() for c in clocks)
    return 2400 if late else 0


def _known(search: Search, column: str) -> Ints:
    units = search.units(column)
    assert units is not None  # noqa: S101 - numeric
    return np.asarray(units.whole[units.valid])


def _decimals(search: Search, column: str) -> int:
    units = search.units(column)
    return units.decimals if units else -1
