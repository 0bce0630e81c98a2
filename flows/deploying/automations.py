"""The automations of a project: what starts what, and who is told of trouble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from prefect.client.schemas.objects import StateType
from prefect.events.actions import (
    ActionTypes,
    ChangeFlowRunState,
    RunDeployment,
    SendNotification,
)
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from prefect_synth.flows.deployment_names import nightly_name, on_change_name
from prefect_synth.flows.project import Project
from prefect_synth.flows.schedules import promise_of

Labels = dict[str, str | list[str]]
HEARTBEAT_SECONDS = 30
"""How often a run says that it lives; the runs are told so when they are deployed."""

_SILENCE = timedelta(seconds=6 * HEARTBEAT_SECONDS)
_SUBJECT = "prefect-synth: {what}"
_RUN = "{{ flow_run.name }}: {{ flow_run.state.name }}"
_PAYLOAD = "{{{{ event.payload['{key}'] | default([]) | tojson }}}}"
_NAMES = (
    "{{% set found = event.payload['{key}'] %}}{{{{ (found | map('string') | list "
    "if found is sequence and found is not string and found is not mapping else []) | tojson }}}}"
)  # of an event of others: a list of names, or nothing
_MISSED_LOOKS = 4

REFRESH, FEED = "refresh what has changed", "feed what was published"
SILENT = "give up a run whose process is gone"
REJECTED, FAILED = "tell of a rejected snapshot", "tell of a failed run"
LATE, OLD = "tell of a late run", "tell that the last snapshot is old"
EVENT, UNWATCHED = "refresh for other events", "tell that nobody watches"
KINDS = (REFRESH, EVENT, FEED, SILENT, REJECTED, FAILED, LATE, OLD, UNWATCHED)
"""All automations that any version of this package has made, without the project's name."""

ONLY_TELL = (REJECTED, FAILED, LATE, OLD, UNWATCHED)
"""Those that are left out where nobody is to be told."""


def automation_name(project: str, kind: str) -> str:
    """`shop: tell of a late run`.

    Args:
        project: The project's name.
        kind: One of `KINDS`.
    """
    return f"{project}: {kind}"


def planned_automations(
    project: Project,
    deployments: Mapping[str, UUID],
    blocks: Sequence[UUID],
    cron: str | None = None,
) -> list[AutomationCore]:
    """The automations that a project asks for.

    Args:
        project: What the project file says.
        deployments: The identifier of each deployment, by its full name.
        blocks: The notification blocks of those who are told.
        cron: Another schedule of the refresh than the project file's.
    """
    name = project.project
    started = [_refresh(name, deployments[f"refresh/{on_change_name(name)}"])]
    if project.run.events:
        on_change = deployments[f"refresh/{on_change_name(name)}"]
        started.append(_event(name, project.run.events, on_change))
    if f"feed/{nightly_name(name)}" in deployments:
        started.append(_feed(name, deployments[f"feed/{nightly_name(name)}"]))
    started.append(_silent(name, deployments))
    if not blocks:
        return started
    promise = promise_of(project.run, cron)
    return [
        *started,
        _rejected(name, blocks),
        _failed(name, deployments, blocks),
        _late(name, deployments, blocks),
        _old(name, promise, blocks),
        _unwatched(project, deployments[f"watch/{nightly_name(name)}"], blocks),
    ]


def _refresh(project: str, deployment: UUID) -> AutomationCore:
    parameters = {"reason": "schema-change", "tables": _from_event("tables")}
    return _automation(
        project,
        REFRESH,
        "Starts a refresh when the warehouse's schema has changed.",
        EventTrigger(expect={"warehouse.schema.changed"}, match=_project(project)),
        [_run(deployment, parameters)],
    )


def _event(project: str, events: Sequence[str], deployment: UUID) -> AutomationCore:
    return _automation(
        project,
        EVENT,
        "Starts a refresh when something happens that the project file names.",
        EventTrigger(expect=set(events)),
        [_run(deployment, {"reason": "event", "tables": _from_event("tables", _NAMES)})],
    )


def _feed(project: str, deployment: UUID) -> AutomationCore:
    return _automation(
        project,
        FEED,
        "Loads a snapshot into the test databases when it was published.",
        EventTrigger(expect={"snapshot.published"}, match=_project(project)),
        [_run(deployment, {"reason": "published"})],
    )


def _silent(project: str, deployments: Mapping[str, UUID]) -> AutomationCore:
    """A run whose worker was killed would else be running for ever, and keep the others away."""
    return _automation(
        project,
        SILENT,
        "Marks a run as crashed that no longer says that it lives.",
        EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match=_any_run(),
            match_related=_of(deployments),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            within=_SILENCE,
        ),
        [
            ChangeFlowRunState(
                name="Crashed",
                state=StateType.CRASHED,
                message="Its process is gone: no sign of life for "
                f"{_SILENCE.total_seconds():.0f} seconds. The next refresh goes on from there.",
                force=False,
            )
        ],
    )


def _rejected(project: str, blocks: Sequence[UUID]) -> AutomationCore:
    failures = "{% for failure in event.payload['failures'] %}\n- {{ failure }}{% endfor %}"
    return _automation(
        project,
        REJECTED,
        "A gate has refused a snapshot.",
        EventTrigger(expect={"snapshot.rejected"}, match=_project(project)),
        _tell(
            blocks,
            f"{project}: a snapshot was rejected",
            f"Nothing was published for {project}; readers see the last good snapshot.{failures}",
        ),
    )


def _failed(
    project: str, deployments: Mapping[str, UUID], blocks: Sequence[UUID]
) -> AutomationCore:
    troubles: Labels = {
        "prefect.state-type": ["FAILED", "CRASHED"],
        "prefect.state-name": "!Rejected",
    }
    return _automation(
        project,
        FAILED,
        "A run of this project has failed or crashed; of rejected snapshots another one tells.",
        EventTrigger(
            expect={"prefect.flow-run.*"},
            match={**_any_run(), **troubles},
            match_related=_of(deployments),
        ),
        _tell(blocks, f"{project}: a run failed", f"{_RUN}. {{{{ flow_run.state.message }}}}"),
    )


def _late(project: str, deployments: Mapping[str, UUID], blocks: Sequence[UUID]) -> AutomationCore:
    return _automation(
        project,
        LATE,
        "A scheduled run has not begun in time: no worker takes it.",
        EventTrigger(
            expect={"prefect.flow-run.Late"}, match=_any_run(), match_related=_of(deployments)
        ),
        _tell(
            blocks,
            f"{project}: a run is late",
            "A run of {{ deployment.name }} ({{ flow.name }}) has not begun: no worker "
            "takes it. Look whether one runs.",
        ),
    )


def _old(project: str, promise: timedelta, blocks: Sequence[UUID]) -> AutomationCore:
    hours = promise.total_seconds() / 3600
    return _automation(
        project,
        OLD,
        f"No snapshot was published, or found to be up to date, for {hours:g} hours.",
        _absence({"snapshot.published", "snapshot.unchanged"}, promise, _project(project)),
        _tell(
            blocks,
            f"{project}: the last snapshot is old",
            f"Nothing was published for {project}, or found to be up to date, for {hours:g} hours. "
            "Readers see an older snapshot than was promised.",
        ),
    )


def _unwatched(project: Project, watch: UUID, blocks: Sequence[UUID]) -> AutomationCore:
    """A cancelled or dropped watch is no failure, and one that was never scheduled is not late."""
    patience = timedelta(minutes=max(60, _MISSED_LOOKS * project.run.watch_minutes))
    minutes = f"{patience.total_seconds() / 60:.0f} minutes"
    return _automation(
        project.project,
        UNWATCHED,
        f"No watch over the warehouse came to its end for {minutes}.",
        _absence(
            {"prefect.flow-run.Changed", "prefect.flow-run.Unchanged"},
            patience,
            _any_run(),
            _of({"watch": watch}),
        ),
        _tell(
            blocks,
            f"{project.project}: nobody watches",
            f"No watch over the warehouse of {project.project} came to its end for {minutes}. Look "
            "whether a worker runs, and whether the schedule of watch is paused.",
        ),
    )


def _automation(
    project: str,
    kind: str,
    description: str,
    trigger: EventTrigger,
    actions: Sequence[ActionTypes],
) -> AutomationCore:
    return AutomationCore(
        name=automation_name(project, kind),
        description=description,
        enabled=True,
        trigger=trigger,
        actions=list(actions),
    )


def _absence(
    events: set[str], within: timedelta, match: Labels, match_related: Labels | None = None
) -> EventTrigger:
    """None of these events for a time, counted from the last one, or from the deployment.

    Without `after`, Prefect counts in windows that an event does not begin anew: it would fire up
    to three times as late.
    """
    return EventTrigger(
        after=events,
        expect=events,
        match=match,
        match_related=match_related or {},
        posture=Posture.Proactive,
        within=within,
    )


def _run(deployment: UUID, parameters: Mapping[str, object]) -> RunDeployment:
    return RunDeployment(
        source="selected",
        deployment_id=deployment,
        parameters=dict(parameters),
        job_variables=None,
    )


def _tell(blocks: Sequence[UUID], what: str, body: str) -> list[ActionTypes]:
    return [
        SendNotification(block_document_id=block, subject=_SUBJECT.format(what=what), body=body)
        for block in blocks
    ]


def _from_event(key: str, template: str = _PAYLOAD) -> dict[str, object]:
    """A parameter that is taken from the event, as the list that it is and not as its text."""
    filled = {"__prefect_kind": "jinja", "template": template.format(key=key)}
    return {"__prefect_kind": "json", "value": filled}


def _project(project: str) -> Labels:
    return {"prefect.resource.id": f"prefect-synth.project.{project}"}


def _any_run() -> Labels:
    return {"prefect.resource.id": "prefect.flow-run.*"}


def _of(deployments: Mapping[str, UUID]) -> Labels:
    ids = sorted(f"prefect.deployment.{found}" for found in deployments.values())
    return {"prefect.resource.role": "deployment", "prefect.resource.id": ids}
