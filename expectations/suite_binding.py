"""Bind a suite to the real table: fill in its references, and allow for sampling error.

An expectation that refers to the real data is measured against a sample, so its threshold is
widened by what chance explains. One that a person wrote with values only stays as it is.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from prefect_synth.expectations.margins import (
    at_least,
    category_margin,
    coverage_margin,
    mean_margin,
    two_sample_margin,
)
from prefect_synth.expectations.profile import QUANTILES, ColumnProfile, TableProfile
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.suite_form import (
    OURS,
    Expectation,
    Suite,
    is_disabled,
    ours,
    referred_name,
)
from prefect_synth.expectations.suite_parameters import judged, parameters

_NAMESPACE = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")


def bind(suite: Suite, profile: TableProfile, gates: Gates, rows: int | None = None) -> Suite:
    """Fill in what a suite refers to.

    Args:
        suite: What `generate_suite` made or a file holds; a bound one comes back as it is.
        profile: What is remembered of the real table.
        gates: Whose `false_alarm` says how much chance may explain.
        rows: How many synthetic rows will be judged; as many as the real ones by default.

    Returns:
        The suite without references, for private staging only. What is disabled is left out, and
        so is what tonight's real rows cannot tell. A reference that nobody knows stays: its
        expectation will be `crashed`.
    """
    rows = profile.rows if rows is None else rows
    known = parameters(profile, gates, rows)
    enabled = [e for e in suite["expectations"] if not is_disabled(e)]
    bound = [_bound(e, known, profile, gates, rows) for e in enabled if _can_tell(e, known)]
    return {**suite, "expectations": [_identified(e, place) for place, e in enumerate(bound)]}


def unbound_names(expectation: Expectation) -> list[str]:
    """Names of the references that an expectation still has."""
    names = (referred_name(value) for value in expectation["kwargs"].values())
    return [name for name in names if name is not None]


class _Allowed(NamedTuple):
    """Arguments widened by sampling error, and what they require in words."""

    arguments: dict[str, Any]
    required: str


_Allowance = Callable[[dict[str, Any], ColumnProfile, Gates, int], _Allowed]


def _can_tell(expectation: Expectation, known: Mapping[str, Any]) -> bool:
    return not any(name in known and known[name] is None for name in unbound_names(expectation))


def _bound(
    expectation: Expectation,
    known: Mapping[str, Any],
    profile: TableProfile,
    gates: Gates,
    rows: int,
) -> Expectation:
    names = unbound_names(expectation)
    if not names or not set(names) <= set(known):
        return expectation
    arguments = {
        key: value if (name := referred_name(value)) is None else known[name]
        for key, value in expectation["kwargs"].items()
    }
    column = profile.columns.get(str(arguments.get("column")))
    if expectation["type"] == "expect_copied_row_share_to_be_at_most":
        allowed: _Allowed | None = _copies(arguments, profile, gates, rows)
    elif column is not None and expectation["type"] in _ALLOWANCES:
        allowed = _ALLOWANCES[expectation["type"]](arguments, column, gates, rows)
    else:
        allowed = None
    if allowed is None:
        return {**expectation, "kwargs": arguments}
    meta = {**(expectation.get("meta") or {})}
    meta[OURS] = {**ours(expectation), "required": allowed.required}
    return {**expectation, "kwargs": arguments | allowed.arguments, "meta": meta}


def _identified(expectation: Expectation, place: int) -> Expectation:
    """One that a person wrote without an id gets one, by which its result is found again."""
    if expectation.get("id"):
        return expectation
    name = f"{place}|{expectation['type']}"
    return {**expectation, "id": str(uuid.uuid5(_NAMESPACE, name))}


def _nulls(arguments: dict[str, Any], column: ColumnProfile, gates: Gates, rows: int) -> _Allowed:
    share, effect = 1 - column.nulls, column.null_effect
    real = max(1, round(column.rows / share / effect)) if share else rows
    synthetic = max(1, round(rows / effect)) if rows else 0
    tolerance = arguments["tolerance"] + two_sample_margin(real, synthetic, gates.false_alarm)
    required = f"within {tolerance:.3g} of the real {share:.3g}"
    return _Allowed({"tolerance": tolerance}, required)


def _ks(arguments: dict[str, Any], column: ColumnProfile, gates: Gates, rows: int) -> _Allowed:
    margin = _margin(column, gates, rows) + 1 / QUANTILES
    return _at_least(arguments["min_value"], margin)


def _tv(arguments: dict[str, Any], column: ColumnProfile, gates: Gates, rows: int) -> _Allowed:
    values = judged(column, rows, column.design_effect)
    real, shares = column.independent_rows, column.shares.values()
    return _at_least(
        arguments["min_value"], category_margin(shares, real, values, gates.false_alarm)
    )


def _mean(arguments: dict[str, Any], column: ColumnProfile, gates: Gates, rows: int) -> _Allowed:
    effect = max(column.design_effect, column.mean_effect)
    real, synthetic = int(column.rows / effect), judged(column, rows, effect)
    setting = arguments["tolerance"]
    tolerance = setting + min(mean_margin(real, synthetic, gates.false_alarm), _FAR)
    required = (
        f"within {tolerance:.3g} standard deviations of the real mean "
        f"({setting:.3g} and sampling error)"
    )
    return _Allowed({"tolerance": tolerance}, required)


def _range(arguments: dict[str, Any], column: ColumnProfile, gates: Gates, rows: int) -> _Allowed:
    least = max(0.0, arguments["min_value"] - _margin(column, gates, rows))
    return _Allowed({"min_value": least}, f"at least {least:.3g} in the real range")


def _coverage(
    arguments: dict[str, Any], column: ColumnProfile, gates: Gates, rows: int
) -> _Allowed:
    values = judged(column, rows, column.design_effect)
    counts, shares = column.independent_counts(), column.shares
    allowed = _at_least(
        arguments["min_value"],
        coverage_margin(counts, shares, column.independent_rows, values, gates.false_alarm),
    )
    certain = len(arguments["must_occur"])
    required = f"{allowed.required}, and each of {certain} categories that chance cannot leave out"
    return _Allowed(allowed.arguments, required if certain else allowed.required)


def _copies(arguments: dict[str, Any], profile: TableProfile, gates: Gates, rows: int) -> _Allowed:
    copies, strict = profile.copies, gates.privacy.strict
    allowed = copies.allowed(rows, arguments["max_value"], strict=strict)
    required = f"at most {allowed:.3g} of the rows equal a real row that occurs once"
    if not strict:
        beside = "" if copies.holdout is None else f", the holdout's {copies.holdout:.3g}"
        required += f" (natural rate {copies.natural:.3g}{beside})"
    return _Allowed({"max_value": allowed}, required)


def _at_least(setting: float, margin: float) -> _Allowed:
    least = max(0.0, setting - margin)
    return _Allowed({"min_value": least}, at_least(setting, least))


def _margin(column: ColumnProfile, gates: Gates, rows: int) -> float:
    values = judged(column, rows, column.design_effect)
    return two_sample_margin(column.independent_rows, values, gates.false_alarm)


_FAR = 1e9  # JSON has no infinity

_ALLOWANCES: dict[str, _Allowance] = {
    "expect_column_null_share_to_be_near": _nulls,
    "expect_column_ks_complement_to_be_at_least": _ks,
    "expect_column_tv_complement_to_be_at_least": _tv,
    "expect_column_mean_to_be_near": _mean,
    "expect_column_values_to_be_in_real_range": _range,
    "expect_column_category_coverage_to_be_at_least": _coverage,
}
