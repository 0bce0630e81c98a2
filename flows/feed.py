"""The flow `feed`: a published snapshot into the databases that the project file names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.runtime import flow_run
from prefect.states import Completed
from prefect.tasks import exponential_backoff
from pydantic import Field

from prefect_synth.flows.project import ProjectError
from prefect_synth.flows.refresh_setup import Setup, open_setup
from prefect_synth.flows.run_names import run_name
from prefect_synth.tasks.artifacts import keep_feed
from prefect_synth.tasks.connections import warehouse_url
from prefect_synth.tasks.databases.job import Mode
from prefect_synth.tasks.databases.result import FeedResult
from prefect_synth.tasks.databases.settings import FeedSettings
from prefect_synth.tasks.feed import feed_database
from prefect_synth.tasks.steps import guard
from prefect_synth.tasks.warehouses.errors import did_you_mean

Reason = Literal["manual", "published"]
Results = dict[str, FeedResult]


def _run_name() -> str:
    """`shop · feed test · published · 2026-11-21`."""
    arguments = flow_run.parameters
    what = ", ".join(arguments.get("targets") or ()) or "all"
    return run_name(f"feed {what}", arguments["reason"])


@flow(name="feed", flow_run_name=_run_name, persist_result=False)
def feed(
    project: Annotated[str, Field(description="The project file, or its folder.")] = "synth.yaml",
    targets: Annotated[
        list[str] | None,
        Field(description="Names under `feeds`; by default all that are fed automatically."),
    ] = None,
    snapshot: Annotated[
        str | None, Field(description="Another snapshot than the project file says.")
    ] = None,
    mode: Annotated[
        Mode | None, Field(description="Another mode than the project file says.")
    ] = None,
    tables: Annotated[
        list[str] | None, Field(description="Other tables than the project file says.")
    ] = None,
    reason: Annotated[Reason, Field(description="Why this run was started.")] = "manual",
) -> State[Results]:
    """
    Load a snapshot into test databases, each of them whole or not at all.

    Addresses and passwords stay in the project file or in blocks; parameters are names only.

    Args:
        project: The project file, or its folder.
        targets: Names under `feeds`; by default all that are fed automatically.
        snapshot: Another snapshot than the project file says.
        mode: Another mode than the project file says.
        tables: Other tables than the project file says.
        reason: Why this run was started.
    """
    with guard():
        setup = open_setup(project)
        others = {"snapshot": snapshot, "mode": mode, "tables": tuple(tables) if tables else None}
        given = {key: value for key, value in others.items() if value is not None}
        wanted = {n: s.model_copy(update=given) for n, s in chosen_feeds(setup, targets).items()}
        results = _feed_each(setup, wanted)
    return Completed(name="Fed", message=_message(results), data=results)


def chosen_feeds(setup: Setup, targets: list[str] | None) -> Mapping[str, FeedSettings]:
    """The databases to feed.

    Args:
        setup: The project.
        targets: Their names; by default all that are fed automatically.

    Raises:
        ProjectError: There is none, or none of that name.
    """
    feeds = setup.project.feeds
    if targets is None:
        chosen = {name: settings for name, settings in feeds.items() if settings.automatic}
        if not chosen:
            raise ProjectError(
                f"{setup.file.name} names no database to feed. Add one under `feeds`, such as "
                "test: {url: 'sqlite:///test.db'}, or give --to URL."
            )
        return chosen
    for name in targets:
        if name not in feeds:
            raise ProjectError(f"feeds names no '{name}'. {did_you_mean(name, feeds)}")
    return {name: feeds[name] for name in targets}


def _feed_each(setup: Setup, wanted: Mapping[str, FeedSettings]) -> Results:
    """Feed one database after the other; one that fails keeps none of the others from it."""
    protect = warehouse_url(setup.project.warehouse, setup.base)
    results: Results = {}
    errors: list[Exception] = []
    for name, settings in wanted.items():
        patient = feed_database.with_options(
            retries=_retries(setup, settings), retry_delay_seconds=exponential_backoff(2)
        )
        try:
            results[name] = patient(name, settings, setup.sandbox, setup.base, protect)
        except Exception as error:
            get_run_logger().error("%s was not fed, and is as it was: %s", name, error)
            errors.append(error)
        else:
            _say(setup.project.project, name, results[name])
    if errors:
        first, *more = errors
        for other in more:
            first.add_note(str(other))
        raise first
    return results


def _retries(setup: Setup, settings: FeedSettings) -> int:
    """How often a lost connection is tried again.

    Appending never is: if the answer to the commit was lost, the rows are there, and those of a
    table without a key would be there twice.
    """
    return 0 if settings.mode == "append" else setup.project.run.retries


def _say(project: str, target: str, result: FeedResult) -> None:
    """Leave the figures in Prefect's interface, and emit `database.fed`.

    A failure of that takes nothing from a database that was fed.
    """
    try:
        keep_feed(project, target, result)
        _emit_fed(project, target, result)
    except Exception as error:
        get_run_logger().warning("%s was fed, but Prefect could not be told: %s", target, error)


def _emit_fed(project: str, target: str, result: FeedResult) -> None:
    emit_event(
        "database.fed",
        resource={
            "prefect.resource.id": f"prefect-synth.database.{project}.{target}",
            "prefect.resource.name": f"{project} {target}",
        },
        payload={
            "project": project,
            "target": target,
            "snapshot_id": result.snapshot_id,
            "tables": {table.place: table.rows for table in result.tables},
            "seconds": result.seconds,
        },
    )


def _message(results: Results) -> str:
    return "; ".join(
        f"{name} holds {result.snapshot_id}: {len(result.tables)} tables, {result.rows:,} rows"
        for name, result in results.items()
    )
