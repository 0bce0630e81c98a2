"""A judged refresh, and what its snapshot says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from prefect_synth import __version__
from prefect_synth.expectations.disclosure import Disclosure
from prefect_synth.expectations.gate import Judgement
from prefect_synth.expectations.scenarios import SCENARIO
from prefect_synth.expectations.verdict import Verdict
from prefect_synth.flows.refresh_work import Work
from prefect_synth.synth.scenarios.balance import Balance, with_balanced
from prefect_synth.tasks.comparison import Comparison
from prefect_synth.tasks.progress import seconds_so_far
from prefect_synth.tasks.references import ModelRef
from prefect_synth.tasks.validate import Reports


@dataclass(frozen=True)
class Judged:
    """A refresh whose synthetic tables are judged.

    Args:
        work: The refresh.
        comparison: What was judged.
        judgement: What was found.
        reports: The HTML report in its two editions.
    """

    work: Work
    comparison: Comparison
    judgement: Judgement
    reports: Reports

    @property
    def told(self) -> Disclosure:
        """What of it may leave private staging."""
        return Disclosure(with_balanced(self.work.staged.metadata, self.comparison.balances))

    @property
    def verdict(self) -> Verdict:
        """The verdict as the sandbox and Prefect may have it."""
        return self.told.verdict(self.judgement.verdict)


class Ready(BaseModel):
    """A snapshot that passed every gate: all that publishing it needs, small and by reference.

    Args:
        tables: Folder of each table, in private staging.
        manifest: What the snapshot says of itself; aggregates only.
        report: The public edition of the report.
        files: By table, the SHA-256 of each file that was judged, in their order.
    """

    model_config = ConfigDict(frozen=True)

    tables: dict[str, Path]
    files: dict[str, tuple[str, ...]]
    manifest: dict[str, Any]
    report: Path


def ready(judged: Judged, models: Sequence[ModelRef]) -> Ready:
    """Put together what publishing needs.

    Args:
        judged: The judged refresh.
        models: The trained parts.
    """
    return Ready(
        tables=judged.comparison.published(),
        files=judged.comparison.files,
        manifest=manifest(judged, models),
        report=judged.reports.public,
    )


def manifest(judged: Judged, models: Sequence[ModelRef]) -> dict[str, Any]:
    """What the snapshot says of itself; aggregates only, since the sandbox reads it."""
    work, quality, told = judged.work, judged.judgement.quality, judged.told
    project = work.setup.project
    return {
        "project": project.project,
        "created": work.staged.run.state.started,
        "version": __version__,
        "seed": project.run.seed,
        "scale": project.defaults.scale,
        "kept": list(judged.comparison.kept),
        "scenarios": _scenarios(judged),
        "pinned": judged.comparison.pinned,
        "balanced": [_balanced(judged, balance) for balance in judged.comparison.balances],
        "models": {model.table: model.fingerprint for model in models},
        "metadata": told.metadata.to_dict(),
        "holdout": _held_out(judged),
        "held": {t: list(c) for t, c in work.staged.run.state.held.items()},
        "quality": told.quality(quality).to_dict() if quality else None,
        "scores": [told.score(score).to_dict() for score in judged.judgement.scores],
        "verdict": judged.verdict.to_dict(),
        **_seconds(),
    }


def _seconds() -> dict[str, Any]:
    """Seconds of each step up to the verdict, where they were taken."""
    seconds = seconds_so_far()
    return {"seconds": seconds} if seconds else {}


def _scenarios(judged: Judged) -> list[dict[str, Any]]:
    """What had to occur, and how often it does: names and counts, no condition."""
    found = (check for check in judged.verdict.checks if check.name == SCENARIO)
    return [
        {"table": table, "name": s.name, "at_least": s.at_least, "found": next(found).observed}
        for table, asked in judged.comparison.scenarios.items()
        for s in asked
    ]


def _balanced(judged: Judged, balance: Balance) -> dict[str, Any]:
    """What a balanced table is."""
    rows = judged.comparison.balanced[balance.name].rows
    return {**asdict(balance), "rows": rows}


def _held_out(judged: Judged) -> dict[str, Any]:
    """How many rows of which tables no model saw; counts only."""
    staged = judged.work.staged
    return {
        "units": list(staged.units),
        "rows": {ref.table: ref.rows for ref in staged.held_out},
    }
