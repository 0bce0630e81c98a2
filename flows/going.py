"""Which refreshes are going, as Prefect's server knows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.runtime import flow_run

from prefect_synth.flows.deployment_names import nightly_name, on_change_name
from prefect_synth.flows.slots import refresh_slot

BEGUN = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
"""States of runs that may hold a slot."""

_ON_THE_SERVER = "AwaitingConcurrencySlot"
WAITING = "Waiting"
"""The name of the state of a run that has begun and waits for another one."""
_ASKS_AGAIN = timedelta(minutes=3)  # a run whose worker lives asks for its slot each half minute


def waiting_message(what: str) -> str:
    """What the state of a waiting run says, and by which it is told from those that hold.

    Args:
        what: The slot, or whatever else it waits for.
    """
    return f"Waits for its turn: {what}."


def going_refreshes(project: str) -> list[FlowRun]:
    """Refreshes that may hold the slot of a project, other than this one; the oldest first.

    One that waits for something else, such as a place at the warehouse, holds it all the same.

    Args:
        project: The project's name.
    """
    return [run for run in _begun(project) if not _waits_for(run, refresh_slot(project))]


def readers(slot: str) -> list[FlowRun]:
    """Refreshes that may hold a place at a warehouse, other than this one; the oldest first.

    Args:
        slot: The limit of that warehouse, which is a tag of every run that asks for it.
    """
    return [run for run in _begun() if slot in run.tags and not _waits_for(run, slot)]


def waiting_refreshes(project: str) -> list[FlowRun]:
    """Refreshes of a project that a worker keeps asking a slot for; the oldest first.

    Args:
        project: The project's name.
    """
    waiting = FlowRunFilterState(name=FlowRunFilterStateName(any_=[_ON_THE_SERVER]))
    since = datetime.now(UTC) - _ASKS_AGAIN
    found = _refreshes(waiting, project)
    return [run for run in found if run.state and run.state.timestamp > since]


def _begun(project: str | None = None) -> list[FlowRun]:
    return _refreshes(FlowRunFilterState(type=FlowRunFilterStateType(any_=BEGUN)), project)


def _waits_for(run: FlowRun, slot: str) -> bool:
    """Whether it waits for this very slot, so that it cannot hold it."""
    state = run.state
    return state is not None and (state.name, state.message) == (WAITING, waiting_message(slot))


def _refreshes(state: FlowRunFilterState, project: str | None) -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=["refresh"])),
            flow_run_filter=FlowRunFilter(state=state),
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
        )
        others = [run for run in runs if str(run.id) != flow_run.id]
        if project is None:
            return others
        names = [nightly_name(project), on_change_name(project)]
        deployments = client.read_deployments(
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=names))
        )
    deployed = {found.id for found in deployments}
    return [run for run in others if run.deployment_id in deployed or _is_of(run, project)]


def _is_of(run: FlowRun, project: str) -> bool:
    """Whether a run is the project's, whatever started it: by the tag that it gives itself.

    One that is just beginning has no tag yet, but may have its name.
    """
    return project in run.tags or (run.name or "").startswith(f"{project} · ")


def shown(run: FlowRun, project: str) -> str:
    """A run as people may find it; one that is just starting has no telling name yet.

    Args:
        run: The run.
        project: The project that it refreshes.
    """
    name = run.name or str(run.id)
    return f"'{name}'" if name.startswith(f"{project} · ") else f"one that is starting ('{name}')"
