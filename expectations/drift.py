"""What moved in the real tables since the last published snapshot, told from two profiles."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

import numpy as np
from scipy.stats import hypergeom

from prefect_synth.expectations.column_profile import ColumnProfile
from prefect_synth.expectations.columns import MAX_CATEGORIES, OTHER, RARE
from prefect_synth.expectations.margins import absence, category_margin, two_sample_margin
from prefect_synth.expectations.report_content import DriftLine
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.shapes import ks_complement
from prefect_synth.synth.metrics.sources import Floats

_ROWS = 0.01
_NULLS = 0.01
_ALPHA = 0.001
_TAIL = 2  # steps of the profile's grid of quantiles: the range is that from 1 % to 99 %


class Profiled(Protocol):
    """A table whose columns are profiled."""

    @property
    def table(self) -> str:
        """Its name."""

    @property
    def rows(self) -> int:
        """Its number of rows."""

    @property
    def columns(self) -> Mapping[str, ColumnProfile]:
        """Profile by column."""


def drift_lines(
    before: Mapping[str, Profiled], now: Mapping[str, Profiled]
) -> tuple[DriftLine, ...]:
    """Say what moved, as far as it is more than chance explains.

    Args:
        before: What was remembered of the real tables at the last published snapshot.
        now: What is remembered of them today.

    Returns:
        A line for each thing that moved; sizes are shares from 0 to 1, and no value is told.
    """
    lines = [DriftLine(table, None, "new table") for table in now if table not in before]
    lines += [DriftLine(table, None, "table gone") for table in before if table not in now]
    for table in (name for name in now if name in before):
        lines += _table(before[table], now[table])
    return tuple(lines)


def changed_keys(before: Metadata, now: Metadata) -> tuple[DriftLine, ...]:
    """Say which keys of tables that are still there are others than at the last snapshot.

    Args:
        before: The schema at the last published snapshot.
        now: The schema of today.
    """
    return tuple(
        DriftLine(name, None, "key changed", detail=kind)
        for name in now.tables
        if name in before.tables
        for (kind, old), new in zip(
            _keys(before, name).items(), _keys(now, name).values(), strict=True
        )
        if old != new
    )


def _keys(metadata: Metadata, name: str) -> dict[str, Collection[object]]:
    table = metadata.tables[name]
    return {
        "primary key": table.primary_key,
        "unique keys": set(table.unique),
        "foreign keys": set(metadata.parents(name)),
    }


def _table(before: Profiled, now: Profiled) -> Iterator[DriftLine]:
    change = abs(now.rows - before.rows) / max(before.rows, 1)
    if change > _ROWS:
        yield DriftLine(now.table, None, "rows changed", min(1.0, change))
    for name in now.columns:
        if name not in before.columns:
            yield DriftLine(now.table, name, "new column")
    for name in before.columns:
        if name not in now.columns:
            yield DriftLine(now.table, name, "column gone")
        else:
            yield from column_lines(now.table, name, before.columns[name], now.columns[name])


def column_lines(
    table: str, name: str, before: ColumnProfile, now: ColumnProfile
) -> Iterator[DriftLine]:
    """Say what moved in one column, as far as it is more than chance explains.

    Args:
        table: The table's name.
        name: The column's name.
        before: What was remembered of its real values.
        now: What is remembered of them today; of a sample as well as of all.
    """
    if before.kind != now.kind:
        yield DriftLine(table, name, "type changed")
        return
    rows = before.independent_rows, now.independent_rows
    fewer = min(before.rows, now.rows)
    nulls = abs(now.nulls - before.nulls)
    if nulls > _NULLS + two_sample_margin(*rows, _ALPHA):
        yield DriftLine(table, name, "nulls changed", nulls, rows=abs(_nulls(now) - _nulls(before)))
    if before.quantiles and now.quantiles:
        distance = 1 - ks_complement(np.asarray(before.quantiles), np.asarray(now.quantiles))
        if distance > two_sample_margin(*rows, _ALPHA) + 2 / len(now.quantiles):
            yield DriftLine(
                table, name, "distribution moved", distance, rows=round(distance * fewer)
            )
        if _range_moved(before, now):
            yield DriftLine(table, name, "range moved", rows=_tail(now, now.rows))
    if before.shares or now.shares:
        yield from _categories(table, name, before, now)


def _nulls(profile: ColumnProfile) -> int:
    return round(profile.rows * profile.nulls / (1 - profile.nulls)) if profile.nulls < 1 else 0


def _range_moved(before: ColumnProfile, now: ColumnProfile) -> bool:
    ends = [(np.asarray(before.quantiles), np.asarray(now.quantiles))]
    ends += [(-a[::-1], -b[::-1]) for a, b in ends]
    return any(_end_moved(before, now, *end) for end in ends)


def _end_moved(before: ColumnProfile, now: ColumnProfile, old: Floats, new: Floats) -> bool:
    """Whether the k-th smallest value of today has too few or too many of the last ones below it.

    If both samples come from one population, how they mix in the order of their values is
    hypergeometric. The grid tells the number below to one of its steps; what speaks less for a
    move is believed.
    """
    rows, total = now.independent_rows, now.independent_rows + before.independent_rows
    step = before.independent_rows / (len(old) - 1)
    end, k = new[_TAIL], _tail(now, rows)
    most = math.floor(np.searchsorted(old, end, side="right") * step)
    least = math.floor(max(0, np.searchsorted(old, end, side="left") - 1) * step)
    if end >= old[-1]:
        most = before.independent_rows
    too_few = hypergeom.sf(k - 1, total, rows, min(total, k + most))
    too_many = hypergeom.cdf(k, total, rows, min(total, k + least))
    return bool(min(too_few, too_many) < _ALPHA / 4)


def _tail(profile: ColumnProfile, rows: int) -> int:
    return max(1, math.ceil(_TAIL / (len(profile.quantiles) - 1) * rows))


def _categories(
    table: str, name: str, before: ColumnProfile, now: ColumnProfile
) -> Iterator[DriftLine]:
    for what, side, other in (("new categories", now, before), ("categories gone", before, now)):
        share = sum(side.shares[key] for key in missing_categories(side, other))
        if share:
            yield DriftLine(table, name, what, share, rows=round(share * side.rows))
    # what is rare in a small sample need not be in a large one: both take together the same
    keys = [key for key in before.shares if key in now.shares and key != OTHER]
    old, new = ([*(p.shares[k] for k in keys)] for p in (before, now))
    old, new = ([*kept, max(0.0, 1 - sum(kept))] for kept in (old, new))
    distance = sum(abs(a - b) for a, b in zip(old, new, strict=True)) / 2
    rows = before.independent_rows, now.independent_rows
    if distance > category_margin(old, *rows, _ALPHA):
        decided = round(distance * min(before.rows, now.rows))
        yield DriftLine(table, name, "distribution moved", distance, rows=decided)


def missing_categories(side: ColumnProfile, other: ColumnProfile) -> list[str]:
    """Hashes of the categories of a side that chance cannot leave out of the other one."""
    counts, rows = side.independent_occurrences(), (side.independent_rows, other.independent_rows)
    hidden, each = _hidden(other), _ALPHA / max(1, len(counts))
    return [
        key
        for key, count in counts.items()
        if key not in other.shares and absence(count, *rows, hidden) < each
    ]


def _hidden(profile: ColumnProfile) -> int:
    """Most rows of a category that is not kept one by one: the rare ones are kept together."""
    if OTHER not in profile.shares:
        return 0
    kept = [share for key, share in profile.shares.items() if key != OTHER]
    return RARE - 1 if len(kept) < MAX_CATEGORIES else round(min(kept) * profile.rows)
