"""What a refresh leaves in Prefect's interface once it is judged: models, figures, history."""

from __future__ import annotations

from prefect_synth.expectations.disclosure import Disclosure
from prefect_synth.expectations.gate import Judgement
from prefect_synth.expectations.history import RunFigures, merged, run_figures
from prefect_synth.flows.refresh_work import Work
from prefect_synth.tasks.artifacts import keep_models, keep_scorecard
from prefect_synth.tasks.comparison import Comparison
from prefect_synth.tasks.progress import seconds_so_far


def leave_artifacts(work: Work, comparison: Comparison, judgement: Judgement) -> None:
    """Leave how the tables are modelled, and the scorecard beside those of the last runs.

    Args:
        work: The refresh.
        comparison: What was judged.
        judgement: What was found.
    """
    project, told = work.setup.project.project, Disclosure(work.staged.metadata)
    keep_models(project, comparison.models, told)
    work.staged.run.update(figures=_figures(work, comparison, judgement))
    runs = merged(comparison.last.runs, _staged_figures(work))
    keep_scorecard(project, judgement, comparison.rows, comparison.kept, told, runs)


def _figures(work: Work, comparison: Comparison, judgement: Judgement) -> RunFigures:
    """What this run came to."""
    synthetic = sum(rows for _, rows in comparison.rows.values())
    seconds = seconds_so_far()
    return run_figures(
        work.staged.run.state.run_id,
        work.staged.run.state.started,
        {score.key: score.found for score in judgement.scores},
        judgement.verdict,
        synthetic + sum(ref.rows for ref in comparison.balanced.values()),
        sum(seconds.values()) if seconds else None,
    )


def _staged_figures(work: Work) -> list[RunFigures]:
    """What earlier runs came to of which staging still knows, refused ones among them."""
    states = [run.state for run in work.setup.staging.runs()]
    return [state.figures for state in states if state.figures]
