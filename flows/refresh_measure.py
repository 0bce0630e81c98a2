"""The last thing that a refresh notes: what it took, for `plan` to tell what the next one takes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from prefect_synth.flows.refresh_work import Work
from prefect_synth.tasks.measures import Measure, note_measure
from prefect_synth.tasks.memory import PeakMemory
from prefect_synth.tasks.reuse import Trained


def note_what_it_took(work: Work, seconds: Mapping[str, float], memory: PeakMemory) -> None:
    """Keep seconds and memory in private staging; a refresh never fails by it.

    Args:
        work: The refresh, which has ended.
        seconds: Time of each step.
        memory: The memory of each step.
    """
    measure = Measure(
        run_id=work.staged.run.state.run_id,
        rows=work.staged.rows,
        seconds={name: round(spent, 3) for name, spent in seconds.items()},
        memory_mb={name: round(peak, 1) for name, peak in memory.peaks.items()},
        before_mb=round(memory.before, 1),
        trained=_trained(work, work.setup.staging.last_models),
    )
    with suppress(OSError):
        note_measure(work.setup.staging.root, measure)


def _trained(work: Work, models: Trained | None) -> dict[str, float]:
    """Seconds of the tables that this run trained, as far as its models were published."""
    began = work.staged.run.state.started.timestamp()
    return {
        model.table: model.seconds
        for model in (models.models if models else ())
        if model.path.is_dir() and model.path.stat().st_mtime >= began
    }
