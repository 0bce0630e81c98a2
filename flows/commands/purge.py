"""`prefect-synth purge`: delete from private staging, wholly or for one subject's family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.commands.typed import typed
from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.tasks.purge import PurgeError, purge_parts, purge_subject
from prefect_synth.tasks.staging import Staging

_UNTOUCHED = (
    "The warehouse itself was not touched: delete the subject there too, or the next refresh reads "
    "it again."
)
_PUBLISHED = (
    "Published snapshots hold synthetic rows of these tables, no row of the subject, and need no "
    "change. Tables with `model: copy` are the exception: they hold real rows."
)


def purge_project(
    project: Path, parts: Sequence[str], subject: str | None, *, yes: bool, ask: bool
) -> Answer:
    """Delete parts of a project's staging, or one subject's family.

    Args:
        project: The project file, or its folder.
        parts: `runs`, `models`, `pseudonyms` or `everything`.
        subject: `table=key`, or `table=a,b` for a key of two columns.
        yes: Whether a person has confirmed it.
        ask: Whether somebody can be asked.

    Raises:
        PurgeError: Nothing was chosen or confirmed, or the subject cannot be understood.
    """
    if not parts and subject is None:
        raise PurgeError(
            "Nothing was chosen to purge. Say --all, --runs, --models, --pseudonyms or "
            "--subject TABLE=KEY."
        )
    staging = open_setup(project).staging
    table, key = _subject(subject) if subject is not None else ("", ())
    _confirm(staging, parts, table, yes=yes, ask=ask)
    document: dict[str, Any] = {"staging": str(staging.root)}
    retrain = False
    if subject is not None:
        done = purge_subject(staging, table, key)
        document["subject"] = {"table": table, **asdict(done)}
        retrain = done.retrain
    if parts:
        done = purge_parts(staging, parts)
        document["purged"] = {"parts": done.parts, "runs": done.runs}
        retrain = retrain or done.retrain
    document |= {"retrain": retrain, "warehouse": _UNTOUCHED, "published": _PUBLISHED}
    return Answer(document, lambda console: _show(console, document, project))


def _subject(text: str) -> tuple[str, tuple[str, ...]]:
    table, sign, key = text.partition("=")
    if not (table and sign and key):
        raise PurgeError("--subject must be TABLE=KEY, such as customers=4711, or TABLE=A,B.")
    return table, tuple(part.strip() for part in key.split(","))


def _confirm(staging: Staging, parts: Sequence[str], table: str, *, yes: bool, ask: bool) -> None:
    what = [*parts, *([f"one subject of '{table}' and all below it"] if table else [])]
    question = f"Delete {', '.join(what)} from '{staging.root}'? It cannot be undone"
    try:
        if yes or (ask and typer.confirm(question)):
            return
    except typer.Abort:
        pass
    raise PurgeError("Nothing was purged. Say --yes to purge without being asked.")


def _show(console: Console, document: dict[str, Any], project: Path) -> None:
    found = document.get("subject")
    if found:
        rows = sum(found["rows"].values())
        console.print(f"[green]purged[/]    {rows:,} rows of {len(found['rows'])} tables")
        for name, count in found["rows"].items():
            console.print(f"          {escape(name):<24}{count:>12,}")
        console.print(
            f"          {found['profiles']} profiles, {found['reports']} private reports, "
            f"{found['samples']} samples, {found['models']} models, "
            f"{found['unfinished']} unfinished runs"
        )
    for part in document.get("purged", {}).get("parts", ()):
        console.print(f"[green]purged[/]    {part}")
    if document["retrain"]:
        refresh = escape(typed("refresh", project))
        console.print(f"\nModels were deleted. Train anew: [bold]{refresh}[/]", soft_wrap=True)
    console.print(f"\n{document['warehouse']}\n{document['published']}", soft_wrap=True)
