"""The report's page: what stands on it, and that it needs nothing else."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from prefect_synth.expectations.report import write_report
from prefect_synth.expectations.report_build import (
    all_columns,
    all_degrees,
    all_pairs,
    report_content,
    shape_views,
)
from prefect_synth.expectations.report_content import (
    DriftLine,
    PastScores,
    PrivacyView,
    ReportContent,
)
from prefect_synth.expectations.scores import Score
from prefect_synth.expectations.verdict import Check, Verdict
from prefect_synth.synth.hierarchy.summary import PartSummary
from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.synth.metrics.quality import quality

ROWS = {"customers": (600, 600), "orders": (3_000, 3_000), "reviews": (500, 500)}
CREATED = datetime(2026, 11, 22, 2, 15, tzinfo=UTC)
FAILED = Check("foreign key", "orders", "customer_id", "structure", 3, "0 orphans", "failed")
PASSED = Check("primary key", "orders", "id", "structure", 0, "0 duplicates", "passed")
MADE = (
    PartSummary("customers", "copula", "Of 40 rows trees learn nothing: they need 300."),
    PartSummary("orders", "trees", "Trees take 1 s.", ("placed < `sent at`",), 7),
)

Write = Callable[..., str]


@pytest.fixture(scope="module")
def content(shop_on_disk) -> ReportContent:
    """All that is known of the shop."""
    metadata, sides = shop_on_disk.metadata, (shop_on_disk.real, shop_on_disk.synthetic)
    found = quality(*sides, metadata)
    return report_content(
        "shop",
        metadata,
        Verdict((PASSED,)),
        CREATED,
        rows=ROWS,
        snapshot="run-1",
        identity={"seed": "17", "numpy": "2.4.0"},
        quality=found,
        columns=all_columns(metadata, *sides, shop_on_disk.real, found),
        pairs=all_pairs(metadata, *sides, found),
        degrees=all_degrees(metadata, *sides, found),
        models=MADE,
    )


@pytest.fixture
def write(content: ReportContent, tmp_path: Path) -> Write:
    """The text of an edition, with parts of the content replaced."""

    def written(edition: str = "private", **changes: object) -> str:
        path = tmp_path / f"{edition}.html"
        return write_report(path, replace(content, **changes), edition).read_text("utf-8")

    return written


class _Page(HTMLParser):
    """Open tags of a page, and the addresses it refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [v or "" for k, v in attrs if k in {"src", "href", "action"}]
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("edition", ["private", "public"])
def test_the_report_asks_for_nothing(write: Write, edition: str) -> None:
    """One file: no address but its own places, no script, no import; every tag is closed."""
    text = write(edition)
    page = _Page()
    page.feed(text)
    assert [a for a in page.addresses if not a.startswith(("#", "data:image/png"))] == []
    assert page.open == []
    assert re.findall(r"https?://|url\(|@import|<script", text) == []
    assert "default-src 'none'" in text


@pytest.mark.parametrize("edition", ["private", "public"])
def test_places_on_the_page_exist(write: Write, edition: str) -> None:
    """Every link of the page leads somewhere."""
    text = write(edition, drift=(DriftLine("orders", None, "rows changed", 0.2),))
    links = set(re.findall(r'href="#([^"]+)"', text))
    assert links - set(re.findall(r'id="([^"]+)"', text)) == set()
    assert {"verdict", "scorecard", "checks", "drift"} <= links


def test_the_report_says_what_was_judged(write: Write, content: ReportContent) -> None:
    """Project, snapshot, seed, versions, time, verdict, scores and every table are on the page."""
    text = write()
    for part in ("shop", "run-1", "<b>17</b>", "2.4.0", "2026-11-22 02:15", "Passed:", *ROWS):
        assert part in text
    assert f"{content.scores[0].found:.3f}" in text


def test_a_refused_snapshot_shows_failures_first(write: Write) -> None:
    """The failed check stands above the scores."""
    text = write("public", verdict=Verdict((PASSED, FAILED)))
    assert "Refused: 1 of 2 checks failed" in text
    assert text.index("orders.customer_id") < text.index(">Scorecard</h2>")


def test_scores_stand_beside_ceiling_and_last(write: Write) -> None:
    """A figure's line has what the holdout reaches, and whether it rose since last time."""
    text = write(scores=(Score("c2st", "fidelity", 0.61, ceiling=0.52, last=0.74, best=0.5),))
    line = text[text.index("Classifier two-sample") :]
    assert '<span class="n" role="cell" data-name="ceiling">0.520</span>' in line
    assert "▲ −0.130 better" in line  # noqa: RUF001  a minus sign


def test_the_past_is_drawn(write: Write) -> None:
    """A key figure has a line through the last snapshots."""
    past = tuple(PastScores(f"s{i}", CREATED, {"quality": 0.9}) for i in range(3))
    assert "The last 4 snapshots, from 0.900" in write(history=past)


def test_categories_and_axes_are_in_the_private_edition_only(write: Write) -> None:
    """Names of categories and dates are on the one page, and not on the other."""
    private, public = write("private"), write("public")
    for value in ("Oslo", "paid", "2022-"):
        assert value in private
        assert value not in public
    assert "income" in public


def test_rules_are_counted_in_the_public_edition(write: Write) -> None:
    """Their texts, which may hold values, are in the private one."""
    rule = "<li>orders: <code>placed &lt; `sent at`</code></li>"
    assert rule in write("private")
    public = write("public")
    assert "placed" not in public
    assert '<td class="place">customers</td><td>copula</td><td>Of 40 rows' in public


def test_nearness_has_a_panel(write: Write) -> None:
    """Distances are drawn, and attacks stand beside them with their errors."""
    figures = (Score("membership", "privacy", 0.53, "orders", best=0.5, error=0.03),)
    view = PrivacyView("orders", (0.0, 0.1, 0.2, 0.3), (30, 40, 30), (25, 45, 30), figures)
    text = write("public", privacy={"orders": view})
    assert "Distance to the closest training row, orders" in text
    assert "Membership inference" in text
    assert "± 0.030" in text


def test_why_there_is_no_nearness_is_said(write: Write) -> None:
    """A table without a holdout says so."""
    view = PrivacyView("orders", why_not="No rows were held out.")
    assert "No rows were held out." in write("public", privacy={"orders": view})


def test_the_report_says_what_it_does_not_cover(write: Write, content: ReportContent) -> None:
    """Kept, quarantined and shared tables and generated columns are named."""
    notes = replace(
        content.notes,
        kept=("reviews",),
        quarantined=("orders.new",),
        shared=("countries",),
        unattacked=("shops",),
    )
    uncovered = write(notes=notes)
    uncovered = uncovered[uncovered.index("What this does not cover") :]
    assert "real rows included:</b> reviews" in uncovered
    assert "accepts them:</b> orders.new" in uncovered
    assert "share them:</b> countries" in uncovered
    assert "Not attacked:</b> shops" in uncovered
    assert "<code>customers</code> id, email, first_name" in uncovered


def test_drift_is_listed(write: Write) -> None:
    """What moved is on both pages, its details on the private one."""
    drift = (DriftLine("orders", "status", "new categories", 0.03, "refunded"),)
    assert "refunded" in write("private", drift=drift)
    public = write("public", drift=drift)
    assert ("new categories" in public, "refunded" in public) == (True, False)


def test_a_report_without_scores_is_written(write: Write) -> None:
    """Where scores crashed there is still a report."""
    assert "Scorecard</h2>" not in write(scores=(), columns={}, pairs={}, degrees=())


def test_a_report_of_remembered_shapes_is_written(shop, write: Write) -> None:
    """Where only profiles are left, coarse shapes are drawn without labels."""
    columns = shape_views(shop.metadata, shop.profiles, shop.synthetic)
    text = write("public", columns=columns)
    assert "Distribution of income" in text
    assert "Oslo" not in text


def test_names_are_escaped(write: Write) -> None:
    """A table named like a tag stays text."""
    name = "<b>&amp;"
    metadata = Metadata({name: Table(name, {name: Column(name)})})
    check = Check(name, name, name, "privacy", name, name, "failed", name)
    text = write(
        project="<i>",
        metadata=metadata,
        verdict=Verdict((check,)),
        rows={name: (1, 1)},
        columns={},
        pairs={},
        degrees=(),
        scores=(),
    )
    assert "<i>" not in text
    assert "<b>&amp;<" not in text
