"""`deployments/prefect.yaml`: what an operator deploys is what the code offers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.flows import load_flow_from_entrypoint

from prefect_synth.flows.project import ProjectError, load_project
from prefect_synth.flows.serving import deployment_of

REPOSITORY = Path(__file__).parents[2]
FILE = REPOSITORY / "deployments" / "prefect.yaml"


@pytest.fixture(scope="module")
def deployed(prefect_url: str) -> Any:
    """The deployments by name, as Prefect's server has them."""
    import os

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
    return {deployment["name"]: deployment for deployment in found}


def test_the_entrypoint_is_the_flow() -> None:
    """A module is named, never a file; a wrong name would be swallowed until it runs."""
    flow = load_flow_from_entrypoint(
        "prefect_synth.flows.refresh.refresh", use_placeholder_flow=False
    )
    assert flow.name == "refresh"


def test_the_file_is_deployed_as_it_says(deployed: Any) -> None:
    """Module, schedule, one run at a time, and parameters that are checked."""
    nightly = deployed["nightly"]
    assert nightly["entrypoint"] == "prefect_synth.flows.refresh.refresh"
    assert nightly["schedules"][0]["schedule"]["cron"] == "30 2 * * *"
    assert nightly["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert nightly["enforce_parameter_schema"] is True


def test_a_published_snapshot_triggers_the_feeding(deployed: Any, prefect_url: str) -> None:
    """An automation starts it, for the project's own event only; one run at a time, none lost."""
    feed = deployed["feed"]
    assert feed["entrypoint"] == "prefect_synth.flows.feed.feed"
    assert feed["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    automations = httpx.post(f"{prefect_url}/automations/filter", json={}).json()
    [found] = [a for a in automations if a["actions"][0].get("deployment_id") == feed["id"]]
    assert found["trigger"]["expect"] == ["snapshot.published"]
    assert found["trigger"]["match"] == {"prefect.resource.id": "prefect-synth.project.shop"}
    assert found["actions"][0]["parameters"] == {"reason": "published"}


def test_the_interface_explains_the_parameters(deployed: Any) -> None:
    """Each parameter has a description, and the reason a choice."""
    properties = deployed["nightly"]["parameter_openapi_schema"]["properties"]
    assert properties["project"]["description"] == "The project file, or its folder."
    assert properties["reason"]["enum"] == ["manual", "nightly", "schema-change", "event"]


def test_a_wrong_schedule_is_refused(shop: Any) -> None:
    """Five fields are not yet a cron line."""
    shop.configure("run: {schedule: '99 2 * * *'}\n")
    with pytest.raises(ProjectError, match="'99 2 \\* \\* \\*' is not a cron line"):
        deployment_of(load_project(shop.file), shop.file)
