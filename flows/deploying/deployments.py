"""The deployments of a project: what is run, when, and what keeps its runs apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import ConcurrencyLimitStrategy
from prefect.flows import Flow
from prefect.utilities.callables import parameter_schema

from prefect_synth import __version__
from prefect_synth.flows.deployment_names import nightly_name, on_change_name
from prefect_synth.flows.feed import feed
from prefect_synth.flows.garbage import gc
from prefect_synth.flows.project import Project
from prefect_synth.flows.refresh import refresh
from prefect_synth.flows.schedules import schedule_of
from prefect_synth.flows.slots import refresh_slot
from prefect_synth.flows.watch import watch

TAG = "prefect-synth"
_ANCHOR = "2020-01-01T00:00:00Z"  # else each deploy would make another schedule
_ENQUEUE, _CANCEL_NEW = ConcurrencyLimitStrategy.ENQUEUE, ConcurrencyLimitStrategy.CANCEL_NEW


@dataclass(frozen=True)
class PlannedDeployment:
    """A deployment as it should be.

    Args:
        flow: The flow, found by its module, never by a file.
        name: The deployment's name.
        description: What it does.
        parameters: Names and paths alone.
        schedule: As the API takes it, if there is one.
        slot: The shared limit that its runs wait for, if there is one.
        limit: How many of its own runs go at a time, if that is bounded.
        collision: What becomes of a run beyond the limit.
    """

    flow: Flow[..., Any]
    name: str
    description: str
    parameters: Mapping[str, Any]
    schedule: Mapping[str, Any] | None = None
    slot: str | None = None
    limit: int | None = None
    collision: ConcurrencyLimitStrategy | None = None
    schema: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        """Read the parameters of the flow."""
        schema = parameter_schema(self.flow).model_dump(exclude_unset=True)
        object.__setattr__(self, "schema", schema)

    @property
    def full_name(self) -> str:
        """`refresh/shop`."""
        return f"{self.flow.name}/{self.name}"

    @property
    def body(self) -> dict[str, Any]:
        """What the API is told of it, without what only the server knows."""
        strategy = {"collision_strategy": self.collision.value} if self.collision else None
        return {
            "description": self.description,
            "tags": [TAG],
            "version": __version__,
            "entrypoint": f"{self.flow.fn.__module__}.{self.flow.fn.__name__}",
            "parameters": dict(self.parameters),
            "parameter_openapi_schema": dict(self.schema),
            "enforce_parameter_schema": True,
            "concurrency_options": strategy,
        }


def planned_deployments(
    project: Project, file: str | Path, cron: str | None = None
) -> list[PlannedDeployment]:
    """The deployments that a project asks for.

    Args:
        project: What the project file says.
        file: The project file, as those who run it find it.
        cron: Another schedule of the refresh than the project file's.

    Raises:
        ProjectError: The cron line makes no sense.
    """
    where = {"project": str(file)}
    planned = [
        _nightly(project, where, cron),
        _on_change(project, where),
        _watch(project, where),
        _gc(project, where),
    ]
    return [*planned, _feed(project, where)] if is_fed(project) else planned


def is_fed(project: Project) -> bool:
    """Whether a published snapshot is to be fed into a database."""
    return any(settings.automatic for settings in project.feeds.values())


def _nightly(project: Project, where: dict[str, str], cron: str | None) -> PlannedDeployment:
    schedule_of(project.run, cron)  # what is wrong with it is told here
    return PlannedDeployment(
        refresh,
        nightly_name(project.project),
        f"Publishes a synthetic copy of {project.project}'s tables, each night.",
        {**where, "reason": "nightly"},
        schedule=_cron(cron or project.run.schedule, project.run.timezone),
    )


def _on_change(project: Project, where: dict[str, str]) -> PlannedDeployment:
    name = project.project
    return PlannedDeployment(
        refresh,
        on_change_name(name),
        f"Publishes a synthetic copy of {name}'s tables when an event asks for it; waits its turn.",
        {**where, "reason": "event"},
        slot=refresh_slot(name),
        collision=_ENQUEUE,
    )


def _watch(project: Project, where: dict[str, str]) -> PlannedDeployment:
    seconds = 60.0 * project.run.watch_minutes
    return PlannedDeployment(
        watch,
        nightly_name(project.project),
        f"Looks whether the warehouse of {project.project} has changed, and tells of it.",
        where,
        schedule={"interval": seconds, "anchor_date": _ANCHOR, "timezone": "UTC"},
        # no limit, which would have to be freed: looks wait for each other, and free the others'
    )


def _gc(project: Project, where: dict[str, str]) -> PlannedDeployment:
    return PlannedDeployment(
        gc,
        nightly_name(project.project),
        f"Deletes from {project.project}'s sandbox what nobody needs.",
        where,
        schedule=_cron(project.run.gc_schedule, project.run.timezone),
        limit=1,
        collision=_CANCEL_NEW,
    )


def _feed(project: Project, where: dict[str, str]) -> PlannedDeployment:
    return PlannedDeployment(
        feed,
        nightly_name(project.project),
        f"Loads published snapshots into {project.project}'s test databases.",
        where,
        # a snapshot that is published meanwhile is fed next
        limit=1,
        collision=_ENQUEUE,
    )


def _cron(line: str, timezone: str) -> dict[str, Any]:
    return {"cron": line, "timezone": timezone, "day_or": True}
