"""The flow `gc`: the sandbox without what nobody needs."""

from __future__ import annotations

from typing import Annotated

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.flows.run_names import run_name
from prefect_synth.tasks.snapshots.retention import Garbage, Retention
from prefect_synth.tasks.steps import guard


def _run_name() -> str:
    """`shop · gc · 2026-11-21`."""
    return run_name("gc")


@flow(name="gc", flow_run_name=_run_name, persist_result=False)
def gc(
    project: Annotated[str, Field(description="The project file, or its folder.")] = "synth.yaml",
    grace_hours: Annotated[
        float, Field(ge=0, description="How long an attempt may be idle before it is crashed.")
    ] = 24,
) -> State[Garbage]:
    """
    Delete snapshots beyond retention, crashed attempts and their unfinished uploads.

    The snapshot that readers see and the pinned ones stay.

    Args:
        project: The project file, or its folder.
        grace_hours: How long an attempt may be idle before it is crashed.
    """
    with guard():
        setup = open_setup(project)
        retain = setup.project.sandbox.retain
        garbage = setup.sandbox.gc(Retention(retain.last, retain.weekly), grace_hours)
    message = _message(garbage)
    get_run_logger().info("%s", message)
    return Completed(message=message, data=garbage)


def _message(garbage: Garbage) -> str:
    return (
        f"Deleted {len(garbage.snapshots)} snapshots, {len(garbage.attempts)} crashed attempts "
        f"and {garbage.uploads} unfinished uploads."
    )
