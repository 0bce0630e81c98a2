"""A night on which nothing has changed publishes nothing, and says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from prefect_synth.flows.project import Project
from prefect_synth.flows.refresh_pull import Pulled, opened
from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.flows.refresh_unchanged import OF_NO_ROW, look_for_changes
from prefect_synth.tasks.decision import Wish
from prefect_synth.tasks.pull import pull_table
from prefect_synth.tasks.settings import WarehouseSettings
from prefect_synth.tasks.snapshots.store import open_store

SUITE = '{"name": "orders", "expectations": [], "meta": {}}'
PIN = "sku,weight,price\nSKU-9000,1.0,2.00\n"


@pytest.fixture
def shop(lent_shop: Any) -> Any:
    """A shop that was refreshed once, with a file of pins that is not yet used."""
    lent_shop.folder.joinpath("pins.csv").write_text(PIN)
    return lent_shop


def published(shop: Any, **options: Any) -> Any:
    """A refresh that must publish."""
    name, outcome = shop.refresh(**options)
    assert name == "Published", outcome.failures
    return outcome


def is_due(shop: Any, force: bool = False, wish: Wish = "moved") -> bool:
    """Pull, and ask whether a snapshot is due."""
    setup = open_setup(shop.file)
    run = setup.staging.begin("another plan")
    with opened(setup) as source, source.warehouse.snapshot() as snapshot:
        pull, schemas = pull_table.fn, source.schemas
        tables = [pull(t, run.real(t), schemas[t], snapshot, None) for t in source.metadata.tables]
        pulled = Pulled(run, tuple(tables), False)
        return look_for_changes(setup, source, pulled, force, wish) is None


def events(prefect_url: str, run_id: str) -> list[dict[str, Any]]:
    """The events `snapshot.unchanged` of a run."""
    body = {"filter": {"event": {"name": ["snapshot.unchanged"]}}}
    found = httpx.post(f"{prefect_url}/events/filter", json=body, timeout=30).json()["events"]
    return [e for e in found if e["payload"]["run_id"] == run_id]


def test_nothing_is_made_of_the_same_sources(
    shop: Any, refreshed: tuple[Any, Any], prefect_url: str, wait: Any
) -> None:
    """The state is `Unchanged`; readers, report and staged rows stay, and an event says so."""
    first, before = refreshed[1], shop.latest()
    real = sorted(shop.staging.glob("runs/*/real"))
    name, outcome = shop.refresh()
    assert (name, outcome.unchanged, outcome.published) == ("Unchanged", True, False)
    assert outcome.message.startswith(f"Nothing changed since snapshot {first.snapshot_id}")
    assert (shop.latest(), shop.published()) == (before, [first.snapshot_id])
    assert (outcome.report, outcome.url) == (first.report, first.url)
    assert sorted(shop.staging.glob("runs/*/real")) == real
    assert set(outcome.seconds) == {"pull"}
    told = wait(lambda: events(prefect_url, outcome.run_id))
    assert told[0]["payload"]["snapshot_id"] == first.snapshot_id
    assert told[0]["resource"]["prefect.resource.id"] == "prefect-synth.project.shop"


def test_many_unchanged_nights_push_nothing_out(shop: Any, refreshed: tuple[Any, Any]) -> None:
    """The published run's rows, models and report stay while nothing changes."""
    state = json.loads(next(shop.staging.glob("runs/*/run.json")).read_text())
    state |= {"outcome": "unchanged", "pulled": [], "held_out": [], "models": []}
    for minute in range(40):
        folder = shop.staging / "runs" / f"unchanged-{minute:02}"
        folder.mkdir()
        state |= {"run_id": folder.name, "started": f"2030-01-01T00:{minute:02}:00Z"}
        folder.joinpath("run.json").write_text(json.dumps(state))
    assert shop.refresh()[0] == "Unchanged"
    assert refreshed[1].report.is_file()
    assert len(list(shop.staging.glob("runs/*/real"))) == 1
    assert len(list(shop.staging.glob("runs/*"))) == 31


def test_a_snapshot_can_be_had_all_the_same(shop: Any) -> None:
    """With `force` the same sources give one more snapshot."""
    assert not is_due(shop)
    assert is_due(shop, force=True)


def test_models_that_learned_from_other_rows_are_trained_when_it_is_time(shop: Any) -> None:
    """Though nothing changed since: on request, by the setting, or because they are too old."""
    file = shop.staging / "published" / "profiles" / "models.json"
    trained = json.loads(file.read_text())
    assert [is_due(shop, wish=wish) for wish in ("train", "changed", "moved")] == [False] * 3
    file.write_text(json.dumps(trained | {"pulled": {"orders": "other rows"}}))
    due = [is_due(shop, wish=wish) for wish in ("train", "changed", "reuse", "moved")]
    assert due == [True, True, False, False]
    old = {"pulled": {}, "since": "2020-01-01T00:00:00Z"}
    file.write_text(json.dumps(trained | old))
    assert is_due(shop)


def test_retention_goes_on_while_nothing_changes(shop: Any) -> None:
    """Fewer snapshots are wanted from now on: the older ones go on a night without a new one."""
    published(shop, force=True)
    shop.configure("sandbox: {url: sandbox, retain: {last: 1, weekly: 0}}\n")
    shop.file.write_text(shop.file.read_text().replace("sandbox: {url: sandbox}\n", "", 1))
    name, outcome = shop.refresh()
    assert (name, outcome.troubles, len(shop.published())) == ("Unchanged", (), 1)


@pytest.mark.parametrize(
    "said",
    [
        "feeds: {ci: {url: 'duckdb:///ci.duckdb'}}\n",
        "run: {schedule: '0 4 * * *', timezone: Europe/Madrid}\n",
        "run: {workers: 1, retries: 0}\n",
        "staging: {keep_runs: 3}\n",
    ],
)
def test_what_no_row_depends_on_changes_nothing(shop: Any, said: str) -> None:
    """A schedule, a feed or the number of workers makes no snapshot."""
    shop.configure(said)
    assert not is_due(shop)


def _rows(shop: Any) -> None:
    shop.execute("UPDATE order_items SET quantity = 4 WHERE order_id = 7 AND line_no = 1")


def _schema(shop: Any) -> None:
    shop.execute("COMMENT ON COLUMN customers.credit IS 'In dollars'")


def _gates(shop: Any) -> None:
    shop.configure("gates: {quality: {min: 0.1}}\n")


def _pins(shop: Any) -> None:
    shop.configure("tables: {products: {pin: pins.csv}}\n")


def _suites(shop: Any) -> None:
    shop.folder.joinpath("suites").mkdir()
    shop.folder.joinpath("suites", "orders.json").write_text(SUITE)


def _key(shop: Any) -> None:
    (shop.staging / "pseudonyms.key").unlink()


def _models(shop: Any) -> None:
    shutil.rmtree(shop.staging / "models")


def _profiles(shop: Any) -> None:
    shutil.rmtree(shop.staging / "published")


def _damage(shop: Any) -> None:
    next(shop.sandbox.glob("snapshots/*/orders/*.parquet")).write_bytes(b"gone")


def _latest(shop: Any) -> None:
    (shop.sandbox / "latest.json").unlink()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_rows, "changed the rows of order_items."),
        (_schema, "changed the schema"),
        (_gates, "changed the project file."),
        (_pins, "changed the project file, pinned rows."),
        (_suites, "changed suite files or modules of expectations."),
        (_key, "changed the pseudonyms' key."),
        (_models, "its models are no longer in private staging."),
        (_profiles, "nothing is remembered of an earlier one."),
        (_damage, "the last one is damaged: orders/part-00000.parquet has 4 bytes"),
        (_latest, "readers see another one: 'latest' names no snapshot."),
    ],
)
def test_whatever_a_snapshot_depends_on_makes_one(
    shop: Any, caplog: pytest.LogCaptureFixture, change: Callable[[Any], None], said: str
) -> None:
    """Rows, schema, settings, checks, key, models, the snapshot itself: the log says which."""
    change(shop)
    with caplog.at_level("INFO", "prefect_synth"):
        assert is_due(shop)
    assert said in caplog.messages[-1]


def test_after_a_rollback_a_snapshot_is_due(shop: Any, refreshed: tuple[Any, Any]) -> None:
    """Readers see an older snapshot than these rows gave, so the next refresh makes a new one."""
    _rows(shop)
    published(shop)
    assert not is_due(shop)
    open_store(str(shop.sandbox)).rollback(refreshed[1].snapshot_id)
    assert is_due(shop)


def test_refused_rows_are_judged_again(shop: Any) -> None:
    """Only what was published is remembered: the same rows are refused every night."""
    shop.configure("gates: {quality: {min: 1.0}}\n")
    assert shop.refresh()[0] == "Rejected"
    assert is_due(shop)


def test_the_keys_that_no_row_depends_on_are_keys() -> None:
    """What is left out of the comparison is in the project file; seed and budget are compared."""
    assert set(OF_NO_ROW) <= set(Project.model_fields)
    assert set(OF_NO_ROW["warehouse"]) <= set(WarehouseSettings.model_fields)
    assert not {"seed", "budget_seconds"} & set(OF_NO_ROW["run"])
