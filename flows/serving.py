"""A project on this machine: its deployments and automations, and a runner for them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner

from prefect_synth.flows.deploying.project_deployment import HEARTBEAT, Target, deploy_to
from prefect_synth.flows.deployment_names import nightly_name
from prefect_synth.flows.project import Project


class _Runner(Runner):
    def handle_sigterm(self, signum: Any, frame: Any) -> None:
        """End on SIGTERM just as on Ctrl-C; Prefect's own way leaves a coroutine behind."""
        signal.raise_signal(signal.SIGINT)


class _Known(RunnerDeployment):
    """A deployment that is on the server as it should be: the runner only has to look after it."""

    known: UUID

    async def aapply(
        self,
        schedules: list[dict[str, Any]] | None = None,
        work_pool_name: str | None = None,
        image: str | None = None,
        version_info: Any = None,
    ) -> UUID:
        """Leave it as it is: Prefect's own way would take the limit away that it shares."""
        return self.known


class Service:
    """A served project; what it asks for is created on the server, or brought up to date.

    Args:
        project: What the project file says.
        file: The project file.
        cron: Another schedule than the project file's.

    Raises:
        DeployError: The project names somebody to notify who cannot be.
        ProjectError: The cron line makes no sense.
    """

    def __init__(self, project: Project, file: Path, cron: str | None = None) -> None:
        with get_client(sync_client=True) as client:
            self._made = deploy_to(client, project, Target(file, str(file), cron=cron))
        self._runner = _Runner(name=project.project)
        for full_name, identifier in self.deployments.items():
            flow, _, name = full_name.partition("/")
            self._runner.add_deployment(_Known(name=name, flow_name=flow, known=identifier))
        self.refresh_id = self.deployments[f"refresh/{nightly_name(project.project)}"]

    @property
    def deployments(self) -> Mapping[str, UUID]:
        """The identifier of each deployment, by its full name."""
        return self._made.deployments

    def start_now(self) -> UUID:
        """Ask for a refresh besides the scheduled ones."""
        run = run_deployment(self.refresh_id, parameters={"reason": "manual"}, timeout=0)
        return cast(FlowRun, run).id

    def run(self) -> None:
        """Start the runs that are due, until the process is told to end."""
        os.environ.update(HEARTBEAT)  # the runs are children of this process
        asyncio.run(self._runner.start())
