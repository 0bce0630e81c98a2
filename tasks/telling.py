"""Where a refresh tells what it does: Prefect's log, events and artifacts, or a log without it.

The steps of a refresh are plain functions too (`flows.stepwise`). Called outside a Prefect run
they must not look for a Prefect server: their log goes to the logger `prefect_synth`, and events
and artifacts are left to whoever orchestrates them.
"""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

import prefect.artifacts
import prefect.events
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext, TaskRunContext
from prefect.runtime import flow_run

_Log = logging.Logger | logging.LoggerAdapter[Any]


def in_a_run() -> bool:
    """Whether Prefect runs this code."""
    return FlowRunContext.get() is not None or TaskRunContext.get() is not None


def run_log() -> _Log:
    """The log of Prefect's run; outside of one, the logger `prefect_synth`."""
    return get_run_logger() if in_a_run() else logging.getLogger("prefect_synth")


def emit_event(event: str, resource: dict[str, str], payload: dict[str, Any]) -> None:
    """Emit a Prefect event, inside a run."""
    if in_a_run():
        prefect.events.emit_event(event, resource=resource, payload=payload)


def tag_run(tag: str) -> None:
    """Give the run one more tag, by which its like are found, inside a flow run."""
    if FlowRunContext.get() is not None:
        with get_client(sync_client=True) as client:
            client.update_flow_run(UUID(str(flow_run.id)), tags=[*flow_run.tags, tag])


def create_markdown_artifact(markdown: str, key: str, description: str) -> None:
    """Leave an artifact, inside a run."""
    if in_a_run():
        prefect.artifacts.create_markdown_artifact(markdown, key=key, description=description)
