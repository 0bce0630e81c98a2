"""`prefect-synth refresh`: the whole flow, here and now, without a server of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.commands.typed import program, typed
from prefect_synth.flows.failures import GATE_FAILED
from prefect_synth.flows.outcome import Outcome
from prefect_synth.flows.project import load_project, project_file
from prefect_synth.flows.quiet import surround_prefect
from prefect_synth.flows.terminal import showing_progress

_MOST_FAILURES = 20


def refresh_now(
    project: Path,
    quiet: bool,
    verbose: bool,
    reuse_models: bool = False,
    retrain: bool = False,
    force: bool = False,
) -> Answer:
    """Run the flow in this process.

    Args:
        project: The project file, or its folder.
        quiet: Whether to draw no bars.
        verbose: Whether to show Prefect's own log.
        reuse_models: Whether to draw with the models of the last published snapshot.
        retrain: Whether to train all that changed, however little it moved.
        force: Whether to publish a snapshot even where nothing has changed.
    """
    name = load_project(project).project  # before Prefect starts: what is wrong is said at once
    surround_prefect(verbose)
    console = Console(highlight=False, quiet=quiet)
    console.print(f"Refreshing [bold]{name}[/]")
    outcome = _run(
        project_file(project),
        console,
        {"reuse_models": reuse_models, "retrain": retrain, "force": force},
    )
    return Answer(
        outcome.model_dump(mode="json"),
        lambda console: _show(console, outcome, project),
        0 if outcome.published or outcome.unchanged else GATE_FAILED,
    )


def _run(project: Path, console: Console, asked: Mapping[str, bool]) -> Outcome:
    with ExitStack() as running:
        with console.status("Starting Prefect"):
            from prefect_synth.flows.refresh import refresh
            from prefect_synth.flows.server import prefect_api

            running.enter_context(prefect_api())
        with showing_progress(console):
            state = refresh(str(project), **asked, return_state=True)
    return cast(Outcome, state.result(raise_on_failure=state.name != "Rejected"))


def _show(console: Console, outcome: Outcome, project: Path) -> None:
    if outcome.unchanged:
        _show_unchanged(console, outcome, project)
        return
    console.print(_gates(outcome))
    scores = "  ".join(f"{name.replace('_', ' ')} {v:.3f}" for name, v in outcome.scores.items())
    console.print(f"[dim]{scores}[/]\n", soft_wrap=True)
    if outcome.resumed:
        _show_resumed(console)
    if outcome.reused:
        console.print(
            f"[dim]reused     the models that run {outcome.reused} trained: {outcome.why}[/]",
            soft_wrap=True,
        )
    if outcome.published:
        _show_published(console, outcome)
    else:
        _show_refused(console, outcome)
    console.print(f"report     {escape(str(outcome.report))}", soft_wrap=True)
    _show_next(console, outcome, project)


def _gates(outcome: Outcome) -> Table:
    table = Table("table", box=None, pad_edge=False)
    for name in ("real rows", "synthetic", "model", "quality", "checks", ""):
        table.add_column(name, justify="right")
    for name, found in outcome.tables.items():
        judged = found.passed + found.failed
        mark = "[red]✗ refused[/]" if found.failed else "[green]✓[/]"
        table.add_row(
            escape(name) + (" [yellow](real rows, as asked)[/]" if found.kept else ""),
            f"{found.real:,}",
            f"{found.synthetic:,}",
            found.model,
            "-" if found.quality is None else f"{found.quality:.3f}",
            f"{found.passed}/{judged}",
            mark,
        )
    return table


def _show_published(console: Console, outcome: Outcome) -> None:
    for name, count in outcome.balanced.items():
        console.print(f"balanced   {escape(name)}: {count:,} rows", soft_wrap=True)
    console.print(
        f"[green]published[/]  {outcome.size}   "
        f"latest -> {outcome.snapshot_id} (generation {outcome.generation})",
        soft_wrap=True,
    )
    console.print(f"           {escape(str(outcome.url))}", soft_wrap=True)
    for table, columns in outcome.held.items():
        for column in columns:
            place = f"{table}.{column}"
            accept = typed(f"drift accept {place}")
            console.print(
                f"[yellow]held[/]       {escape(place)} is NULL until accepted: {escape(accept)}",
                soft_wrap=True,
            )
    for trouble in outcome.troubles:
        console.print(f"[yellow]note[/]       {escape(trouble)}", soft_wrap=True)


def _show_unchanged(console: Console, outcome: Outcome, project: Path) -> None:
    console.print(f"[green]unchanged[/]  {outcome.message}", soft_wrap=True)
    console.print(f"           {escape(str(outcome.url))}", soft_wrap=True)
    forced = typed("refresh --force", project)
    console.print(f"\nTo publish all the same: {escape(forced)}", soft_wrap=True)


def _show_resumed(console: Console) -> None:
    console.print("[dim]resumed    with the rows that an interrupted run had staged[/]")


def _show_refused(console: Console, outcome: Outcome) -> None:
    console.print("[red]refused[/]    nothing was published; what readers see has not changed")
    for failure in outcome.failures[:_MOST_FAILURES]:
        console.print(f"  [red]✗[/] {escape(failure)}", soft_wrap=True)
    if len(outcome.failures) > _MOST_FAILURES:
        console.print(f"  and {len(outcome.failures) - _MOST_FAILURES} more, in the report")


def _show_next(console: Console, outcome: Outcome, project: Path) -> None:
    console.print("\nNext:")
    if outcome.published:
        table = max(outcome.tables, key=lambda name: outcome.tables[name].synthetic)
        folder = f"{outcome.url}/{table}"
        read = f"import pandas as pd; print(pd.read_parquet('{folder}').head())"
        commands = [
            f'{program("python")} -c "{read}"',
            typed("snapshots ls", project),
            typed("serve --now", project),
        ]
    else:
        commands = [
            typed("schema", project),
            typed("snapshots ls", project),
            typed("refresh", project),
        ]
    for command in commands:
        console.print(f"  {escape(command)}", soft_wrap=True)
