"""Gates on scores: absolute or measured by the holdout, for one table or all, block or warn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from prefect_synth.expectations.bounds import AtLeast, AtMost
from prefect_synth.expectations.scores import Score
from prefect_synth.expectations.settings import Gates, TableGates
from prefect_synth.expectations.thresholds import judge_score, judge_scores

SHARES = st.floats(0, 1)


def score(found: float, ceiling: float | None = None, error: float | None = None) -> Score:
    """A quality."""
    return Score("quality", "fidelity", found, ceiling=ceiling, error=error)


@pytest.mark.parametrize(
    ("gate", "found", "status"),
    [
        (AtLeast(min=0.5), 0.5, "passed"),
        (AtLeast(min=0.5), 0.4, "failed"),
        (AtLeast(min=0.5, on_fail="warn"), 0.4, "warned"),
        (AtLeast(below_ceiling=0.1), 0.71, "passed"),
        (AtLeast(below_ceiling=0.1), 0.69, "failed"),
        (AtMost(max=0.5), 0.6, "failed"),
        (AtMost(above_ceiling=0.1), 0.89, "passed"),
        (AtMost(above_ceiling=0.1), 0.91, "failed"),
    ],
)
def test_a_gate_is_absolute_or_measured_by_the_holdout(gate, found: float, status: str) -> None:
    """The ceiling is 0.8 in all cases."""
    assert judge_score(score(found, 0.8), gate).status == status


def test_the_stricter_of_two_bounds_counts() -> None:
    """Absolute and relative bounds hold together."""
    both = AtLeast(min=0.5, below_ceiling=0.1)
    assert [judge_score(score(0.6, c), both).status for c in (0.8, 0.4)] == ["failed", "passed"]


def test_without_a_holdout_a_relative_gate_says_so() -> None:
    """It neither passes nor fails."""
    check = judge_score(score(0.1), AtLeast(below_ceiling=0.1))
    assert (check.status, check.detail) == ("warned", "no holdout to measure it by")


def test_a_check_names_found_and_required_value() -> None:
    """A reader sees at once what was asked for, and what the holdout reaches."""
    check = judge_score(score(0.4, 0.8), AtLeast(min=0.5))
    assert str(check) == "snapshot: quality failed: 0.400, at least 0.5 (the holdout reaches 0.800)"


@given(SHARES, SHARES, SHARES)
def test_sampling_error_only_ever_helps(found: float, bound: float, margin: float) -> None:
    """What passes without a margin passes with one."""
    for gate in (AtLeast(min=bound), AtMost(max=bound)):
        if judge_score(score(found), gate).status == "passed":
            assert judge_score(score(found), gate, margin).status == "passed"


def test_an_estimate_must_be_significantly_too_high() -> None:
    """Half a 95 % interval of 0.05 excuses 0.09 at one false alarm in a thousand, not 0.11."""
    gates = Gates.model_validate({"privacy": {"membership": 0.6}})
    found = [Score("membership", "privacy", f, "t", error=0.05) for f in (0.69, 0.71)]
    assert [c.status for c in judge_scores(found, gates, {})] == ["passed", "failed"]


def test_a_table_has_gates_of_its_own() -> None:
    """They replace the project's key by key, and leave all others."""
    project = Gates.model_validate({"quality": {"per_table": 0.9, "c2st": 0.7}})
    own = project.with_overrides(TableGates.model_validate({"quality": {"min": 0.3}}))
    scores = [Score("quality", "fidelity", 0.5, table) for table in ("easy", "hard")]
    checks = judge_scores(scores, project, {"hard": own})
    assert [(c.table, c.status) for c in checks] == [("easy", "failed"), ("hard", "passed")]
    assert own.quality.c2st == AtMost(max=0.7)


def test_a_score_without_a_gate_is_not_judged() -> None:
    """Column shapes are shown, and no gate asks for them."""
    assert list(judge_scores([Score("column_shapes", "fidelity", 0.1)], Gates(), {})) == []


def test_a_number_is_the_bound_that_is_meant() -> None:
    """`quality: {min: 0.4}` and `c2st: 0.9` are all that a person writes."""
    gates = Gates.model_validate({"quality": {"min": 0.4, "c2st": 0.9, "intertable": None}})
    assert (gates.quality.min, gates.quality.c2st) == (AtLeast(min=0.4), AtMost(max=0.9))


def test_a_bound_of_which_a_part_is_written_keeps_the_rest_of_its_default() -> None:
    """A relative bound comes beside the absolute one, which holds where nothing is held out."""
    gates = Gates.model_validate({"quality": {"min": {"below_ceiling": 0.1}, "c2st": 0.8}})
    assert gates.quality.min == AtLeast(min=0.4, below_ceiling=0.1)
    assert gates.quality.c2st == AtMost(max=0.8)


def test_a_relative_bound_compares_like_with_like() -> None:
    """Shared tables, of which nothing is held out, neither help nor harm."""
    mixed = Score("quality", "fidelity", 0.95, ceiling=0.8, like=0.6)
    assert judge_score(mixed, AtLeast(below_ceiling=0.1)).status == "failed"
    assert judge_score(mixed, AtLeast(min=0.9)).status == "passed"


@pytest.mark.parametrize(
    "unheard", [{"quality": {"khop": 0.9}}, {"max_age_hours": 3}, {"targets": ["a.b"]}]
)
def test_a_table_is_not_asked_for_what_belongs_to_the_whole(unheard: dict[str, object]) -> None:
    """A key that would do nothing is refused."""
    with pytest.raises(ValidationError):
        TableGates.model_validate(unheard)


def test_a_risk_is_not_measured_by_the_ceiling_twice() -> None:
    """Privacy figures are relative to the holdout already."""
    with pytest.raises(ValidationError):
        Gates.model_validate({"privacy": {"membership": {"above_ceiling": 0.05}}})


@pytest.mark.parametrize("wrong", [{"min": 2}, {"max": 0.3}, {"min": 0.3, "on_fail": "shout"}])
def test_a_gate_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    """Shares above one, bounds on the wrong side and unknown words."""
    with pytest.raises(ValidationError):
        Gates.model_validate({"quality": {"min": wrong}})
