"""The commands `watch`, `serve` and `deploy`: a project that runs by itself."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from prefect_synth.flows.cli_options import (
    HERE,
    JsonOption,
    ProjectOption,
)
from prefect_synth.flows.commands.answer import respond

running = typer.Typer(add_completion=False)


@running.command()
def watch(
    data: Annotated[
        Literal["due", "always", "never"],
        typer.Option(help="Compare rows too: as often as synth.yaml says, now, or never."),
    ] = "due",
    keep_listening: Annotated[
        bool,
        typer.Option("--listen", help="Until SIGTERM: at once when PostgreSQL notifies a change."),
    ] = False,
    every: Annotated[
        float | None,
        typer.Option(min=0.01, help="With --listen: minutes after which to look anyway."),
    ] = None,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print the SQL that makes PostgreSQL notify; run nothing.")
    ] = False,
    project: ProjectOption = HERE,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show Prefect's own log.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look whether the warehouse moved, and tell Prefect once; exit 5 where a change blocks."""
    if (sql and keep_listening) or (every is not None and not keep_listening):
        raise typer.BadParameter("--sql and --listen exclude each other; --every needs --listen.")
    from prefect_synth.flows.commands import watch as commands

    if sql:
        respond(as_json, commands.trigger_sql)
    if keep_listening:
        # it answers by a line for each thing that happens, and there is nothing to add at the end
        respond(False, lambda: commands.watch_and_listen(project, data, every, as_json))
    respond(as_json, lambda: commands.watch_once(project, data, verbose))


@running.command()
def serve(
    project: ProjectOption = HERE,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the server.")] = 4200,
    now: Annotated[bool, typer.Option("--now", help="Start a first refresh at once.")] = False,
    cron: Annotated[
        str | None, typer.Option(help="Another schedule than the project file's.")
    ] = None,
) -> None:
    """Bring up server, user interface and schedule on this machine, until Ctrl-C."""
    from prefect_synth.flows.commands.serve import serve_project

    respond(False, lambda: serve_project(project, port, now, cron))


@running.command()
def deploy(
    pool: Annotated[
        str | None, typer.Option(help="Name of the work pool; by default the project file's.")
    ] = None,
    kind: Annotated[
        Literal["process", "docker", "kubernetes"] | None,
        typer.Option("--type", help="Type of the work pool, if it is not there yet."),
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="Image of the containers that run the flows.")
    ] = None,
    project_at: Annotated[
        str | None, typer.Option(help="Where workers find the project file, if elsewhere.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Create or update deployments, automations and the work pool on a Prefect server."""
    from prefect_synth.flows.commands.deploy import Wanted, deploy_project

    wanted = Wanted(pool, kind, image, project_at)
    respond(as_json, lambda: deploy_project(project, wanted, dry_run, quiet=as_json))
