"""A project on this machine: deployments of `refresh` and `feed`, and a runner for them."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import (
    ConcurrencyLimitConfig,
    ConcurrencyLimitStrategy,
    FlowRun,
)
from prefect.deployments import run_deployment
from prefect.deployments.runner import RunnerDeployment
from prefect.events import DeploymentEventTrigger
from prefect.exceptions import ObjectNotFound
from prefect.runner import Runner
from prefect.types.entrypoint import EntrypointType

from prefect_synth.flows.feed import feed
from prefect_synth.flows.project import Project
from prefect_synth.flows.refresh import refresh
from prefect_synth.flows.schedules import schedule_of


def deployment_of(project: Project, file: Path, cron: str | None = None) -> RunnerDeployment:
    """Describe a project's nightly refresh: one run at a time, a second one is dropped.

    Args:
        project: What the project file says.
        file: The project file.
        cron: Another schedule than the project file's.
    """
    deployment = refresh.to_deployment(
        name=project.project,
        description=f"Publishes a synthetic copy of {project.project}'s tables.",
        schedule=schedule_of(project.run, cron),
        parameters={"project": str(file), "reason": "nightly"},
        concurrency_limit=ConcurrencyLimitConfig(
            limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
        ),
        enforce_parameter_schema=True,
        # a file's path would load the flow a second time under another name
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return cast(RunnerDeployment, deployment)


def feeding_of(project: Project, file: Path) -> RunnerDeployment:
    """Describe the feeding of a project's test databases: after each published snapshot.

    Args:
        project: What the project file says.
        file: The project file.
    """
    published = DeploymentEventTrigger(
        name=f"{project.project}: feed what was published",
        expect={"snapshot.published"},
        match={"prefect.resource.id": f"prefect-synth.project.{project.project}"},
        parameters={"reason": "published"},
    )
    deployment = feed.to_deployment(
        name=project.project,
        description=f"Loads published snapshots into {project.project}'s test databases.",
        parameters={"project": str(file)},
        triggers=[published],
        # a snapshot that is published meanwhile is fed next
        concurrency_limit=ConcurrencyLimitConfig(
            limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE
        ),
        enforce_parameter_schema=True,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return cast(RunnerDeployment, deployment)


def _forget_feeding(project: str) -> None:
    """Delete the feeding that an older project file asked for: its runs would wait for ever."""
    with get_client(sync_client=True) as client, suppress(ObjectNotFound):
        left = client.read_deployment_by_name(f"feed/{project}").id
        client.delete_resource_owned_automations(f"prefect.deployment.{left}")
        client.delete_deployment(left)


class _Runner(Runner):
    def handle_sigterm(self, signum: Any, frame: Any) -> None:
        """End on SIGTERM just as on Ctrl-C; Prefect's own way leaves a coroutine behind."""
        signal.raise_signal(signal.SIGINT)


class Service:
    """A served project.

    Args:
        deployment: The refresh; it is created or brought up to date.
        feeding: What follows a published snapshot, if anything does.
    """

    def __init__(
        self, deployment: RunnerDeployment, feeding: RunnerDeployment | None = None
    ) -> None:
        self._runner = _Runner(name=str(deployment.name))
        self.deployment_id = cast(UUID, self._runner.add_deployment(deployment))
        if feeding is None:
            _forget_feeding(str(deployment.name))
        else:
            self._runner.add_deployment(feeding)

    def start_now(self) -> UUID:
        """Ask for a run besides the scheduled ones."""
        run = run_deployment(self.deployment_id, parameters={"reason": "manual"}, timeout=0)
        return cast(FlowRun, run).id

    def run(self) -> None:
        """Start the runs that are due, until the process is told to end."""
        asyncio.run(self._runner.start())
