"""The scorecard: on the report's page, and in Markdown."""

from importlib.metadata import version

import pytest

from prefect_synth.expectations.bounds import AtLeast
from prefect_synth.expectations.models import models_markdown
from prefect_synth.expectations.report_identity import run_identity
from prefect_synth.expectations.report_scores import (
    risk_lines,
    score_change,
    score_groups,
    score_line,
    table_scores,
)
from prefect_synth.expectations.scorecard import scorecard_markdown
from prefect_synth.expectations.scores import TITLES, Score, score_title
from prefect_synth.expectations.thresholds import judge_score
from prefect_synth.expectations.verdict import Check, Verdict
from prefect_synth.synth.hierarchy.summary import PartSummary
from prefect_synth.synth.metrics.quality import QualityScore

FAILED = Check("foreign key", "orders", "customer_id", "structure", 3, "0 orphans", "failed")
PASSED = Check("primary key", "orders", "id", "structure", 0, "0 duplicates", "passed")


@pytest.mark.parametrize(
    ("found", "last", "best", "change"),
    [
        (0.9, 0.8, 1.0, "better"),
        (0.9, 0.8, 0.0, "worse"),
        (0.4, 0.7, 0.5, "better"),
        (0.9, 0.9001, 1.0, "same"),
        (0.9, None, 1.0, ""),
    ],
)
def test_a_change_is_judged_by_the_ideal(
    found: float, last: float | None, best: float, change: str
) -> None:
    """Up is better for a score, worse for a risk, and either for what should be one half."""
    assert score_change(Score("x", "privacy", found, last=last, best=best))[0] == change


def test_a_bar_starts_at_the_ideal_half() -> None:
    """An AUC is drawn from the middle, a score from the left; both stay on the bar."""
    assert score_line(Score("c2st", "fidelity", 0.4, best=0.5)).bar == pytest.approx((40, 10))
    assert score_line(Score("quality", "fidelity", 1.2)).bar == pytest.approx((0, 100))
    assert score_line(Score("x", "privacy", -0.1, best=0.0, error=0.05)).band[0] == 0


def test_figures_are_grouped() -> None:
    """Fidelity comes before privacy; figures of tables and columns stand with their table."""
    scores = [
        Score("membership", "privacy", 0.5, best=0.5),
        Score("quality", "fidelity", 0.9),
        Score("c2st", "fidelity", 0.6, "orders"),
        Score("linkability", "privacy", 0.01, "orders", best=0.0),
    ]
    assert [title for title, _ in score_groups(scores)] == ["Fidelity", "Privacy"]
    assert [line.place for _, lines in score_groups(scores) for line in lines] == [
        "",
        "orders",
        "",
        "orders",
    ]
    assert [line.found for line in table_scores(scores, "orders")] == ["0.600"]
    assert [line.found for line in risk_lines(scores, "orders", scores[3:])] == ["0.010"]


def test_figures_of_tables_alone_are_told_by_the_worst() -> None:
    """Whoever is certainly off stands in the scorecard, not who may be so by chance."""
    risky = Score("linkability", "privacy", 0.5, "few", best=0.0, error=0.5)
    certain = Score("linkability", "privacy", 0.2, "many", best=0.0, error=0.01)
    [(_, [line])] = score_groups([risky, certain])
    assert (line.found, line.place) == ("0.200", "many")
    assert line.ideal == "0 is ideal; the worst of 2"


def test_an_unknown_figure_has_a_readable_title() -> None:
    """A gate of a later version is shown by its name."""
    assert score_title("some_new_gate") == "Some new gate"


@pytest.mark.parametrize("name", TITLES)
def test_a_figure_has_one_name_in_checks_report_and_scorecard(name: str) -> None:
    """It only begins with a capital letter where it is a title."""
    score = Score(name, "fidelity", 0.9)
    check = judge_score(score, AtLeast(min=0.5)).name
    title = check[0].upper() + check[1:]
    assert score_line(score).title == title
    assert f"| {title} | 0.900 |" in scorecard_markdown(Verdict((PASSED,)), scores=[score])


def test_a_scorecard_has_headline_scores_and_tables() -> None:
    """The artifact in Prefect's UI holds the essence."""
    quality = QualityScore(0.912, 0.9, 0.9, per_table={"orders": 0.95})
    rows = {"orders": (3_000, 3_000)}
    scores = [Score("quality", "fidelity", 0.912)]
    text = scorecard_markdown(
        Verdict((PASSED,)), quality, rows, title="Refresh", kept=["reviews"], scores=scores
    )
    assert text.startswith("# Refresh\n\n**Passed: ")
    assert "| Quality | 0.912 |" in text
    assert "| orders | 3,000 | 3,000 | 0.950 | 1 of 1 |" in text
    assert "Published as they are, real rows included: `reviews`." in text


def test_a_scorecard_has_ceiling_and_last() -> None:
    """Figures of the snapshot stand beside what could be and what was; those of tables do not."""
    scores = [
        Score("quality", "fidelity", 0.912, ceiling=0.95, last=0.9),
        Score("membership", "privacy", 0.52, best=0.5, error=0.02),
        Score("c2st", "fidelity", 0.777, "orders", best=0.5),
    ]
    text = scorecard_markdown(Verdict((PASSED,)), scores=scores)
    assert "| Quality | 0.912 | 0.950 | 0.900 (+0.012, better) | 1 |" in text
    assert "| Membership inference | 0.520 ± 0.020 | - | - | 0.5 |" in text
    assert "0.777" not in text


def test_a_scorecard_names_what_failed() -> None:
    """Place, check, found and required of each failure are in a table."""
    text = scorecard_markdown(Verdict((FAILED,)))
    assert "**Refused: 1 of 1 check failed.**" in text
    assert "| orders.customer_id | foreign key (failed) | 3 | 0 orphans |" in text


def test_a_bar_in_a_name_does_not_break_the_table() -> None:
    """Markdown's column separator is escaped."""
    check = Check("a|b", "t", None, "structure", 1, "0", "failed")
    assert "a\\|b" in scorecard_markdown(Verdict((check,)))


def test_models_are_told_in_markdown() -> None:
    """A line for each table, and one for each rule."""
    made = [
        PartSummary("customers", "copula", "Of 40 rows trees learn nothing: they need 300."),
        PartSummary("orders", "trees", "Trees take 1 s.", ("placed < `sent at`",), 7),
    ]
    text = models_markdown(made, {"customers": 0.04, "orders": 2.0}, title="Models of shop")
    assert text.startswith("# Models of shop\n")
    assert "| orders | trees | Trees take 1 s. | 7 | 2.0 |" in text
    assert "| orders | `` placed < `sent at` `` |" in text


def test_a_run_is_identified_by_seed_fingerprints_and_versions() -> None:
    """What decides a snapshot has a name each; the seed comes first."""
    identity = run_identity(17, {"schema": "f00d"})
    assert list(identity.items())[:2] == [("seed", "17"), ("schema", "f00d")]
    assert identity["numpy"] == version("numpy")
    assert {"Python", "prefect", "great-expectations", "prefect-synth"} <= identity.keys()


def test_a_ceiling_of_a_part_is_compared_with_that_part() -> None:
    """Shared tables have no ceiling, so the figure of the whole is not beside its like."""
    line = score_line(Score("intertable", "fidelity", 0.393, ceiling=0.159, like=0.15))
    assert line.ideal == "1 is ideal; 0.150 on what it covers"
