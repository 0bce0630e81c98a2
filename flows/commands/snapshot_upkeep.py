"""`prefect-synth snapshots verify, pin, unpin, gc`: the care of what is in the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.commands.sandbox_place import SandboxPlace, resolve_snapshot
from prefect_synth.flows.failures import GATE_FAILED
from prefect_synth.tasks.snapshots.manifest import manifest_files
from prefect_synth.tasks.snapshots.naming import MANIFEST


def verify_snapshot(place: SandboxPlace, snapshot: str) -> Answer:
    """Compare every file of a snapshot with its manifest.

    Args:
        place: The sandbox.
        snapshot: Name of the snapshot, or `latest`.

    Returns:
        One line for each file that is not as it should be, and exit code 1 if there is one.
    """
    sandbox = place.open()
    name = resolve_snapshot(sandbox, snapshot)
    differences = sandbox.verify(name)
    readable = not any(text.startswith(MANIFEST) for text in differences)
    files = list(manifest_files(sandbox.show(name))) if readable else []
    document = {
        "snapshot_id": name,
        "files": len(files),
        "bytes": sum(int(file["bytes"]) for file in files),
        "differences": differences,
    }
    code = GATE_FAILED if differences else 0
    return Answer(document, lambda console: _show_verified(console, document), code)


def pin_snapshot(place: SandboxPlace, snapshot: str, note: str) -> Answer:
    """Keep a snapshot from being deleted.

    Args:
        place: The sandbox.
        snapshot: Name of the snapshot, or `latest`.
        note: Why, for those who read the list.
    """
    sandbox = place.open()
    name = resolve_snapshot(sandbox, snapshot)
    document = {"snapshot_id": name, "pin": asdict(sandbox.pin(name, note))}
    return Answer(document, lambda console: console.print(f"pinned [bold]{escape(name)}[/]"))


def unpin_snapshot(place: SandboxPlace, snapshot: str) -> Answer:
    """Leave a snapshot to retention again; that deletes it at the next refresh or `gc`."""
    sandbox = place.open()
    name = resolve_snapshot(sandbox, snapshot)
    sandbox.unpin(name)
    document = {"snapshot_id": name, "pin": None}
    return Answer(document, lambda console: console.print(f"unpinned [bold]{escape(name)}[/]"))


def collect_garbage(place: SandboxPlace, grace_hours: float, dry_run: bool) -> Answer:
    """Delete what nobody needs: snapshots beyond retention, crashed attempts, their uploads.

    Args:
        place: The sandbox; one that is named has no retention, so its whole snapshots stay.
        grace_hours: How long an attempt may be idle before it counts as crashed.
        dry_run: Only say what would be deleted.
    """
    garbage = place.open().gc(place.retention(), grace_hours, dry_run)
    document = {"dry_run": dry_run, **asdict(garbage)}
    return Answer(document, lambda console: _show_garbage(console, document))


def _show_verified(console: Console, document: Mapping[str, Any]) -> None:
    name = escape(document["snapshot_id"])
    for difference in document["differences"]:
        console.print(f"[red]{escape(difference)}[/]", soft_wrap=True)
    if document["differences"]:
        console.print(f"{name} is damaged; go back with: prefect-synth snapshots rollback")
        return
    size = document["bytes"] / 2**20
    console.print(f"{name}: {document['files']} files, {size:.1f} MiB, all as the manifest says")


def _show_garbage(console: Console, document: Mapping[str, Any]) -> None:
    done = "would delete" if document["dry_run"] else "deleted"
    for kind in ("snapshots", "attempts"):
        for name in document[kind]:
            console.print(f"{done} {kind.removesuffix('s')} {escape(name)}", soft_wrap=True)
    if document["uploads"]:
        console.print(f"{done} {document['uploads']} unfinished uploads")
    if not any(document[kind] for kind in ("snapshots", "attempts", "uploads")):
        console.print("nothing to delete")
