"""The flow `watch`: look whether the warehouse moved, and tell Prefect if it did."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import deployment
from prefect.states import Completed
from pydantic import Field

from prefect_synth.flows.drift_told import tell_drift
from prefect_synth.flows.forgotten import free_forgotten_slots
from prefect_synth.flows.look import Data, Sight, look, tell_prefect
from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.flows.run_names import run_name
from prefect_synth.tasks.steps import guard, private_errors


def _run_name() -> str:
    """`shop · watch · 2026-11-21 14:05`."""
    return run_name("watch", when="%Y-%m-%d %H:%M")


@flow(name="watch", flow_run_name=_run_name, persist_result=False)
def watch(
    project: Annotated[str, Field(description="The project file, or its folder.")] = "synth.yaml",
    data: Annotated[
        Data, Field(description="Whether rows are compared too: when due, always or never.")
    ] = "due",
) -> State[Sight]:
    """
    Look whether the warehouse moved since it was accepted, and tell of it once.

    What is new is delivered as the event `warehouse.schema.changed`, or `warehouse.data.changed`
    where the rows alone moved. Nothing is changed, neither here nor there.

    Args:
        project: The project file, or its folder.
        data: Whether rows are compared too: as often as `run.watch_data_hours` says, always or
            never.
    """
    with guard():
        setup = open_setup(project)
        if deployment.id is not None:
            free_forgotten_slots(setup.project.project)
        with private_errors(setup.staging.errors), guard():
            sight = look(setup, data, tell_prefect(setup.project.project))
        if sight.news:
            tell_drift(setup.project.project, sight.drift)
    name = "Changed" if sight.news else "Unchanged"
    return Completed(name=name, message=sight.message, data=sight)
