"""Which row model a table gets, and why: decided when it is fitted."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from prefect_synth.synth.devices import load_torch
from prefect_synth.synth.storage import stored

AUTO = "auto"
FEWEST_FOR_TREES = 300
MANY_ROWS = 200_000
_SECONDS_A_COLUMN = 0.004
_SECONDS_A_CELL = 4e-6  # measured: one thread, 500 to 64,000 rows, 4 to 32 columns
_SHORT = 0.95
_DEVICES = ("/dev/nvidiactl", "/dev/dxg")


@stored
@dataclass(frozen=True)
class Choice:
    """A row model, and why it was chosen.

    Args:
        row_model: A name of `factory.MAKERS`.
        reason: A sentence.
    """

    row_model: str
    reason: str


def choose(
    rows: int, columns: int, budget_seconds: float | None = None, name: str = AUTO
) -> Choice:
    """Choose the row model of a table.

    Args:
        rows: Rows to learn from.
        columns: Columns that the row model sees, those of its context among them.
        budget_seconds: Processor seconds that fitting the table may take; None for any.
        name: `auto`, or the row model that was asked for.
    """
    if name != AUTO:
        return Choice(name, f"{name} was asked for.")
    size = f"{rows:,} rows and {columns:,} column{'' if columns == 1 else 's'}"
    if rows < FEWEST_FOR_TREES:
        return Choice(
            "copula", f"Of {rows:,} rows trees learn nothing: they need {FEWEST_FOR_TREES}."
        )
    seconds = tree_seconds(rows, columns)
    if budget_seconds is not None and seconds > budget_seconds:
        return Choice(
            "copula",
            f"Trees would take about {seconds:,.1f} cpu seconds for {size}; the budget is "
            f"{budget_seconds:,.1f}.",
        )
    if rows >= MANY_ROWS and has_cuda():
        return Choice("argn", f"There are {size}, and a CUDA device to train a network on.")
    about = f"about {seconds:,.1f} cpu seconds" if seconds >= _SHORT else "less than a cpu second"
    return Choice("trees", f"Trees take {about} for {size}.")


def tree_seconds(rows: int, columns: int) -> float:
    """Processor seconds that trees take to fit and sample as many rows: linear in both."""
    return _SECONDS_A_COLUMN * columns + _SECONDS_A_CELL * rows * columns


def has_cuda() -> bool:
    """Whether torch can train on a GPU here; torch is loaded only where a device is."""
    if not importlib.util.find_spec("torch") or not any(Path(d).exists() for d in _DEVICES):
        return False
    return bool(load_torch().cuda.is_available())
