"""The command line `prefect-synth`: each command is a few lines here and a file in `commands`.

Heavy libraries are imported when a command runs, so that help is quick.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from prefect_synth.flows.cli_drift import drift
from prefect_synth.flows.cli_folders import folders
from prefect_synth.flows.cli_options import (
    HERE,
    EndpointOption,
    JsonOption,
    ProjectOption,
    SandboxOption,
    SnapshotArgument,
)
from prefect_synth.flows.cli_running import running
from prefect_synth.flows.cli_snapshots import snapshots
from prefect_synth.flows.commands.answer import DEBUG, respond

app = typer.Typer(
    name="prefect-synth",
    help="Nightly synthetic copies of production tables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(folders)
app.add_typer(running)
app.add_typer(snapshots, name="snapshots")
app.add_typer(drift, name="drift")
suites = typer.Typer(help="What must hold of each table, as files.", no_args_is_help=True)
app.add_typer(suites, name="suites")

Mode = Literal["replace", "append", "upsert"]
Create = Literal["missing", "never", "always"]
Oversampling = Literal["smote", "smotenc", "adasyn"]


def main() -> None:
    """Run the command line."""
    app()


def _version(wanted: bool) -> None:
    if wanted:
        from prefect_synth import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error happened.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    if debug:
        os.environ[DEBUG] = "1"


@app.command()
def init(
    demo: Annotated[bool, typer.Option("--demo", help="Make a demo warehouse.")] = False,
    full: Annotated[bool, typer.Option("--full", help="The demo with every household.")] = False,
    url: Annotated[str | None, typer.Option("--from", help="URL of your warehouse.")] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write a first synth.yaml, from your warehouse or with a demo warehouse."""
    if demo == (url is not None) or (full and not demo):
        raise typer.BadParameter("say either --demo (or --demo --full), or --from URL.")
    from prefect_synth.flows.commands.init import init_demo, init_from

    respond(as_json, lambda: init_demo(project, full) if url is None else init_from(project, url))


@app.command()
def check(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Check the project file and the connections; change nothing."""
    from prefect_synth.flows.commands.check import check_project

    respond(as_json, lambda: check_project(project))


@app.command()
def ledger(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Show what trainings have spent of the privacy budget."""
    from prefect_synth.flows.commands.ledger import show_ledger

    respond(as_json, lambda: show_ledger(project))


@app.command()
def plan(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Tell what the next refresh would do, and take; change nothing."""
    from prefect_synth.flows.commands.plan import plan_project

    respond(as_json, lambda: plan_project(project))


@app.command()
def refresh(
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show Prefect's own log.")
    ] = False,
    reuse_models: Annotated[
        bool,
        typer.Option(
            "--reuse-models",
            help="Draw with the last snapshot's models: its rows stay, new ones are appended.",
        ),
    ] = False,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train all that changed, however little it moved.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Publish a snapshot even if nothing has changed.")
    ] = False,
) -> None:
    """Pull, train, sample, validate, publish: the whole way, here and now."""
    from prefect_synth.flows.commands.refresh import refresh_now

    respond(as_json, lambda: refresh_now(project, as_json, verbose, reuse_models, retrain, force))


@app.command()
def schema(
    data: Annotated[
        Path | None, typer.Argument(help="A folder of Parquet files instead of the warehouse.")
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Print the schema as a Mermaid drawing."""
    from prefect_synth.flows.commands.drawing import draw_schema

    respond(as_json, lambda: draw_schema(project, data))


@app.command()
def report(
    snapshot: SnapshotArgument = "latest",
    out: Annotated[Path | None, typer.Option(help="File to write.")] = None,
    browse: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    data_docs: Annotated[
        Path | None,
        typer.Option(
            help="Folder for Great Expectations Data Docs of the last staged run instead: PRIVATE."
        ),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write the HTML report of a published snapshot."""
    if data_docs is not None:
        from prefect_synth.flows.commands.data_docs import write_data_docs

        respond(as_json, lambda: write_data_docs(project, data_docs, browse))
    from prefect_synth.flows.commands.report import fetch_report

    respond(as_json, lambda: fetch_report(project, snapshot, out, browse))


@app.command()
def fixture(
    out: Annotated[Path, typer.Option(help="Folder to write to, as tests/data.")],
    snapshot: SnapshotArgument = "latest",
    rows: Annotated[int, typer.Option(help="At most so many rows of a table.")] = 200,
    table: Annotated[
        list[str] | None,
        typer.Option("--table", help="Only this table, and all that it refers to; repeatable."),
    ] = None,
    root: Annotated[
        str | None, typer.Option(help="The table to begin with; the people by default.")
    ] = None,
    kind: Annotated[
        Literal["snapshot", "csv", "parquet"],
        typer.Option("--format", help="A snapshot that tests read as a sandbox, or plain files."),
    ] = "snapshot",
    project: ProjectOption = HERE,
    sandbox: SandboxOption = None,
    endpoint_url: EndpointOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a small extract whose foreign keys all resolve, to commit beside tests."""
    from prefect_synth.flows.commands.fixture import FixtureRequest, make_fixture
    from prefect_synth.flows.commands.sandbox_place import SandboxPlace

    request = FixtureRequest(snapshot, out, rows, tuple(table or ()), root, kind)
    place = SandboxPlace(project, sandbox, endpoint_url)
    respond(as_json, lambda: make_fixture(request, place))


@app.command()
def feed(
    target: Annotated[
        str | None, typer.Argument(help="Name under feeds: of the project file; by default all.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="URL of a database, instead of a name.")
    ] = None,
    snapshot: Annotated[
        str | None, typer.Option(help="Name of the snapshot; by default the last good one.")
    ] = None,
    mode: Annotated[
        Mode | None, typer.Option(help="What becomes of rows that are there: replace by default.")
    ] = None,
    table: Annotated[
        list[str] | None,
        typer.Option("--table", help="Only this table, and all that it refers to; repeatable."),
    ] = None,
    schema: Annotated[
        str | None, typer.Option(help="With --to: the schema for all tables.")
    ] = None,
    closure: Annotated[
        bool, typer.Option(help="With --to: feed the tables that foreign keys need, too.")
    ] = True,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="With --to: leave out columns that it lacks.")
    ] = False,
    create: Annotated[
        Create, typer.Option(help="With --to: which tables are created; always: all anew.")
    ] = "missing",
    project: ProjectOption = HERE,
    sandbox: SandboxOption = None,
    endpoint_url: EndpointOption = None,
    as_json: JsonOption = False,
) -> None:
    """Load a snapshot into a test database, whole or not at all."""
    described = schema is not None or not closure or leave_out or create != "missing"
    only_with_to = described or sandbox is not None
    if (target is not None and to is not None) or (to is None and only_with_to):
        raise typer.BadParameter(
            "say either TARGET, which the project file describes, or --to URL; --schema, "
            "--no-closure, --leave-out, --create and --sandbox belong to --to."
        )
    from prefect_synth.flows.commands.feed import Feed, feed_targets, feed_url
    from prefect_synth.flows.commands.sandbox_place import SandboxPlace

    wanted = Feed(snapshot, mode, tuple(table or ()) or None, schema, closure, leave_out, create)
    place = SandboxPlace(project, sandbox, endpoint_url)
    respond(
        as_json,
        lambda: (
            feed_targets(project, target, wanted, quiet=as_json)
            if to is None
            else feed_url(place, to, wanted)
        ),
    )


@app.command()
def oversample(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Table whose real rows to take.")],
    column: Annotated[str, typer.Option("--column", help="Column of the classes.")],
    method: Annotated[Oversampling, typer.Option("--method", help="How.")] = "smotenc",
    out: Annotated[
        Path | None, typer.Option("--out", help="Name of the Parquet file, in private staging.")
    ] = None,
    features: Annotated[
        list[str] | None, typer.Option("--feature", help="Column to use; all that can be.")
    ] = None,
    neighbours: Annotated[int, typer.Option(min=1, help="Real rows to lie towards.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of every draw.")] = 0,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Oversample real rows by SMOTE or its like, inside private staging; never published."""
    from prefect_synth.flows.commands.oversample import oversample_table

    respond(
        as_json,
        lambda: oversample_table(
            project, table, column, method, out, features or (), neighbours, seed
        ),
    )


@app.command()
def purge(
    everything: Annotated[
        bool, typer.Option("--all", help="All of private staging, the pseudonyms' key included.")
    ] = False,
    runs: Annotated[bool, typer.Option("--runs", help="Staged rows, profiles, reports.")] = False,
    models: Annotated[bool, typer.Option("--models", help="Trained models, cached steps.")] = False,
    pseudonyms: Annotated[
        bool, typer.Option("--pseudonyms", help="The key: the next snapshot has other pseudonyms.")
    ] = False,
    subject: Annotated[
        str | None, typer.Option(help="TABLE=KEY: one row and all rows that belong to it.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Delete real rows, profiles and models from private staging; the warehouse is not touched."""
    from prefect_synth.flows.commands.purge import purge_project

    chosen = {"runs": runs, "models": models, "pseudonyms": pseudonyms}
    parts = ["everything"] if everything else [name for name, wanted in chosen.items() if wanted]
    respond(as_json, lambda: purge_project(project, parts, subject, yes=yes, ask=not as_json))


@suites.command("generate")
def suites_generate(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if a file is out of date.")
    ] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write a suite file for every table, keeping every edit by hand."""
    from prefect_synth.flows.commands.suites import generate_suites

    respond(as_json, lambda: generate_suites(project, check))
