"""What moved in the real tables since the last published snapshot, told from two profiles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from prefect_synth.expectations.columns import OTHER
from prefect_synth.expectations.margins import category_margin, two_sample_margin
from prefect_synth.expectations.profile import ColumnProfile, TableProfile
from prefect_synth.expectations.report_content import DriftLine
from prefect_synth.synth.metrics.shapes import ks_complement

_ROWS = 0.01
_NULLS = 0.01
_ALPHA = 0.001


def drift_lines(
    before: Mapping[str, TableProfile], now: Mapping[str, TableProfile]
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


def _table(before: TableProfile, now: TableProfile) -> Iterator[DriftLine]:
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
            yield from _column(now.table, name, before.columns[name], now.columns[name])


def _column(
    table: str, name: str, before: ColumnProfile, now: ColumnProfile
) -> Iterator[DriftLine]:
    if before.kind != now.kind:
        yield DriftLine(table, name, "type changed")
        return
    rows = before.independent_rows, now.independent_rows
    nulls = abs(now.nulls - before.nulls)
    if nulls > _NULLS + two_sample_margin(*rows, _ALPHA):
        yield DriftLine(table, name, "nulls changed", nulls)
    if before.quantiles and now.quantiles:
        distance = 1 - ks_complement(np.asarray(before.quantiles), np.asarray(now.quantiles))
        if distance > two_sample_margin(*rows, _ALPHA) + 2 / len(now.quantiles):
            yield DriftLine(table, name, "distribution moved", distance)
        if before.bounds != now.bounds:
            yield DriftLine(table, name, "range moved")
    if before.shares or now.shares:
        yield from _categories(table, name, before, now)


def _categories(
    table: str, name: str, before: ColumnProfile, now: ColumnProfile
) -> Iterator[DriftLine]:
    new, gone = (
        sum(share for key, share in side.shares.items() if key != OTHER and key not in other.shares)
        for side, other in ((now, before), (before, now))
    )
    if new:
        yield DriftLine(table, name, "new categories", new)
    if gone:
        yield DriftLine(table, name, "categories gone", gone)
    keys = dict.fromkeys([*before.shares, *now.shares])
    distance = sum(abs(now.shares.get(k, 0) - before.shares.get(k, 0)) for k in keys) / 2
    rows = before.independent_rows, now.independent_rows
    if distance > category_margin(before.shares.values(), *rows, _ALPHA):
        yield DriftLine(table, name, "distribution moved", distance)
