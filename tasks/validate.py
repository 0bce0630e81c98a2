"""The step `validate`: each table, then all together; nothing is published that fails."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict

from prefect_synth.expectations.gate import Judgement, judge_snapshot, judge_table
from prefect_synth.expectations.profile import TableProfile, profile_table
from prefect_synth.expectations.report import write_report
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.shapes import table_shapes
from prefect_synth.expectations.verdict import Verdict
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.rules.ruleset import TableRules
from prefect_synth.synth.storage import folder_name
from prefect_synth.tasks.folders import write_atomically
from prefect_synth.tasks.progress import progress
from prefect_synth.tasks.references import ModelRef
from prefect_synth.tasks.steps import guarded, keyed_by
from prefect_synth.tasks.synthesis import read_metadata

STEP = "validate"


def _at_least_a_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


# it sets its own level to INFO when it is imported, and tells of every temporary folder
logging.getLogger("great_expectations.data_context.types.base").addFilter(_at_least_a_warning)


class Comparison(BaseModel):
    """Real and synthetic tables in staging, and where their judgement is kept.

    Args:
        metadata: JSON file of the schema.
        real: The staged real tables.
        synthetic: The synthetic tables.
        rows: Real and synthetic rows by table.
        expected_rows: By table, how many rows were asked for.
        profiles: Folder of what is remembered of the real tables.
        verdicts: Folder of the verdicts.
        kept: Tables that are published as they are.
        gates: What must hold.
        models: The trained parts, which know the rules in force.
    """

    model_config = ConfigDict(frozen=True)

    metadata: Path
    real: dict[str, Path]
    synthetic: dict[str, Path]
    rows: dict[str, tuple[int, int]]
    expected_rows: dict[str, int]
    profiles: Path
    verdicts: Path
    kept: tuple[str, ...]
    gates: Gates
    models: tuple[ModelRef, ...] = ()

    def rules(self) -> dict[str, TableRules]:
        """The rules in force, by table."""
        parts = (TablePart.load(model.path) for model in self.models)
        return {part.name: part.rules for part in parts if part.rules.rules}

    def read_metadata(self) -> Metadata:
        """The schema."""
        return read_metadata(self.metadata)

    def verdict_file(self, table: str) -> Path:
        """Where the verdict on a table is kept."""
        return self.verdicts / f"{folder_name(table)}.json"

    def profile_folder(self, table: str) -> Path:
        """Where it is kept what is remembered of a real table."""
        return self.profiles / folder_name(table)

    def verdict(self, table: str) -> Verdict:
        """What was said of one table."""
        text = self.verdict_file(table).read_text(encoding="utf-8")
        return Verdict.from_dict(json.loads(text))


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
    metadata, meaning = comparison.read_metadata(), comparison.read_metadata().tables[table]
    real, synthetic = comparison.real[table], comparison.synthetic[table]
    profile = profile_table(real, meaning, metadata, seed=comparison.gates.seed)
    profile.save(comparison.profile_folder(table))
    parents = {r.parent: comparison.synthetic[r.parent] for r in metadata.parents(table)}
    verdict = judge_table(
        table,
        metadata,
        real,
        synthetic,
        parents,
        profile,
        comparison.gates,
        expected_rows=comparison.expected_rows[table],
        kept=table in comparison.kept,
    )
    file = comparison.verdict_file(table)
    file.parent.mkdir(exist_ok=True)
    write_atomically(file, json.dumps(verdict.to_dict(), indent=1))
    progress().advance(STEP, 1, table)
    return file


@task(name="judge", task_run_name="validate[all]", cache_policy=NO_CACHE, persist_result=False)
@guarded
def judge_tables(comparison: Comparison) -> Judgement:
    """Judge all tables together: keys across tables, and the scores."""
    metadata = comparison.read_metadata()
    judgement = judge_snapshot(
        metadata,
        comparison.real,
        comparison.synthetic,
        comparison.gates,
        {table: comparison.verdict(table) for table in metadata.tables},
        comparison.rules(),
    )
    progress().advance(STEP, 1, "all tables")
    return judgement


@task(name="report", task_run_name="report", cache_policy=NO_CACHE, persist_result=False)
@guarded
def report_judgement(
    path: Path,
    project: str,
    run_id: str,
    created: datetime,
    seed: int,
    comparison: Comparison,
    judgement: Judgement,
) -> Path:
    """Write the HTML report, which holds aggregates only."""
    metadata = comparison.read_metadata()
    shapes = [
        shape
        for name, table in metadata.tables.items()
        for shape in table_shapes(
            table, TableProfile.load(comparison.profile_folder(name)), comparison.synthetic[name]
        )
    ]
    return write_report(
        path,
        project=project,
        metadata=metadata,
        verdict=judgement.verdict,
        quality=judgement.quality,
        rows=comparison.rows,
        created=created,
        snapshot=run_id,
        seed=seed,
        shapes=shapes,
        kept=comparison.kept,
        models=[model.made for model in comparison.models],
    )
