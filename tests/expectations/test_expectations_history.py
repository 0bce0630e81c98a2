"""How the figures of a project's runs moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prefect_synth.expectations.history import (
    MOST,
    RunFigures,
    history_markdown,
    merged,
    run_figures,
)
from prefect_synth.expectations.verdict import Check, Verdict

MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
PASSED = Check("foreign key", "orders", None, "structure", 0, "0 orphans", "passed")
FAILED = Check("quality", None, None, "fidelity", 0.5, "at least 0.9", "failed")
NOTE = Check("real rows", "orders", None, "privacy", "kept", "as asked", "warned")


def night(number: int, quality: float = 0.9, rows: int = 100, **more: object) -> RunFigures:
    """A run of one night."""
    started = MIDNIGHT + timedelta(days=number)
    figures = RunFigures(
        run_id=f"run-{number}", started=started, state="Published", quality=quality,
        checks=10, failed=0, rows=rows, seconds=12.34,
    )  # fmt: skip
    return figures.model_copy(update=more)


def test_a_run_is_told_by_its_worst_tables_and_the_checks_that_can_fail() -> None:
    """Notes are no checks; of figures that tables have, the one furthest up counts."""
    scores = {"quality": 0.8, "quality orders": 0.7, "c2st orders": 0.6, "c2st customers": 0.52}
    found = run_figures("r", MIDNIGHT, scores, Verdict((PASSED, FAILED, NOTE)), 7, None)
    assert found == RunFigures(
        run_id="r", started=MIDNIGHT, state="Rejected", quality=0.8, c2st=0.6, nearer=None,
        checks=2, failed=1, rows=7, seconds=None,
    )  # fmt: skip


def test_the_newest_run_comes_first_beside_how_far_it_moved() -> None:
    """Figures that moved have the difference in brackets."""
    lines = history_markdown([night(0), night(1, quality=0.875, rows=1100)]).splitlines()
    assert (
        "| 2026-11-22 00:00 | Published | 0.875 (\N{MINUS SIGN}0.025) | - | - | 0 of 10 |"
        in lines[5]
    )
    assert lines[5].endswith("| 1,100 (+1,000) | 12.3 |")
    assert lines[6].startswith("| 2026-11-21 00:00 | Published | 0.900 | - |")


def test_the_trend_goes_from_the_oldest_to_the_newest() -> None:
    """The lowest figure has the lowest bar, the highest one the highest."""
    runs = [night(0, quality=0.25), night(1, quality=0.0), night(2, quality=1.0)]
    assert "| trend |  | ▃▁█ |" in history_markdown(runs)


def test_what_is_shown_as_equal_is_no_trend() -> None:
    """Differences beyond the digits that are shown make no bars."""
    assert "| trend |  | ▁▁ |" in history_markdown([night(0), night(1, quality=0.90001)])


def test_a_single_run_has_no_history() -> None:
    """There is nothing to compare it with."""
    assert history_markdown([night(0)]) == ""


def test_runs_of_two_sources_are_told_once_and_the_oldest_go() -> None:
    """What both sources know is one line, by time; no more than are shown."""
    manifests = [night(number) for number in range(MOST)]
    staging = [night(MOST - 1, quality=0.5), night(MOST, state="Rejected")]
    runs = merged(manifests, staging)
    assert [run.run_id for run in runs] == [f"run-{number}" for number in range(1, MOST + 1)]
    assert (runs[-2].quality, runs[-1].state) == (0.5, "Rejected")
