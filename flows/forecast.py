"""Expected time and memory of a refresh, step by step, from what earlier ones took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prefect_synth.flows.prediction import Prediction
from prefect_synth.tasks.measures import Measure, Measures, scaled

ROUGH: Mapping[str, tuple[float, float]] = {
    "pull": (0.3, 0.7),
    "hold out": (0.2, 0.5),
    "compare": (0.2, 2.0),
    "extend": (0.5, 4.0),
    "train": (0.5, 30.0),
    "plan": (0.3, 1.0),
    "sample": (0.4, 3.0),
    "validate": (2.0, 18.0),
    "publish": (0.2, 0.2),
}
"""Seconds of each step before anything was measured: a fixed part, and one for each million cells
(rows times columns), as the demo took on two processors of 2026. Machines, widths and models
differ: within a factor of four, say."""
ROUGH_FACTOR = 4.0
MEASURED_FACTOR = 2.0
_BASE_MB, _MB_PER_MILLION = 420.0, 250.0
_TRAINING = ("extend", "train")


@dataclass(frozen=True)
class StepForecast:
    """What one step is expected to take.

    Args:
        step: Its name.
        seconds: Time on the clock.
        memory_mb: The largest memory of the flow's process; None where it is not known.
        measured: The run from which it is told; None where it is a rough guess.
    """

    step: str
    seconds: float
    memory_mb: float | None
    measured: str | None


@dataclass(frozen=True)
class Forecast:
    """What a refresh is expected to take.

    Args:
        steps: Its steps in their order.
        seconds: All of them together; Prefect's own start is not in it.
        seconds_most: The same if every table is trained that perhaps is.
        memory_mb: The largest memory of any step.
        factor: By which it may be more or less.
    """

    steps: tuple[StepForecast, ...]
    seconds: float
    seconds_most: float
    memory_mb: float | None
    factor: float


def forecast(found: Prediction, measures: Measures, retrain: str) -> Forecast:
    """Tell what a refresh would take.

    Args:
        found: What it would do.
        measures: What earlier ones took.
        retrain: The project file's `run.retrain`.
    """
    names = _steps(found, retrain)
    certain = [_step(n, found, measures, found.with_fate("trained", "copied")) for n in names]
    sure = sum(step.seconds for step in certain)
    perhaps = found.with_fate("trained", "copied", "perhaps trained")
    most = sum(_step(name, found, measures, perhaps).seconds for name in names)
    memory = [step.memory_mb for step in certain if step.memory_mb is not None]
    measured = all(step.measured for step in certain)
    return Forecast(
        tuple(certain),
        round(sure, 1),
        round(max(sure, most), 1),
        round(max(memory), 0) if memory else None,
        MEASURED_FACTOR if measured else ROUGH_FACTOR,
    )


def _steps(found: Prediction, retrain: str) -> list[str]:
    if found.ends == "Blocked":
        return []
    if found.ends == "Unchanged":
        return ["pull"]
    training = bool(found.with_fate("trained", "perhaps trained", "known"))
    left_out = {*(() if training else _TRAINING), *(() if retrain == "moved" else ("compare",))}
    return [name for name in ROUGH if name not in left_out]


def _step(
    name: str, found: Prediction, measures: Measures, trained: tuple[str, ...]
) -> StepForecast:
    before = measures.of_step(name)
    if before is None:
        return _rough(name, found, trained)
    now = sum(table.rows for table in found.tables.values())
    memory = _memory(before, name, now)
    if name == "train":
        seconds = _training(found, measures, before, trained)
    else:
        seconds = scaled(before.seconds[name], before.all_rows, now)
    return StepForecast(name, round(seconds, 2), memory, before.run_id)


def _training(
    found: Prediction, measures: Measures, before: Measure, trained: tuple[str, ...]
) -> float:
    """Seconds on the clock: those of each table, as far as they went on side by side then."""
    apart = sum(before.trained.values())
    side_by_side = before.seconds["train"] / apart if apart else 1.0
    alone = sum(_alone(table, found, measures) for table in trained)
    return max(alone * side_by_side, 0.0)


def _alone(table: str, found: Prediction, measures: Measures) -> float:
    before, planned = measures.of_table(table), found.tables[table]
    if before is None:
        return ROUGH["train"][1] * planned.rows * planned.columns / 1e6
    return scaled(before.trained[table], before.rows.get(table, 0), planned.rows)


def _memory(before: Measure, name: str, now: int) -> float | None:
    """What is beyond the process's own grows with the rows."""
    peak = before.memory_mb.get(name)
    if peak is None:
        return None
    grown = max(0.0, peak - before.before_mb)
    return round(before.before_mb + scaled(grown, before.all_rows, now), 0)


def _rough(name: str, found: Prediction, trained: tuple[str, ...]) -> StepForecast:
    tables = trained if name == "train" else tuple(found.tables)
    cells = sum(found.tables[t].rows * found.tables[t].columns for t in tables) / 1e6
    fixed, each = ROUGH[name]
    everything = sum(t.rows * t.columns for t in found.tables.values()) / 1e6
    memory = _BASE_MB + _MB_PER_MILLION * everything
    return StepForecast(name, round(fixed + each * cells, 2), round(memory, 0), None)
