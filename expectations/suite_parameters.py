"""What a suite may refer to: figures of the real table, from private staging."""

from __future__ import annotations

from typing import Any

from prefect_synth.expectations.columns import OTHER
from prefect_synth.expectations.margins import absence
from prefect_synth.expectations.profile import ColumnProfile, TableProfile
from prefect_synth.expectations.settings import Gates

_SURE = 1e-6


def parameters(profile: TableProfile, gates: Gates, rows: int) -> dict[str, Any]:
    """All values that a suite of this table may refer to, by name.

    Args:
        profile: What is remembered of the real table.
        gates: Whose `false_alarm` says how sure a lost category must be.
        rows: How many synthetic rows are judged.

    Returns:
        `rows`, `learned_columns` and `natural_copies`, and for each column `nulls`, `mean`, `std`,
        `lowest` and `highest` (as numbers, points in time in microseconds), `min` and `max` (as a
        suite writes them), `quantiles`, `shares`, `must_occur` and `least_distinct`. None is what
        tonight's rows cannot tell, such as the mean of a column without values.
    """
    above = gates.privacy.copied_rows
    strict = gates.privacy.strict
    can_tell = above is not None and profile.copies.can_tell(rows, above.max or 0.0, strict=strict)
    found: dict[str, Any] = {
        "rows": profile.rows,
        "learned_columns": list(profile.copies.columns) if can_tell else None,
        "natural_copies": profile.copies.natural if can_tell else None,
    }
    for name, column in profile.columns.items():
        figures = _figures(column, gates, rows)
        found |= {f"{name}.{key}": value for key, value in figures.items()}
    return found


_FEWEST = 20  # independent rows: of fewer, few families decide the mean


def judged(column: ColumnProfile, rows: int, effect: float) -> int:
    """Values among the judged rows that are not null, counted as independent ones."""
    values = rows * (1 - column.nulls)
    return max(1, round(values / effect)) if values else 0


def _figures(column: ColumnProfile, gates: Gates, rows: int) -> dict[str, Any]:
    values = judged(column, rows, column.design_effect)
    of_mean = judged(column, rows, max(column.design_effect, column.mean_effect))
    may_be_constant = not values or column.top_share**values >= _SURE
    ends = column.quantiles or (None, None)
    is_category = bool(set(column.shares) - {OTHER}) and values
    return {
        "nulls": column.nulls,
        "mean": column.mean if column.std > 0 and of_mean >= _FEWEST else None,
        "std": column.std if column.std > 0 else None,
        "lowest": ends[0],
        "highest": ends[-1],
        "min": column.bounds[0] if column.bounds else None,
        "max": column.bounds[1] if column.bounds else None,
        "quantiles": list(column.quantiles) or None,
        "shares": dict(column.shares) if is_category else None,
        "must_occur": _must_occur(column, values, gates) if is_category else None,
        "least_distinct": None if column.distinct < 2 or may_be_constant else 2,
    }


def _must_occur(column: ColumnProfile, values: int, gates: Gates) -> list[str]:
    """Categories whose absence chance does not explain, even though each gets a test of its own.

    One that fewer than `k` parents have may be withheld.
    """
    each = gates.false_alarm / len(column.shares)
    counts = {
        name: count
        for name, count in column.independent_counts().items()
        if column.carriers[name] >= gates.privacy.k
    }
    real = column.independent_rows
    return [name for name, count in counts.items() if absence(count, real, values) < each]
