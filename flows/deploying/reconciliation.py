"""Bringing a Prefect server to what a project asks for; what is so already is left alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import (
    GlobalConcurrencyLimitCreate,
    GlobalConcurrencyLimitUpdate,
    WorkPoolCreate,
)
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.exceptions import ObjectNotFound

from prefect_synth.flows.deploying.deployments import TAG, PlannedDeployment
from prefect_synth.flows.deploying.errors import DeployError
from prefect_synth.flows.run_settings import WorkPoolSettings

Action = Literal["created", "updated", "unchanged", "deleted"]
_ADDED_TO = {"concurrency_options", "parameter_openapi_schema"}
_OUR_FLOWS = "prefect_synth.flows."
UNKNOWN = UUID(int=0)
"""Stands for what a dry run did not create."""


@dataclass(frozen=True)
class Step:
    """What became of one thing on the server.

    Args:
        kind: Work pool, limit, deployment or automation.
        name: Its name.
        action: What was done, or would be.
        id: Its identifier; None where a dry run did not create it.
    """

    kind: Literal["work pool", "limit", "deployment", "automation"]
    name: str
    action: Action
    id: UUID | None


class Reconciliation:
    """Changes on a server, one after the other, and a note of each.

    Args:
        client: The server.
        dry_run: Whether to change nothing.
    """

    def __init__(self, client: SyncPrefectClient, dry_run: bool = False) -> None:
        self._client, self._dry = client, dry_run
        self.steps: list[Step] = []

    def work_pool(self, wanted: WorkPoolSettings) -> None:
        """See to a work pool; one that is there is never changed.

        Raises:
            DeployError: There is one of that name and another type.
        """
        try:
            found = self._client.read_work_pool(wanted.name)
        except ObjectNotFound:
            made = None if self._dry else self._create_pool(wanted)
            self._note("work pool", wanted.name, "created", made)
            return
        if found.type != wanted.type:
            raise DeployError(
                f"The work pool '{wanted.name}' is of the type '{found.type}', and "
                f"'{wanted.type}' is asked for. Give run.work_pool another name, or that type."
            )
        self._note("work pool", wanted.name, "unchanged", found.id)

    def limit(self, name: str, slots: int) -> UUID:
        """See to a global concurrency limit.

        Args:
            name: Its name.
            slots: How many may hold it at a time.
        """
        try:
            found = self._client.read_global_concurrency_limit_by_name(name)
        except ObjectNotFound:
            made = None if self._dry else self._create_limit(name, slots)
            return self._note("limit", name, "created", made)
        if found.limit == slots:
            return self._note("limit", name, "unchanged", found.id)
        if not self._dry:
            self._client.update_global_concurrency_limit(
                name, GlobalConcurrencyLimitUpdate(limit=slots)
            )
        return self._note("limit", name, "updated", found.id)

    def refuse_others(self, names: Iterable[str]) -> None:
        """See to it that no deployment is taken over which somebody else has made.

        Args:
            names: The full names of those that are to be created or updated.

        Raises:
            DeployError: There is one of that name which is not this package's.
        """
        for name in names:
            found = self._deployment(name)
            if found is not None and not _is_ours(found):
                raise DeployError(
                    f"There is a deployment '{name}' already that prefect-synth has not made (its "
                    f"entrypoint is '{found['entrypoint']}'). Give this project another name, or "
                    "that flow or its deployment; nothing was changed."
                )

    def deployment(self, planned: PlannedDeployment, extra: Mapping[str, Any]) -> UUID:
        """See to a deployment, and to the limit that it shares with others.

        Args:
            planned: The deployment.
            extra: What else the API is told of it, such as its work pool.
        """
        slot = None if planned.slot is None else self.limit(planned.slot, 1)
        found = self._deployment(planned.full_name)
        body = {**planned.body, **_joined(extra, found or {})}
        if found is None:
            made = None if self._dry else self._create_deployment(planned, body, slot)
            return self._note("deployment", planned.full_name, "created", made)
        identifier = UUID(found["id"])
        changes = _changes(found, planned, body, slot)
        if changes and not self._dry:
            path = {"id": identifier}
            self._client.request("PATCH", "/deployments/{id}", path_params=path, json=changes)
        done: Action = "updated" if changes else "unchanged"
        return self._note("deployment", planned.full_name, done, identifier)

    def no_deployment(self, full_name: str) -> None:
        """See to it that a deployment is not there: nobody would run what it asks for.

        One of that name which somebody else has made is left alone.
        """
        found = self._deployment(full_name)
        if found is None or not _is_ours(found):
            return
        if not self._dry:
            self._client.delete_resource_owned_automations(f"prefect.deployment.{found['id']}")
            self._client.delete_deployment(UUID(found["id"]))
        self._note("deployment", full_name, "deleted", UUID(found["id"]))

    def automations(self, planned: Sequence[AutomationCore], known: Iterable[str]) -> None:
        """See to the automations of a project.

        Args:
            planned: Those that are to be there.
            known: Names of all that may be there; those that are not planned are deleted.
        """
        wanted = {automation.name: automation for automation in planned}
        for name in known:
            found = self._client.read_automations_by_name(name)
            if name in wanted:
                self._automation(wanted[name], found[:1])
                found = found[1:]  # of the same name, made by hand or by something older
            for left in found:
                if not self._dry:
                    self._client.delete_automation(left.id)
                self._note("automation", name, "deleted", left.id)

    def _automation(self, wanted: AutomationCore, found: Sequence[Automation]) -> None:
        if not found:
            made = None if self._dry else self._client.create_automation(wanted)
            self._note("automation", wanted.name, "created", made)
            return
        there = AutomationCore.model_validate(found[0].model_dump(exclude={"id"}))
        # switched off by hand, it stays so
        same = there.model_copy(update={"enabled": wanted.enabled}) == wanted
        if not same and not self._dry:
            self._client.update_automation(
                found[0].id, wanted.model_copy(update={"enabled": there.enabled})
            )
        self._note("automation", wanted.name, "unchanged" if same else "updated", found[0].id)

    def _deployment(self, full_name: str) -> dict[str, Any] | None:
        try:
            identifier = self._client.read_deployment_by_name(full_name).id
        except ObjectNotFound:
            return None
        path = {"id": identifier}
        answer = self._client.request("GET", "/deployments/{id}", path_params=path)
        found: dict[str, Any] = answer.json()
        return found

    def _create_pool(self, wanted: WorkPoolSettings) -> UUID:
        pool = WorkPoolCreate(
            name=wanted.name,
            type=wanted.type,
            base_job_template=self._template(wanted.type),
        )
        return self._client.create_work_pool(pool).id

    def _template(self, kind: str) -> dict[str, Any]:
        """Our own base job template, which mounts staging and the project file, or Prefect's."""
        ours = files("prefect_synth.deployments") / f"{kind}-job-template.json"
        if ours.is_file():
            return dict(json.loads(ours.read_text(encoding="utf-8")))
        for workers in self._client.read_worker_metadata().values():
            if kind in workers:
                template: dict[str, Any] = workers[kind]["default_base_job_configuration"]
                return template
        raise DeployError(f"This Prefect server knows no workers of the type '{kind}'.")

    def _create_limit(self, name: str, slots: int) -> UUID:
        return self._client.create_global_concurrency_limit(
            GlobalConcurrencyLimitCreate(name=name, limit=slots)
        )

    def _create_deployment(
        self, planned: PlannedDeployment, body: Mapping[str, Any], slot: UUID | None
    ) -> UUID:
        flow = self._client.create_flow_from_name(planned.flow.name)
        document = {"flow_id": str(flow), "name": planned.name, "paused": False, **body}
        document |= _schedules(planned) | _limits(planned, slot)
        answer = self._client.request("POST", "/deployments/", json=document)
        return UUID(answer.json()["id"])

    def _note(self, kind: Any, name: str, action: Action, identifier: UUID | None) -> UUID:
        self.steps.append(Step(kind, name, action, identifier))
        return identifier or UNKNOWN


def _is_ours(found: Mapping[str, Any]) -> bool:
    """Whether this package made a deployment, or `prefect deploy` did with our file."""
    return TAG in found["tags"] or str(found["entrypoint"]).startswith(_OUR_FLOWS)


def _joined(extra: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """What was added by hand to a deployment's job variables stays, and so does its environment."""
    if "job_variables" not in extra:
        return dict(extra)
    ours, theirs = extra["job_variables"], found.get("job_variables") or {}
    kept = {key: value for key, value in theirs.items() if key != "image"}  # the project file's
    environment = {**(theirs.get("env") or {}), **ours["env"]}
    return {**extra, "job_variables": {**kept, **ours, "env": environment}}


def _changes(
    found: Mapping[str, Any], planned: PlannedDeployment, body: Mapping[str, Any], slot: UUID | None
) -> dict[str, Any]:
    """What has to be told to the API, so that a deployment becomes as it should be."""
    changes = {key: value for key, value in body.items() if not _same(key, found.get(key), value)}
    if _known_schedules(found["schedules"]) != _known_schedules(_schedules(planned)["schedules"]):
        changes |= _schedules(planned)
    limit = found["global_concurrency_limit"]
    if slot is not None:
        same = limit is not None and limit["id"] == str(slot)
    else:
        same = (limit and limit["limit"]) == planned.limit
    return changes if same else changes | _limits(planned, slot)


def _same(key: str, found: Any, wanted: Any) -> bool:
    """Whether the server has what is wanted; to some things it adds keys of its own."""
    if key in _ADDED_TO and isinstance(wanted, dict) and isinstance(found, dict):
        return wanted == {name: found.get(name) for name in wanted}
    return bool(found == wanted)


def _schedules(planned: PlannedDeployment) -> dict[str, Any]:
    if planned.schedule is None:
        return {"schedules": []}
    schedule = {"schedule": dict(planned.schedule), "active": True, "slug": planned.flow.name}
    return {"schedules": [schedule]}


def _known_schedules(schedules: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """What matters of schedules; one that was paused by hand stays paused."""
    keys = ("cron", "interval", "timezone")
    return [tuple(entry["schedule"].get(key) for key in keys) for entry in schedules]


def _limits(planned: PlannedDeployment, slot: UUID | None) -> dict[str, Any]:
    if slot is not None:
        return {"global_concurrency_limit_id": str(slot)}
    return {"concurrency_limit": planned.limit}
