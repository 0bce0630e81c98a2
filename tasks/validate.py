"""The step `validate`: each table, then all together; nothing is published that fails."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict

from prefect_synth.expectations.copies import profile_copies
from prefect_synth.expectations.drift import drift_lines
from prefect_synth.expectations.freshness import check_freshness
from prefect_synth.expectations.gate import (
    Judgement,
    TableJudgement,
    judge_snapshot,
    judge_table,
)
from prefect_synth.expectations.orphaned import with_cleared_orphans
from prefect_synth.expectations.profile import TableProfile, profile_table
from prefect_synth.expectations.report import write_report
from prefect_synth.expectations.report_build import (
    all_columns,
    all_degrees,
    all_distances,
    all_pairs,
    report_content,
)
from prefect_synth.expectations.report_identity import run_identity
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.shapes import FEWEST_ROWS
from prefect_synth.expectations.sides import Sides
from prefect_synth.synth.hierarchy.links import OnOrphan
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.hashing import Hashes
from prefect_synth.synth.rules.ruleset import TableRules
from prefect_synth.synth.storage import folder_name
from prefect_synth.tasks.folders import write_atomically
from prefect_synth.tasks.progress import progress
from prefect_synth.tasks.published import PublishedSnapshots
from prefect_synth.tasks.references import ModelRef
from prefect_synth.tasks.steps import guarded, keyed_by
from prefect_synth.tasks.suites import UserChecks
from prefect_synth.tasks.synthesis import read_metadata

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


class Comparison(BaseModel):
    """Real and synthetic tables in staging, and where their judgement is kept.

    Args:
        metadata: JSON file of the schema.
        real: The staged real tables, as far as models saw them.
        holdout: What models never saw, of the tables that belong to families.
        whole: Both parts of the real tables.
        synthetic: The synthetic tables.
        rows: Real and synthetic rows by table.
        expected_rows: By table, how many rows were asked for.
        profiles: Folder of what is remembered of the real tables.
        verdicts: Folder of the verdicts.
        kept: Tables that are published as they are.
        excluded: Tables and columns that were left out by request.
        on_orphan: What was done with foreign keys whose parent does not exist.
        gates: What must hold.
        table_gates: What must hold of tables that have gates of their own.
        units: The tables whose rows are the root entities, such as people.
        quasi_identifiers: By table, columns that together may single somebody out.
        pulled: When the real rows were read.
        last: The last published snapshots, and their figures.
        last_profiles: Folder of what was remembered of the real tables at the last one.
        models: The trained parts, which know the rules in force.
        user_checks: Suites and checks of the user's own.
    """

    model_config = ConfigDict(frozen=True)

    metadata: Path
    real: dict[str, Path]
    holdout: dict[str, Path]
    whole: dict[str, Path]
    synthetic: dict[str, Path]
    rows: dict[str, tuple[int, int]]
    expected_rows: dict[str, int]
    profiles: Path
    verdicts: Path
    kept: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    on_orphan: OnOrphan = "error"
    gates: Gates
    table_gates: dict[str, Gates] = {}
    units: tuple[str, ...] = ()
    quasi_identifiers: dict[str, tuple[str, ...]] = {}
    pulled: datetime
    last: PublishedSnapshots = PublishedSnapshots()
    last_profiles: Path
    models: tuple[ModelRef, ...] = ()
    user_checks: UserChecks

    def rules(self) -> dict[str, TableRules]:
        """The rules in force, by table."""
        parts = (TablePart.load(model.path) for model in self.models)
        return {part.name: part.rules for part in parts if part.rules.rules}

    def read_metadata(self) -> Metadata:
        """The schema."""
        return read_metadata(self.metadata)

    def sides(self) -> Sides:
        """The tables, as the judgement takes them."""
        metadata = self.read_metadata()
        return Sides(metadata, self.real, self.synthetic, self.holdout, self.whole, self.units)

    def gates_of(self, table: str) -> Gates:
        """What must hold of one table."""
        return self.table_gates.get(table, self.gates)

    def personal_values(self) -> dict[str, Mapping[str, Hashes]]:
        """By table and column, hashes of the real values that identify someone."""
        return {
            table: TableProfile.load(self.profile_folder(table)).pii
            for table in self.synthetic
            if table not in self.kept
        }

    def profiles_then_and_now(self) -> tuple[dict[str, TableProfile], dict[str, TableProfile]]:
        """What is remembered of the real tables at the last published snapshot, and now.

        Nothing of then where there is none, or where it was written by another version.
        """
        now = {table: TableProfile.load(self.profile_folder(table)) for table in self.synthetic}
        folders = {table: self.last_profiles / folder_name(table) for table in now}
        try:
            then = {t: TableProfile.load(f) for t, f in folders.items() if f.is_dir()}
        except (ValueError, TypeError, KeyError, OSError):
            then = {}
        return (then, now) if then else ({}, {})

    def verdict_file(self, table: str) -> Path:
        """Where the verdict on a table is kept."""
        return self.verdicts / f"{folder_name(table)}.json"

    def profile_folder(self, table: str) -> Path:
        """Where it is kept what is remembered of a real table."""
        return self.profiles / folder_name(table)

    def judged(self, table: str) -> TableJudgement:
        """What was said of one table."""
        text = self.verdict_file(table).read_text(encoding="utf-8")
        return TableJudgement.from_dict(json.loads(text))


@task(
    name=STEP,
    task_run_name="validate[{table}]",
    cache_policy=keyed_by("fingerprint"),
    persist_result=True,
    result_serializer="json",
)
@guarded
def validate_table(table: str, fingerprint: str, comparison: Comparison) -> Path:
    """Judge one synthetic table against what is remembered of the real one.

    Args:
        table: The table's name.
        fingerprint: Of the synthetic and the real rows, and the gates.
        comparison: Where everything is.

    Returns:
        The file of the verdict.
    """
    sides, gates = comparison.sides(), comparison.gates_of(table)
    profile = _profiled(table, sides, gates)
    if comparison.on_orphan == "null":
        profile = with_cleared_orphans(profile, sides)
    profile.save(comparison.profile_folder(table))
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
    file = comparison.verdict_file(table)
    file.parent.mkdir(exist_ok=True)
    write_atomically(file, json.dumps(judged.to_dict(), indent=1))
    progress().advance(STEP, 1, table)
    return file


def _profiled(table: str, sides: Sides, gates: Gates) -> TableProfile:
    """What is remembered of the whole real table; only rows that models saw can be copied."""
    meaning, whole, seen = sides.metadata.tables[table], sides.whole[table], sides.training[table]
    profile = profile_table(whole, meaning, sides.metadata, seed=gates.seed)
    if table not in sides.holdout:
        return profile
    copies = profile_copies(seen, profile.copies.columns, gates.seed)
    return replace(profile, copies=copies.beside(sides.holdout[table]))


@task(name="judge", task_run_name="validate[all]", cache_policy=NO_CACHE, persist_result=False)
@guarded
def judge_tables(comparison: Comparison) -> Judgement:
    """Judge all tables together: rules, fidelity, and every gate on a figure."""
    sides = comparison.sides()
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
        ),
    )
    progress().advance(STEP, 1, "all tables")
    latest = comparison.last.latest
    return judgement.beside(latest.figures if latest else {})


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
    sides, quality = comparison.sides(), judgement.quality
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
        pairs=all_pairs(sides.metadata, real, synthetic, quality),
        degrees=all_degrees(sides.metadata, sides.whole, synthetic, quality),
        privacy=all_distances(sides.metadata, real, synthetic, sides.holdout, comparison.kept),
        shared=sides.shared,
        kept=comparison.kept,
        models=[model.made for model in comparison.models],
        fewest=max(FEWEST_ROWS, comparison.gates.privacy.k),
    )
    content = replace(
        content,
        drift=drift_lines(*comparison.profiles_then_and_now()),
        history=comparison.last.past(),
    )
    write_report(reports.private, content, "private")
    write_report(reports.public, content, "public")
    return reports
