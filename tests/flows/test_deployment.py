"""`deployments/prefect.yaml`: what an operator deploys is what the code offers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.flows import load_flow_from_entrypoint

from prefect_synth.flows.deploying.deployments import planned_deployments
from prefect_synth.flows.project import ProjectError, load_project
from prefect_synth.tasks.events import deliver_event

REPOSITORY = Path(__file__).parents[2]
FILE = REPOSITORY / "deployments" / "prefect.yaml"


@pytest.fixture(scope="module")
def deployed(prefect_url: str) -> Iterator[dict[str, Any]]:
    """The deployments by flow and name, as Prefect's server has them."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    environment = {**os.environ, "PREFECT_API_URL": prefect_url}
    httpx.post(f"{prefect_url}/work_pools/", json={"name": "synth", "type": "process"})
    subprocess.run(
        [*command, "--prefect-file", str(FILE)],
        cwd=REPOSITORY,
        env=environment,
        check=True,
        capture_output=True,
    )
    found = httpx.post(f"{prefect_url}/deployments/filter", json={}).json()
    yield {f"{d['entrypoint'].rpartition('.')[2]}/{d['name']}": d for d in found}
    for deployment in found:  # other tests' events shall start nothing
        httpx.delete(f"{prefect_url}/deployments/{deployment['id']}")


def triggers_of(url: str, deployment: dict[str, Any]) -> list[dict[str, Any]]:
    """The automations that start a deployment."""
    found = httpx.post(f"{url}/automations/filter", json={}).json()
    return [a for a in found if a["actions"][0].get("deployment_id") == deployment["id"]]


def test_the_entrypoint_is_the_flow() -> None:
    """A module is named, never a file; a wrong name would be swallowed until it runs."""
    flow = load_flow_from_entrypoint(
        "prefect_synth.flows.refresh.refresh", use_placeholder_flow=False
    )
    assert flow.name == "refresh"


def test_the_file_is_deployed_as_it_says(deployed: Any) -> None:
    """Module, schedule, one run at a time, and parameters that are checked."""
    assert deployed.keys() == {"refresh/shop", "refresh/shop-on-change", "watch/shop", "feed/shop"}
    nightly = deployed["refresh/shop"]
    assert nightly["entrypoint"] == "prefect_synth.flows.refresh.refresh"
    assert nightly["schedules"][0]["schedule"]["cron"] == "30 2 * * *"
    assert nightly["concurrency_limit"] is None  # the run itself sees to it
    assert nightly["enforce_parameter_schema"] is True


def test_a_published_snapshot_triggers_the_feeding(deployed: Any, prefect_url: str) -> None:
    """An automation starts it, for the project's own event only; one run at a time, none lost."""
    feed = deployed["feed/shop"]
    assert feed["entrypoint"] == "prefect_synth.flows.feed.feed"
    assert feed["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    [found] = triggers_of(prefect_url, feed)
    assert found["trigger"]["expect"] == ["snapshot.published"]
    assert found["trigger"]["match"] == {"prefect.resource.id": "prefect-synth.project.shop"}
    assert found["actions"][0]["parameters"] == {"reason": "published"}


def test_the_warehouse_is_watched_every_five_minutes(deployed: Any) -> None:
    """No slot is needed, which a killed watch might keep: looks wait for each other."""
    watch = deployed["watch/shop"]
    assert watch["entrypoint"] == "prefect_synth.flows.watch.watch"
    assert watch["schedules"][0]["schedule"]["interval"] == 300
    assert watch["concurrency_limit"] is None


@pytest.mark.parametrize(
    ("payload", "tables"), [({"tables": ["a b", "c"]}, ["a b", "c"]), ({}, [])]
)
def test_a_changed_schema_starts_a_refresh_of_what_changed(
    deployed: Any, prefect_url: str, wait: Any, payload: dict[str, Any], tables: list[str]
) -> None:
    """The tables arrive as a list, and no run is dropped while another one goes."""
    on_change = deployed["refresh/shop-on-change"]
    where = {"flow_runs": {"deployment_id": {"any_": [on_change["id"]]}}}

    def runs() -> list[dict[str, Any]]:
        return list(httpx.post(f"{prefect_url}/flow_runs/filter", json=where).json())

    before = len(runs())
    deliver_event(
        "warehouse.schema.changed", {"prefect.resource.id": "prefect-synth.project.shop"}, payload
    )
    wait(lambda: len(runs()) > before, 60)
    newest = max(runs(), key=lambda run: run["created"])
    assert newest["created_by"]["type"] == "AUTOMATION"
    assert newest["parameters"]["tables"] == tables
    assert newest["parameters"]["reason"] == "schema-change"
    assert on_change["concurrency_options"]["collision_strategy"] == "ENQUEUE"


def test_the_interface_explains_the_parameters(deployed: Any) -> None:
    """Each parameter has a description, and the reason a choice."""
    properties = deployed["refresh/shop"]["parameter_openapi_schema"]["properties"]
    assert properties["project"]["description"] == "The project file, or its folder."
    assert properties["reason"]["enum"] == ["manual", "nightly", "schema-change", "event"]


def test_a_wrong_schedule_is_refused(shop: Any) -> None:
    """Five fields are not yet a cron line."""
    shop.configure("run: {schedule: '99 2 * * *'}\n")
    with pytest.raises(ProjectError, match="'99 2 \\* \\* \\*' is not a cron line"):
        planned_deployments(load_project(shop.file), shop.file)


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_prefect_takes_our_base_job_templates(kind: str, prefect_url: str) -> None:
    """A work pool can be created with the template, and has our defaults."""
    file = REPOSITORY / "deployments" / f"{kind}-job-template.json"
    template = json.loads(file.read_text())
    pool = {"name": f"synth-{kind}", "type": kind, "base_job_template": template}
    made = httpx.post(f"{prefect_url}/work_pools/", json=pool, timeout=30)
    assert made.status_code == httpx.codes.CREATED, made.text
    assert made.json()["base_job_template"] == template
