"""Datetimes that are composed of other columns, and columns that are parts of a datetime."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import RARE, Ints
from prefect_synth.synth.rules.calendar import (
    PARTS,
    Composed,
    DayOfMonth,
    Part,
    composed,
    part_of,
    ticks_of,
)
from prefect_synth.synth.rules.rule import Rows
from prefect_synth.synth.rules.search import FEWEST, Search
from prefect_synth.synth.rules.units import moments

_HIGHEST = {"year": (1, 9999), "month": (1, 12), "day": (1, 31), "hour": (0, 23),
            "minute": (0, 59), "second": (0, 59)}  # fmt: skip
_AGREED = {"year": 0.9, "month": 0.9, "day": 0.6, "hour": 0.3, "minute": 0.95, "second": 0.95}
_OFFSETS = 6
_QUARTER = 900
_DAY = 86_400
_FREE_SHIFT = ("weekday", "iso_week", *(p for p in PARTS if p.startswith("week@")))


def find_composed(search: Search) -> None:
    """Accept datetimes whose parts are columns, up to a few offsets (another time zone)."""
    for column in search.datetimes:
        values = search.rows.columns[column]
        if len(values) - values.null_count < FEWEST:
            continue
        year, parts = _parts(search, column)
        if {"month", "day"} <= parts.keys() and ("year" in parts or year is not None):
            rule = _composed(search, column, year, parts)
            if rule is not None and search.accept(rule):
                month, day = parts["month"], parts["day"]
                of_year = parts.get("year", year)
                kind = pa.schema([("v", search.rows.columns[day].type)])
                assert of_year is not None  # noqa: S101 - asked above
                search.accept(DayOfMonth(day, month, of_year, kind))


def find_parts(search: Search) -> None:
    """Accept columns that are a part of a datetime, such as its week or weekday."""
    for moment in search.datetimes:
        for target in search.open(search.numeric):
            units = search.units(target)
            if units is not None and units.decimals == 0:
                _accept_part(search, target, moment)
        for target in search.open(search.datetimes):
            kind = search.rows.columns[target].type
            if target != moment and pa.types.is_date(kind):
                search.accept(Part(target, moment, "date", 0, pa.schema([("v", kind)])))


def _accept_part(search: Search, target: str, moment: str) -> None:
    at = pa.array(search.sample)
    values, units = search.rows.columns[moment].take(at), search.units(target)
    assert units is not None  # noqa: S101 - numeric
    whole, valid = units.whole[search.sample], units.valid[search.sample]
    known = valid & np.asarray(values.is_valid())
    if known.sum() < FEWEST or len(np.unique(whole[known])) < 2:
        return
    for part in PARTS[:-1]:
        apart = (whole - part_of(values, part))[known]
        constant = bool((apart == apart[0]).all())
        if constant and (apart[0] == 0 or part in _FREE_SHIFT):
            kind = pa.schema([("v", search.rows.columns[target].type)])
            if search.accept(Part(target, moment, part, int(apart[0]), kind)):
                return


def _parts(search: Search, column: str) -> tuple[int | None, dict[str, str]]:
    """The column of each part, by agreement in the sample; the year where it is one."""
    at = search.sample
    values = search.rows.columns[column].take(pa.array(at))
    there = np.asarray(values.is_valid())
    parts: dict[str, str] = {}
    for part, (low, high) in _HIGHEST.items():
        wanted = part_of(values, part)
        agreed = {
            c: _agreement(search, c, at, there, wanted, low, high, turning=part == "hour")
            for c in search.numeric
            if c not in parts.values()
        }
        best = max(agreed, key=lambda c: agreed[c], default=None)
        if best is not None and agreed[best] >= _AGREED[part]:
            parts[part] = best
    years = part_of(values, "year")[there]
    usual = int(np.median(years)) if len(years) else None
    return (usual if "year" not in parts else None), parts


def _agreement(
    search: Search,
    column: str,
    at: Ints,
    there: np.ndarray,
    wanted: Ints,
    low: int,
    high: int,
    *,
    turning: bool,
) -> float:
    """Share of rows in which the column is the part; an hour may be apart by a constant."""
    units = search.units(column)
    if units is None or units.decimals:
        return 0.0
    whole, known = units.whole[at], units.valid[at] & there
    if known.sum() < FEWEST or whole[known].min() < low or whole[known].max() > high:
        return 0.0
    if turning:
        return float(np.bincount((wanted - whole)[known] % 24).max() / known.sum())
    return float((wanted == whole)[known].mean())


def _composed(
    search: Search, column: str, year: int | None, parts: dict[str, str]
) -> Composed | None:
    kind = search.rows.columns[column].type
    ticks, size = moments(search.rows.columns[column]), ticks_of(kind)
    seconds, valid = composed(Rows(search.rows.columns, {}, search.rows.length), parts, year)
    assert ticks is not None  # noqa: S101 - a datetime
    valid &= ticks.valid
    if (ticks.whole % size).any():
        return None
    stepped = _steps(seconds[valid], ticks.whole[valid] // size - seconds[valid])
    if stepped is None:
        return None
    return Composed(column, parts, year, *stepped, pa.schema([("v", kind)]))


def _steps(local: Ints, apart: Ints) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """From which local moment on each offset is right; None where they are not a few steps."""
    order = np.argsort(local, kind="stable")
    local, apart = local[order], apart[order]
    turns = np.flatnonzero(np.diff(apart)) + 1
    sizes = np.diff(np.concatenate([[0], turns, [len(apart)]]))
    if len(turns) >= _OFFSETS or (apart % _QUARTER).any() or np.abs(apart).max() > _DAY:
        return None
    if (local[turns] == local[turns - 1]).any() or sizes.min() < RARE:
        return None
    days = local[turns] // _DAY * _DAY  # a change of the clock is told by its day
    starts = np.where(local[turns - 1] < days, days, local[turns])
    return tuple(int(s) for s in starts), tuple(int(o) for o in apart[[0, *turns]])
