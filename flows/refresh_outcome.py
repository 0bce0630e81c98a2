"""What a judged refresh came to, for people and programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prefect_synth.expectations.verdict import Verdict
from prefect_synth.flows.judged import Judged
from prefect_synth.flows.outcome import Outcome, TableOutcome
from prefect_synth.synth.metrics.quality import QualityScore
from prefect_synth.tasks.snapshots.records import SnapshotRef

_PARTS = ("overall", "column_shapes", "column_pair_trends", "cardinality", "intertable_trends")


def outcome_of(
    judged: Judged,
    snapshot: SnapshotRef | None,
    seconds: Mapping[str, float],
    troubles: tuple[str, ...] = (),
    quarantine: Path | None = None,
) -> Outcome:
    """Put together what the refresh came to: Prefect keeps it, so it is told as in public.

    Args:
        judged: The judged refresh.
        snapshot: What was published; None where a gate refused.
        seconds: Time of each step.
        troubles: What failed after the snapshot was published.
        quarantine: Where the refused tables are kept.
    """
    verdict, quality = judged.verdict, judged.judgement.quality
    return Outcome(
        project=judged.work.setup.project.project,
        run_id=judged.work.staged.run.state.run_id,
        published=snapshot is not None,
        snapshot_id=snapshot.snapshot_id if snapshot else None,
        url=snapshot.url if snapshot else None,
        generation=snapshot.generation if snapshot else None,
        report=judged.reports.private,
        tables={table: _table(judged, table) for table in judged.comparison.rows},
        balanced={name: ref.rows for name, ref in judged.comparison.balanced.items()},
        scores=_scores(quality),
        failures=tuple(str(check) for check in verdict.failures),
        reused=judged.work.reused.run_id if judged.work.reused else None,
        why=judged.work.decision.reason,
        resumed=judged.work.staged.resumed,
        seconds={name: round(spent, 2) for name, spent in seconds.items()},
        troubles=troubles,
        quarantine=quarantine,
        held=judged.work.staged.run.state.held,
    )


def _table(judged: Judged, table: str) -> TableOutcome:
    verdict, quality = judged.judgement.verdict.of(table), judged.judgement.quality
    real, synthetic = judged.comparison.rows[table]
    model = next(m for m in judged.comparison.models if m.table == table)
    return TableOutcome(
        real=real,
        synthetic=synthetic,
        quality=quality.per_table.get(table) if quality else None,
        passed=_passed(verdict),
        failed=len(verdict.failures),
        notes=len(verdict.warnings),
        kept=table in judged.comparison.kept,
        model=model.made.row_model,
        reason=model.made.reason,
        rules=judged.told.model(model.made).rules,
        named_rows=model.made.named_rows,
        alarms=model.made.alarms,
        train_seconds=model.seconds,
        moved=judged.work.decision.tables.get(table, ()),
    )


def _passed(verdict: Verdict) -> int:
    return sum(check.status == "passed" for check in verdict.checks)


def _scores(quality: QualityScore | None) -> dict[str, float]:
    found = {name: getattr(quality, name, None) for name in _PARTS}
    return {name: score for name, score in found.items() if score is not None}
