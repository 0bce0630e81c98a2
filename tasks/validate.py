"""The step `validate`: each table, then all together; nothing is published that fails."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict

from prefect_synth.expectations.balanced import check_balanced
from prefect_synth.expectations.freshness import check_freshness
from prefect_synth.expectations.gate import (
    Judgement,
    judge_snapshot,
    judge_table,
)
from prefect_synth.expectations.orphaned import with_cleared_orphans
from prefect_synth.expectations.profile import profile_table
from prefect_synth.expectations.report import write_report
from prefect_synth.expectations.report_build import (
    all_columns,
    report_content,
)
from prefect_synth.expectations.report_identity import run_identity
from prefect_synth.expectations.report_known import (
    known_degrees,
    known_distances,
    known_pairs,
)
from prefect_synth.expectations.scenarios import check_scenarios_hold
from prefect_synth.expectations.scorecard import table_score
from prefect_synth.expectations.shapes import FEWEST_ROWS
from prefect_synth.expectations.sides import Sides
from prefect_synth.expectations.verdict import Check
from prefect_synth.tasks.comparison import Comparison
from prefect_synth.tasks.folders import written_whole
from prefect_synth.tasks.progress import progress
from prefect_synth.tasks.staged_run import PROFILE, SOUND, VERDICT
from prefect_synth.tasks.steps import guarded, keyed_by
from prefect_synth.tasks.telling import run_log

STEP = "validate"


def _at_least_a_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


# it sets its own level to INFO when it is imported, and tells of every temporary folder
logging.getLogger("great_expectations.data_context.types.base").addFilter(_at_least_a_warning)


class Reports(BaseModel):
    """The two editions of a report.

    Args:
        private: With real distributions; it stays in private staging.
        public: Aggregates and bands only, for the sandbox.
    """

    model_config = ConfigDict(frozen=True)

    private: Path
    public: Path


@task(
    name=STEP,
    task_run_name="validate[{table}]",
    cache_policy=keyed_by("fingerprint"),
    persist_result=True,
    result_serializer="json",
)
@guarded
def validate_table(table: str, fingerprint: str, comparison: Comparison, folder: Path) -> Path:
    """Judge one synthetic table against what is remembered of the real one.

    Args:
        table: The table's name.
        fingerprint: Of the synthetic and the real rows, and the gates.
        comparison: Where everything is.
        folder: Where to keep the verdict and what is remembered, in private staging.

    Returns:
        The folder.
    """
    progress().advance(STEP, 0, table)
    started, sides, gates = perf_counter(), comparison.sides(), comparison.gates_of(table)
    profile = profile_table(
        sides.whole[table],
        sides.metadata.tables[table],
        sides.metadata,
        seed=gates.seed,
        families=sides.families(sides.whole, table),
        training=sides.training[table],
        holdout=sides.holdout.get(table),
    )
    if comparison.on_orphan == "null":
        profile = with_cleared_orphans(profile, sides)
    judged = judge_table(
        table,
        sides,
        profile,
        gates,
        expected_rows=comparison.expected_rows[table],
        kept=table in comparison.kept,
        quasi_identifiers=comparison.quasi_identifiers.get(table, ()),
        suite=comparison.user_checks.bound(table, sides, profile, gates),
    )
    with written_whole(folder) as unfinished:
        profile.save(unfinished / PROFILE)
        (unfinished / VERDICT).write_text(json.dumps(judged.to_dict(), indent=1), encoding="utf-8")
        if all(check.status != "crashed" for check in judged.verdict.checks):
            (unfinished / SOUND).touch()
    seconds, passed = perf_counter() - started, table_score(judged.verdict)
    # which ones failed is said once, by the flow, as far as it may be told
    run_log().info(f"{table}: {passed} checks passed in {seconds:.1f} s")
    progress().advance(STEP, 1, table)
    return folder


@task(name="judge", task_run_name="validate[all]", cache_policy=NO_CACHE, persist_result=False)
@guarded
def judge_tables(comparison: Comparison) -> Judgement:
    """Judge all tables together: rules, fidelity, and every gate on a figure."""
    sides, memory = comparison.sides(), comparison.memory()
    judgement = judge_snapshot(
        sides,
        comparison.gates,
        {table: comparison.judged(table) for table in sides.metadata.tables},
        by_table=comparison.table_gates,
        rules=comparison.rules(),
        pii=comparison.personal_values(),
        kept=frozenset(comparison.kept),
        further=(
            *check_freshness(
                comparison.pulled,
                datetime.now(UTC),
                comparison.gates.max_age_hours,
                comparison.last.latest.created if comparison.last.latest else None,
            ),
            *comparison.user_checks.further(sides, comparison.gates_of),
            *check_scenarios_hold(sides.metadata, sides.synthetic, comparison.scenarios),
            *_balanced(comparison, sides),
        ),
        memory=memory,
    )
    memory.save(comparison.figures)
    progress().advance(STEP, 1, "all tables")
    latest = comparison.last.latest
    return judgement.beside(latest.figures if latest else {})


def _balanced(comparison: Comparison, sides: Sides) -> Iterator[Check]:
    """The checks of the balanced tables."""
    for table in comparison.balanced_tables():
        gates = comparison.gates_of(table.balance.table)
        yield from check_balanced(table, sides, gates, comparison.personal_values())


@task(name="report", task_run_name="report", cache_policy=NO_CACHE, persist_result=False)
@guarded
def report_judgement(
    reports: Reports,
    project: str,
    run_id: str,
    created: datetime,
    seed: int,
    comparison: Comparison,
    judgement: Judgement,
    fingerprints: Mapping[str, str],
) -> Reports:
    """Write both editions of the HTML report; only the public one may leave private staging."""
    sides, quality, memory = comparison.sides(), judgement.quality, comparison.memory()
    real, synthetic = sides.training, sides.synthetic
    content = report_content(
        project,
        sides.metadata,
        judgement.verdict,
        created,
        rows=comparison.rows,
        snapshot=run_id,
        identity=run_identity(seed, fingerprints),
        quality=quality,
        scores=judgement.scores,
        columns=all_columns(sides.metadata, real, synthetic, sides.holdout, quality),
        pairs=known_pairs(sides, quality, memory),
        degrees=known_degrees(sides, quality, memory),
        privacy=known_distances(sides, comparison.kept, memory),
        shared=sides.shared,
        kept=comparison.kept,
        models=[model.made for model in comparison.models],
        fewest=max(FEWEST_ROWS, comparison.gates.privacy.k),
    )
    content = replace(
        content,
        notes=replace(content.notes, excluded=comparison.excluded),
        drift=comparison.drift(),
        history=comparison.last.past(),
    )
    write_report(reports.private, content, "private")
    write_report(reports.public, content, "public")
    memory.add(comparison.figures)
    return reports
