"""`prefect-synth feed`: a snapshot into a test database, here and now."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.commands.sandbox_place import SandboxPlace
from prefect_synth.flows.project import project_file
from prefect_synth.flows.quiet import surround_prefect
from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.tasks.connections import warehouse_url
from prefect_synth.tasks.databases.feeding import feed_snapshot
from prefect_synth.tasks.databases.result import FeedResult
from prefect_synth.tasks.snapshots.reading import LATEST, snapshots_in


@dataclass(frozen=True)
class Feed:
    """What the command line asks for.

    Args:
        snapshot: Name of the snapshot.
        mode: What becomes of rows that are there.
        tables: Which tables; by default all.
        schema: The schema for all tables.
        closure: Whether the tables that foreign keys need are fed too.
        leave_out: Whether columns that an existing table lacks are left out.
        create: Which tables are created.
    """

    snapshot: str | None = None
    mode: Literal["replace", "append", "upsert"] | None = None
    tables: tuple[str, ...] | None = None
    schema: str | None = None
    closure: bool = True
    leave_out: bool = False
    create: Literal["missing", "never", "always"] = "missing"


def feed_url(place: SandboxPlace, url: str, wanted: Feed) -> Answer:
    """Feed the database at a URL, without Prefect.

    Args:
        place: Where the snapshots are.
        url: The database.
        wanted: What is asked for.
    """
    snapshot = snapshots_in(place.open()).get(wanted.snapshot or LATEST)
    result = feed_snapshot(
        snapshot,
        url,
        mode=wanted.mode or "replace",
        tables=wanted.tables,
        closure=wanted.closure,
        schema=wanted.schema,
        leave_out=wanted.leave_out,
        create=wanted.create,
        protect=None if place.url is not None else _warehouse(place.project),
    )
    return Answer({"fed": {"--to": result.to_dict()}}, lambda console: _show(console, result))


def feed_targets(project: Path, target: str | None, wanted: Feed, quiet: bool) -> Answer:
    """Run the flow `feed` in this process.

    Args:
        project: The project file, or its folder.
        target: Name under `feeds`; by default all that are fed automatically.
        wanted: What is asked for.
        quiet: Whether to show nothing meanwhile.
    """
    targets = None if target is None else [target]
    open_setup(project)  # before Prefect starts: what is wrong is said at once
    surround_prefect()
    results = _run(project, targets, wanted, Console(highlight=False, quiet=quiet))
    document = {"fed": {name: result.to_dict() for name, result in results.items()}}
    return Answer(document, lambda console: _show_all(console, results))


def _run(
    project: Path, targets: list[str] | None, wanted: Feed, console: Console
) -> Mapping[str, FeedResult]:
    with ExitStack() as running:
        with console.status("Starting Prefect"):
            from prefect_synth.flows.feed import chosen_feeds, feed
            from prefect_synth.flows.server import prefect_api

            chosen_feeds(open_setup(project), targets)
            running.enter_context(prefect_api())
        with console.status("Feeding"):
            state = feed(
                str(project_file(project)),
                targets,
                wanted.snapshot,
                wanted.mode,
                list(wanted.tables) if wanted.tables else None,
                return_state=True,
            )
    return cast(Mapping[str, FeedResult], cast(Any, state).result())


def _warehouse(project: Path) -> str:
    setup = open_setup(project)
    return warehouse_url(setup.project.warehouse, setup.base)


def _show_all(console: Console, results: Mapping[str, FeedResult]) -> None:
    for name, result in results.items():
        console.print(f"[bold]{escape(name)}[/]")
        _show(console, result)


def _show(console: Console, result: FeedResult) -> None:
    table = Table("table", box=None, pad_edge=False)
    for name in ("rows", "seconds", ""):
        table.add_column(name, justify="right")
    for fed in result.tables:
        made = "created" if fed.created else ""
        table.add_row(escape(fed.place), f"{fed.rows:,}", f"{fed.seconds:.1f}", made)
    console.print(table)
    for column in result.left_out:
        console.print(f"[yellow]left out[/]  {escape(column)}")
    console.print(
        f"[green]fed[/]  {escape(result.target)} holds {escape(result.snapshot_id)}: "
        f"{len(result.tables)} tables, {result.rows:,} rows, {result.mode}, {result.seconds:.1f} s",
        soft_wrap=True,
    )
