"""Killing a refresh: never half a snapshot, and the same command again finishes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

REFRESH_AND_DIE = """
import os, signal, sys

from prefect_synth.tasks.progress import Silence, listening

FILE, MOMENT, STEP = sys.argv[1:]

class Killer(Silence):
    def begin(self, step, total):
        self.look("begin", step)

    def advance(self, step, amount, detail=""):
        self.look("amid", step)

    def look(self, moment, step):
        if (moment, step) == (MOMENT, STEP):
            os.kill(os.getpid(), signal.SIGKILL)

with listening(Killer()):
    from prefect_synth.flows import server
    from prefect_synth.flows.refresh import refresh
    server._ALONE.set(True)  # the tests' server is theirs: no lease of a killed run is waited for
    refresh(FILE)
"""


REFUSE_AND_DIE = """
import os, signal, sys

def look(event, arguments):
    if event == "os.rename" and "/quarantine/" in str(arguments[1]):
        if str(arguments[1]).endswith("verdicts"):
            os.kill(os.getpid(), signal.SIGKILL)

from prefect_synth.flows import server
from prefect_synth.flows.refresh import refresh
server._ALONE.set(True)
sys.addaudithook(look)
refresh(sys.argv[1])
"""


def kill(shop: Any, environment: dict[str, str], moment: str, step: str) -> None:
    """Refresh in a process that is killed at a certain moment."""
    die(environment, REFRESH_AND_DIE, str(shop.file), moment, step)


def die(environment: dict[str, str], *script: str) -> None:
    """Run a script that kills itself."""
    arguments = [sys.executable, "-c", *script]
    died = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr[-2000:]


@pytest.mark.parametrize(
    ("moment", "step", "resumed", "visible"),
    [
        ("amid", "pull", False, 0),
        pytest.param("begin", "extend", True, 0, marks=pytest.mark.slow),
        pytest.param("amid", "extend", True, 0, marks=pytest.mark.slow),
        ("amid", "train", True, 0),
        pytest.param("amid", "sample", True, 0, marks=pytest.mark.slow),
        pytest.param("amid", "validate", True, 0, marks=pytest.mark.slow),
        pytest.param("begin", "publish", True, 0, marks=pytest.mark.slow),
        ("amid", "publish", False, 1),
    ],
)
def test_a_killed_refresh_is_finished_by_the_next(
    shop: Any,
    prefect_environment: dict[str, str],
    moment: str,
    step: str,
    resumed: bool,
    visible: int,
    wait: Callable[..., Any],
) -> None:
    """Readers see a whole snapshot or none; what was staged whole is used, but not twice.

    Of each snapshot Prefect is told, be it by the run after the one that was killed.
    """
    kill(shop, prefect_environment, moment, step)
    assert len(shop.published()) == visible
    assert (shop.latest() is not None) == bool(visible)
    name, outcome = shop.refresh()
    expected = "Unchanged" if visible else "Published"  # what is visible would be made again
    assert (name, outcome.resumed) == (expected, resumed), outcome.failures
    assert len(shop.published()) == 1
    assert shop.latest()["snapshot_id"] == outcome.snapshot_id
    api, published = prefect_environment["PREFECT_API_URL"], set(shop.published())
    wait(lambda: published <= told(api))  # the server writes events a little later


def told(api: str) -> set[str]:
    """The snapshots that Prefect has the event of."""
    where = {"event": {"name": ["snapshot.published"]}}
    found = httpx.post(f"{api}/events/filter", json={"filter": where}, timeout=60).json()
    return {event["payload"]["snapshot_id"] for event in found["events"]}


def test_a_killed_refresh_does_not_disturb_what_readers_see(
    shop: Any, prefect_environment: dict[str, str]
) -> None:
    """The last good snapshot stays until the next one is whole."""
    shop.refresh()
    before = shop.latest()
    shop.execute("UPDATE customers SET credit = credit + 1 WHERE customer_id < 50")
    kill(shop, prefect_environment, "begin", "publish")
    assert shop.latest() == before


def test_a_refusal_that_was_killed_is_finished_by_the_next(
    shop: Any, prefect_environment: dict[str, str]
) -> None:
    """A part of the tables was in quarantine already: they are sampled and refused again."""
    shop.configure("gates: {quality: {min: 1.0}}\n")
    die(prefect_environment, REFUSE_AND_DIE, str(shop.file))
    assert len(list(shop.staging.glob("quarantine/*/synthetic"))) == 1
    name, outcome = shop.refresh()
    assert (name, outcome.resumed) == ("Rejected", True)
    assert len(list(shop.staging.glob("quarantine/*/report.html"))) == 1


def test_rows_of_another_warehouse_are_not_published(
    shop: Any, prefect_environment: dict[str, str]
) -> None:
    """A run that was killed is not resumed once the file names another database."""
    kill(shop, prefect_environment, "begin", "train")
    shop.execute("UPDATE customers SET city = 'Berlin'")
    shop.warehouse.rename(shop.folder / "other.duckdb")
    shop.file.write_text(shop.file.read_text().replace("shop.duckdb", "other.duckdb"))
    name, outcome = shop.refresh()
    assert (name, outcome.resumed) == ("Published", False)
    assert set(pq.read_table(f"{outcome.url}/customers")["city"].to_pylist()) == {"Berlin"}
