"""`prefect-synth watch`: whether the warehouse moved, once or without pause."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.markup import escape

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.commands.typed import typed
from prefect_synth.flows.failures import DRIFT
from prefect_synth.flows.look import Data, Sight
from prefect_synth.flows.project import ProjectError, project_file
from prefect_synth.flows.quiet import surround_prefect
from prefect_synth.flows.refresh_setup import open_setup


def watch_once(project: Path, data: Data, verbose: bool) -> Answer:
    """Look once; Prefect is told where its API is configured.

    Args:
        project: The project file, or its folder.
        data: Whether the rows are compared too.
        verbose: Whether to show Prefect's own log.
    """
    setup = open_setup(project)
    surround_prefect(verbose)
    if _api() is None:
        from prefect_synth.flows.look import look

        sight = look(setup, data, tell=None)
    else:
        sight = _run(project_file(project), data)
    return Answer(
        _document(sight),
        lambda console: _show(console, sight, project),
        DRIFT if sight.drift.blocked else 0,
    )


def watch_and_listen(project: Path, data: Data, minutes: float | None, as_json: bool) -> Answer:
    """Look whenever PostgreSQL says that its schema changed, and every few minutes, until SIGTERM.

    Args:
        project: The project file, or its folder.
        data: Whether the rows are compared too.
        minutes: After how many minutes to look anyway; by default as the project file says.
        as_json: Whether each line is a JSON document.

    Raises:
        ProjectError: The warehouse is not PostgreSQL, or nobody would be told.
    """
    from prefect_synth.flows.listening import (
        check_listenable,
        ended_by_signals,
        in_a_thread,
        listen,
    )

    setup = open_setup(project)
    surround_prefect(verbose=False)
    url, file = check_listenable(setup), project_file(project)
    if _api() is None:
        raise ProjectError(
            "Nobody would be told of what is heard. Set PREFECT_API_URL to the address of your "
            "Prefect server, such as http://127.0.0.1:4200/api."
        )
    every = 60 * (minutes or setup.project.run.watch_minutes)
    say = _speaker(as_json)
    with ended_by_signals() as stop:
        say(
            "listening", f"to {setup.project.project}'s warehouse, and every {every / 60:g} minutes"
        )
        in_a_thread(lambda: listen(url, every, lambda: _run(file, data).message, say, stop))
    say("ended", "by a signal")
    return Answer({"project": setup.project.project}, lambda console: None)


def trigger_sql() -> Answer:
    """The statements that make PostgreSQL notify, and those that take it back."""
    from prefect_synth.tasks.warehouses.postgres_trigger import INSTALL, REMOVE

    return Answer(
        {"install": INSTALL, "remove": REMOVE},
        lambda console: console.out(f"{INSTALL}\n{_commented(REMOVE)}", end=""),
    )


def _commented(sql: str) -> str:
    """Statements that are not run with those before them."""
    return "".join(
        f"{line if line.startswith('--') else f'-- {line}'}\n" for line in sql.split("\n") if line
    )


def _api() -> str | None:
    from prefect.settings import PREFECT_API_URL

    return cast("str | None", PREFECT_API_URL.value())


def _run(project: Path, data: Data) -> Sight:
    from prefect_synth.flows.watch import watch

    state = watch(str(project), data=data, return_state=True)
    return cast(Sight, cast(Any, state).result())


def _document(sight: Sight) -> dict[str, Any]:
    return {
        "state": "Changed" if sight.news else "Unchanged",
        "message": sight.message,
        "blocked": bool(sight.drift.blocked),
        **sight.model_dump(mode="json"),
    }


def _show(console: Console, sight: Sight, project: Path) -> None:
    for change in sight.drift.changes:
        new = "[yellow]new[/]  " if change in sight.news else "[dim]told[/] "
        console.print(f"{new} {escape(str(change))}", soft_wrap=True)
    colour = "red" if sight.drift.blocked else "yellow" if sight.news else "green"
    state = "changed" if sight.news else "unchanged"
    console.print(f"[{colour}]{state}[/]  {escape(sight.message)}", soft_wrap=True)
    if sight.news and not sight.told:
        console.print("[dim]Nobody was told: no PREFECT_API_URL is set.[/]")
    if sight.drift.changes:
        console.print(f"\nNext:\n  {escape(typed('drift', project))}", soft_wrap=True)


def _speaker(as_json: bool) -> Callable[[str, str], None]:
    """Writes a line for each thing that happens."""
    console = Console(highlight=False)

    def say(word: str, sentence: str) -> None:
        if as_json:
            console.out(json.dumps({"event": word, "message": sentence}))
        else:
            console.print(f"[bold]{word}[/]  {escape(sentence)}", soft_wrap=True)

    return say
