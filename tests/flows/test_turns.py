"""One refresh of a project at a time, whoever started it: on a real Prefect server."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.concurrency.sync import concurrency
from prefect.flow_engine import run_flow
from prefect.runtime import flow_run
from prefect.states import Cancelled, Cancelling, Running, State

from prefect_synth.flows import forgotten, server, turns
from prefect_synth.flows.forgotten import free_forgotten_slots
from prefect_synth.flows.going import readers, waiting_message
from prefect_synth.flows.refresh import refresh
from prefect_synth.flows.slots import refresh_slot, warehouse_slot
from prefect_synth.flows.turns import ensure_limit
from prefect_synth.tasks.staging import RefreshRunningError, Staging
from prefect_synth.tasks.telling import tag_run

SLOT = refresh_slot("shop")


@pytest.fixture
def client(deployable: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[SyncPrefectClient]:
    """The tests' server, as one that others use too."""
    monkeypatch.setattr(turns, "_SECONDS_BETWEEN_TRIES", 0.2)
    token = server._ALONE.set(False)
    with get_client(sync_client=True) as found:
        ensure_limit(SLOT, 1)
        found.update_global_concurrency_limit(SLOT, GlobalConcurrencyLimitUpdate(active_slots=0))
        yield found
    server._ALONE.reset(token)


@pytest.fixture
def going(client: SyncPrefectClient) -> Iterator[UUID]:
    """A refresh that is going elsewhere, and holds the slot."""
    run = client.create_flow_run(refresh, name="shop · manual · 2026-11-28", state=Running())
    with concurrency(SLOT):
        yield run.id
    client.set_flow_run_state(run.id, Cancelled(), force=True)


def deployed_run(client: SyncPrefectClient, shop: Any, reason: str) -> Any:
    """Run the nightly deployment in this process, as a worker would."""
    deployment = client.create_deployment(
        client.create_flow(refresh), "shop", parameters={"project": str(shop.file)}
    )
    run = client.create_flow_run_from_deployment(deployment, parameters={"reason": reason})
    state: State[Any] = run_flow(refresh, flow_run=run, return_type="state")
    return state


def test_a_nightly_run_is_dropped_while_another_goes(
    client: SyncPrefectClient, going: UUID, shop: Any
) -> None:
    """It ends as `Skipped`, and says which run is going; nothing is pulled."""
    state = deployed_run(client, shop, "nightly")
    assert (state.type.value, state.name) == ("CANCELLED", "Skipped")
    assert "'shop · manual · 2026-11-28'" in state.message
    assert not list((shop.staging / "runs").iterdir())


def test_the_command_line_is_refused_while_another_goes(
    client: SyncPrefectClient, going: UUID, shop: Any
) -> None:
    """A person is told what goes, and what to do."""
    with pytest.raises(RefreshRunningError, match=r"'shop · manual · .*Wait until it is done"):
        shop.refresh()


def test_a_slot_that_nobody_holds_is_freed(client: SyncPrefectClient, shop: Any) -> None:
    """A server that was started anew has forgotten who held it; the night goes on all the same."""
    client.update_global_concurrency_limit(SLOT, GlobalConcurrencyLimitUpdate(active_slots=1))
    assert deployed_run(client, shop, "nightly").name == "Published"
    assert client.read_global_concurrency_limit_by_name(SLOT).active_slots == 0


def held_by(client: SyncPrefectClient, name: str, *tags: str) -> UUID:
    """A run that has begun, holds the slot, and waits for something else."""
    state: State[Any] = Running(name="Waiting", message=waiting_message("synth-warehouse-db"))
    return client.create_flow_run(refresh, name=name, tags=tags, state=state).id


@pytest.mark.parametrize(("name", "tags"), [("shop · manual", ()), ("by another", ("shop",))])
def test_a_run_that_waits_for_the_warehouse_keeps_its_slot(
    client: SyncPrefectClient, shop: Any, name: str, tags: tuple[str, ...]
) -> None:
    """It holds the project, whatever started it; a nightly run is dropped and frees nothing."""
    held = held_by(client, name, *tags)
    with concurrency(SLOT):
        assert deployed_run(client, shop, "nightly").name == "Skipped"
        assert client.read_global_concurrency_limit_by_name(SLOT).active_slots == 1
    client.set_flow_run_state(held, Cancelled(), force=True)


def test_only_those_who_asked_for_a_place_at_the_warehouse_may_hold_it(
    client: SyncPrefectClient,
) -> None:
    """A refresh of another warehouse keeps no forgotten place occupied, nor does one that waits."""
    slot = "synth-warehouse-db"
    other = held_by(client, "crm · nightly", "crm")
    waiting = held_by(client, "hr · nightly", "hr", slot)
    assert readers(slot) == []
    client.set_flow_run_state(waiting, Running(), force=True)
    assert [run.id for run in readers(slot)] == [waiting]
    for run in (other, waiting):
        client.set_flow_run_state(run, Cancelled(), force=True)


def test_a_waiting_run_that_is_cancelled_stays_so(client: SyncPrefectClient) -> None:
    """What it does at its end does not make it run again."""

    @flow
    def waits() -> None:
        with turns._shown_waiting("another"):
            client.set_flow_run_state(UUID(flow_run.id), Cancelling(), force=True)
        assert client.read_flow_run(UUID(flow_run.id)).state_name == "Cancelling"

    waits()


def test_a_second_tag_leaves_the_first(client: SyncPrefectClient) -> None:
    """A run is found by its project and by its warehouse."""

    @flow
    def tagged() -> None:
        tag_run("shop")
        tag_run("warehouse")
        assert set(client.read_flow_run(UUID(flow_run.id)).tags) == {"shop", "warehouse"}

    tagged()


def test_forgotten_slots_of_deployments_are_freed(
    client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that was started anew would drop every later run; one that goes keeps its slot."""
    monkeypatch.setattr(forgotten, "_SECONDS_BETWEEN_LOOKS", 0)

    @flow(name="gc")
    def gc() -> None:
        pass

    @flow
    def watch() -> tuple[str, ...]:
        return free_forgotten_slots("shop")

    made = client.create_deployment(client.create_flow(gc), "shop", concurrency_limit=1)
    limit = client.read_deployment(made).global_concurrency_limit.name
    occupied = GlobalConcurrencyLimitUpdate(active_slots=1)
    run = client.create_flow_run_from_deployment(made)
    client.set_flow_run_state(run.id, Running(), force=True)
    client.update_global_concurrency_limit(limit, occupied)
    assert watch() == ()
    client.set_flow_run_state(run.id, Cancelled(), force=True)
    client.update_global_concurrency_limit(limit, occupied)
    assert watch() == (limit,)
    assert client.read_global_concurrency_limit_by_name(limit).active_slots == 0


def in_background(run: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Start something in a thread of its own, with this one's settings."""
    answers: list[Any] = []
    context = contextvars.copy_context()
    thread = threading.Thread(target=lambda: answers.append(context.run(run)))
    thread.start()
    return thread, answers


def test_a_run_that_an_event_started_waits(
    client: SyncPrefectClient, shop: Any, wait: Callable[..., Any]
) -> None:
    """It is shown as `Waiting` while another holds the slot, or the lock, and then goes on."""

    def waits() -> list[Any]:
        runs = client.read_flow_runs()
        return [run for run in runs if run.state_name == "Waiting"]

    def event() -> Any:
        return refresh(str(shop.file), reason="event", return_state=True)

    with Staging(shop.staging).lock():
        with concurrency(SLOT):
            thread, states = in_background(event)
            assert "turn" in wait(waits, 30)[0].state.message
        wait(lambda: "on this machine" in "".join(r.state.message for r in waits()), 30)
    thread.join(120)
    assert [state.name for state in states] == ["Published"]


def test_the_slot_of_a_warehouse_names_no_secret() -> None:
    """Two projects that read the same database share it, whoever they are."""
    one = warehouse_slot("postgresql://ann:hush@db.example.com:5432/shop?password=hush")
    other = warehouse_slot("postgresql+psycopg://bob:secret@db.example.com:5432/shop")
    assert one == other == "synth-warehouse-postgresql-db.example.com-5432-shop"


def test_a_warehouse_is_read_by_so_many_at_a_time(
    client: SyncPrefectClient, shop: Any, wait: Callable[..., Any]
) -> None:
    """A refresh waits while another project reads the warehouse."""
    shop.file.write_text(
        shop.file.read_text().replace("shop.duckdb'}", "shop.duckdb', concurrency: 1}")
    )
    slot = warehouse_slot(f"duckdb:///{shop.warehouse}")
    ensure_limit(slot, 1)
    other = client.create_flow_run(
        refresh, name="crm · nightly · 2026-11-28", tags=[slot], state=Running()
    )
    with concurrency(slot):
        thread, states = in_background(lambda: refresh(str(shop.file), return_state=True))
        wait(
            lambda: [
                run
                for run in client.read_flow_runs()
                if run.state_name == "Waiting" and slot in run.state.message
            ],
            30,
        )
    thread.join(120)
    client.set_flow_run_state(other.id, Cancelled(), force=True)
    assert [state.name for state in states] == ["Published"]
