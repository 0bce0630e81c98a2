"""The refresh, end to end: a DuckDB warehouse, a folder, and Prefect."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import httpx
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import prefect_synth
from prefect_synth.flows.project import load_project
from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.synth.holdout import hold_out
from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.tasks.blocks import Sandbox, Warehouse
from prefect_synth.tasks.connections import open_project_warehouse
from prefect_synth.tasks.saved_blocks import BlockNotFoundError

KEYS = {
    ("orders", "customer_id"): ("customers", "customer_id"),
    ("order_items", "order_id"): ("orders", "order_id"),
    ("order_items", "sku"): ("products", "sku"),
}

pytestmark = pytest.mark.usefixtures("prefect_url")


class Seen(NamedTuple):
    """A shop that was refreshed once, and what the refresh came to."""

    shop: Any
    outcome: Any


@pytest.fixture(scope="module")
def seen(shop_factory: Any, tmp_path_factory: pytest.TempPathFactory, prefect_url: str) -> Seen:
    """A shop that was refreshed once, for tests that only look."""
    shop = shop_factory(tmp_path_factory.mktemp("seen"))
    return Seen(shop, published_by(shop))


@pytest.fixture
def published(shop: Any) -> Any:
    """What the first refresh of the shop came to."""
    return published_by(shop)


def published_by(shop: Any) -> Any:
    """Refresh a shop; every gate must be passed."""
    name, outcome = shop.refresh()
    assert name == "Published", outcome.failures
    return outcome


def table(outcome: Any, name: str) -> pa.Table:
    """A published table, read as anybody would read it."""
    return pq.read_table(f"{outcome.url}/{name}")


def values(outcome: Any, name: str, column: str) -> set[Any]:
    """The values of a published column."""
    return set(table(outcome, name)[column].to_pylist())


def trained(outcome: Any, wait: Any) -> dict[str, str]:
    """By table, the state in which its training of the newest run ended."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
    from prefect.client.schemas.sorting import FlowRunSort

    with get_client(sync_client=True) as client:
        newest = client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1)[0]
        flow_runs = FlowRunFilter(id=FlowRunFilterId(any_=[newest.id]))

        def ended() -> dict[str, str] | None:
            """The server notes them a moment later."""
            found = {
                run.name.removeprefix("train[").removesuffix("]"): str(run.state_name)
                for run in client.read_task_runs(flow_run_filter=flow_runs)
                if run.name.startswith("train[") and run.state and run.state.is_final()
            }
            return found if len(found) == len(outcome.tables) else None

        states: dict[str, str] = wait(ended, 60)
    return states


def test_every_foreign_key_resolves(seen: Seen) -> None:
    """Whatever refers to a row finds it."""
    for (child, column), (parent, key) in KEYS.items():
        assert values(seen.outcome, child, column) <= values(seen.outcome, parent, key)


def test_the_schema_is_the_warehouses_field_by_field(seen: Seen) -> None:
    """Types, nullability, comments and source types come through."""
    settings = load_project(seen.shop.file).warehouse
    with closing(open_project_warehouse(settings, seen.shop.folder)) as warehouse:
        for name, schema in warehouse.schemas(warehouse.reflect()).items():
            published = table(seen.outcome, name).schema.remove_metadata()
            assert published.equals(schema, check_metadata=True)


def test_the_files_say_what_they_are(seen: Seen) -> None:
    """Synthetic or copied, of which project and model; nothing of the run, so bytes stay equal."""
    reader = prefect_synth.snapshots(str(seen.shop.sandbox))
    snapshot = reader.get(seen.outcome.snapshot_id)
    for name in snapshot.tables:
        said = snapshot.schema(name).metadata
        assert said[b"prefect_synth.synthetic"] == b"true"
        assert said[b"prefect_synth.model"].decode() == snapshot.manifest["models"][name]
        assert said[b"prefect_synth.seed"].decode() == str(snapshot.manifest["seed"])
        assert seen.outcome.snapshot_id.encode() not in b"".join(said.values())
    assert snapshot.schema("customers").metadata[b"prefect_synth.comment"] == b"People who buy"
    assert snapshot.metadata.tables["customers"].comment == "People who buy"


def test_plain_readers_read_the_snapshot(seen: Seen) -> None:
    """`latest.json` leads to folders that pandas and DuckDB take as they are."""
    folder = f"{seen.shop.sandbox}/snapshots/{seen.shop.latest()['snapshot_id']}/orders"
    [(counted,)] = duckdb.sql(f"SELECT count(*) FROM '{folder}/*.parquet'").fetchall()
    assert (len(pd.read_parquet(folder)), counted) == (500, 500)


def test_no_real_person_is_published(seen: Seen) -> None:
    """Personal values are made up."""
    real = {f"person{i}@example.com" for i in range(120)}
    assert real & values(seen.outcome, "customers", "email") == set()


def test_no_real_value_is_in_what_prefect_keeps(seen: Seen, prefect_home: Path) -> None:
    """Database, logs and persisted results hold names and references only."""
    kept = [*prefect_home.rglob("*"), *(seen.shop.staging / "results").iterdir()]
    text = b"".join(file.read_bytes() for file in kept if file.is_file())
    assert b"TableRef" in text
    assert b"validate[customers]" in text
    assert b"person1@example.com" not in text


def events_of(server: str, name: str, **payload: str) -> list[dict[str, Any]]:
    """The events of a name whose payload says this."""
    answer = httpx.post(
        f"{server}/events/filter", json={"filter": {"event": {"name": [name]}}}, timeout=30
    ).json()
    return [e for e in answer["events"] if payload.items() <= e["payload"].items()]


def test_a_published_snapshot_is_an_event(seen: Seen, prefect_url: str, wait: Any) -> None:
    """Others may start from it: it names project, snapshot and place."""
    url = seen.outcome.url
    found = wait(lambda: events_of(prefect_url, "snapshot.published", url=url), 60)
    assert found[0]["resource"]["prefect.resource.id"] == "prefect-synth.project.shop"
    assert found[0]["payload"]["snapshot_id"] == seen.outcome.snapshot_id


def test_addresses_may_come_from_blocks(shop: Any) -> None:
    """A block holds the address and its secret, and the file names the block."""
    Warehouse(url=f"duckdb:///{shop.warehouse}").save("shop", overwrite=True)
    Sandbox(url=str(shop.sandbox)).save("shop", overwrite=True)
    shop.file.write_text("project: shop\nwarehouse: {block: shop}\nsandbox: {block: shop}\n")
    assert (shop.refresh()[0], shop.latest() is not None) == ("Published", True)


def test_another_address_is_another_plan(shop: Any) -> None:
    """Rows of one database are not published for another; a new password is the same database."""
    shop.file.write_text("project: shop\nwarehouse: {block: moved}\nsandbox: {url: sandbox}\n")
    plans = []
    for place in ("ann:old@one/x", "ann:new@one/x", "ann:new@two/x"):
        Warehouse(url=f"postgresql://{place}").save("moved", overwrite=True)
        plans.append(open_setup(shop.file).plan(Metadata({})))
    assert [plans[1] == plans[0], plans[2] == plans[0]] == [True, False]


def test_a_block_that_is_not_there_is_told_with_the_cure(shop: Any) -> None:
    """The message shows how to save one."""
    shop.file.write_text("project: shop\nwarehouse: {block: nowhere}\nsandbox: {url: sandbox}\n")
    with pytest.raises(BlockNotFoundError, match=r"Warehouse\(url=...\).save\('nowhere'\)"):
        shop.refresh()


def test_the_snapshot_carries_its_report_and_its_verdict(seen: Seen) -> None:
    """Report and manifest hold the judgement, and no personal value."""
    folder = seen.shop.sandbox / "snapshots" / seen.outcome.snapshot_id
    manifest = json.loads((folder / "manifest.json").read_text())
    report = (folder / "report.html").read_text()
    assert manifest["verdict"]["passed"]
    assert "person1@example.com" not in report + json.dumps(manifest)


def test_it_is_told_how_each_table_was_modelled(seen: Seen) -> None:
    """Model, reason, rules and seconds are in the outcome, and the models in the report."""
    made = seen.outcome.tables
    assert {name: table.model for name, table in made.items()} == {
        "customers": "copula", "products": "copula", "orders": "trees", "order_items": "trees"
    }  # fmt: skip
    # a tenth of the customers, with their orders, is held out
    assert re.match(r"Trees take less than a cpu second for 4\d\d rows", made["orders"].reason)
    assert min(table.train_seconds for table in made.values()) > 0
    report = seen.outcome.report.read_text()
    assert '<td class="place">orders</td><td>trees</td><td>Trees take less' in report


def test_what_did_not_change_is_not_trained_again(shop: Any, published: Any, wait: Any) -> None:
    """The same rows and settings give a new snapshot from the same models."""
    name, again = shop.refresh(force=True, retrain=True)
    assert (name, set(trained(again, wait).values())) == ("Published", {"Cached"})
    assert table(again, "orders").equals(table(published, "orders"))


def test_only_what_changed_is_trained_again(shop: Any, published: Any, wait: Any) -> None:
    """A table that nothing else depends on is trained alone."""
    shop.execute("UPDATE order_items SET quantity = 9 WHERE line_no = 1")
    _, again = shop.refresh()
    assert trained(again, wait)["products"] == "Cached"
    assert trained(again, wait)["order_items"] == "Completed"


def test_models_that_were_deleted_are_trained_again(shop: Any, published: Any) -> None:
    """A cached result whose files are gone is not believed."""
    shutil.rmtree(shop.staging / "models")
    assert shop.refresh()[0] == "Published"


def test_staged_rows_of_older_runs_are_deleted(shop: Any, published: Any) -> None:
    """Only the last run keeps its real rows."""
    shop.refresh(force=True)
    assert len(list(shop.staging.glob("runs/*/real"))) == 1


def test_a_failed_gate_leaves_what_readers_see(
    shop: Any, published: Any, prefect_url: str, wait: Any
) -> None:
    """Nothing of a refused snapshot becomes visible; the refusal is an event that names the check.

    Its tables are kept for inspection.
    """
    before = shop.latest()
    shop.configure("gates: {quality: {min: 1.0}}\n")
    name, outcome = shop.refresh()
    assert (name, shop.latest(), outcome.snapshot_id) == ("Rejected", before, None)
    assert outcome.failures[0].startswith("snapshot: quality failed")
    assert len(pq.read_table(outcome.quarantine / "synthetic" / "orders")) == 500
    run = outcome.run_id
    [event] = wait(lambda: events_of(prefect_url, "snapshot.rejected", run_id=run), 60)
    assert event["payload"]["failures"][0].startswith("snapshot: quality failed")


def test_a_small_table_is_not_published_empty(shop: Any) -> None:
    """All its three rows hang on customers who would be held out: one of them is spared."""
    customers = pa.table({"customer_id": pa.array(range(120), pa.int32())})
    key = Table("customers", {"customer_id": Column("customer_id", "id")}, ("customer_id",))
    held = hold_out(Metadata({"customers": key}), {"customers": customers}, 0.49).held["customers"]
    shop.execute("CREATE TABLE vips (customer_id INTEGER REFERENCES customers (customer_id))")
    shop.execute(f"INSERT INTO vips VALUES {', '.join(f'({i})' for i in held.nonzero()[0][:3])}")
    shop.configure("privacy: {unit: customers, holdout: 0.49}\n")
    name, outcome = shop.refresh()
    assert (name, outcome.tables["vips"].synthetic) == ("Published", 3), outcome.failures


def test_settings_of_tables_and_columns_hold(shop: Any) -> None:
    """Copied tables are copied, excluded columns are absent, the scale is kept."""
    shop.configure(
        "defaults: {scale: 0.5}\n"
        "privacy: {unit: customers}\n"
        "run: {budget_seconds: 0.001}\n"
        "tables:\n"
        "  products: {model: copy}\n"
        "  orders: {model: independent}\n"
        "  customers: {columns: {city: {exclude: true}, credit: {marginal: gamma}}}\n"
    )
    name, outcome = shop.refresh()
    assert name == "Published", outcome.failures
    assert table(outcome, "customers").column_names == ["customer_id", "email", "credit", "since"]
    assert (outcome.tables["products"].synthetic, outcome.tables["orders"].synthetic) == (40, 250)
    assert [outcome.tables[name].model for name in ("products", "orders", "order_items")] == [
        "copy", "independent", "copula"
    ]  # fmt: skip
    assert "the budget is 0.0" in outcome.tables["order_items"].reason
    said = [table(outcome, name).schema.metadata for name in ("products", "orders")]
    assert [m[b"prefect_synth.synthetic"] for m in said] == [b"false", b"true"]
    with duckdb.connect(str(shop.warehouse), read_only=True) as warehouse:
        real = warehouse.sql("FROM products").fetchall()
    assert sorted(real) == sorted(
        tuple(row.values()) for row in table(outcome, "products").to_pylist()
    )


def test_a_part_of_the_warehouse_is_whole_families(shop: Any) -> None:
    """A row limit reads the chosen customers with all that hang on them, and no key dangles."""
    shop.file.write_text(
        "project: shop\nsandbox: {url: sandbox}\n"
        "warehouse: {url: 'duckdb:///shop.duckdb', sample: {rows: 60, root: customers}}\n"
    )
    name, outcome = shop.refresh()
    assert name == "Published", outcome.failures
    assert outcome.tables["customers"].real == 60
    assert 0 < outcome.tables["orders"].real < 500


def test_an_empty_table_stays_empty(shop: Any) -> None:
    """A table without rows is published with its schema and without rows."""
    shop.execute("CREATE TABLE returns (order_id BIGINT REFERENCES orders (order_id), why VARCHAR)")
    name, outcome = shop.refresh()
    assert name == "Published", outcome.failures
    assert table(outcome, "returns").num_rows == 0


def test_the_run_leaves_artifacts_and_a_name(seen: Seen) -> None:
    """Prefect's interface shows scorecard, models, drawing and place under stable keys."""
    from prefect.artifacts import Artifact

    drawing = Artifact.get("shop-schema")
    assert drawing is not None
    assert "```mermaid" in str(drawing.data)
    models = Artifact.get("shop-models")
    assert models is not None
    assert "| products | copula | Of 40 rows trees learn nothing" in str(models.data)
    assert Artifact.get("shop-scorecard") is not None
    assert Artifact.get("shop-snapshot") is not None
