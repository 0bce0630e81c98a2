"""`prefect-synth deploy`: what a project asks of a Prefect server, as often as it is asked."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.blocks.system import Secret
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.flows import load_flow_from_entrypoint
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner

from prefect_synth.flows.cli import app
from prefect_synth.flows.deploying.automations import KINDS, ONLY_TELL, automation_name
from prefect_synth.flows.deploying.project_deployment import HEARTBEAT
from prefect_synth.flows.project import ProjectError, load_project
from prefect_synth.flows.run_settings import RunSettings
from prefect_synth.flows.schedules import promise_of
from prefect_synth.tasks.events import deliver_event

FEEDS = "feeds: {test: {url: 'sqlite:///test.db'}}\n"
ENTRYPOINTS = {
    "refresh/shop": "prefect_synth.flows.refresh.refresh",
    "refresh/shop-on-change": "prefect_synth.flows.refresh.refresh",
    "watch/shop": "prefect_synth.flows.watch.watch",
    "gc/shop": "prefect_synth.flows.garbage.gc",
    "feed/shop": "prefect_synth.flows.feed.feed",
}


@pytest.fixture
def client(deployable: str) -> Iterator[SyncPrefectClient]:
    """The tests' Prefect server, which knows of no deployment."""
    with get_client(sync_client=True) as found:
        yield found


def invoke(shop: Any, *words: str) -> tuple[int, dict[str, Any]]:
    """Deploy the shop: the exit code, and what was said."""
    result = CliRunner().invoke(app, ["deploy", "--project", str(shop.file), "--json", *words])
    return result.exit_code, json.loads(result.stdout)


def deploy(shop: Any, *words: str) -> dict[str, tuple[str, str | None]]:
    """Deploy the shop: what was done to each thing, and its identifier."""
    code, said = invoke(shop, *words)
    assert code == 0, said
    return {step["name"]: (step["action"], step["id"]) for step in said["steps"]}


def test_deploying_twice_changes_nothing(
    shop: Any, client: SyncPrefectClient, oncall: Any, deployable: str
) -> None:
    """All that is there keeps its identifier, and nothing is there twice."""
    events = "run: {events: [dbt.job.done, load.ended]}\n"
    shop.configure(f"{FEEDS}{events}notify: [{oncall.save(deployable)}]\n")
    first = deploy(shop)
    again = deploy(shop)
    assert {name for name, (done, _) in first.items() if done != "created"} <= {
        "synth",
        "synth-refresh-shop",
    }
    assert {done for done, _ in again.values()} == {"unchanged"}
    assert {n: i for n, (_, i) in again.items()} == {n: i for n, (_, i) in first.items()}
    assert set(ENTRYPOINTS) <= first.keys()
    assert {automation_name("shop", kind) for kind in KINDS} <= first.keys()
    assert len(client.read_deployments()) == len(ENTRYPOINTS)


def test_every_entrypoint_is_a_module_with_the_flow(shop: Any, client: SyncPrefectClient) -> None:
    """A wrong name would be swallowed until a worker runs it."""
    shop.configure(FEEDS)
    deploy(shop)
    for name, entrypoint in ENTRYPOINTS.items():
        deployment = client.read_deployment_by_name(name)
        assert deployment.entrypoint == entrypoint
        flow = load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
        assert flow.name == name.partition("/")[0]
        flow.validate_parameters(deployment.parameters)


def test_one_slot_is_shared_by_all_that_refresh(shop: Any, client: SyncPrefectClient) -> None:
    """The run that an event starts waits on the server for the slot that every refresh takes."""
    deploy(shop)
    on_change = client.read_deployment_by_name("refresh/shop-on-change")
    assert on_change.global_concurrency_limit.name == "synth-refresh-shop"
    assert on_change.global_concurrency_limit.limit == 1
    assert on_change.concurrency_options.collision_strategy.value == "ENQUEUE"
    assert client.read_deployment_by_name("refresh/shop").global_concurrency_limit is None


def test_what_the_file_no_longer_asks_for_goes(
    shop: Any, client: SyncPrefectClient, oncall: Any, deployable: str
) -> None:
    """Without feeds there is no feeding, and without notify nobody is told."""
    shop.configure(f"{FEEDS}notify: [{oncall.save(deployable)}]\n")
    deploy(shop)
    shop.configure()
    done = {name: what for name, (what, _) in deploy(shop).items() if what != "unchanged"}
    told = {automation_name("shop", kind): "deleted" for kind in ONLY_TELL}
    feed = {"feed/shop": "deleted", automation_name("shop", "feed what was published"): "deleted"}
    others = {automation_name("shop", "give up a run whose process is gone"): "updated"}
    assert done == told | feed | others  # the last one looked after the feeding as well
    assert set(deploy(shop)) & {*told, *feed} == set()


def test_a_changed_schedule_updates_its_deployment_alone(
    shop: Any, client: SyncPrefectClient
) -> None:
    """It keeps its identifier; what was paused by hand stays paused."""
    before = deploy(shop)["refresh/shop"][1]
    client.pause_deployment(before)
    shop.configure("run: {schedule: '0 4 * * *', timezone: Europe/Madrid}\n")
    steps = deploy(shop)
    assert steps["refresh/shop"] == ("updated", before)
    assert {name for name, (done, _) in steps.items() if done == "updated"} == {
        "refresh/shop",
        "gc/shop",  # it has the time zone
    }
    found = client.read_deployment(before)
    assert [s.schedule.cron for s in found.schedules] == ["0 4 * * *"]
    assert found.paused


def test_a_dry_run_changes_nothing(shop: Any, client: SyncPrefectClient) -> None:
    """It says what would be done."""
    done = {name: what for name, what in deploy(shop, "--dry-run").items() if "/" in name}
    assert done["refresh/shop"] == ("created", None)
    assert client.read_deployments() == []


def test_a_block_that_is_not_there_is_told(shop: Any, client: SyncPrefectClient) -> None:
    """So is one that cannot notify; nothing was deployed."""
    Secret(value="x").save("quiet", overwrite=True)
    for name, cause in (("slack-webhook/nobody", "no such block"), ("secret/quiet", "cannot")):
        shop.configure(f"notify: [{name}]\n")
        code, said = invoke(shop)
        assert (code, cause in said["error"]["message"]) == (2, True)
    assert client.read_deployments() == []


def test_a_work_pool_of_another_type_is_left_alone(shop: Any, client: SyncPrefectClient) -> None:
    """Its workers may run other people's flows."""
    deploy(shop, "--pool", "mine")
    code, said = invoke(shop, "--pool", "mine", "--type", "docker")
    assert (code, "of the type 'process'" in said["error"]["message"]) == (2, True)


def test_containers_get_the_image_and_the_path_of_the_project(
    shop: Any, client: SyncPrefectClient
) -> None:
    """What stands elsewhere than here is told to the deployments."""
    deploy(
        shop, "--pool", "containers", "--type", "docker", "--image", "prefect-synth",
        "--project-at", "/etc/prefect-synth/synth.yaml",
    )  # fmt: skip
    found = client.read_deployment_by_name("refresh/shop")
    assert found.job_variables["image"] == "prefect-synth"
    assert found.parameters["project"] == "/etc/prefect-synth/synth.yaml"
    pool = client.read_work_pool("containers")
    assert pool.type == "docker"
    volumes = pool.base_job_template["variables"]["properties"]["volumes"]["default"]
    assert "/srv/prefect-synth:/srv/prefect-synth" in volumes  # our own template, with staging
    deploy(shop)
    assert "image" not in client.read_deployment_by_name("refresh/shop").job_variables


@pytest.mark.parametrize(
    ("payload", "tables"),
    [({"tables": ["a b", 3]}, ["a b", "3"]), ({"tables": "orders"}, []), ({"x": 1}, [])],
)
def test_an_event_that_the_file_names_starts_a_refresh(
    shop: Any,
    client: SyncPrefectClient,
    wait: Callable[..., Any],
    payload: dict[str, Any],
    tables: list[str],
) -> None:
    """Whatever it is about, and whatever it says; the run waits for its turn like any other."""
    shop.configure("run: {events: [dbt.job.done]}\n")
    assert deploy(shop)[automation_name("shop", "refresh for other events")][0] == "created"
    on_change = client.read_deployment_by_name("refresh/shop-on-change").id
    mine = DeploymentFilter(id=DeploymentFilterId(any_=[on_change]))

    def started() -> list[FlowRun]:
        # again and again: what happens before the server knows of the automation starts nothing
        deliver_event("dbt.job.done", {"prefect.resource.id": "dbt.job.7"}, payload)
        return client.read_flow_runs(deployment_filter=mine)

    run, *_ = wait(started, 60)
    assert (run.parameters["reason"], run.parameters["tables"]) == ("event", tables)
    shop.configure()
    assert deploy(shop)[automation_name("shop", "refresh for other events")][0] == "deleted"


@pytest.mark.parametrize("name", ["prefect.flow-run.Completed", "snapshot.published", "dbt.*"])
def test_an_event_by_which_refreshes_would_start_each_other_is_refused(
    shop: Any, name: str
) -> None:
    """So is a pattern, which may be one of these."""
    shop.configure(f"run: {{events: ['{name}']}}\n")
    with pytest.raises(ProjectError, match=re.escape(name)):
        load_project(shop.file)


def somebody_elses(client: SyncPrefectClient, name: str) -> Any:
    """A deployment of another flow that has the name of one of ours."""

    @flow(name=name)
    def other() -> None:
        pass

    return client.create_deployment(
        client.create_flow(other), "shop", entrypoint="theirs.py:other", tags=["theirs"]
    )


def test_a_deployment_that_somebody_else_made_is_not_deleted(
    shop: Any, client: SyncPrefectClient
) -> None:
    """A shop without feeds asks for no `feed/shop`; what is there under that name is not its."""
    theirs = somebody_elses(client, "feed")
    assert "feed/shop" not in deploy(shop)
    assert client.read_deployment(theirs).entrypoint == "theirs.py:other"


def test_a_deployment_that_somebody_else_made_is_not_taken_over(
    shop: Any, client: SyncPrefectClient
) -> None:
    """It is named, and nothing else is deployed either."""
    theirs = somebody_elses(client, "watch")
    code, said = invoke(shop)
    assert (code, "'watch/shop' already" in said["error"]["message"]) == (2, True)
    assert [found.id for found in client.read_deployments()] == [theirs]


def test_what_was_added_to_job_variables_by_hand_stays(
    shop: Any, client: SyncPrefectClient
) -> None:
    """A proxy in the environment, a limit of memory; our own parts are brought up to date."""
    deploy(shop)
    found = client.read_deployment_by_name("refresh/shop")
    by_hand = {"env": {"HTTPS_PROXY": "http://proxy"}, "mem_limit": "4g"}
    update = {"job_variables": by_hand}
    client.request("PATCH", "/deployments/{id}", path_params={"id": found.id}, json=update)
    assert deploy(shop)["refresh/shop"][0] == "updated"
    variables = client.read_deployment_by_name("refresh/shop").job_variables
    assert variables == {"env": {**by_hand["env"], **HEARTBEAT}, "mem_limit": "4g"}
    assert deploy(shop)["refresh/shop"][0] == "unchanged"


@pytest.mark.parametrize(
    ("status", "cure"), [(401, "PREFECT_API_AUTH_STRING"), (409, "Deploy again"), (422, "version")]
)
def test_a_server_that_refuses_is_told_with_the_cure(
    shop: Any, refusing: Callable[[int], str], status: int, cure: str
) -> None:
    """Exit code 3, and never `Unexpected`."""
    with temporary_settings({PREFECT_API_URL: refusing(status)}):
        code, said = invoke(shop)
    assert (code, cure in said["error"]["message"]) == (3, True)


@pytest.fixture
def refusing() -> Iterator[Callable[[int], str]]:
    """Starts a server that answers everything with one status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(self.server.status)  # type: ignore[attr-defined]
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_POST = do_GET

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()

        def start(status: int) -> str:
            web.status = status  # type: ignore[attr-defined]
            return f"http://127.0.0.1:{web.server_port}/api"

        yield start
        web.shutdown()
        thread.join()


def test_without_a_server_the_cure_is_told(shop: Any) -> None:
    """Exit code 2 where none is configured, 3 where it does not answer."""
    for url, code, cure in (
        (None, 2, "set PREFECT_API_URL"),
        ("http://127.0.0.1:9/api", 3, "9/api"),
    ):
        with temporary_settings({PREFECT_API_URL: url}):
            found, said = invoke(shop)
        assert (found, cure in said["error"]["message"]) == (code, True)


@pytest.mark.parametrize(
    ("cron", "hours"),
    [
        ("30 2 * * *", 26 + 1),  # a night in which clocks go back is an hour longer
        ("0 3 * * 1-5", 74 + 1),
        ("0 * * * *", 3),
        ("30 2 1 * *", 31 * 24 + 2 + 1),
    ],
)
def test_the_promise_follows_the_schedule(cron: str, hours: int) -> None:
    """The longest pause between two runs, and two hours; or what the file says."""
    settings = RunSettings(schedule=cron, timezone="Europe/Madrid")
    assert promise_of(settings) == timedelta(hours=hours)
    assert promise_of(RunSettings(promise_hours=1.5)) == timedelta(minutes=90)


def test_gc_cleans_the_sandbox(shop: Any, prefect_url: str, wait: Callable[..., Any]) -> None:
    """The flow deletes what retention does not keep, and says how much."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from prefect_synth.flows.garbage import gc
    from prefect_synth.tasks.snapshots.store import open_store

    shop.configure("")
    shop.file.write_text(
        shop.file.read_text().replace("url: sandbox", "url: sandbox, retain: {last: 1, weekly: 0}")
    )
    part = Path(shop.folder / "part-00000.parquet")
    pq.write_table(pa.table({"id": [1]}), part)
    for run in ("20260101T000000Z-aaaaaa", "20260102T000000Z-bbbbbb"):
        folder = shop.folder / run / "t"
        folder.mkdir(parents=True)
        (folder / part.name).write_bytes(part.read_bytes())
        open_store(str(shop.sandbox)).publish(run, {"t": folder}, {}, {})
    state = gc(str(shop.file), return_state=True)
    assert state.message.startswith("Deleted 1 snapshots, 0 crashed attempts")
    assert len(shop.published()) == 1


def test_a_rejected_snapshot_is_told(
    shop: Any, client: SyncPrefectClient, oncall: Any, deployable: str, wait: Callable[..., Any]
) -> None:
    """A real webhook gets the checks that failed; the run itself is not told of as failed too."""
    name = oncall.save(deployable)
    shop.configure(f"gates: {{quality: {{min: 1.0}}}}\nnotify: [{name}]\n")
    deploy(shop)
    state, outcome = shop.refresh()
    assert state == "Rejected"
    [message] = wait(lambda: list(oncall.told), 60)
    assert message["subject"] == "prefect-synth: shop: a snapshot was rejected"
    assert outcome.failures[0] in message["body"]
