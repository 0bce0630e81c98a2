"""From what the engine found to checks: aggregates only, and the kinds of errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from prefect_synth.expectations.suite_form import Expectation, ours
from prefect_synth.expectations.verdict import Check, CheckKind, CheckStatus

_KIND_OF_ERROR = re.compile(r"^(?:\w+\.)*(\w+(?:Error|Exception))\b", re.MULTILINE)
_KINDS: dict[str, CheckKind] = {kind: kind for kind in get_args(CheckKind)}

_OUR_TYPES = frozenset(
    {
        "expect_column_category_coverage_to_be_at_least",
        "expect_column_ks_complement_to_be_at_least",
        "expect_column_mean_to_be_near",
        "expect_column_null_share_to_be_near",
        "expect_column_tv_complement_to_be_at_least",
        "expect_column_values_to_be_in_real_range",
        "expect_copied_row_share_to_be_at_most",
        "expect_foreign_key_to_resolve",
    }
)


@dataclass(frozen=True)
class Outcome:
    """What became of one expectation.

    Args:
        expectation: The expectation.
        result: What Great Expectations found; None where the expectation did not even start.
        errors: Kinds of errors that it met.
    """

    expectation: Expectation
    result: Any
    errors: tuple[str, ...] = ()


def check_of(table: str, outcome: Outcome, note: str) -> Check:
    """What a verdict says of an expectation: counts and shares, never a value.

    Args:
        table: The table's name.
        outcome: What became of the expectation.
        note: What is said besides, such as that a sample was judged.
    """
    expectation, known = outcome.expectation, ours(outcome.expectation)
    column: str | None = ", ".join(_named(expectation["kwargs"])) or None
    if known.get("check") == "copied rows":
        column = None
    observed: float | int | str | None = None
    if outcome.errors:
        detail = f"the check itself broke ({', '.join(outcome.errors)}); the data may be good"
    else:
        said, observed = _note(outcome.result), _observed(outcome.result.result)
        detail = "; ".join(filter(None, (said, note)))
    return Check(
        str(known.get("check") or expectation["type"]),
        table,
        column,
        _KINDS.get(str(known.get("kind")), "expectation"),
        observed,
        str(known.get("required") or expectation.get("description") or "as the suite says"),
        _status(outcome),
        detail,
    )


def _status(outcome: Outcome) -> CheckStatus:
    if outcome.errors:
        return "crashed"
    if outcome.result.success:
        return "passed"
    blocks = outcome.expectation.get("severity", "critical") == "critical"
    return "failed" if blocks else "warned"


def _named(arguments: Mapping[str, Any]) -> list[str]:
    named = [arguments[key] for key in ("column", "column_A", "column_B") if key in arguments]
    several = arguments.get("column_list", ())
    return [str(name) for name in (named or several)]


def _note(result: Any) -> str:
    """What one of our own expectations says besides; others might quote values."""
    details = result.result.get("details") or {}
    is_ours = result.expectation_config.type in _OUR_TYPES
    return str(details.get("prefect_synth_note", "")) if is_ours else ""


def _observed(result: Mapping[str, Any]) -> float | int | str | None:
    """The aggregate of a result; what is not a number may be a value, so it is only counted."""
    if "observed_value" in result:
        value = result["observed_value"]
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{len(value)} values" if isinstance(value, list | dict) else None
        return value
    if "unexpected_count" in result:
        count, total = result["unexpected_count"], result.get("element_count", 0)
        return f"{count:,} of {total:,} rows against it"
    return None


def errors_of(info: Mapping[str, Any]) -> list[str]:
    """The kinds of errors that a check met first; their texts may quote values, so they stay."""
    nested: Iterable[Any] = info.values() if "raised_exception" not in info else [info]
    raised = [e for e in nested if isinstance(e, Mapping) and e.get("raised_exception")]
    kinds = (_KIND_OF_ERROR.search(str(e.get("exception_traceback"))) for e in raised)
    return sorted({kind[1] if kind else "error" for kind in kinds})
