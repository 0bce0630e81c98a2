"""One refresh of a project at a time, and so many at a warehouse: slots on Prefect's server.

Whoever starts a refresh takes the slot of its project: the nightly deployment and the command line
when the flow begins, the deployment that events start before its process does. That one waits on
the server, so no worker that goes away takes a waiting run with it. A lock in private staging is
behind all that, for refreshes that no common server knows.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import (
    GlobalConcurrencyLimitCreate,
    GlobalConcurrencyLimitUpdate,
)
from prefect.client.schemas.objects import ConcurrencyLeaseHolder, State
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.runtime import deployment, flow_run
from prefect.states import Running

from prefect_synth.flows.going import (
    WAITING,
    going_refreshes,
    readers,
    shown,
    waiting_message,
    waiting_refreshes,
)
from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.flows.server import runs_alone
from prefect_synth.flows.server_errors import ServerError
from prefect_synth.flows.slots import refresh_slot, warehouse_slot
from prefect_synth.tasks.connections import warehouse_url
from prefect_synth.tasks.staging import RefreshRunningError, Staging
from prefect_synth.tasks.telling import in_a_run, tag_run

_LEASE_SECONDS = 120  # a killed run's slot is free again after so long
_SECONDS_BETWEEN_TRIES = 5
_TRIES_BEFORE_A_LOOK = 3  # a run that ends gives its slot back a moment later
_PATIENT = {"schema-change", "event"}


@contextmanager
def turn(setup: Setup, reason: str) -> Iterator[None]:
    """Hold the project for one refresh.

    Args:
        setup: The project and its places.
        reason: Why the run was started: one that an event started waits for its turn.

    Raises:
        RefreshRunningError: Another refresh of the project is going, or waits for its turn, and
            this one was not started by an event.
        ServerError: Prefect's server gives no answer.
    """
    patient = reason in _PATIENT
    with _project_slot(setup.project.project, patient), _lock(setup.staging, patient):
        yield


@contextmanager
def warehouse_turn(setup: Setup) -> Iterator[None]:
    """Hold one of the places at the warehouse, if the project file says how many there are.

    Args:
        setup: The project and its places.

    Raises:
        ServerError: Prefect's server gives no answer.
    """
    places = setup.project.warehouse.concurrency
    if places is None or runs_alone() or not in_a_run():
        yield
        return
    name = warehouse_slot(warehouse_url(setup.project.warehouse, setup.base))
    with ExitStack() as held:
        ensure_limit(name, places)
        tag_run(name)  # by which those who wait know who may hold a place
        _wait(held, name, lambda: len(readers(name)))
        yield


def is_deployed() -> bool:
    """Whether this run belongs to a deployment, so that nobody sits before it."""
    return deployment.id is not None


def ensure_limit(name: str, limit: int) -> None:
    """Create a global concurrency limit that is not there yet.

    Args:
        name: Its name.
        limit: How many slots it has.
    """
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(name)
        except ObjectNotFound:
            _create(client, name, limit)


def _create(client: SyncPrefectClient, name: str, limit: int) -> None:
    with suppress(ObjectAlreadyExists):  # another run was quicker
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=limit))


@contextmanager
def _project_slot(project: str, patient: bool) -> Iterator[None]:
    name = refresh_slot(project)
    if runs_alone() or _deployment_holds(name):
        yield
        return
    with ExitStack() as held:
        ensure_limit(name, 1)
        if patient:
            _wait(held, name, lambda: len(going_refreshes(project)))
        else:
            _take_or_refuse(held, name, project)
        yield


def _deployment_holds(name: str) -> bool:
    """Whether the server gave this run the slot before it was started."""
    if deployment.id is None:
        return False
    with get_client(sync_client=True) as client:
        limit = client.read_deployment(deployment.id).global_concurrency_limit
    return limit is not None and limit.name == name


def _take_or_refuse(held: ExitStack, name: str, project: str) -> None:
    for _ in range(_TRIES_BEFORE_A_LOOK):
        if is_deployed() and (waiting := waiting_refreshes(project)):
            _free_if_orphaned(name, lambda: len(going_refreshes(project)))
            raise RefreshRunningError(
                f"A refresh of {project} waits for its turn, and goes first: "
                f"{shown(waiting[0], project)}."
            )
        if _taken(held, name):
            return
        if going := going_refreshes(project):
            since = going[0].start_time
            raise RefreshRunningError(
                f"A refresh of {project} is going: {shown(going[0], project)}"
                + (f", since {since:%H:%M} UTC" if since else "")
                + ". Wait until it is done, or cancel it, and try again."
            )
        time.sleep(_SECONDS_BETWEEN_TRIES)
    _free_if_orphaned(name, lambda: len(going_refreshes(project)))
    if not _taken(held, name):
        raise RefreshRunningError(
            f"Another refresh of {project} is just beginning. Wait until it is done."
        )


def _wait(held: ExitStack, name: str, going: Callable[[], int]) -> None:
    if _taken(held, name):
        return
    with _shown_waiting(name):
        for tries in itertools.count(1):
            time.sleep(_SECONDS_BETWEEN_TRIES)
            if _taken(held, name):
                return
            if tries % _TRIES_BEFORE_A_LOOK == 0:
                _free_if_orphaned(name, going)


@contextmanager
def _shown_waiting(what: str) -> Iterator[None]:
    """Let the run be `Waiting` meanwhile: for people, and for those who count the ones that go."""
    get_run_logger().info("%s", waiting_message(what))
    _rename_state(WAITING, waiting_message(what))
    yield  # one that is cancelled or fails meanwhile gets another state anyway
    _rename_state("Running", None)


def _rename_state(name: str, message: str | None) -> None:
    if flow_run.id is None:
        return
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(UUID(flow_run.id))
        if run.state is None or not run.state.is_running():
            return  # somebody cancels it
        # among the details is the slot that the server gave the run
        details = run.state.state_details
        state: State[None] = Running(name=name, message=message, state_details=details)
        client.set_flow_run_state(run.id, state, force=True)


def _taken(held: ExitStack, name: str) -> bool:
    """Take a slot, to be held until the end; whether there was one."""
    run = flow_run.id
    slot: AbstractContextManager[None] = concurrency(
        name,
        max_retries=0,
        lease_duration=_LEASE_SECONDS,
        holder=ConcurrencyLeaseHolder(type="flow_run", id=run) if run else None,
        # the lock in staging is still there: a night must not die of a lost renewal
        raise_on_lease_renewal_failure=False,
    )
    try:
        held.enter_context(slot)
    except ConcurrencySlotAcquisitionError as error:
        cause = error.__cause__
        if (
            isinstance(cause, httpx.HTTPStatusError)
            and cause.response.status_code == httpx.codes.LOCKED
        ):
            return False
        raise ServerError(f"Prefect's server gave no slot of '{name}': {error}") from None
    return True


def _free_if_orphaned(name: str, going: Callable[[], int]) -> None:
    """Give slots back that no run holds any more.

    Prefect keeps leases in memory unless it is told otherwise, so that a server which was started
    anew knows of occupied slots, and of nobody who would give them back.
    """
    with get_client(sync_client=True) as client:
        occupied = client.read_global_concurrency_limit_by_name(name).active_slots
        holders = going()
        if occupied > holders:
            get_run_logger().warning("Nobody holds a slot of %s any more; it is freed.", name)
            freed = GlobalConcurrencyLimitUpdate(active_slots=holders)
            client.update_global_concurrency_limit(name, freed)


@contextmanager
def _lock(staging: Staging, patient: bool) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(staging.lock())
        except RefreshRunningError:
            if not patient:
                raise
            _wait_for_lock(held, staging)
        yield


def _wait_for_lock(held: ExitStack, staging: Staging) -> None:
    """Wait for a refresh that Prefect's server knows nothing of."""
    with _shown_waiting("a refresh of this project is going on this machine"):
        while True:
            time.sleep(_SECONDS_BETWEEN_TRIES)
            with suppress(RefreshRunningError):
                held.enter_context(staging.lock())
                return
