"""What a run leaves in Prefect's own interface: a scorecard and a drawing, never a real value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from prefect_synth.expectations.disclosure import Disclosure
from prefect_synth.expectations.gate import Judgement
from prefect_synth.expectations.history import RunFigures, history_markdown
from prefect_synth.expectations.models import models_markdown
from prefect_synth.expectations.scorecard import scorecard_markdown
from prefect_synth.synth.drawing import to_mermaid
from prefect_synth.synth.metadata import Metadata
from prefect_synth.tasks.databases.result import FeedResult
from prefect_synth.tasks.drift.changes import Drift
from prefect_synth.tasks.drift.table import drift_markdown
from prefect_synth.tasks.publish import REPORT
from prefect_synth.tasks.references import ModelRef
from prefect_synth.tasks.report_links import browsable
from prefect_synth.tasks.settings import SandboxSettings
from prefect_synth.tasks.snapshots.records import SnapshotRef
from prefect_synth.tasks.telling import create_markdown_artifact

_HELD = "held: NULL until accepted"


def draw_schema(project: str, metadata: Metadata, drift: Drift | None = None) -> None:
    """Leave a drawing of the schema under the key `<project>-schema`.

    Args:
        project: The project's name.
        metadata: The schema that is in force.
        drift: What moved: columns that are held are marked, tables that wait are named.
    """
    held = {(t, c): _HELD for t, cs in (drift.held_columns if drift else {}).items() for c in cs}
    waiting = [f"`{name}`" for name in (drift.waiting_tables if drift else ())]
    told = f"\nNot read until accepted: {', '.join(waiting)}.\n" if waiting else ""
    create_markdown_artifact(
        f"# Schema of {project}\n\n```mermaid\n{to_mermaid(metadata, held)}```\n{told}",
        key=f"{project}-schema",
        description=f"Tables and foreign keys of {project}",
    )


def keep_models(project: str, models: Sequence[ModelRef], told: Disclosure) -> None:
    """Leave how each table is modelled, and why, under the key `<project>-models`."""
    create_markdown_artifact(
        models_markdown(
            [told.model(model.made) for model in models],
            {model.table: model.seconds for model in models},
            title=f"Models of {project}",
        ),
        key=f"{project}-models",
        description=f"Which model each table of {project} got, and the rules in force",
    )


def keep_scorecard(
    project: str,
    judgement: Judgement,
    rows: Mapping[str, tuple[int, int]],
    kept: Collection[str],
    told: Disclosure,
    runs: Sequence[RunFigures] = (),
) -> None:
    """Leave the verdict and the scores under the key `<project>-scorecard`, with their history."""
    create_markdown_artifact(
        scorecard_markdown(
            told.verdict(judgement.verdict),
            told.quality(judgement.quality) if judgement.quality else None,
            rows,
            title=f"Scorecard of {project}",
            kept=kept,
            scores=[told.score(score) for score in judgement.scores],
            history=history_markdown(runs),
        ),
        key=f"{project}-scorecard",
        description=f"Gates and scores of {project}",
    )


def keep_feed(project: str, target: str, result: FeedResult) -> None:
    """Leave what a database holds now under the key `<project>-feed-<target>`."""
    rows = "".join(
        f"| {table.place.replace('|', chr(92) + '|')} | {table.rows:,} | {table.seconds:.1f} |\n"
        for table in result.tables
    )
    create_markdown_artifact(
        f"# {target} holds {result.snapshot_id}\n\n{result.rows:,} rows, {result.mode}, "
        f"{result.seconds:.1f} s\n\n| table | rows | seconds |\n|---|---:|---:|\n{rows}",
        key=f"{project}-feed-{target}",
        description=f"What was fed to {target}",
    )


def keep_drift(project: str, drift: Drift) -> None:
    """Leave what moved in the warehouse under the key `<project>-drift`."""
    create_markdown_artifact(
        drift_markdown(drift, title=f"Drift of {project}"),
        key=f"{project}-drift",
        description=f"What moved in the warehouse of {project}",
    )


def link_report(project: str, snapshot: SnapshotRef, settings: SandboxSettings) -> None:
    """Leave where the public report of the published snapshot is under `<project>-report`.

    Args:
        project: The project's name.
        snapshot: The snapshot.
        settings: The project file's `sandbox`.
    """
    url = f"{snapshot.url}/{REPORT}"
    page = browsable(url, settings)
    create_markdown_artifact(
        f"# Report of {snapshot.snapshot_id}\n\n"
        + (f"[Open the report]({page})\n\n" if page else "")
        + f"`{url}`\n\nFrom a terminal: `prefect-synth report {snapshot.snapshot_id} --open`\n",
        key=f"{project}-report",
        description=f"The HTML report of the latest snapshot of {project}",
    )


def announce_place(project: str, snapshot: SnapshotRef) -> None:
    """Leave the place of the published snapshot under the key `<project>-snapshot`."""
    sandbox = snapshot.url.rpartition("/snapshots/")[0]
    create_markdown_artifact(
        f"# Snapshot {snapshot.snapshot_id}\n\n`{snapshot.url}`\n\n"
        f'```python\nprefect_synth.snapshots("{sandbox}").get("{snapshot.snapshot_id}")'
        f'.table("<table>")\npd.read_parquet("{snapshot.url}/<table>")  # the same\n```\n',
        key=f"{project}-snapshot",
        description=f"Where the latest snapshot of {project} is",
    )
