"""Where a refresh tells what it does: Prefect's log, events and artifacts, or a log without it.

The steps of a refresh are plain functions too (`flows.stepwise`). Called outside a Prefect run
they must not look for a Prefect server: their log goes to the logger `prefect_synth`, and events
and artifacts are left to whoever orchestrates them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import prefect.artifacts
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext, TaskRunContext

from prefect_synth.tasks.events import EventNotDeliveredError, deliver_event

_Log = logging.Logger | logging.LoggerAdapter[Any]


def in_a_run() -> bool:
    """Whether Prefect runs this code."""
    return FlowRunContext.get() is not None or TaskRunContext.get() is not None


def run_log() -> _Log:
    """The log of Prefect's run; outside of one, the logger `prefect_synth`."""
    return get_run_logger() if in_a_run() else logging.getLogger("prefect_synth")


def tell_of_project(event: str, project: str, payload: dict[str, Any]) -> None:
    """Hand an event on a project to Prefect's API, inside a run; it has it when this returns.

    Raises:
        EventNotDeliveredError: The API is not there, or refused the event.
    """
    if in_a_run():
        resource = f"prefect-synth.project.{project}"
        names = {"prefect.resource.id": resource, "prefect.resource.name": project}
        deliver_event(event, names, payload)


@contextmanager
def events_in_the_log() -> Iterator[None]:
    """Warn of an event that did not arrive, where the run has its end without it."""
    try:
        yield
    except EventNotDeliveredError as error:
        run_log().warning("%s", error)


def tag_run(tag: str) -> None:
    """Give the run one more tag, by which its like are found, inside a flow run."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or tag in context.flow_run.tags:
        return
    tags = [*context.flow_run.tags, tag]
    with get_client(sync_client=True) as client:
        client.update_flow_run(context.flow_run.id, tags=tags)
    context.flow_run.tags = tags  # else the next tag would take this one away


def create_markdown_artifact(markdown: str, key: str, description: str) -> None:
    """Leave an artifact, inside a run."""
    if in_a_run():
        prefect.artifacts.create_markdown_artifact(markdown, key=key, description=description)
