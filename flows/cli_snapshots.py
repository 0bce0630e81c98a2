"""The commands `prefect-synth snapshots ...`: each is a few lines here and a file in `commands`."""

from __future__ import annotations

from typing import Annotated

import typer

from prefect_synth.flows.cli_options import (
    HERE,
    EndpointOption,
    JsonOption,
    ProjectOption,
    SandboxOption,
    SnapshotArgument,
)
from prefect_synth.flows.commands.answer import respond

snapshots = typer.Typer(help="The versions in the sandbox.", no_args_is_help=True)


@snapshots.command("ls")
def snapshots_ls(
    project: ProjectOption = HERE,
    sandbox: SandboxOption = None,
    endpoint_url: EndpointOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the published snapshots, newest first."""
    from prefect_synth.flows.commands.sandbox_place import SandboxPlace
    from prefect_synth.flows.commands.snapshots import list_snapshots

    respond(as_json, lambda: list_snapshots(SandboxPlace(project, sandbox, endpoint_url)))


@snapshots.command("show")
def snapshots_show(
    snapshot: SnapshotArgument = "latest",
    project: ProjectOption = HERE,
    sandbox: SandboxOption = None,
    endpoint_url: EndpointOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a snapshot holds, its verdict, and whether it is pinned."""
    from prefect_synth.flows.commands.sandbox_place import SandboxPlace
    from prefect_synth.flows.commands.snapshots import show_snapshot

    place = SandboxPlace(project, sandbox, endpoint_url)
    respond(as_json, lambda: show_snapshot(place, snapshot))


@snapshots.command("verify")
def snapshots_verify(
    snapshot: SnapshotArgument = "latest",
    project: ProjectOption = HERE,
    sandbox: SandboxOption = None,
    endpoint_url: EndpointOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read every file of a snapshot and compare it with the manifest; exit 1 if one is bad."""
    from prefect_synth.flows.commands.sandbox_place import SandboxPlace
    from prefect_synth.flows.commands.snapshot_upkeep import verify_snapshot

    place = SandboxPlace(project, sandbox, endpoint_url)
    respond(as_json, lambda: verify_snapshot(place, snapshot))


@snapshots.command("diff")
def snapshots_diff(
    before: Annotated[
        str | None, typer.Argument(help="The older snapshot; by default the one before AFTER.")
    ] = None,
    after: Annotated[str, typer.Argument(help="The newer snapshot.")] = "latest",
    table: Annotated[list[str] | None, typer.Option(help="Only this table.")] = None,
    project: ProjectOption = HERE,
    sandbox: SandboxOption = None,
    endpoint_url: EndpointOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two snapshots: rows by key, schema, distributions, figures."""
    from prefect_synth.flows.commands.sandbox_place import SandboxPlace
    from prefect_synth.flows.commands.snapshot_diff import compare

    place = SandboxPlace(project, sandbox, endpoint_url)
    respond(as_json, lambda: compare(place, before, after, tuple(table or ())))


@snapshots.command("rollback")
def snapshots_rollback(
    snapshot: Annotated[str, typer.Argument(help="Name of the snapshot to go back to.")],
    project: ProjectOption = HERE,
    sandbox: SandboxOption = None,
    endpoint_url: EndpointOption = None,
    as_json: JsonOption = False,
) -> None:
    """Point readers at an older snapshot; nothing is deleted."""
    from prefect_synth.flows.commands.sandbox_place import SandboxPlace
    from prefect_synth.flows.commands.snapshots import roll_back

    respond(as_json, lambda: roll_back(SandboxPlace(project, sandbox, endpoint_url), snapshot))


@snapshots.command("pin")
def snapshots_pin(
    snapshot: SnapshotArgument,
    note: Annotated[str, typer.Option(help="Why, for those who read the list.")] = "",
    project: ProjectOption = HERE,
    sandbox: SandboxOption = None,
    endpoint_url: EndpointOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a snapshot from being deleted until it is unpinned."""
    from prefect_synth.flows.commands.sandbox_place import SandboxPlace
    from prefect_synth.flows.commands.snapshot_upkeep import pin_snapshot

    place = SandboxPlace(project, sandbox, endpoint_url)
    respond(as_json, lambda: pin_snapshot(place, snapshot, note))


@snapshots.command("unpin")
def snapshots_unpin(
    snapshot: SnapshotArgument,
    project: ProjectOption = HERE,
    sandbox: SandboxOption = None,
    endpoint_url: EndpointOption = None,
    as_json: JsonOption = False,
) -> None:
    """Leave a snapshot to retention again."""
    from prefect_synth.flows.commands.sandbox_place import SandboxPlace
    from prefect_synth.flows.commands.snapshot_upkeep import unpin_snapshot

    respond(as_json, lambda: unpin_snapshot(SandboxPlace(project, sandbox, endpoint_url), snapshot))


@snapshots.command("gc")
def snapshots_gc(
    grace_hours: Annotated[
        float, typer.Option(min=0, help="How long an attempt may be idle before it has crashed.")
    ] = 24,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    project: ProjectOption = HERE,
    sandbox: SandboxOption = None,
    endpoint_url: EndpointOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete crashed attempts, their unfinished uploads, and what sandbox.retain does not keep."""
    from prefect_synth.flows.commands.sandbox_place import SandboxPlace
    from prefect_synth.flows.commands.snapshot_upkeep import collect_garbage

    place = SandboxPlace(project, sandbox, endpoint_url)
    respond(as_json, lambda: collect_garbage(place, grace_hours, dry_run))
