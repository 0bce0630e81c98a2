"""`prefect-synth report --data-docs`: Great Expectations' own pages about the last staged run."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from prefect_synth.expectations.batch import read_batch
from prefect_synth.expectations.engine import parent_keys
from prefect_synth.expectations.profile import TableProfile
from prefect_synth.expectations.suite import bind
from prefect_synth.expectations.suite_docs import DocumentedTable, build_data_docs
from prefect_synth.expectations.suite_modules import import_modules
from prefect_synth.flows.commands.answer import Answer
from prefect_synth.flows.refresh_setup import Setup, open_setup
from prefect_synth.flows.user_checks import user_checks
from prefect_synth.flows.yaml_document import ProjectError
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.storage import folder_name
from prefect_synth.tasks.staged_run import StagedRun
from prefect_synth.tasks.suites import UserChecks
from prefect_synth.tasks.synthesis import read_metadata

_PRIVATE = (
    "PRIVATE: these pages hold value sets and bounds of the real data. They load styles from "
    "public servers, so they look right only with a network."
)


def write_data_docs(project: Path, folder: Path, browse: bool) -> Answer:
    """Write Great Expectations Data Docs of the newest run that still has its tables.

    Args:
        project: The project file.
        folder: A new or empty folder, outside of the sandbox.
        browse: Whether to open them in the browser.

    Raises:
        ProjectError: The folder will not do, or no run is staged.
    """
    setup, folder = open_setup(project), folder.absolute()
    _check_folder(setup, folder)
    run = _newest(setup)
    page = build_data_docs(folder, _documented(setup, run))
    if browse:
        webbrowser.open(page.as_uri())
    document = {"run": run.folder.name, "data_docs": str(page), "warning": _PRIVATE}
    return Answer(document, lambda console: _show(console, page))


def _check_folder(setup: Setup, folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ProjectError(f"'{folder}' is not an empty folder. Give a new one for the Data Docs.")
    url = setup.project.sandbox.url
    if url and folder.is_relative_to((setup.base / url).absolute()):
        raise ProjectError(
            f"'{folder}' lies in the sandbox, and Data Docs are private. Give a folder outside."
        )


def _newest(setup: Setup) -> StagedRun:
    whole = [run for run in setup.staging.runs() if _is_whole(run)]
    if not whole:
        raise ProjectError(
            "No staged run has its synthetic tables and profiles any more. Run "
            "`prefect-synth refresh` with staging.keep_runs of at least 1."
        )
    return whole[-1]


def _is_whole(run: StagedRun) -> bool:
    file = run.folder / "metadata.json"
    if not file.is_file():
        return False
    tables = read_metadata(file).tables
    return all(run.synthetic(t).exists() and _profile(run, t).is_dir() for t in tables)


def _profile(run: StagedRun, table: str) -> Path:
    return run.folder / "profiles" / folder_name(table)


def _documented(setup: Setup, run: StagedRun) -> Iterator[DocumentedTable]:
    metadata = read_metadata(run.folder / "metadata.json")
    wanted = user_checks(setup)
    import_modules(wanted.modules, wanted.base)
    for name in metadata.tables:
        yield _document(setup, run, metadata, name, wanted)


def _document(
    setup: Setup, run: StagedRun, metadata: Metadata, name: str, wanted: UserChecks
) -> DocumentedTable:
    gates = setup.project.table_gates().get(name, setup.project.gates)
    profile = TableProfile.load(_profile(run, name))
    batch = read_batch(run.synthetic(name), gates.max_rows, gates.seed)
    template = wanted.suite(name, metadata, run.synthetic(name), gates).suite
    parents = {r.parent: run.synthetic(r.parent) for r in metadata.parents(name)}
    return DocumentedTable(
        metadata.tables[name],
        bind(template, profile, gates, batch.table.num_rows),
        batch.table,
        parent_keys(metadata, name, parents),
        profile.copies.hashes,
    )


def _show(console: Console, page: Path) -> None:
    console.print(f"data docs  {escape(str(page))}", soft_wrap=True)
    console.print(f"[yellow]![/] {_PRIVATE}", soft_wrap=True)
