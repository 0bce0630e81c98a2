"""Slots of a project's deployments that the server has forgotten the holders of.

Prefect keeps leases in memory unless it is told otherwise. A server that was started anew knows of
an occupied slot, but not of the run that would give it back; where that run was killed meanwhile,
every later one would be dropped, or wait, for ever.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun

from prefect_synth.flows.deployment_names import nightly_name, on_change_name
from prefect_synth.flows.going import BEGUN
from prefect_synth.flows.slots import refresh_slot

_SECONDS_BETWEEN_LOOKS = 5  # a run has its slot a moment before its state says so
_STARTS_IN = timedelta(hours=1)  # one that is still pending then was never started


def free_forgotten_slots(project: str) -> tuple[str, ...]:
    """Free the slots of a project's own deployments that no run can hold any more.

    Args:
        project: The project's name.

    Returns:
        The limits whose slots were freed.
    """
    with get_client(sync_client=True) as client:
        found = _forgotten(client, project)
        if found:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            again = _forgotten(client, project)
            found = {name: held for name, held in again.items() if found.get(name) == held}
        for name, held in found.items():
            freed = GlobalConcurrencyLimitUpdate(active_slots=held)
            client.update_global_concurrency_limit(name, freed)
            get_run_logger().warning("Nobody holds a slot of %s any more; it is freed.", name)
    return tuple(found)


def _forgotten(client: SyncPrefectClient, project: str) -> dict[str, int]:
    """By limit, how many slots may be held of those that are occupied."""
    names = [nightly_name(project), on_change_name(project)]
    deployments = client.read_deployments(
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=names))
    )
    forgotten = {}
    for deployment in deployments:
        limit = deployment.global_concurrency_limit
        if limit is None or limit.name == refresh_slot(project):
            continue  # that one is shared, and seen to by who wants it
        held = _holders(client, deployment.id) if limit.active_slots else 0
        if limit.active_slots > held:
            forgotten[limit.name] = held
    return forgotten


def _holders(client: SyncPrefectClient, deployment: UUID) -> int:
    runs = client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=BEGUN))
        ),
    )
    return len([run for run in runs if _may_live(run)])


def _may_live(run: FlowRun) -> bool:
    state = run.state
    if state is None:
        return False
    return not state.is_pending() or datetime.now(UTC) - state.timestamp < _STARTS_IN
