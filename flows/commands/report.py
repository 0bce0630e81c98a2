"""`prefect-synth report`: the HTML report of a published snapshot."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.commands.sandbox_place import resolve_snapshot
from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.tasks.snapshots.errors import SnapshotNotFoundError
from prefect_synth.tasks.snapshots.naming import snapshot_folder

REPORT = "report.html"


def fetch_report(project: Path, snapshot: str, out: Path | None, browse: bool) -> Answer:
    """Write a snapshot's report to a local file, and open it if asked to.

    Args:
        project: The project file.
        snapshot: Name of the snapshot, or `latest`.
        out: File to write; by default `<snapshot>.html` here.
        browse: Whether to open it in the browser.
    """
    sandbox = open_setup(project).sandbox
    name = resolve_snapshot(sandbox, snapshot)
    if REPORT not in sandbox.show(name)["extra_files"]:
        raise SnapshotNotFoundError(f"Snapshot '{name}' has no report.")
    path = (out or Path(f"{name}.html")).absolute()
    with path.open("wb") as file:
        file.writelines(sandbox.backend.chunks(f"{snapshot_folder(name)}{REPORT}"))
    if browse:
        webbrowser.open(path.as_uri())
    return Answer({"snapshot": name, "report": str(path)}, lambda console: _show(console, path))


def _show(console: Console, path: Path) -> None:
    console.print(f"report  {escape(str(path))}", soft_wrap=True)
