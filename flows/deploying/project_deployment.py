"""All that a project asks of a Prefect server, in the order in which one thing needs another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectAlreadyExists

from prefect_synth.flows.deploying.automations import (
    HEARTBEAT_SECONDS,
    KINDS,
    automation_name,
    planned_automations,
)
from prefect_synth.flows.deploying.deployments import is_fed, planned_deployments
from prefect_synth.flows.deploying.notified import notification_blocks
from prefect_synth.flows.deploying.reconciliation import Reconciliation, Step
from prefect_synth.flows.deployment_names import nightly_name
from prefect_synth.flows.project import Project
from prefect_synth.flows.run_settings import WorkPoolSettings
from prefect_synth.flows.server_errors import ServerError
from prefect_synth.flows.slots import warehouse_slot
from prefect_synth.tasks.connections import warehouse_url
from prefect_synth.tasks.warehouses.url import redact

HEARTBEAT = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS)}
"""What a run needs in its environment, so that it is missed when its process is gone."""

_LOG_IN = "Set PREFECT_API_KEY or PREFECT_API_AUTH_STRING to what it asks for."
_CURES: dict[int, str] = {
    httpx.codes.UNAUTHORIZED: _LOG_IN,
    httpx.codes.FORBIDDEN: f"This account may not deploy. {_LOG_IN}",
    httpx.codes.CONFLICT: "Somebody else has just made the same there. Deploy again.",
    httpx.codes.UNPROCESSABLE_ENTITY: "It may be of another version than prefect here; see to it "
    "that both are the same.",
}


@dataclass(frozen=True)
class Deployed:
    """What became of a project on a Prefect server.

    Args:
        steps: One thing after the other.
        deployments: The identifier of each deployment, by its full name.
    """

    steps: tuple[Step, ...]
    deployments: Mapping[str, UUID]


@dataclass(frozen=True)
class Target:
    """Where and how the runs of a project are started.

    Args:
        file: The project file, here.
        seen_as: The project file, as those who run it find it.
        pool: The work pool; without one, this process starts the runs.
        cron: Another schedule of the refresh than the project file's.
    """

    file: Path
    seen_as: str
    pool: WorkPoolSettings | None = None
    cron: str | None = None

    @property
    def extra(self) -> dict[str, Any]:
        """What the API is told of every deployment."""
        if self.pool is None:
            # a service that ended has paused them
            return {"work_pool_name": None, "paused": False}
        image = {"image": self.pool.image} if self.pool.image else {}
        return {
            "work_pool_name": self.pool.name,
            "job_variables": {"env": HEARTBEAT, **image},
            "pull_steps": [],
        }


def deploy_to(
    client: SyncPrefectClient, project: Project, target: Target, dry_run: bool = False
) -> Deployed:
    """Bring a Prefect server to what a project asks for.

    Args:
        client: The server.
        project: What the project file says.
        target: Where and how its runs are started.
        dry_run: Whether to change nothing.

    Raises:
        DeployError: The project cannot be deployed as asked; nothing was changed.
        ProjectError: The cron line makes no sense.
        ServerError: The server does not answer, or refuses something.
    """
    with _server_errors(str(client.api_url)):
        return _deploy(client, project, target, dry_run)


@contextmanager
def _server_errors(url: str) -> Iterator[None]:
    """Say what is to be done where the server does not do what it is asked."""
    url = redact(url)
    try:
        yield
    except httpx.TransportError as error:
        raise ServerError(
            f"The Prefect server at {url} does not answer ({type(error).__name__}). Start "
            "it, or correct PREFECT_API_URL."
        ) from None
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        asked = f"{error.request.method} {error.request.url.path}: {code}"
        cure = _CURES.get(code, "Its log says why; deploy again when that is mended.")
        raise ServerError(f"The Prefect server at {url} refuses ({asked}). {cure}") from None
    except ObjectAlreadyExists:
        raise ServerError(f"The Prefect server at {url}: {_CURES[httpx.codes.CONFLICT]}") from None


def _deploy(client: SyncPrefectClient, project: Project, target: Target, dry_run: bool) -> Deployed:
    blocks = notification_blocks(client, project.notify)
    planned = planned_deployments(project, target.seen_as, target.cron)
    server = Reconciliation(client, dry_run)
    server.refuse_others(one.full_name for one in planned)
    if target.pool is not None:
        server.work_pool(target.pool)
    if project.warehouse.concurrency is not None:
        url = warehouse_url(project.warehouse, target.file.parent)
        server.limit(warehouse_slot(url), project.warehouse.concurrency)
    deployments = {one.full_name: server.deployment(one, target.extra) for one in planned}
    if not is_fed(project):
        server.no_deployment(f"feed/{nightly_name(project.project)}")
    server.automations(
        planned_automations(project, deployments, blocks, target.cron),
        [automation_name(project.project, kind) for kind in KINDS],
    )
    return Deployed(tuple(server.steps), deployments)
