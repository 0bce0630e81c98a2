"""Checks and verdicts."""

import json
from dataclasses import replace

import pytest

from prefect_synth.expectations.verdict import Check, Verdict

CHECK = Check("foreign key", "orders", "customer_id", "structure", 3, "0 orphans", "failed")


def test_a_verdict_survives_json() -> None:
    """What is written as JSON is read back the same."""
    verdict = Verdict((CHECK, replace(CHECK, observed=0.5, status="warned", detail="why")))
    assert Verdict.from_dict(json.loads(json.dumps(verdict.to_dict()))) == verdict


@pytest.mark.parametrize(
    ("status", "passed"),
    [("passed", True), ("warned", True), ("failed", False), ("crashed", False)],
)
def test_failed_and_crashed_checks_block(status: str, passed: bool) -> None:
    """A warning does not block; a check that crashed does, like one that failed."""
    assert Verdict((replace(CHECK, status=status),)).passed is passed


def test_a_failed_check_names_place_found_and_required() -> None:
    """The text of a check has table, column, check, observed and required."""
    assert str(CHECK) == "orders.customer_id: foreign key failed: 3, 0 orphans"


def test_merging_keeps_every_check() -> None:
    """One verdict of many holds all checks in order."""
    other = replace(CHECK, table="reviews")
    assert Verdict((CHECK,)).merge(Verdict((other,))).checks == (CHECK, other)


def test_a_verdict_without_checks_passes() -> None:
    """Nothing failed where nothing was asked."""
    assert Verdict().passed
