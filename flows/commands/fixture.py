"""`prefect-synth fixture`: a small closed extract of a snapshot, to commit beside tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.commands.sandbox_place import SandboxPlace
from prefect_synth.tasks.snapshots.fixture import Extract, write_fixture
from prefect_synth.tasks.snapshots.fixture_plain import write_plain
from prefect_synth.tasks.snapshots.reading import snapshots_in

FixtureFormat = Literal["snapshot", "csv", "parquet"]


@dataclass(frozen=True)
class FixtureRequest:
    """What was asked for on the command line.

    Args:
        snapshot: Name of the snapshot, or `latest`.
        out: Folder to write to.
        rows: How many rows a table shall have at most.
        tables: These tables and all that they refer to; all by default.
        root: The table to begin with; the people by default.
        kind: A sandbox of its own, or plain files.
    """

    snapshot: str
    out: Path
    rows: int
    tables: tuple[str, ...]
    root: str | None
    kind: FixtureFormat


def make_fixture(request: FixtureRequest, place: SandboxPlace) -> Answer:
    """Take a small extract out of a snapshot.

    Args:
        request: What was asked for.
        place: Where the snapshot is.

    Raises:
        RequestError: An option has a value that cannot be.
        SandboxError: The snapshot cannot be read, or the folder not be written.
    """
    snapshot = snapshots_in(place.open()).get(request.snapshot)
    extract = Extract.choose(snapshot, request.rows, root=request.root, tables=request.tables)
    made: dict[str, Any] = {"snapshot": snapshot.snapshot_id, "out": str(request.out)}
    if request.kind == "snapshot":
        made["fixture"] = write_fixture(extract, request.out)
    else:
        files = write_plain(extract, request.out, request.kind)
        made["files"] = [file.name for file in files]
    whole = {name: facts["rows"] for name, facts in snapshot.manifest["tables"].items()}
    made["rows"] = extract.counts()
    return Answer(made, lambda console: _show(console, made, whole))


def _show(console: Console, made: Mapping[str, Any], whole: Mapping[str, int]) -> None:
    table = Table("table", box=None, pad_edge=False)
    for name in ("rows", "of"):
        table.add_column(name, justify="right")
    for name, rows in sorted(made["rows"].items()):
        table.add_row(escape(name), f"{rows:,}", f"{whole[name]:,}")
    console.print(table)
    console.print(
        f"\n[green]written[/] to {escape(made['out'])}, from snapshot {escape(made['snapshot'])}",
        soft_wrap=True,
    )
