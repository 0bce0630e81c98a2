"""Gates on scores: absolute or measured by the holdout, blocking or warning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from scipy.special import stdtrit

from prefect_synth.expectations.bounds import AtLeast, AtMost, Risk
from prefect_synth.expectations.scores import TITLES, Score
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.verdict import Check, CheckStatus
from prefect_synth.synth.metrics.privacy_scores import FEWEST_HOLDOUT_UNITS

Gate = AtLeast | AtMost | Risk


def judge_scores(
    scores: Iterable[Score],
    gates: Gates,
    by_table: Mapping[str, Gates],
    margins: Mapping[str, float] | None = None,
) -> Iterator[Check]:
    """Judge every score that has a gate.

    Args:
        scores: The scores.
        gates: The project's gates.
        by_table: Gates of tables that have their own.
        margins: Sampling error by a score's key, where it is known by itself.

    Yields:
        A check for each: found, required, and what the holdout reaches.
    """
    for score in scores:
        of_table = by_table.get(score.table or "", gates)
        gate = _gate_of(score, of_table)
        if gate is not None:
            margin = (margins or {}).get(score.key, 0.0) + _error(score, of_table.false_alarm)
            yield judge_score(score, gate, margin)


def judge_score(score: Score, gate: Gate, margin: float = 0.0) -> Check:
    """Judge one score.

    Args:
        score: The score.
        gate: What must hold.
        margin: How far chance alone may carry it.
    """
    bounds = [gate.min if isinstance(gate, AtLeast) else gate.max, _relative(score, gate)]
    present = [bound for bound in bounds if bound is not None]
    title = TITLES.get(score.name, score.name)
    check = Check(title, score.table, score.column, score.kind, score.found, "", "passed")
    if not present:
        return _said(check, "is reported only", "warned", "no holdout to measure it by")
    if isinstance(gate, AtLeast):
        bound = max(present)
        passed, words = _found(score, gate, bound) >= bound - margin, f"at least {bound:.3g}"
    else:
        bound = min(present)
        passed, words = _found(score, gate, bound) <= bound + margin, f"at most {bound:.3g}"
    if margin:
        words += f", sampling error of {margin:.2g} allowed for"
    over: CheckStatus = "warned" if gate.on_fail == "warn" else "failed"
    return _said(check, words, "passed" if passed else over, _beside(score))


def _gate_of(score: Score, gates: Gates) -> Gate | None:
    section = gates.privacy if score.kind == "privacy" else gates.quality
    name = _GATES.get(score.name, score.name)
    if score.name == "quality" and score.table is not None:
        name = "per_table"
    gate = None if score.name in _JUDGED_BY_ROWS else getattr(section, name, None)
    return gate if isinstance(gate, Gate) else None


_GATES = {"quality": "min"}
_JUDGED_BY_ROWS = frozenset({"copied_rows", "rare_values"})  # by checks that count them


def _found(score: Score, gate: Gate, bound: float) -> float:
    """What is compared: where the ceiling covers a part of the schema, what that part reaches."""
    relative = score.like is not None and bound == _relative(score, gate)
    return score.like if relative and score.like is not None else score.found


def _relative(score: Score, gate: Gate) -> float | None:
    if score.ceiling is None or isinstance(gate, Risk):
        return None
    if isinstance(gate, AtLeast):
        return None if gate.below_ceiling is None else max(0.0, score.ceiling - gate.below_ceiling)
    return None if gate.above_ceiling is None else min(1.0, score.ceiling + gate.above_ceiling)


def _error(score: Score, alpha: float) -> float:
    return 0.0 if score.error is None else score.error * _factor(alpha)


def _factor(alpha: float) -> float:
    """From half a 95 % interval to what chance exceeds once in 1/alpha, by Student's quantiles.

    Of the fewest families of which anything is told; with more of them it is a little careful.
    """
    below, half = stdtrit(FEWEST_HOLDOUT_UNITS - 1, [1 - alpha, 0.975])
    return float(below / half)


def _beside(score: Score) -> str:
    return "" if score.ceiling is None else f"the holdout reaches {score.ceiling:.3f}"


def _said(check: Check, required: str, status: CheckStatus, detail: str) -> Check:
    return replace(check, required=required, status=status, detail=detail)
