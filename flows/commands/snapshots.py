"""`prefect-synth snapshots`: the versions in the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.tasks.snapshots.errors import SnapshotNotFoundError
from prefect_synth.tasks.snapshots.store import SnapshotStore


def list_snapshots(project: Path) -> Answer:
    """List the published snapshots, newest first."""
    sandbox = open_setup(project).sandbox
    snapshots = [asdict(info) for info in sandbox.list()]
    document = {"sandbox": sandbox.url, "snapshots": snapshots}
    return Answer(document, lambda console: _show_list(console, document))


def show_snapshot(project: Path, snapshot: str) -> Answer:
    """Show a snapshot's manifest.

    Args:
        project: The project file.
        snapshot: Name of the snapshot, or `latest`.
    """
    sandbox = open_setup(project).sandbox
    manifest = dict(sandbox.show(resolve_snapshot(sandbox, snapshot)))
    return Answer(manifest, lambda console: _show_manifest(console, manifest))


def roll_back(project: Path, snapshot: str) -> Answer:
    """Point readers of `latest` at an older snapshot; nothing is deleted."""
    reference = asdict(open_setup(project).sandbox.rollback(snapshot))
    return Answer(
        reference,
        lambda console: console.print(
            f"latest -> [bold]{escape(reference['snapshot_id'])}[/] "
            f"(generation {reference['generation']})"
        ),
    )


def resolve_snapshot(sandbox: SnapshotStore, snapshot: str) -> str:
    """The name of a snapshot; `latest` is the one that readers see.

    Raises:
        SnapshotNotFoundError: Nothing was published yet.
    """
    if snapshot != "latest":
        return snapshot
    latest = sandbox.latest()
    if latest is None:
        raise SnapshotNotFoundError(
            f"Nothing was published to '{sandbox.url}' yet. Run `prefect-synth refresh` first."
        )
    return latest.snapshot_id


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


def _show_manifest(console: Console, manifest: Mapping[str, Any]) -> None:
    console.print(f"snapshot  [bold]{escape(manifest['snapshot_id'])}[/]")
    console.print(f"created   {manifest['created'][:19]}")
    table = Table("table", "folder", box=None)
    for name in ("rows", "MiB"):
        table.add_column(name, justify="right")
    for name, facts in manifest["tables"].items():
        size = f"{facts['bytes'] / 2**20:.1f}"
        table.add_row(escape(name), escape(facts["folder"]), f"{facts['rows']:,}", size)
    console.print(table)
