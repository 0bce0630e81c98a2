"""`prefect-synth evaluate`: score synthetic tables against real ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.evaluation import evaluate_folders
from prefect_synth.flows.evaluation_view import render_evaluation


def evaluate(
    real: Path,
    synthetic: Path,
    metadata: Path | None,
    holdout: Path | None,
    rows: int | None,
    targets: Sequence[str] = (),
    unit: str | None = None,
) -> Answer:
    """Score a folder of synthetic tables; see `evaluate_folders`."""
    result = evaluate_folders(real, synthetic, metadata, holdout, rows, targets, unit)
    return Answer(result, lambda console: console.print(render_evaluation(result)))
