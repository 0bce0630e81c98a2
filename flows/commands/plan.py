"""`prefect-synth plan`: what the next refresh would do, and take, before anything runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.commands.typed import typed
from prefect_synth.flows.failures import DRIFT
from prefect_synth.flows.forecast import Forecast, forecast
from prefect_synth.flows.predict import predict
from prefect_synth.flows.prediction import Prediction
from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.tasks.measures import read_measures

_COLOURS = {"trained": "yellow", "perhaps trained": "yellow", "copied": "red"}


def plan_project(project: Path) -> Answer:
    """Tell what a refresh would do; exit 5 where drift would end it.

    Args:
        project: The project file, or its folder.
    """
    setup = open_setup(project, look=True)
    found = predict(setup)
    expected = forecast(found, read_measures(setup.staging.root), setup.project.run.retrain)
    return Answer(
        plan_document(setup.project.project, found, expected),
        lambda console: _show(console, found, expected, project),
        DRIFT if found.ends == "Blocked" else 0,
    )


def plan_document(project: str, found: Prediction, expected: Forecast) -> dict[str, Any]:
    """All of it as JSON values; no real value in it.

    Args:
        project: The project's name.
        found: What the refresh would do.
        expected: What it would take.
    """
    return {
        "project": project,
        "ends": found.ends,
        "why": found.why,
        "drift": [c.model_dump(mode="json") for c in found.drift.changes],
        "held": found.drift.held_columns,
        "left_out": found.drift.left_out_columns,
        "waiting": found.drift.waiting_tables,
        "tables": {name: asdict(table) for name, table in found.tables.items()},
        "expected": asdict(expected),
        "notes": found.notes,
    }


def _show(console: Console, found: Prediction, expected: Forecast, project: Path) -> None:
    for change in found.drift.changes:
        console.print(f"[yellow]drift[/]      {escape(str(change))}", soft_wrap=True)
    if found.tables:
        console.print(_tables(found))
    console.print(f"[bold]ends[/]       {found.ends}: {escape(found.why)}", soft_wrap=True)
    for note in found.notes:
        console.print(f"[yellow]note[/]       {escape(note)}", soft_wrap=True)
    if expected.steps:
        console.print(_expected(expected), soft_wrap=True)
        told = "  ".join(f"{step.step} {step.seconds:.1f} s" for step in expected.steps)
        console.print(f"[dim]           {told}[/]", soft_wrap=True)
    console.print(f"\nNothing was changed. To run it: {escape(typed('refresh', project))}")


def _tables(found: Prediction) -> Table:
    table = Table("table", box=None, pad_edge=False)
    for name in ("rows", "before", "changed", "model", "why"):
        table.add_column(name, justify="right" if name in ("rows", "before") else "left")
    for name, planned in found.tables.items():
        colour = _COLOURS.get(planned.fate, "green")
        moved = f" ({'; '.join(planned.moved)})" if planned.moved else ""
        table.add_row(
            escape(name),
            f"{planned.rows:,}",
            "-" if planned.rows_before is None else f"{planned.rows_before:,}",
            planned.changed,
            f"[{colour}]{planned.fate}[/]",
            escape(f"{planned.why}{moved}"),
        )
    return table


def _expected(expected: Forecast) -> str:
    most = expected.seconds_most
    upto = f" (up to {most:.0f} s if all that may be trained is)" if most > expected.seconds else ""
    memory = "" if expected.memory_mb is None else f", {expected.memory_mb:,.0f} MB of memory"
    guess = [step for step in expected.steps if step.measured is None]
    basis = "guessed, for nothing was measured yet" if guess else "as earlier refreshes took"
    return (
        f"[bold]expected[/]   {expected.seconds:.0f} s{upto}{memory}: {basis}, within a factor of "
        f"{expected.factor:g}"
    )
