"""What a synthetic column covers of the real one, and whether it stays within.

The definitions are those of SDMetrics 0.32's single-column metrics. A metric that has no value,
such as the coverage of a constant column's range, is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.compared import ComparedColumn
from prefect_synth.synth.metrics.side import Side, compared_columns
from prefect_synth.synth.metrics.sources import Floats, Ints, Source

STATISTICS = ("mean", "median", "std")

_ENORMOUS = 1e140  # of larger numbers, sums and squares are infinite


def column_scores(
    real: Mapping[str, Source],
    synthetic: Mapping[str, Source],
    metadata: Metadata,
    rows: int | None = None,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Score each scored column by every single-column metric that fits it.

    One column at a time is in memory. Numbers and dates have `boundary_adherence`,
    `range_coverage` and `statistic_similarity_{mean,median,std}`; categories have
    `category_coverage` and `category_adherence`; all have `missing_value_similarity`.

    Args:
        real: The real tables, by name.
        synthetic: The synthetic tables, likewise.
        metadata: What the columns mean and how the tables are related.
        rows: At most so many rows of a table are compared; None for all.
        seed: Seed of that draw.

    Returns:
        By `table.column` and metric, a score from 0 to 1.

    Raises:
        MetricsError: A table or a column is missing.
    """
    # Links decide only which rows a bounded draw takes.
    linked = metadata if rows is not None else Metadata(metadata.tables)
    left = Side.open("real", real, linked, rows, seed)
    right = Side.open("synthetic", synthetic, linked, rows, seed)
    return {
        f"{table}.{column.name}": scores_of(column)
        for table in metadata.tables
        for column in compared_columns(table, metadata, left, right)
    }


def scores_of(column: ComparedColumn) -> dict[str, float]:
    """Every single-column metric that fits a column and has a value."""
    if column.continuous:
        scores = _number_scores(column.real, column.synthetic)
    else:
        real, synthetic = column.counts
        scores = {
            "category_coverage": category_coverage(real, synthetic),
            "category_adherence": category_adherence(real, synthetic),
            "missing_value_similarity": _alike(_share(real), _share(synthetic)),
        }
    return {name: float(score) for name, score in scores.items() if not np.isnan(score)}


def boundary_adherence(real: Floats, synthetic: Floats) -> float:
    """The share of synthetic values between the real minimum and maximum.

    Nulls (NaN) are left out where the real column has any, else they count as outside.
    """
    known = real[~np.isnan(real)]
    if len(known) < len(real):
        synthetic = synthetic[~np.isnan(synthetic)]
    if not len(synthetic):
        return float("nan")
    if not len(known):
        return 0.0
    low, high = known.min(), known.max()
    return float(np.count_nonzero((synthetic >= low) & (synthetic <= high)) / len(synthetic))


def range_coverage(real: Floats, synthetic: Floats) -> float:
    """The share of the real range that lies between the synthetic minimum and maximum.

    Args:
        real: The real values, nulls left out.
        synthetic: The synthetic values, likewise.

    Returns:
        A score from 0 to 1; NaN where the real values are constant or a side has none.
    """
    if not (len(real) and len(synthetic)) or real.min() == real.max():
        return float("nan")
    low, high = real.min() / 2, real.max() / 2  # halves, so that the width stays finite
    below = max(0.0, (synthetic.min() / 2 - low) / (high - low))
    above = max(0.0, (high - synthetic.max() / 2) / (high - low))
    return float(max(0.0, 1 - below - above))


def statistic_similarity(real: Floats, synthetic: Floats) -> dict[str, float]:
    """Compare mean, median and standard deviation, in units of the real range.

    Args:
        real: The real values, nulls left out.
        synthetic: The synthetic values, likewise.

    Returns:
        By statistic a score from 0 to 1; NaN where the real values are constant or too few.
    """
    found = {}
    for name, left, right in zip(
        STATISTICS, _statistics(real), _statistics(synthetic), strict=True
    ):
        width = real.max() / 2 - real.min() / 2 if len(real) else 0.0
        if width == 0 or not (np.isfinite(left) and np.isfinite(right)):
            found[name] = float("nan")
        else:
            found[name] = float(max(0.0, 1 - abs(left / 2 - right / 2) / width))
    return found


def category_coverage(real: Ints, synthetic: Ints) -> float:
    """The share of the real categories that the synthetic column has, from counts, null last."""
    present = real[:-1] > 0
    if not present.any():
        return float("nan")
    return float(np.count_nonzero(present & (synthetic[:-1] > 0)) / np.count_nonzero(present))


def category_adherence(real: Ints, synthetic: Ints) -> float:
    """The share of synthetic rows whose category the real column has, from counts, null last.

    A null is valid where the real column has one.
    """
    if not synthetic.any():
        return float("nan")
    return float(synthetic[real > 0].sum() / synthetic.sum())


def _number_scores(real: Floats, synthetic: Floats) -> dict[str, float]:
    left, right = real[~np.isnan(real)], synthetic[~np.isnan(synthetic)]
    empty = [
        1 - len(values) / len(side) if len(side) else np.nan
        for values, side in ((left, real), (right, synthetic))
    ]
    statistics = statistic_similarity(left, right)
    return {
        "boundary_adherence": boundary_adherence(real, synthetic),
        "range_coverage": range_coverage(left, right),
        "missing_value_similarity": _alike(*empty),
        **{f"statistic_similarity_{name}": score for name, score in statistics.items()},
    }


def _statistics(values: Floats) -> tuple[float, float, float]:
    if not len(values):
        return np.nan, np.nan, np.nan
    scale = max(-float(values.min()), float(values.max()))
    if scale < _ENORMOUS:
        scale = 1.0
    else:
        values = values / scale
    spread = float(values.std(ddof=1)) if len(values) > 1 else np.nan
    return float(values.mean()) * scale, _median(values) * scale, spread * scale


def _median(values: Floats) -> float:
    """NumPy's median, without its search for NaN; a number of rows that is even takes two."""
    half = len(values) // 2
    parted = np.partition(values, half)
    upper = parted[half]
    return float(upper if len(values) % 2 else (parted[:half].max() + upper) / 2)


def _share(counts: Ints) -> float:
    return float(counts[-1] / counts.sum()) if counts.any() else float("nan")


def _alike(real: float, synthetic: float) -> float:
    return 1 - abs(real - synthetic)
