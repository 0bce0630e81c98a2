"""`prefect-synth snapshots ls, show, rollback`: the versions in the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.commands.sandbox_place import SandboxPlace, resolve_snapshot
from prefect_synth.tasks.snapshots.store import SnapshotStore


def list_snapshots(place: SandboxPlace) -> Answer:
    """List the published snapshots, newest first."""
    sandbox = place.open()
    snapshots = [asdict(info) for info in sandbox.list()]
    document = {"sandbox": sandbox.url, "snapshots": snapshots}
    return Answer(document, lambda console: _show_list(console, document))


def show_snapshot(place: SandboxPlace, snapshot: str) -> Answer:
    """Show a snapshot's manifest, and whether it is pinned and in use.

    Args:
        place: The sandbox.
        snapshot: Name of the snapshot, or `latest`.
    """
    sandbox = place.open()
    name = resolve_snapshot(sandbox, snapshot)
    document = {**sandbox.show(name), **_standing(sandbox, name)}
    return Answer(document, lambda console: _show_manifest(console, document))


def roll_back(place: SandboxPlace, snapshot: str) -> Answer:
    """Point readers of `latest` at an older snapshot; nothing is deleted."""
    reference = asdict(place.open().rollback(snapshot))
    return Answer(
        reference,
        lambda console: console.print(
            f"latest -> [bold]{escape(reference['snapshot_id'])}[/] "
            f"(generation {reference['generation']})"
        ),
    )


def _standing(sandbox: SnapshotStore, snapshot_id: str) -> dict[str, Any]:
    latest, pin = sandbox.latest(), sandbox.pins().get(snapshot_id)
    return {
        "is_latest": latest is not None and latest.snapshot_id == snapshot_id,
        "pin": asdict(pin) if pin else None,
    }


def _show_list(console: Console, document: Mapping[str, Any]) -> None:
    if not document["snapshots"]:
        console.print(f"No snapshot in {escape(document['sandbox'])} yet: prefect-synth refresh")
        return
    # a name that is cut cannot be given to `rollback`
    longest = max(len(info["snapshot_id"]) for info in document["snapshots"])
    table = Table(
        "", Column("snapshot", min_width=longest), "created (UTC)", box=None, pad_edge=False
    )
    for name in ("tables", "rows", "MiB"):
        table.add_column(name, justify="right")
    for info in document["snapshots"]:
        table.add_row(
            "[green]latest[/]" if info["is_latest"] else "",
            escape(info["snapshot_id"]),
            info["created"][:16].replace("T", " "),
            str(info["tables"]),
            f"{info['rows']:,}",
            f"{info['bytes'] / 2**20:.1f}",
        )
    console.print(table)
    for info in document["snapshots"]:  # below: a note of any length leaves the names whole
        if info["pin"]:
            name, pin = escape(info["snapshot_id"]), _pinned(info["pin"])
            console.print(f"pinned  {name}  {pin}", soft_wrap=True)


def _pinned(pin: Mapping[str, str]) -> str:
    since = pin["since"][:10]
    return f"{since}: {escape(pin['note'])}" if pin["note"] else since


def _show_manifest(console: Console, document: Mapping[str, Any]) -> None:
    latest = "  [green]latest[/]" if document["is_latest"] else ""
    console.print(f"snapshot  [bold]{escape(document['snapshot_id'])}[/]{latest}")
    console.print(f"created   {document['created'][:19]}")
    if document["pin"]:
        console.print(f"pinned    {_pinned(document['pin'])}")
    if document.get("verdict"):
        console.print(f"verdict   {_verdict(document['verdict'])}")
    table = Table("table", "folder", box=None)
    for name in ("rows", "MiB"):
        table.add_column(name, justify="right")
    for name, facts in document["tables"].items():
        size = f"{facts['bytes'] / 2**20:.1f}"
        table.add_row(escape(name), escape(facts["folder"]), f"{facts['rows']:,}", size)
    console.print(table)


def _verdict(verdict: Mapping[str, Any]) -> str:
    checks = verdict.get("checks", ())
    warned = sum(check["status"] == "warned" for check in checks)
    word = "[green]passed[/]" if verdict.get("passed") else "[red]failed[/]"
    return f"{word}: {len(checks)} checks, {warned} warnings"
