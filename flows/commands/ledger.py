"""`prefect-synth ledger`: what trainings have spent of whose privacy, and what is left."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.synth.privacy.ledger import FILE, Budget, Ledger

_SHOWN = 20


def show_ledger(project: Path) -> Answer:
    """Show the privacy ledger of a project.

    Args:
        project: The project file, or its folder.

    Raises:
        LedgerError: It cannot be read.
    """
    setup = open_setup(project, look=True)
    asked = setup.project.privacy
    budget = None if asked.budget is None else Budget(asked.budget, asked.budget_delta)
    ledger = Ledger(setup.staging.root / FILE, budget)
    entries, delta = ledger.entries(), asked.budget_delta
    units = {
        unit: {
            "spent": ledger.spent(unit).epsilon(delta),
            "left": None if budget is None else ledger.left(unit),
        }
        for unit in dict.fromkeys(entry.unit for entry in entries)
    }
    document = {
        "project": setup.project.project,
        "ledger": str(ledger.path),
        "epsilon": asked.epsilon,
        "delta": asked.delta,
        "budget": asked.budget,
        "budget_delta": delta,
        "units": units,
        "entries": [asdict(entry) for entry in entries],
    }
    return Answer(document, lambda console: _show(console, document))


def _show(console: Console, document: dict[str, Any]) -> None:
    entries, delta = document["entries"], document["budget_delta"]
    if document["epsilon"] is None:
        console.print(
            "[yellow]![/] Models are trained without differential privacy: privacy.epsilon is not "
            "set.",
            soft_wrap=True,
        )
    if not entries:
        console.print(f"Nothing is spent. The ledger is {escape(document['ledger'])}")
        return
    table = Table("date", "run", "table", "unit", "what", "rho", "delta", box=None, pad_edge=False)
    for entry in entries[-_SHOWN:]:
        what = f"{entry['rho']:.3g}", f"{entry['delta']:.1g}"
        names = (entry[name] for name in ("date", "run", "table", "unit", "mechanism"))
        table.add_row(*(escape(name) for name in names), *what)
    console.print(table)
    if len(entries) > _SHOWN:
        console.print(f"[dim]and {len(entries) - _SHOWN} older ones[/]")
    for unit, known in document["units"].items():
        left = known["left"]
        room = "no budget is set" if left is None else f"{left:.3g} of {document['budget']:g} left"
        console.print(
            f"[bold]{escape(unit)}[/]  epsilon {known['spent']:.3g} at delta {delta:g} is spent "
            f"of one row's privacy; {room}",
            soft_wrap=True,
        )
    console.print(f"[dim]{escape(document['ledger'])}[/]", soft_wrap=True)
