"""Make the content of a report from a judgement and the tables it was made of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from prefect_synth.expectations.column_views import column_views, view_of_shape
from prefect_synth.expectations.degrees import degree_views
from prefect_synth.expectations.distance_views import distance_view
from prefect_synth.expectations.fidelity_scores import Covered, quality_figures
from prefect_synth.expectations.pairs import pair_view
from prefect_synth.expectations.profile import TableProfile
from prefect_synth.expectations.report_content import (
    ColumnView,
    DegreeView,
    Notes,
    PairView,
    PrivacyView,
    ReportContent,
)
from prefect_synth.expectations.scores import Score
from prefect_synth.expectations.shapes import FEWEST_ROWS, table_shapes
from prefect_synth.expectations.verdict import Verdict
from prefect_synth.synth.hierarchy.summary import PartSummary
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.privacy import learned_columns
from prefect_synth.synth.metrics.quality import QualityScore


def report_content(
    project: str,
    metadata: Metadata,
    verdict: Verdict,
    created: datetime,
    *,
    rows: Mapping[str, tuple[int, int]],
    snapshot: str = "",
    identity: Mapping[str, str] | None = None,
    quality: QualityScore | None = None,
    scores: Sequence[Score] | None = None,
    columns: Mapping[str, tuple[ColumnView, ...]] | None = None,
    pairs: Mapping[str, PairView] | None = None,
    degrees: Sequence[DegreeView] = (),
    privacy: Mapping[str, PrivacyView] | None = None,
    shared: Collection[str] = (),
    kept: Collection[str] = (),
    models: Sequence[PartSummary] = (),
    fewest: int = FEWEST_ROWS,
) -> ReportContent:
    """Gather what is known of a snapshot when it has been judged.

    Args:
        project: The project's name.
        metadata: The schema.
        verdict: What was found.
        created: The moment of the data.
        rows: Real and synthetic rows by table.
        snapshot: The snapshot's name.
        identity: Fingerprints, seed and versions, by name.
        quality: The scores, where they were computed.
        scores: All figures; those of the quality by default.
        columns: Distributions by table, from `all_columns` or `shape_views`.
        pairs: Associations by table, from `all_pairs`.
        degrees: Children per parent, from `all_degrees`.
        privacy: Nearness to real rows by table, from `all_distances`.
        shared: Tables of which nothing is held out, though something is of others.
        kept: Tables published as they are.
        models: How each table was modelled.
        fewest: Fewest real rows that a bin of the public edition stands for.

    Returns:
        The content; what is not given is empty in it, and `dataclasses.replace` adds to it.
    """
    return ReportContent(
        project,
        snapshot,
        created,
        verdict,
        metadata,
        rows=rows,
        scores=_figures(metadata, quality) if scores is None else tuple(scores),
        columns=columns or {},
        pairs=pairs or {},
        degrees=tuple(degrees),
        models=tuple(models),
        privacy=privacy or {},
        notes=replace(report_notes(metadata, verdict, quality, kept), shared=tuple(shared)),
        identity=identity or {},
        fewest=fewest,
    )


def all_columns(
    metadata: Metadata,
    real: Mapping[str, Path],
    synthetic: Mapping[str, Path],
    holdout: Mapping[str, Path] | None = None,
    quality: QualityScore | None = None,
) -> dict[str, tuple[ColumnView, ...]]:
    """Distributions with their values, by table: for private staging only."""
    scores = quality.per_column if quality else {}
    return {
        name: column_views(
            table, metadata, real[name], synthetic[name], (holdout or {}).get(name), scores
        )
        for name, table in metadata.tables.items()
    }


def shape_views(
    metadata: Metadata,
    profiles: Mapping[str, TableProfile],
    synthetic: Mapping[str, Path],
    quality: QualityScore | None = None,
) -> dict[str, tuple[ColumnView, ...]]:
    """Distributions of which only coarse shapes are remembered, by table."""
    scores = quality.per_column if quality else {}
    return {
        name: tuple(
            view_of_shape(
                shape,
                profiles[name].columns[shape.column].rows,
                scores.get(f"{name}.{shape.column}"),
            )
            for shape in table_shapes(table, profiles[name], synthetic[name])
        )
        for name, table in metadata.tables.items()
    }


def all_pairs(
    metadata: Metadata,
    real: Mapping[str, Path],
    synthetic: Mapping[str, Path],
    quality: QualityScore | None = None,
    *,
    seed: int = 0,
) -> dict[str, PairView]:
    """Associations of columns, by table; those with fewer than two such columns are left out."""
    scores = quality.per_pair if quality else {}
    views = {
        name: pair_view(table, real[name], synthetic[name], scores=scores, seed=seed)
        for name, table in metadata.tables.items()
    }
    return {name: view for name, view in views.items() if view is not None}


def all_degrees(
    metadata: Metadata,
    real: Mapping[str, Path],
    synthetic: Mapping[str, Path],
    quality: QualityScore | None = None,
) -> tuple[DegreeView, ...]:
    """Children per parent along each foreign key."""
    return degree_views(metadata, real, synthetic, quality.per_relationship if quality else {})


def all_distances(
    metadata: Metadata,
    training: Mapping[str, Path],
    synthetic: Mapping[str, Path],
    holdout: Mapping[str, Path],
    kept: Collection[str] = (),
    *,
    seed: int = 0,
) -> dict[str, PrivacyView]:
    """How near synthetic rows, and rows never seen, are to training rows, by table.

    Tables that are kept, or have no column from which rows could be told apart, are left out.
    """
    learned = {
        name: [table.columns[column] for column in learned_columns(metadata, name)]
        for name, table in metadata.tables.items()
        if name not in kept
    }
    return {
        name: distance_view(
            name, training[name], synthetic[name], holdout.get(name), columns, seed=seed
        )
        for name, columns in learned.items()
        if columns
    }


def _figures(metadata: Metadata, quality: QualityScore | None) -> tuple[Score, ...]:
    covered = Covered(metadata, (), ())
    return () if quality is None else tuple(quality_figures(quality, None, covered))


def report_notes(
    metadata: Metadata, verdict: Verdict, quality: QualityScore | None, kept: Collection[str]
) -> Notes:
    """What a judgement does not cover, as far as it tells itself."""
    sampled = {c.table for c in verdict.checks if c.table and "sample" in c.detail}
    return Notes(
        kept=tuple(sorted(kept)),
        sampled=tuple(sorted(sampled)),
        generated=_generated(metadata, kept),
        untold=_not_judged(verdict, "copied rows"),
        unattacked=_not_judged(verdict, "attacks"),
        unscored=quality.unscored if quality else (),
    )


def _not_judged(verdict: Verdict, name: str) -> tuple[str, ...]:
    found = [c for c in verdict.warnings if c.name == name and c.observed == "not judged"]
    return tuple(dict.fromkeys(check.place for check in found))


def _generated(metadata: Metadata, kept: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Columns whose values are made up, so that no distribution of theirs is compared."""
    found = {
        name: tuple(
            c.name
            for c in table.columns.values()
            if c.is_generated or c.sdtype in {"id", "text"} or c.name in metadata.key_columns(name)
        )
        for name, table in metadata.tables.items()
        if name not in kept
    }
    return {name: columns for name, columns in found.items() if columns}
