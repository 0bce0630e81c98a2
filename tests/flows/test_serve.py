"""Serving a project: server, pages, schedule and a clean end, on a real server."""

from __future__ import annotations

import re
import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest


def test_serve_says_where_to_look(served: Any) -> None:
    """The pages that it names are there, and they ask the right API."""
    text = served.output.read_text()
    assert f"{served.url}/v2/deployments/deployment/" in text
    assert f"{served.url}/v2/runs/flow-run/" in text
    settings = httpx.get(f"{served.url}/ui-settings").json()
    assert settings["api_url"] == f"{served.url}/api"


def test_the_first_run_is_published(served: Any, wait: Any) -> None:
    """`--now` starts a refresh at once, in the background."""
    [run] = wait(lambda: served.runs(state={"name": {"any_": ["Published"]}}))[-1:]
    assert re.fullmatch(r"shop · (manual|nightly) · \d{4}-\d\d-\d\d", run["name"])


def test_a_scheduled_run_appears_and_finishes(served: Any, wait: Any) -> None:
    """The schedule really fires: health, manual runs and events can all be well without it."""

    def finished() -> list[dict[str, Any]]:
        runs = served.runs(state={"name": {"any_": ["Published", "Unchanged"]}})
        return [run for run in runs if run["auto_scheduled"]]

    run = wait(finished)[0]
    assert run["parameters"]["reason"] == "nightly"


def test_what_is_published_is_fed_with_nobody_acting(served: Any, wait: Any) -> None:
    """The event starts the feeding, and the database holds what was published."""
    fed = {"state": {"name": {"any_": ["Fed"]}}}
    run = wait(lambda: served.runs(**fed))[-1]
    assert run["created_by"]["type"] == "AUTOMATION"
    assert run["parameters"]["reason"] == "published"
    file = Path(run["parameters"]["project"]).parent / "test.db"
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (500,)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_parameters_hold_names_only(served: Any, wait: Any) -> None:
    """Prefect keeps the path of the project file and the reason, nothing else."""
    wait(served.runs)
    keys = {key for run in served.runs() for key in run["parameters"]}
    choices = {"mode", "force", "retrain", "reuse_models"}
    assert keys <= {"project", "reason", "targets", "snapshot", "tables", *choices}


def deployment(served: Any, name: str) -> Any:
    """One of the shop's deployments of `refresh`, as Prefect's server has it."""
    found = served.ask("deployments/filter", flows={"name": {"any_": ["refresh"]}})
    return {one["name"]: one for one in found}[name]


def test_a_wrong_parameter_is_refused(served: Any) -> None:
    """The server checks parameters before it creates a run."""
    answer = httpx.post(
        f"{served.url}/api/deployments/{deployment(served, 'shop')['id']}/create_flow_run",
        json={"parameters": {"reason": "because"}},
    )
    assert answer.status_code == httpx.codes.CONFLICT


def test_a_run_that_an_event_starts_waits_for_its_turn(served: Any) -> None:
    """The server keeps it until the slot that all refreshes of the project share is free."""
    found = deployment(served, "shop-on-change")
    assert found["global_concurrency_limit"]["name"] == "synth-refresh-shop"
    assert found["concurrency_options"]["collision_strategy"] == "ENQUEUE"


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGKILL,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_nothing_is_left_behind(
    shop: Any, serve: Any, wait: Any, tmp_path_factory: Any, number: signal.Signals
) -> None:
    """However it ends, its server ends too."""
    with serve(shop.folder, tmp_path_factory.mktemp("home")) as found:
        wait(lambda: "Ctrl-C" in found.output.read_text())
        children = found.children()
        assert children
        found.process.send_signal(number)
        found.process.wait(60)
        wait(lambda: not [pid for pid in children if Path(f"/proc/{pid}").exists()], 30)
    assert "Traceback" not in found.output.read_text()


def test_a_port_that_is_taken_is_told(shop: Any, serve: Any, tmp_path: Path) -> None:
    """The cure is another port, or the server that runs there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        home = tmp_path / "home"
        home.mkdir()
        with serve(shop.folder, home, "--port", port) as found:
            assert found.process.wait(120) == 3
    assert f"Port {port} is taken" in found.output.read_text()
