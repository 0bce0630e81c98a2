"""`prefect-synth drift`: what moved in the warehouse, and decisions on it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.commands.typed import typed
from prefect_synth.flows.deployment_names import on_change_name
from prefect_synth.flows.drift import project_drift
from prefect_synth.flows.drift_decisions import Recorded, Verb, record
from prefect_synth.flows.failures import DRIFT
from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.tasks.drift.changes import Change, Drift

_COLOURS = {"blocks": "red", "followed": "dim"}


def show_drift(project: Path, data: bool) -> Answer:
    """Tell what moved; exit 5 where something of it ends a refresh.

    Args:
        project: The project file, or its folder.
        data: Whether to look at a sample of the rows as well.
    """
    setup = open_setup(project)
    with closing(setup.open_warehouse()) as warehouse:
        drift = project_drift(setup, warehouse, data)
    code = DRIFT if drift.blocked else 0
    return Answer(drift_document(drift), lambda console: _show(console, drift, project), code)


def drift_document(drift: Drift) -> dict[str, Any]:
    """What moved, as JSON values."""
    return {
        **drift.model_dump(mode="json"),
        "blocked": [change.place for change in drift.blocked],
        "held": drift.held_columns,
        "left_out": drift.left_out_columns,
        "waiting": drift.waiting_tables,
    }


def decide(
    project: Path, places: Sequence[str], every: bool, verb: Verb, data: bool = False
) -> Answer:
    """Record decisions in `synth.lock`.

    Args:
        project: The project file, or its folder.
        places: Tables and `table.column`s.
        every: All that moved, instead of `places`.
        verb: Whether it is accepted, or left out for good.
        data: Whether what moved in the rows is accepted as well.
    """
    setup = open_setup(project)
    with closing(setup.open_warehouse()) as warehouse:
        recorded = record(setup, warehouse, places, every, verb, data)
    document = {
        "lock": str(setup.lock_file),
        "written": recorded.written,
        "decisions": [d.model_dump(mode="json") for d in recorded.decisions],
        "left": [change.place for change in recorded.left.changes],
        "next": _next(setup.project.project, project) if recorded.written else [],
    }
    return Answer(
        document,
        lambda console: _show_recorded(console, recorded, setup.lock_file, project, document),
    )


def _next(name: str, project: Path) -> list[str]:
    """What brings a decision into the sandbox before the next night does: here, or by a worker."""
    deployment = f"refresh/{on_change_name(name)}"
    return [
        typed("refresh", project),
        f"prefect deployment run {deployment} --param reason=schema-change",
    ]


def _show(console: Console, drift: Drift, project: Path) -> None:
    if drift.baseline == "none":
        accept = escape(typed("drift accept --all", project))
        console.print(
            "Nothing was accepted yet, so nothing is compared: the first published refresh takes "
            f"the warehouse as it is. To write synth.lock now: [bold]{accept}[/]",
            soft_wrap=True,
        )
        return
    if not drift:
        console.print(f"[green]✓[/] Nothing moved since {_baseline(drift)}.")
        return
    table = Table("what moved", "kind", "policy", "effect", "since", box=None, pad_edge=False)
    for change in drift.changes:
        table.add_row(*map(escape, _row(change)), style=_COLOURS.get(change.effect, "yellow"))
    console.print(table)
    place = next((c.place for c in drift.changes if c.effect != "followed"), "--all")
    accept = escape(typed(f"drift accept {place}", project))
    console.print(
        f"\nCompared with {_baseline(drift)}. To accept: [bold]{accept}[/]", soft_wrap=True
    )


def _baseline(drift: Drift) -> str:
    return "synth.lock" if drift.baseline == "synth.lock" else "the first published refresh"


def _row(change: Change) -> tuple[str, ...]:
    since = (change.since or "").replace("T", " ")[:16]
    return change.what, change.kind, change.policy, change.effect, since


def _show_recorded(
    console: Console, recorded: Recorded, file: Path, project: Path, document: dict[str, Any]
) -> None:
    for decision in recorded.decisions:
        what = "; ".join(decision.changes) or "as it is"
        console.print(
            f"[green]{decision.decision}[/] {escape(decision.place)}: {escape(what)}",
            soft_wrap=True,
        )
    if recorded.written:
        console.print(f"[green]written[/]  {escape(str(file))}: commit it", soft_wrap=True)
    else:
        console.print("Nothing moved there; synth.lock stays as it is.")
    if recorded.left:
        drift = escape(typed("drift", project))
        console.print(f"{len(recorded.left.changes)} changes are left: [bold]{drift}[/]")
    if document["next"]:
        here, deployed = map(escape, document["next"])
        console.print(
            "The next refresh goes by it. Nothing is started now; to start one, here or where it "
            f"is deployed:\n  [bold]{here}[/]\n  [bold]{deployed}[/]",
            soft_wrap=True,
        )
