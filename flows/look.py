"""One look at the warehouse: what moved since it was accepted, and what of that is news."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Literal

from pydantic import BaseModel, ConfigDict

from prefect_synth.flows.drift import project_drift
from prefect_synth.flows.refresh_setup import Setup
from prefect_synth.tasks.drift.changes import Change, Drift
from prefect_synth.tasks.drift.policies import DATA_KINDS
from prefect_synth.tasks.events import deliver_event
from prefect_synth.tasks.reported import change_key, memory_of, utc_now
from prefect_synth.tasks.retries import retried

Data = Literal["due", "always", "never"]
"""When rows are compared too: as often as the project file says, now, or not."""

SCHEMA_CHANGED = "warehouse.schema.changed"
DATA_CHANGED = "warehouse.data.changed"
_MOST_CHANGES = 1000

Tell = Callable[[str, Iterable[Change], Drift], None]
"""Tells of changes: the event's name, the changes, and all that stands."""


class Sight(BaseModel):
    """What a look found.

    Args:
        project: The project's name.
        news: What nobody was told of before.
        drift: All that moved since it was accepted.
        gone: How many changes were told earlier and do not stand any more.
        compared: Whether the rows were compared too.
        told: Whether the news were delivered to Prefect's API.
    """

    model_config = ConfigDict(frozen=True)

    project: str
    news: tuple[Change, ...]
    drift: Drift
    gone: int = 0
    compared: bool = False
    told: bool = False

    @property
    def message(self) -> str:
        """What there is to say, in a sentence or two."""
        if self.drift.baseline == "none":
            return "Nothing to compare with yet: no refresh was published, and nothing accepted."
        more = f", and {len(self.news) - 1} more" if len(self.news) > 1 else ""
        news = f"New: {self.news[0].what}{more}." if self.news else "Nothing new."
        return news + _standing(self.drift)


def _standing(drift: Drift) -> str:
    """How much there is that nobody has accepted, and how much of it keeps a refresh off."""
    count, blocked = len(drift.changes), len(drift.blocked)
    if not count:
        return ""
    changes = "1 change is" if count == 1 else f"{count} changes are"
    return f" {changes} not accepted" + (f", {blocked} of them block." if blocked else ".")


def look(setup: Setup, data: Data, tell: Tell | None) -> Sight:
    """Compare the warehouse with what was accepted, and tell what is new.

    What was told is written down afterwards, so that news are told twice rather than never.

    Args:
        setup: The project and its places.
        data: Whether the rows are compared too.
        tell: Tells the news; None where nobody listens, and then nothing is written down.

    Raises:
        WarehouseError: The subclass says what is wrong with the warehouse.
        EventNotDeliveredError: Prefect's API did not take the event.
    """
    with memory_of(setup.staging) as memory:
        known, now = memory.read(), utc_now()
        hours = setup.project.run.watch_data_hours
        compared = data == "always" or (data == "due" and known.due(hours, now))
        drift = _drift(setup, compared)
        news = known.untold(drift)
        if news:
            # once more: what moved in the middle of a migration, or while a refresh was
            # publishing what it had read, is only told if it stands
            seen, drift = set(map(change_key, news)), _drift(setup, compared)
            news = tuple(c for c in known.untold(drift) if change_key(c) in seen)
        if tell:
            _tell(tell, news, drift)
            memory.write(known.after(drift, news, compared, now))
        return Sight(
            project=setup.project.project,
            news=news,
            drift=drift,
            gone=known.gone(drift, compared),
            compared=compared,
            told=bool(tell and news),
        )


def _drift(setup: Setup, data: bool) -> Drift:
    def compare() -> Drift:
        afresh = Setup(setup.file, setup.project)  # a refresh may have written what it accepted
        with closing(afresh.open_warehouse()) as warehouse:
            warehouse.check_read_only()
            return project_drift(afresh, warehouse, data)

    return retried(compare, setup.project.run.retries)


def _tell(tell: Tell, news: Iterable[Change], drift: Drift) -> None:
    of_rows = tuple(change for change in news if change.kind in DATA_KINDS)
    of_schema = tuple(change for change in news if change.kind not in DATA_KINDS)
    for name, changes in ((SCHEMA_CHANGED, of_schema), (DATA_CHANGED, of_rows)):
        if changes:
            tell(name, changes, drift)


def tell_prefect(project: str) -> Tell:
    """Deliver news to Prefect's API, as an event on the project.

    Args:
        project: The project's name.
    """

    def tell(name: str, changes: Iterable[Change], drift: Drift) -> None:
        changes = tuple(changes)
        parts = {"kind", "table", "column", "old", "new", "policy"}
        deliver_event(
            name,
            {
                "prefect.resource.id": f"prefect-synth.project.{project}",
                "prefect.resource.name": project,
            },
            {
                "project": project,
                "tables": sorted({change.table for change in changes}),
                "changes": [c.model_dump(include=parts) for c in changes[:_MOST_CHANGES]],
                "more": max(0, len(changes) - _MOST_CHANGES),
                "fingerprint": drift.fingerprint,
            },
        )

    return tell
