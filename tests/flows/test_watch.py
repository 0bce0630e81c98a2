"""Watching a warehouse: what moved is told once, to a real Prefect server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner

from prefect_synth.flows.cli import app
from prefect_synth.flows.look import DATA_CHANGED, SCHEMA_CHANGED
from prefect_synth.flows.watch import watch
from prefect_synth.tasks import reported
from prefect_synth.tasks.events import EventNotDeliveredError
from prefect_synth.tasks.private_folder import StagingError
from prefect_synth.tasks.reported import memory_of
from prefect_synth.tasks.staging import Staging

CANARY = "078-05-1120"
ADD = f"ALTER TABLE order_items ADD COLUMN ssn VARCHAR; UPDATE order_items SET ssn = '{CANARY}'"
HEAVY = ("torch", "great_expectations", "sklearn", "matplotlib")
DROP = "ALTER TABLE order_items DROP COLUMN ssn"


@pytest.fixture
def watched(shop: Any, prefect_url: str) -> Any:
    """A shop whose warehouse was accepted as it is."""
    shop.accept()
    return shop


def state_of(shop: Any) -> str:
    """Watch once, in this process: the name of the flow's final state."""
    return str(watch(str(shop.file), return_state=True).name)


def events(url: str, name: str = SCHEMA_CHANGED) -> list[dict[str, Any]]:
    """The events of that name which the server has, the last one first."""
    sought = {"event": {"name": [name]}}
    found = httpx.post(f"{url}/events/filter", json={"filter": sought}).json()["events"]
    return [event for event in found if event["resource"]["prefect.resource.id"].endswith(".shop")]


def command(shop: Any, *options: str) -> Any:
    """The command, in this process."""
    return CliRunner().invoke(app, ["watch", "--project", str(shop.file), *options])


def test_a_change_is_told_once(watched: Any, prefect_url: str, wait: Any) -> None:
    """It is told at the first look, not at the second, and again when it comes again."""
    before = len(events(prefect_url))
    states = [state_of(watched)]
    for change in (ADD, None, DROP, ADD):
        if change:
            watched.execute(change)
        states.append(state_of(watched))
    assert states == ["Unchanged", "Changed", "Unchanged", "Unchanged", "Changed"]
    wait(lambda: len(events(prefect_url)) == before + 2, 20)


def test_the_event_names_what_moved_and_no_value(watched: Any, prefect_url: str, wait: Any) -> None:
    """Table, column, old and new, and what the project file says of it."""
    before = len(events(prefect_url))
    watched.execute(ADD)
    state_of(watched)
    event = wait(lambda: events(prefect_url)[before:] and events(prefect_url)[0], 20)
    payload = event["payload"]
    assert event["resource"]["prefect.resource.id"] == "prefect-synth.project.shop"
    assert (payload["project"], payload["tables"]) == ("shop", ["order_items"])
    assert payload["changes"] == [
        {
            "kind": "column_added",
            "table": "order_items",
            "column": "ssn",
            "old": None,
            "new": "VARCHAR",
            "policy": "quarantine",
        }
    ]
    assert CANARY not in json.dumps(event)
    [run] = [r for r in event["related"] if r["prefect.resource.role"] == "flow-run"]
    artifact = httpx.get(f"{prefect_url}/artifacts/shop-drift/latest").json()
    assert run["prefect.resource.id"].endswith(artifact["flow_run_id"])
    assert "ssn" in artifact["data"]
    assert CANARY not in artifact["data"]


def test_a_refresh_may_be_going(watched: Any) -> None:
    """Its lock keeps nobody from looking."""
    from prefect_synth.flows.refresh_setup import open_setup

    with open_setup(watched.file).staging.lock():
        watched.execute(ADD)
        assert state_of(watched) == "Changed"


def test_an_event_that_was_not_delivered_is_told_later(
    watched: Any, prefect_url: str, wait: Any
) -> None:
    """The look fails where Prefect's API takes no event, and the next one makes up for it."""
    from prefect_synth.flows.look import look, tell_prefect
    from prefect_synth.flows.refresh_setup import open_setup

    watched.execute(ADD)
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(EventNotDeliveredError, match="could not be delivered"),
    ):
        look(open_setup(watched.file), "never", tell_prefect("shop"))
    assert state_of(watched) == "Changed"


def test_a_warehouse_that_is_away_is_asked_again(watched: Any, wait: Any) -> None:
    """A DuckDB file that somebody writes cannot be opened meanwhile."""
    writing = (
        f"import duckdb, time; c = duckdb.connect({str(watched.warehouse)!r}); "
        "print('open', flush=True); time.sleep(1.5)"
    )
    with subprocess.Popen([sys.executable, "-c", writing], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        assert state_of(watched) == "Unchanged"


def test_the_command_exits_5_where_a_change_blocks(watched: Any) -> None:
    """So a script need not read what is said; without an API nobody is told, and it says so."""
    with temporary_settings({PREFECT_API_URL: None}):
        watched.execute(ADD)
        watched.configure("on_drift: {column_added: block}\n")
        blocked = command(watched, "--json")
        document = json.loads(blocked.stdout)
        assert (blocked.exit_code, document["state"], document["blocked"]) == (5, "Changed", True)
        assert document["told"] is False
        watched.configure()
        shown = command(watched)
    assert shown.exit_code == 0
    assert "order_items.ssn" in shown.stdout
    assert "Nobody was told" in shown.stdout


def test_before_anything_was_accepted_there_is_nothing_to_compare(
    shop: Any, prefect_url: str
) -> None:
    """The warehouse is taken as it is."""
    state = watch(str(shop.file), return_state=True)
    assert (state.name, "Nothing to compare" in state.message) == ("Unchanged", True)


def test_the_command_loads_no_heavy_library(watched: Any) -> None:
    """It is run every few minutes: neither torch nor Great Expectations is there."""
    code = (
        "import sys; from prefect_synth.flows.commands.watch import watch_once; "
        "from pathlib import Path; watch_once(Path(sys.argv[1]), 'due', False); "
        "import prefect_synth.flows.watch; "
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"}
    found = subprocess.run(
        [sys.executable, "-c", code, str(watched.file)],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    assert found.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("options", [["--sql", "--listen"], ["--every", "5"]])
def test_options_that_do_not_go_together_are_refused(options: list[str]) -> None:
    """The message says which need which."""
    assert CliRunner().invoke(app, ["watch", *options]).exit_code == 2


def test_the_sql_is_printed_and_its_removal_commented() -> None:
    """What is piped to psql installs, and does not take it away at once."""
    printed = CliRunner().invoke(app, ["watch", "--sql"]).stdout
    assert "\nCREATE EVENT TRIGGER prefect_synth_schema_changed" in printed
    assert "\n-- DROP FUNCTION IF EXISTS prefect_synth.schema_changed();" in printed
    as_json = json.loads(CliRunner().invoke(app, ["watch", "--sql", "--json"]).stdout)
    assert as_json.keys() == {"install", "remove"}


def test_what_the_rows_show_is_an_event_of_its_own(shop: Any, prefect_url: str, wait: Any) -> None:
    """They are compared when that is due, and start no refresh by the name of the schema."""
    assert shop.refresh()[0] == "Published"
    shop.execute(
        "INSERT INTO orders SELECT order_id + 1000 * i, customer_id, status, ordered_at "
        "FROM orders, range(1, 9) t(i)"
    )
    told, before = len(events(prefect_url)), len(events(prefect_url, DATA_CHANGED))
    assert [state_of(shop), state_of(shop)] == ["Changed", "Unchanged"]
    wait(lambda: len(events(prefect_url, DATA_CHANGED)) > before, 20)
    payload = events(prefect_url, DATA_CHANGED)[0]["payload"]
    assert ("volume_jumped", "orders") in {(c["kind"], c["table"]) for c in payload["changes"]}
    assert len(events(prefect_url)) == told


def test_a_watch_does_not_wait_for_ever(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind one that hangs they would pile up; this one fails, and somebody is told."""
    monkeypatch.setattr(reported, "_PATIENCE", 0.0)
    staging = Staging(shop.staging)
    with memory_of(staging), pytest.raises(StagingError, match="Another watch"):
        memory_of(staging).__enter__()
    with memory_of(staging) as memory:  # it is free again
        assert memory.read().changes == {}
