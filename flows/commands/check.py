"""`prefect-synth check`: is everything there that a refresh needs?"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.commands.typed import typed
from prefect_synth.flows.gone import refuse_needed
from prefect_synth.flows.pinned import check_contracts
from prefect_synth.flows.quiet import surround_prefect
from prefect_synth.flows.refresh_setup import Setup, open_setup
from prefect_synth.flows.user_checks import user_checks
from prefect_synth.tasks.connections import shown_database_url, shown_warehouse_url


def check_project(project: Path) -> Answer:
    """Read the project file, connect to warehouse and sandbox, and change nothing."""
    setup = open_setup(project)
    _check_schedule(setup)
    user_checks(setup).read_files()
    document = {
        "project": setup.project.project,
        "warehouse": {
            "url": shown_warehouse_url(setup.project.warehouse),
            **_warehouse(setup),
        },
        "unit": setup.project.privacy.unit,
        "copied": list(setup.project.copied()),
        "sandbox": {"url": _writable_sandbox(setup)},
        "staging": str(setup.staging.root),
        "feeds": {n: shown_database_url(feed) for n, feed in setup.project.feeds.items()},
        "schedule": f"{setup.project.run.schedule} {setup.project.run.timezone}",
    }
    return Answer(document, lambda console: _show(console, document, project))


def _check_schedule(setup: Setup) -> None:
    surround_prefect()  # before it is imported
    from prefect_synth.flows.schedules import schedule_of

    schedule_of(setup.project.run)


def _warehouse(setup: Setup) -> dict[str, Any]:
    with closing(setup.open_warehouse()) as warehouse:
        warehouse.check_read_only()
        drift = setup.drift(warehouse)
        refuse_needed(drift)
        metadata = setup.reflect_and_guess(warehouse)
        check_contracts(setup, metadata, warehouse.schemas(metadata))
        with warehouse.snapshot() as snapshot:
            tables = {
                name: {
                    "rows": snapshot.count(name),
                    "columns": len(table.columns),
                    "refers_to": sorted({r.parent for r in metadata.parents(name)}),
                    "pii": [c.name for c in table.columns.values() if c.is_personal],
                }
                for name, table in metadata.tables.items()
            }
    return {"tables": tables, "drift": [str(change) for change in drift.changes]}


def _writable_sandbox(setup: Setup) -> str:
    setup.sandbox.check_writable()
    return setup.sandbox.url


def _show(console: Console, document: dict[str, Any], project: Path) -> None:
    tables = document["warehouse"]["tables"]
    rows = sum(table["rows"] for table in tables.values())
    console.print(f"[green]✓[/] project    {document['project']}")
    console.print(
        f"[green]✓[/] warehouse  {escape(document['warehouse']['url'])}  "
        f"{len(tables)} tables, {rows:,} rows, read only"
    )
    console.print(f"[green]✓[/] sandbox    {escape(document['sandbox']['url'])}  writable")
    console.print(f"[green]✓[/] staging    {escape(document['staging'])}  private")
    console.print(f"[green]✓[/] schedule   {escape(document['schedule'])}")
    for name, url in document["feeds"].items():
        console.print(f"[green]✓[/] feeds      {escape(name)}  {escape(url)}  (not tried)")
    if document["unit"] is None:
        console.print(
            "[yellow]![/] people     unknown: rare is few rows, until privacy.unit says whose"
        )
    else:
        console.print(f"[green]✓[/] people     {escape(document['unit'])}")
    for change in document["warehouse"]["drift"]:
        console.print(f"[yellow]![/] drift      {escape(change)}", soft_wrap=True)
    for name in document["copied"]:
        console.print(f"[yellow]![/] {escape(name)}: its real rows are published as they are")
    console.print(f"\nAll is there. Next: [bold]{escape(typed('refresh', project))}[/]")
