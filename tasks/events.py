"""Events that must arrive: a process may end as soon as its event was delivered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from prefect.client.orchestration import get_client
from prefect.events.schemas.events import Event, RelatedResource, Resource
from prefect.runtime import flow_run


class EventNotDeliveredError(RuntimeError):
    """Prefect's API did not take an event."""


def deliver_event(name: str, resource: Mapping[str, str], payload: Mapping[str, Any]) -> str:
    """Hand an event to Prefect's API, and come back when it has it.

    `prefect.events.emit_event` puts events into a queue that a thread empties when it can, and
    forgets them where that fails.

    Args:
        name: Name of the event.
        resource: What it is about.
        payload: What there is to say, as JSON values; never a real value.

    Returns:
        The event's id.

    Raises:
        EventNotDeliveredError: The API is not there, or refused the event.
    """
    event = Event(
        event=name,
        resource=Resource(dict(resource)),
        related=_own_run(),
        payload=dict(payload),
    )
    with get_client(sync_client=True) as client:
        try:
            client.request("POST", "/events", json=[event.model_dump(mode="json")])
        except httpx.HTTPError as error:
            raise EventNotDeliveredError(
                f"The event {name} could not be delivered to Prefect's API at {client.api_url}: "
                f"{type(error).__name__}. See to it that the server runs and PREFECT_API_URL is "
                "its address; a watch tells it again."
            ) from None
    return str(event.id)


def _own_run() -> list[RelatedResource]:
    """The flow run that tells it, if there is one."""
    run = flow_run.id
    role = {"prefect.resource.id": f"prefect.flow-run.{run}", "prefect.resource.role": "flow-run"}
    return [RelatedResource(role)] if run else []
