"""The report, its drawings, and the scorecard."""

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from prefect_synth.expectations.diagram import draw_schema
from prefect_synth.expectations.gate import Judgement, judge_snapshot
from prefect_synth.expectations.layout import lay_out
from prefect_synth.expectations.models import models_markdown
from prefect_synth.expectations.plots import draw_shape
from prefect_synth.expectations.report import write_report
from prefect_synth.expectations.scorecard import scorecard_markdown
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.shapes import Shape, table_shapes
from prefect_synth.expectations.verdict import Check, Verdict
from prefect_synth.synth.hierarchy.summary import PartSummary
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table

ROWS = {"customers": (600, 600), "orders": (3_000, 3_000), "reviews": (500, 500)}
FAILED = Check("foreign key", "orders", "customer_id", "structure", 3, "0 orphans", "failed")


@pytest.fixture(scope="module")
def judged(shop_on_disk) -> Judgement:
    """The honest shop's judgement."""
    verdicts = {table: shop_on_disk.judge(table) for table in ROWS}
    paths = (shop_on_disk.real, shop_on_disk.synthetic)
    return judge_snapshot(shop_on_disk.metadata, *paths, Gates(), verdicts)


def written(shop, judged, folder: Path, **options: object) -> str:
    """The report's text."""
    shapes = [
        shape
        for name, table in shop.metadata.tables.items()
        for shape in table_shapes(table, shop.profiles[name], shop.synthetic[name])
    ]
    arguments = {
        "project": "shop",
        "metadata": shop.metadata,
        "verdict": judged.verdict,
        "quality": judged.quality,
        "rows": ROWS,
        "shapes": shapes,
        "created": datetime(2026, 11, 22, 2, 15, tzinfo=UTC),
        **options,
    }
    return write_report(folder / "report.html", **arguments).read_text()


class _Page(HTMLParser):
    """Text of a page, its open tags, and the addresses it refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [v or "" for k, v in attrs if k in {"src", "href", "action"}]
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_report_asks_for_nothing(shop, judged, tmp_path: Path) -> None:
    """One file: no address, no script, no import; every tag is closed."""
    text = written(shop, judged, tmp_path)
    page = _Page()
    page.feed(text)
    assert (page.addresses, page.open) == ([], [])
    assert re.findall(r"https?://|url\(|@import|<script", text) == []


def test_the_report_says_what_was_judged(shop, judged, tmp_path: Path) -> None:
    """Project, snapshot, seed, time, verdict, scores and every table are on the page."""
    text = written(shop, judged, tmp_path, snapshot="run-1", seed=17)
    for part in ("shop", "run-1", "<b>17</b>", "2026-11-22 02:15", "Passed:", *ROWS):
        assert part in text
    assert f"{judged.quality.overall:.3f}" in text


def test_a_refused_snapshot_shows_failures_first(shop, judged, tmp_path: Path) -> None:
    """The failed check stands above the scores."""
    refused = Judgement(judged.verdict.merge(Verdict((FAILED,))), judged.quality)
    text = written(shop, refused, tmp_path)
    assert "Refused: 1 of" in text
    assert text.index("orders.customer_id") < text.index("<h2>Quality")


def test_the_report_says_what_it_does_not_cover(shop, judged, tmp_path: Path) -> None:
    """Kept tables and generated columns are named."""
    text = written(shop, judged, tmp_path, kept=["reviews"])
    uncovered = text[text.index("What this does not cover") :]
    assert "real rows included:</b> reviews" in uncovered
    assert "<code>customers</code> id, email, first_name" in uncovered


MADE = [
    PartSummary("customers", "copula", "Of 40 rows trees learn nothing: they need 300."),
    PartSummary("orders", "trees", "Trees take 1 s.", ("placed < `sent at`",), 7),
]


def test_the_report_says_how_tables_were_modelled(shop, judged, tmp_path: Path) -> None:
    """Model, reason and rules of each table are there."""
    text = written(shop, judged, tmp_path, models=MADE)
    models = text[text.index("<h2>Models") : text.index("<h2>Schema")]
    assert '<td class="place">customers</td><td>copula</td><td>Of 40 rows' in models
    assert "<li>orders: <code>placed &lt; `sent at`</code></li>" in models
    assert "Rows named" in models


def test_models_are_told_in_markdown() -> None:
    """A line for each table, and one for each rule."""
    text = models_markdown(MADE, {"customers": 0.04, "orders": 2.0}, title="Models of shop")
    assert text.startswith("# Models of shop\n")
    assert "| orders | trees | Trees take 1 s. | 7 | 2.0 |" in text
    assert "| orders | `` placed < `sent at` `` |" in text


def test_a_report_without_scores_is_written(shop, judged, tmp_path: Path) -> None:
    """Where scores crashed there is still a report."""
    crashed = Judgement(Verdict((FAILED,)), None)
    assert "<h2>Quality" not in written(shop, crashed, tmp_path, shapes=())


def test_names_are_escaped(judged, tmp_path: Path) -> None:
    """A table named like a tag stays text."""
    name = "<b>&amp;"
    metadata = Metadata({name: Table(name, {name: Column(name)})})
    text = write_report(
        tmp_path / "r.html",
        project="<i>",
        metadata=metadata,
        verdict=Verdict((Check(name, name, name, "privacy", name, name, "failed", name),)),
        quality=None,
        rows={name: (1, 1)},
        created=datetime(2026, 1, 1, tzinfo=UTC),
    ).read_text()
    assert "<i>" not in text
    assert "<b>&amp;<" not in text


def test_a_schema_with_cycles_is_drawn() -> None:
    """Self references and cycles get a line each, and the drawing is well-formed."""
    tables = {n: Table(n, {"id": Column("id"), "to": Column("to")}, ("id",)) for n in "abcd"}
    ways = [("a", "b"), ("b", "a"), ("c", "c"), ("c", "a"), ("d", "b"), ("d", "c")]
    metadata = Metadata(tables, tuple(Relationship(x, ("to",), y, ("id",)) for x, y in ways))
    svg = ET.fromstring(draw_schema(metadata, {"a": 5}))  # noqa: S314  our own drawing
    assert len(svg.findall("g/path")) == len(ways)
    assert len(svg.findall("g/rect")) == len(tables)


def test_parents_stand_left_of_their_children(shop) -> None:
    """Layers follow the longest way from a root."""
    assert [list(layer) for layer in lay_out(shop.metadata).layers] == [
        ["customers"],
        ["orders"],
        ["reviews"],
    ]


def test_lines_over_several_layers_go_round_tables() -> None:
    """A line from the first layer to the third has a place of its own in the second."""
    tables = {n: Table(n, {"id": Column("id"), "to": Column("to")}, ("id",)) for n in "abc"}
    ways = [("b", "a"), ("c", "b"), ("c", "a")]
    metadata = Metadata(tables, tuple(Relationship(x, ("to",), y, ("id",)) for x, y in ways))
    assert [len(layer) for layer in lay_out(metadata).layers] == [1, 2, 1]


def test_shapes_are_coarse(shop) -> None:
    """Every bin stands for twenty real rows, in shares of a tenth of a percent."""
    for shape in table_shapes(
        shop.metadata.tables["customers"], shop.profiles["customers"], shop.synthetic["customers"]
    ):
        assert min(shape.real) >= round(20 / 600, 3)
        assert [round(share, 3) for share in shape.real] == list(shape.real)


def test_shapes_of_small_tables_are_left_out(shop, tmp_path: Path) -> None:
    """Fewer than forty rows make no two bins."""
    table, profile = shop.metadata.tables["customers"], shop.profiles["customers"]
    few = {name: type(c)(**{**vars(c), "rows": 39}) for name, c in profile.columns.items()}
    small = type(profile)(**{**vars(profile), "columns": few})
    assert table_shapes(table, small, shop.synthetic["customers"]) == []


@pytest.mark.parametrize("kind", ["number", "category"])
def test_a_shape_is_drawn_without_text(kind: str) -> None:
    """A plot has neither axis values nor names of categories."""
    shape = Shape("t", "c", kind, (0.5, 0.5), (0.4, 0.6), (0.5, 0.5))
    svg = ET.fromstring(draw_shape(shape))  # noqa: S314  our own drawing
    assert "".join(svg.itertext()) == ""


def test_a_scorecard_has_headline_scores_and_tables(judged) -> None:
    """The artifact in Prefect's UI holds the essence."""
    arguments = (judged.verdict, judged.quality, ROWS)
    text = scorecard_markdown(*arguments, title="Refresh", kept=["reviews"])
    assert text.startswith("# Refresh\n\n**Passed: ")
    assert f"| Quality | {judged.quality.overall:.3f} |" in text
    assert "| orders | 3,000 | 3,000 |" in text
    assert "Published as they are, real rows included: `reviews`." in text


def test_a_scorecard_names_what_failed() -> None:
    """Place, check, found and required of each failure are in a table."""
    text = scorecard_markdown(Verdict((FAILED,)))
    assert "**Refused: 1 of 1 check failed.**" in text
    assert "| orders.customer_id | foreign key (failed) | 3 | 0 orphans |" in text


def test_a_bar_in_a_name_does_not_break_the_table() -> None:
    """Markdown's column separator is escaped."""
    check = Check("a|b", "t", None, "structure", 1, "0", "failed")
    assert "a\\|b" in scorecard_markdown(Verdict((check,)))
