"""The shape of each column, real beside synthetic, coarse enough to leave private staging.

A shape holds shares of bins, rounded to a tenth of a percent, and every bin stands for at least
twenty real rows. It holds no value, no name of a category, and not where on its axis a column lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from prefect_synth.expectations.columns import OTHER, matched_shares
from prefect_synth.expectations.profile import QUANTILES, ColumnProfile, TableProfile
from prefect_synth.synth.metadata import Column, Table
from prefect_synth.synth.metrics.sources import Floats, read_columns, read_schema
from prefect_synth.synth.metrics.values import numbers

FEWEST_ROWS = 20
_BINS = 24
_BARS = 10
_TAIL = 4  # quantiles at each end that share the outermost bins


@dataclass(frozen=True)
class Shape:
    """Shares of a column's values by bin.

    Args:
        table: The table.
        column: The column.
        kind: `number` (bins from low to high) or `category` (the largest first).
        widths: Width of each bin, together 1.
        real: Share of the real values in each bin.
        synthetic: Share of the synthetic values in each bin.
        others: Real and synthetic share of all categories without a bin.
    """

    table: str
    column: str
    kind: str
    widths: tuple[float, ...]
    real: tuple[float, ...]
    synthetic: tuple[float, ...]
    others: tuple[float, float] | None = None


def table_shapes(table: Table, profile: TableProfile, synthetic: Path) -> list[Shape]:
    """Compare the shapes of all learned columns of a table.

    Args:
        table: What the table means.
        profile: What is remembered of the real table.
        synthetic: The synthetic table.

    Returns:
        One shape for each column of which at least two bins can be shown.
    """
    present = set(read_schema(synthetic).names)
    shapes = (
        _shape(table, table.columns[name], column, synthetic)
        for name, column in profile.columns.items()
        if name in present
    )
    return [shape for shape in shapes if shape is not None]


def _shape(table: Table, column: Column, profile: ColumnProfile, path: Path) -> Shape | None:
    if profile.rows < 2 * FEWEST_ROWS or not (profile.quantiles or profile.shares):
        return None
    values = read_columns(path, [column.name])[column.name]
    if profile.shares:
        return _categories(table.name, column.name, profile, values)
    points = numbers(values, column)
    widths, real, found = _histograms(profile, points[np.isfinite(points)])
    if len(real) < 2:
        return None
    shares = (_rounded(real, 3), _rounded(found, 3))
    return Shape(table.name, column.name, "number", _rounded(widths, 4), *shares)


def _categories(
    table: str, column: str, profile: ColumnProfile, values: pa.ChunkedArray
) -> Shape | None:
    reference = _common(profile)
    found = matched_shares(reference, values)
    names = [name for name in reference if name != OTHER]
    if not names or len(reference) < 2:
        return None
    real, synthetic = ([round(side[n], 3) for n in names] for side in (reference, found))
    others = (round(reference.get(OTHER, 0.0), 3), round(found[OTHER], 3))
    widths = (round(1 / len(names), 4),) * len(names)
    return Shape(table, column, "category", widths, tuple(real), tuple(synthetic), others)


def _common(profile: ColumnProfile) -> dict[str, float]:
    least = FEWEST_ROWS / profile.rows
    named = [(n, s) for n, s in profile.shares.items() if n != OTHER and s >= least][:_BARS]
    rest = 1 - sum(share for _, share in named)
    # Others stand for twenty rows too, or the smallest bar joins them.
    while named and 0 < round(rest * profile.rows) < FEWEST_ROWS:
        rest += named.pop()[1]
    return dict(named) | ({OTHER: rest} if round(rest * profile.rows) else {})


def _histograms(profile: ColumnProfile, points: Floats) -> tuple[Floats, Floats, Floats]:
    grid = np.asarray(profile.quantiles)
    low, high = grid[_TAIL], grid[-1 - _TAIL]
    if low == high:
        low, high = grid[0], grid[-1]
    if low == high:
        return np.ones(1), np.ones(1), np.ones(1)
    edges = np.linspace(low, high, _BINS + 1)
    real = np.histogram(np.clip(grid, low, high), edges)[0] / QUANTILES
    starts = _merged(real, max(FEWEST_ROWS / profile.rows, 2 / QUANTILES))
    found = np.histogram(np.clip(points, low, high), edges)[0] / max(len(points), 1)
    widths = np.full(_BINS, 1 / _BINS)
    return tuple(np.add.reduceat(part, starts) for part in (widths, real, found))  # type: ignore[return-value]


def _merged(shares: Floats, least: float) -> list[int]:
    """Where the merged bins start, such that each holds at least `least`."""
    starts, held = [0], 0.0
    for place, share in enumerate(shares):
        if held >= least:
            starts.append(place)
            held = 0.0
        held += float(share)
    if held < least and len(starts) > 1:
        starts.pop()
    return starts


def _rounded(values: Floats, digits: int) -> tuple[float, ...]:
    return tuple(np.round(values, digits).tolist())
