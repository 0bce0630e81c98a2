"""Nights on a Prefect server of one's own: scheduled, dropped, waiting, killed, and told of.

A real server, `prefect-synth deploy`, and workers that are killed; DuckDB and a folder as the shop.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from prefect_synth.tasks.staging import Staging

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
PATIENCE = 900.0  # where other work keeps the machine busy; an idle one needs a tenth of it


@dataclass
class Nights:
    """A deployed shop, and the processes that look after it."""

    shop: Any
    api: str
    home: Path
    environment: dict[str, str]
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def ask(self, path: str, **body: Any) -> Any:
        """Ask Prefect's API."""
        return self._answer("POST", path, body)

    def read(self, path: str) -> Any:
        """Read something of Prefect's API."""
        return self._answer("GET", path, None)

    def _answer(self, method: str, path: str, body: Any) -> Any:
        """On a busy machine the server's database may be locked for a moment, or an answer late."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = httpx.request(method, f"{self.api}/{path}", json=body, timeout=120)
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            else:
                if answer.status_code < 500 or time.monotonic() > deadline:
                    return answer.raise_for_status().json()
            time.sleep(1)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a process of Prefect's."""
        with (self.home / f"{words[0]}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "prefect", *words],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
            )
        self.running.append(process)
        return process

    def work(self) -> subprocess.Popen[bytes]:
        """Start a worker."""
        return self.start("worker", "start", "--pool", "synth", "--prefetch-seconds", "1")

    def deploy(self) -> None:
        """Deploy the shop, by the command line."""
        main = "from prefect_synth.flows.cli import main; main()"
        command = [sys.executable, "-c", main, "deploy", "--project", str(self.shop.file)]
        subprocess.run(command, env=self.environment, check=True, capture_output=True)

    def run(self, name: str, **parameters: Any) -> str:
        """Start a run of a deployment, as its schedule or an event would."""
        found = self.read(f"deployments/name/{name}")
        path = f"deployments/{found['id']}/create_flow_run"
        return str(self.ask(path, parameters=parameters)["id"])

    def state(self, run: str) -> dict[str, Any]:
        """The state of a run."""
        return dict(self.read(f"flow_runs/{run}")["state"])

    def tasks(self, run: str) -> dict[str, str]:
        """The states of a run's tasks, by their names."""
        where = {"flow_run_id": {"any_": [run]}}
        return {t["name"]: t["state_name"] for t in self.ask("task_runs/filter", task_runs=where)}

    def times(self, event: str, resource: str = "") -> list[datetime]:
        """When events of a name happened, to resources whose names begin like this."""
        found = self.ask("events/filter", filter={"event": {"name": [event]}})["events"]
        return [
            datetime.fromisoformat(e["occurred"])
            for e in found
            if e["resource"].get("prefect.resource.name", "").startswith(resource)
        ]

    def is_healthy(self) -> bool:
        """Whether the server answers."""
        try:
            return httpx.get(f"{self.api}/health", timeout=30).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


def descendants(process: int) -> list[int]:
    """A process and all that it has started."""
    command = ["ps", "-eo", "pid=,ppid="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    children = [pid for pid, parent in pairs if parent == process]
    return [process, *(found for child in children for found in descendants(child))]


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children as a power cut would."""
    for pid in reversed(descendants(process.pid)):
        os.kill(pid, signal.SIGKILL)
    process.wait()


@contextmanager
def nights_of(shop: Any, home: Path, port: int, wait: Callable[..., Any]) -> Iterator[Nights]:
    """A server with workers of a second's patience, and the shop on it."""
    home.mkdir()
    api = f"http://127.0.0.1:{port}/api"
    environment = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": api,
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        # a busy machine is no error
        "PREFECT_API_REQUEST_TIMEOUT": "300",
        "PREFECT_SERVER_DATABASE_TIMEOUT": "120",
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "3",
    }
    nights = Nights(shop, api, home, environment)
    try:
        nights.start("server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui")
        wait(nights.is_healthy, PATIENCE)
        yield nights
    finally:
        for process in reversed(nights.running):
            if process.poll() is None:
                kill(process)


@pytest.fixture
def nights(shop: Any, tmp_path: Path, port: int, wait: Callable[..., Any]) -> Iterator[Nights]:
    """A shop whose server is there; what is deployed, the test says."""
    with ExitStack() as stack:
        yield stack.enter_context(nights_of(shop, tmp_path / "home", port, wait))


PROMISE = timedelta(minutes=1.2)


def test_a_scheduled_night_is_published_and_a_missing_one_is_told(
    nights: Nights, oncall: Any, wait: Callable[..., Any]
) -> None:
    """The schedule fires and the run finishes; without a worker somebody is told, of both."""
    oncall.save(nights.api)
    promised = PROMISE.total_seconds() / 3600
    nights.shop.configure(
        f"run: {{schedule: '* * * * *', promise_hours: {promised}}}\n"
        "notify: [custom-webhook/oncall]\n"
    )
    nights.deploy()
    worker = nights.work()
    published = {"state": {"name": {"any_": ["Published"]}}}
    [run] = wait(lambda: nights.ask("flow_runs/filter", flow_runs=published), PATIENCE)
    assert run["auto_scheduled"]
    kill(worker)
    wait(lambda: "prefect-synth: shop: a run is late" in oncall.subjects, PATIENCE)
    wait(lambda: "prefect-synth: shop: the last snapshot is old" in oncall.subjects, PATIENCE)
    last = max(nights.times("snapshot.published") + nights.times("snapshot.unchanged"))

    def after_the_last() -> list[datetime]:
        told = nights.times("prefect.automation.triggered", "shop: tell that the last snapshot")
        return [at for at in told if at > last]

    # not a promise later: it is counted from the last snapshot, and not from the last message
    assert PROMISE <= min(wait(after_the_last, PATIENCE)) - last < 2 * PROMISE


def test_a_nightly_run_is_dropped_and_one_of_an_event_outlives_the_worker(
    nights: Nights, wait: Callable[..., Any]
) -> None:
    """What waits is kept by the server: another worker starts it when its turn has come."""
    nights.deploy()
    worker = nights.work()
    with Staging(nights.shop.staging).lock():  # so that the first one goes as long as we like
        first = nights.run("refresh/shop-on-change")
        wait(lambda: nights.state(first)["name"] == "Waiting", PATIENCE)
        waiting = nights.run("refresh/shop-on-change", reason="schema-change", tables=["orders"])
        wait(lambda: nights.state(waiting)["name"] == "AwaitingConcurrencySlot", PATIENCE)
        dropped = nights.run("refresh/shop")
        wait(lambda: nights.state(dropped)["name"] == "Skipped", PATIENCE)
        assert "refresh of shop" in nights.state(dropped)["message"]
        os.kill(worker.pid, signal.SIGKILL)
        nights.work()
    wait(lambda: nights.state(waiting)["name"] in {"Published", "Unchanged"}, PATIENCE)
    # what the killed worker had started has nobody left that takes its log, and may end of that
    assert nights.state(first)["name"] in {"Published", "Crashed"}
    assert nights.shop.published()


def test_a_killed_night_is_resumed_and_told_of(
    nights: Nights, oncall: Any, wait: Callable[..., Any]
) -> None:
    """The next run waits until the slot is given back, and trains no finished table again."""
    oncall.save(nights.api)
    slow = ", ".join(f"{t}: {{model: argn}}" for t in ("orders", "order_items", "products"))
    nights.shop.configure(
        f"run: {{workers: 1}}\ntables: {{{slow}}}\nnotify: [custom-webhook/oncall]\n"
    )
    nights.deploy()
    worker = nights.work()
    killed = nights.run("refresh/shop")

    def some_are_trained() -> list[str]:
        trained = {k: v for k, v in nights.tasks(killed).items() if k.startswith("train[")}
        done = [name for name, state in trained.items() if state == "Completed"]
        return done if len(done) < 4 else []

    done = wait(some_are_trained, PATIENCE)
    kill(worker)
    nights.work()
    resumed = nights.run("refresh/shop-on-change")
    wait(lambda: nights.state(resumed)["name"] == "Published", PATIENCE)
    tasks = nights.tasks(resumed)
    assert {tasks[name] for name in done} == {"Cached"}
    assert "Completed" in {state for name, state in tasks.items() if name.startswith("train[")}
    assert not any(name.startswith("pull[") for name in tasks)
    wait(lambda: nights.state(killed)["name"] == "Crashed", PATIENCE)
    wait(lambda: "prefect-synth: shop: a run failed" in oncall.subjects, PATIENCE)
