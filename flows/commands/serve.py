"""`prefect-synth serve`: server, user interface and schedule on this machine."""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.markup import escape

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.project import Project, load_project, project_file
from prefect_synth.flows.quiet import surround_prefect


def serve_project(project: Path, port: int, now: bool, cron: str | None) -> Answer:
    """Serve a project until Ctrl-C or SIGTERM; what was started here ends with it.

    Args:
        project: The project file, or its folder.
        port: Port of our own server, if none is configured.
        now: Whether to start a first refresh at once.
        cron: Another schedule than the project file's.
    """
    file = project_file(project)
    settings = load_project(file)
    surround_prefect(verbose=True)
    # a shell starts background jobs with SIGINT ignored, and SIGTERM is passed on as one
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _end)
    console = Console(highlight=False)
    try:
        _serve(settings, file, port, now, cron, console)
    except KeyboardInterrupt:
        console.print("Ending.")
    return Answer({"project": settings.project}, lambda console: None)


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def _serve(
    settings: Project, file: Path, port: int, now: bool, cron: str | None, console: Console
) -> None:
    with ExitStack() as running:
        with console.status("Starting Prefect"):
            from prefect_synth.flows.schedules import schedule_of
            from prefect_synth.flows.server import pages_of, prefect_api
            from prefect_synth.flows.serving import Service

            schedule_of(settings.run, cron)  # what is wrong with it is told before anything starts
            api = running.enter_context(prefect_api(port, ui=True))
            service = Service(settings, file, cron)
            run = service.start_now() if now else None
        _say_what(console, settings, cron)
        pages = pages_of(api)
        console.print(
            f"pages     {pages}/runs  and  {pages}/deployments/deployment/{service.refresh_id}",
            soft_wrap=True,
        )
        if run:
            console.print(f"run       {pages}/runs/flow-run/{run}", soft_wrap=True)
        console.print("[dim]Ctrl-C ends it.[/]")
        service.run()


def _say_what(console: Console, settings: Project, cron: str | None) -> None:
    run = settings.run
    console.print(f"[green]serving[/]   {settings.project}")
    console.print(
        f"schedule  {cron or run.schedule}  {escape(run.timezone)}   one refresh at a time"
    )
    console.print(f"watch     every {run.watch_minutes} minutes; a changed schema starts a refresh")
    fed = [name for name, settings in settings.feeds.items() if settings.automatic]
    if fed:
        console.print(f"feeds     {', '.join(fed)}   after each published snapshot")
    told = ", ".join(settings.notify) or "nobody; name notification blocks under notify"
    console.print(f"troubles  are told to {told}", soft_wrap=True)
