"""What is remembered of one real column: its distribution, and how many rows it is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from prefect_synth.expectations.columns import (
    Categories,
    ColumnKind,
    count_categories,
)
from prefect_synth.expectations.families import (
    carriers,
    design_effect,
    mean_effect,
    occurrences,
)
from prefect_synth.synth.metadata import Column
from prefect_synth.synth.metrics.sources import (
    Floats,
    Ints,
)
from prefect_synth.synth.metrics.values import NULL, numbers

QUANTILES = 201


@dataclass(frozen=True)
class ColumnProfile:
    """The distribution of one real column.

    Args:
        kind: What is compared of the column.
        rows: Values that are not null.
        nulls: Share of nulls.
        distinct: Number of distinct values; 0 where it was not counted.
        top_share: Share of the most frequent value.
        quantiles: The inverse of the distribution function on a uniform grid, without
            interpolation, so that spikes stay spikes.
        bounds: Smallest and largest value as a suite writes them: numbers, or ISO 8601.
        shares: Share by category's hash, the largest first.
        carriers: How many parents have a category among their rows, by its hash; where there is
            no parent, how many rows.
        occurrences: How often a category occurred by itself, by its hash: its rows, or its parents
            where they brought it.
        design_effect: How many rows are worth one independent row.
        null_effect: The same where it is asked whether there is a value at all.
        mean: Mean of the numbers, points in time in microseconds.
        std: Their standard deviation.
        mean_effect: How many rows are worth one independent row where the mean is concerned.
    """

    kind: ColumnKind
    rows: int
    nulls: float
    distinct: int = 0
    top_share: float = 0.0
    quantiles: tuple[float, ...] = ()
    bounds: tuple[float | str, float | str] | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    carriers: Mapping[str, int] = field(default_factory=dict)
    occurrences: Mapping[str, int] = field(default_factory=dict)
    design_effect: float = 1.0
    null_effect: float = 1.0
    mean: float = 0.0
    std: float = 0.0
    mean_effect: float = 1.0

    @property
    def independent_rows(self) -> int:
        """Values that are not null, counted as independent ones."""
        return max(1, round(self.rows / self.design_effect)) if self.rows else 0

    def independent_counts(self) -> dict[str, float]:
        """Independent rows of each category that is kept one by one.

        A category that few parents have is worth no more than so many rows.
        """
        return {
            name: min(self.shares[name] * self.rows / self.design_effect, carriers)
            for name, carriers in self.carriers.items()
        }

    def independent_occurrences(self) -> dict[str, float]:
        """The same, where a category that few parents have is worth less only if they brought it.

        For what is new or gone: one that suddenly all stores have is no matter of chance, however
        few they are.
        """
        known = self.occurrences or self.carriers  # what an older version remembered
        return {
            name: min(self.shares[name] * self.rows / self.design_effect, often)
            for name, often in known.items()
        }


def profile_column(
    values: pa.ChunkedArray, column: Column, kind: ColumnKind, parents: Sequence[Ints]
) -> ColumnProfile:
    """Profile one column.

    Args:
        values: Its values, NaN as null.
        column: What it means.
        kind: What of it is compared.
        parents: What `parent_codes` gave for its table.
    """
    rows = len(values) - values.null_count
    profile = ColumnProfile(kind, rows, values.null_count / len(values) if len(values) else 0.0)
    if 0 < values.null_count < len(values):
        present = values.is_valid().to_numpy().astype(np.int64)
        profile = replace(profile, null_effect=design_effect(present, parents))
    if rows == 0 or kind not in {"number", "category"}:
        return profile
    found = count_categories(values)
    top_share = float(found.counts[0] / rows)
    profile = replace(profile, distinct=len(found.names), top_share=top_share)
    if kind == "category":
        return _with_categories(profile, values, found, parents)
    return _with_numbers(profile, values, numbers(values, column), parents)


def _with_categories(
    profile: ColumnProfile, values: pa.ChunkedArray, found: Categories, parents: Sequence[Ints]
) -> ColumnProfile:
    numbered = np.full(len(values), NULL, dtype=np.int64)
    numbered[values.is_valid().to_numpy()] = found.codes
    kept = found.common
    common = np.where(numbered < kept, numbered, NULL)
    names = found.names[:kept].astype(str).tolist()
    return replace(
        profile,
        shares=found.shares(),
        carriers=dict(zip(names, carriers(common, kept, parents).tolist(), strict=True)),
        occurrences=dict(zip(names, occurrences(common, kept, parents).tolist(), strict=True)),
        design_effect=design_effect(numbered, parents),
    )


def _with_numbers(
    profile: ColumnProfile, values: pa.ChunkedArray, points: Floats, parents: Sequence[Ints]
) -> ColumnProfile:
    finite = np.isfinite(points)
    present = points[finite]
    if len(present) == 0:
        return profile
    grid = np.quantile(present, np.linspace(0, 1, QUANTILES), method="inverted_cdf")
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(present.mean()), float(present.std())
    varies = np.isfinite(std) and grid[0] < grid[-1]
    return replace(
        profile,
        quantiles=tuple(grid.tolist()),
        bounds=_bounds(values),
        design_effect=design_effect(_deciles(points, grid), parents),
        mean=mean if np.isfinite(mean) else 0.0,
        std=std if varies else 0.0,
        mean_effect=mean_effect(np.where(finite, points - mean, 0.0), parents) if varies else 1.0,
    )


def _deciles(points: Floats, grid: Floats) -> Ints:
    cuts = grid[QUANTILES // 10 : -1 : QUANTILES // 10]
    return np.where(np.isfinite(points), np.searchsorted(cuts, points), NULL)


def _bounds(values: pa.ChunkedArray) -> tuple[float | str, float | str] | None:
    type_ = values.type
    if pt.is_date(type_) or pt.is_timestamp(type_):
        return _time_bounds(values)
    if pt.is_floating(type_):
        values = values.filter(pc.is_finite(values))
    if not (pt.is_integer(type_) or pt.is_floating(type_) or pt.is_decimal(type_)):
        return None
    low, high = pc.min_max(values).as_py().values()
    if isinstance(low, Decimal):
        return _outward(low, -math.inf), _outward(high, math.inf)
    return low, high


def _time_bounds(values: pa.ChunkedArray) -> tuple[str, str]:
    """ISO 8601 to the microsecond; nanoseconds are rounded outwards, so that they lie inside."""
    type_ = values.type
    kind = pa.timestamp("us", tz=getattr(type_, "tz", None))
    ends = pc.min_max(values)
    low, high = ends["min"], ends["max"]
    if pt.is_timestamp(type_) and type_.unit == "ns":
        low, high = (pa.scalar(us, kind) for us in (low.value // 1000, -(-high.value // 1000)))
    return low.cast(kind).as_py().isoformat(), high.cast(kind).as_py().isoformat()


def _outward(end: Decimal, towards: float) -> float:
    """The float nearest to `end` that is not inside of it."""
    number = float(end)
    inside = Decimal(number) > end if towards < 0 else Decimal(number) < end
    return math.nextafter(number, towards) if inside else number
