"""The report on a snapshot: one HTML file that needs nothing else, in two editions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from prefect_synth.expectations.diagram import draw_schema
from prefect_synth.expectations.heatmaps import draw_heatmaps, largest_changes
from prefect_synth.expectations.plots import draw_column, draw_distances, draw_history
from prefect_synth.expectations.report_content import (
    ColumnView,
    Edition,
    PairView,
    PrivacyView,
    ReportContent,
)
from prefect_synth.expectations.report_public import public
from prefect_synth.expectations.report_scores import (
    ScoreLine,
    risk_lines,
    score_groups,
    score_line,
    score_tiles,
    table_scores,
)
from prefect_synth.expectations.scorecard import headline, table_score
from prefect_synth.expectations.scores import Score
from prefect_synth.expectations.verdict import BLOCKING, Check, Verdict
from prefect_synth.synth.drawing import to_mermaid

T = TypeVar("T")

_KINDS = {
    "structure": "Structure: schema, rows, keys",
    "privacy": "Privacy: nothing real gets out",
    "fidelity": "Fidelity: synthetic beside real",
    "expectation": "Expectations of the suite",
}
_ORDER = {"crashed": 0, "failed": 1, "warned": 2, "passed": 3}
_FEW_TABLES = 3  # so many are shown unfolded
_MANY_TABLES = 25  # above so many the drawing has an index


@dataclass(frozen=True)
class TableSection:
    """What the report says of one table.

    Args:
        name: The table.
        anchor: Its address on the page.
        real: Rows of the real table.
        synthetic: Rows of the synthetic one.
        quality: Its quality as a line of the scorecard, where there is one.
        checks: Checks that passed, of all.
        failed: Whether one failed.
        kept: Whether the real rows are published.
        is_open: Whether the section is unfolded.
        scores: Its figures of fidelity.
        numbers: Its columns of numbers and of moments.
        categories: Its columns of categories.
        pairs: Associations of its columns.
        privacy: Nearness to real rows.
        risks: Its privacy figures.
    """

    name: str
    anchor: str
    real: int
    synthetic: int
    quality: ScoreLine | None
    checks: str
    failed: bool
    kept: bool
    is_open: bool
    scores: Sequence[ScoreLine]
    numbers: Sequence[ColumnView]
    categories: Sequence[ColumnView]
    pairs: PairView | None
    privacy: PrivacyView | None
    risks: Sequence[ScoreLine]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to unfold."""
        shown = (self.scores, self.numbers, self.categories, self.pairs, self.privacy, self.risks)
        return not any(shown)


def write_report(path: Path, content: ReportContent, edition: Edition) -> Path:
    """Write one edition of the report.

    Args:
        path: The HTML file to write.
        content: All that is known, private parts included.
        edition: `private` shows all of it and stays in private staging; `public` shows what
            `report_public.public` leaves.

    Returns:
        The path.
    """
    shown = public(content) if edition == "public" else content
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_render(shown, edition), encoding="utf-8")
    return path


def _render(content: ReportContent, edition: Edition) -> str:
    verdict, metadata = content.verdict, content.metadata
    synthetic = {table: pair[1] for table, pair in content.rows.items()}
    sections = _sections(content)
    anchors = {section.name: section.anchor for section in sections}
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            c=content,
            edition=edition,
            headline=headline(verdict),
            totals=tuple(sum(pair[side] for pair in content.rows.values()) for side in (0, 1)),
            tiles=score_tiles(content.scores, content.history),
            groups=score_groups(content.scores),
            tables=sections,
            anchors=anchors,
            index=len(sections) > _MANY_TABLES,
            schema=Markup(draw_schema(metadata, synthetic)),  # noqa: S704  escapes names
            mermaid=to_mermaid(metadata),
            checks=_checks(verdict),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_read),
    )
    environment.filters |= {
        "column_plot": _markup(draw_column),
        "distance_plot": _markup(draw_distances),
        "history_plot": _markup(draw_history),
        "svg": Markup,
        "heat": draw_heatmaps,
        "changes": largest_changes,
    }
    environment.globals["style"] = Markup(_read("report.css"))  # noqa: S704  our own file
    return environment


def _markup(draw: Callable[[T], str]) -> Callable[[T], Markup]:
    """A drawing as markup: it has escaped what it wrote."""
    return lambda drawn: Markup(draw(drawn))  # noqa: S704


def _read(name: str) -> str:
    return (files("prefect_synth.expectations") / name).read_text("utf-8")


def _sections(content: ReportContent) -> list[TableSection]:
    few = len(content.metadata.tables) <= _FEW_TABLES
    return [
        _section(content, table, f"table-{place}", few=few)
        for place, table in enumerate(content.metadata.tables, start=1)
    ]


def _section(content: ReportContent, table: str, anchor: str, *, few: bool) -> TableSection:
    verdict, views = content.verdict.of(table), content.columns.get(table, ())
    own = [s for s in content.scores if s.table == table]
    quality = next((score_line(s) for s in own if s.name == "quality"), None)
    failed, privacy = bool(verdict.failures), content.privacy.get(table)
    return TableSection(
        table,
        anchor,
        *content.rows.get(table, (0, 0)),
        quality,
        table_score(verdict),
        failed,
        table in content.notes.kept,
        few or failed,
        [] if _says_no_more(own, quality) else table_scores(content.scores, table),
        [view for view in views if view.kind != "category"],
        [view for view in views if view.kind == "category"],
        content.pairs.get(table),
        privacy,
        risk_lines(content.scores, table, privacy.figures if privacy else ()),
    )


def _says_no_more(own: Sequence[Score], quality: ScoreLine | None) -> bool:
    """Whether the folded line of a table shows all there is."""
    return quality is not None and len(own) == 1 and not (quality.ceiling or quality.last)


def _checks(verdict: Verdict) -> list[tuple[str, int, list[Check]]]:
    """Checks by kind, failures first, with the number of those that block."""
    groups = []
    for kind, title in _KINDS.items():
        found = [check for check in verdict.checks if check.kind == kind]
        found.sort(key=lambda check: _ORDER[check.status])
        groups.append((title, sum(check.status in BLOCKING for check in found), found))
    return [group for group in groups if group[2]]
