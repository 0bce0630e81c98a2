"""The report on a snapshot: one HTML file that needs nothing else and holds no real value."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from prefect_synth.expectations.diagram import draw_schema
from prefect_synth.expectations.plots import draw_shape
from prefect_synth.expectations.scorecard import PROPERTIES, headline, table_score
from prefect_synth.expectations.shapes import Shape
from prefect_synth.expectations.verdict import BLOCKING, Check, Verdict
from prefect_synth.synth.drawing import to_mermaid
from prefect_synth.synth.hierarchy.summary import PartSummary
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.quality import QualityScore

_KINDS = {
    "structure": "Structure: schema, rows, keys",
    "privacy": "Privacy: nothing real gets out",
    "fidelity": "Fidelity: synthetic beside real",
    "expectation": "Expectations of the suite",
}
_ORDER = {"crashed": 0, "failed": 1, "warned": 2, "passed": 3}


@dataclass(frozen=True)
class TableRow:
    """A line of the report's table of tables."""

    name: str
    real: int
    synthetic: int
    quality: float | None
    checks: str
    failed: bool
    kept: bool


@dataclass(frozen=True)
class Plot:
    """A column's shape, drawn, with its score and its other categories' shares."""

    column: str
    score: float | None
    svg: Markup
    others: tuple[float, float] | None


def write_report(
    path: Path,
    *,
    project: str,
    metadata: Metadata,
    verdict: Verdict,
    quality: QualityScore | None,
    rows: Mapping[str, tuple[int, int]],
    created: datetime,
    snapshot: str = "",
    seed: int | None = None,
    shapes: Sequence[Shape] = (),
    kept: Collection[str] = (),
    models: Sequence[PartSummary] = (),
) -> Path:
    """Write the report.

    Args:
        path: The HTML file to write.
        project: The project's name.
        metadata: The schema.
        verdict: What was found.
        quality: The scores, where they were computed.
        rows: Real and synthetic rows by table.
        created: When the snapshot was made.
        snapshot: The snapshot's name.
        seed: The seed that made it.
        shapes: Shapes of columns, from `table_shapes`.
        kept: Tables published as they are.
        models: How each table was modelled.

    Returns:
        The path.
    """
    here = files("prefect_synth.expectations")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string((here / "report.html.j2").read_text("utf-8"))
    text = template.render(
        style=Markup((here / "report.css").read_text("utf-8")),  # noqa: S704  our own file
        project=project,
        snapshot=snapshot,
        seed=seed,
        created=created,
        verdict=verdict,
        headline=headline(verdict),
        totals=tuple(sum(pair[side] for pair in rows.values()) for side in (0, 1)),
        scores=_scores(quality),
        relations=quality.per_relationship if quality else {},
        tables=_tables(metadata, verdict, quality, rows, kept),
        groups=_groups(verdict),
        plots=_plots(shapes, quality),
        schema=Markup(draw_schema(metadata, {t: pair[1] for t, pair in rows.items()})),  # noqa: S704  escapes names
        mermaid=to_mermaid(metadata),
        kept=sorted(kept),
        models=models,
        generated=_generated(metadata, kept),
        sampled=sorted({c.table for c in verdict.checks if c.table and "sample" in c.detail}),
        untold=[c.place for c in verdict.warnings if c.observed == "not judged"],
        unscored=quality.unscored if quality else (),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _scores(quality: QualityScore | None) -> list[tuple[str, float]]:
    if quality is None:
        return []
    found = [(title, getattr(quality, name)) for name, title in PROPERTIES.items()]
    return [(title, score) for title, score in found if score is not None]


def _tables(
    metadata: Metadata,
    verdict: Verdict,
    quality: QualityScore | None,
    rows: Mapping[str, tuple[int, int]],
    kept: Collection[str],
) -> list[TableRow]:
    scores = quality.per_table if quality else {}
    return [
        TableRow(
            table,
            *rows.get(table, (0, 0)),
            scores.get(table),
            table_score(verdict.of(table)),
            bool(verdict.of(table).failures),
            table in kept,
        )
        for table in metadata.tables
    ]


def _groups(verdict: Verdict) -> list[tuple[str, int, list[Check]]]:
    """Checks by kind, failures first, with the number of those that block."""
    groups = []
    for kind, title in _KINDS.items():
        checks = sorted(
            (c for c in verdict.checks if c.kind == kind), key=lambda c: _ORDER[c.status]
        )
        groups.append((title, sum(c.status in BLOCKING for c in checks), checks))
    return [group for group in groups if group[2]]


def _plots(shapes: Iterable[Shape], quality: QualityScore | None) -> dict[str, list[Plot]]:
    scores = quality.per_column if quality else {}
    plots: dict[str, list[Plot]] = {}
    for shape in shapes:
        score = scores.get(f"{shape.table}.{shape.column}")
        svg = Markup(draw_shape(shape))  # noqa: S704  numbers only
        plots.setdefault(shape.table, []).append(Plot(shape.column, score, svg, shape.others))
    return plots


def _generated(metadata: Metadata, kept: Collection[str]) -> dict[str, list[str]]:
    """Columns whose values are made up, so that no distribution of theirs is compared."""
    found = {
        name: [
            c.name
            for c in table.columns.values()
            if c.is_generated or c.sdtype in {"id", "text"} or c.name in metadata.key_columns(name)
        ]
        for name, table in metadata.tables.items()
        if name not in kept
    }
    return {name: columns for name, columns in found.items() if columns}
