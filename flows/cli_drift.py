"""The commands `prefect-synth drift ...`: what moved in the warehouse, and decisions on it."""

from __future__ import annotations

from typing import Annotated

import typer

from prefect_synth.flows.cli_options import HERE, JsonOption, ProjectOption
from prefect_synth.flows.commands.answer import respond

drift = typer.Typer(help="What moved in the warehouse, and decisions on it.", add_completion=False)


@drift.callback(invoke_without_command=True)
def drift_show(
    context: typer.Context,
    data: Annotated[
        bool, typer.Option("--data", help="Look at a sample of the rows of each table as well.")
    ] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Show what moved since it was accepted, and what comes of it; exit 5 if it blocks."""
    if context.invoked_subcommand is not None:
        return
    from prefect_synth.flows.commands.drift import show_drift

    respond(as_json, lambda: show_drift(project, data))


@drift.command("accept")
def drift_accept(
    places: Annotated[
        list[str] | None, typer.Argument(metavar="[TABLE[.COLUMN]]...", help="What to accept.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All that moved.")] = False,
    exclude: Annotated[
        bool, typer.Option("--exclude", help="Leave it out for good instead.")
    ] = False,
    data: Annotated[
        bool, typer.Option("--data", help="Accept what moved in its rows as well.")
    ] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Record in synth.lock that a table or a column is accepted as it is, or left out for good."""
    if every == bool(places) or (exclude and (every or data)):
        raise typer.BadParameter(
            "say what to accept, as TABLE or TABLE.COLUMN, or --all; --exclude takes names alone."
        )
    from prefect_synth.flows.commands.drift import decide

    respond(
        as_json,
        lambda: decide(project, places or (), every, "excluded" if exclude else "accepted", data),
    )
