"""Test-data contracts through the real flow: what was asked for is published, or nothing is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from prefect_synth.flows.cli import app
from prefect_synth.flows.outcome import Outcome, TableOutcome
from prefect_synth.flows.project import ProjectError, load_project
from prefect_synth.synth.errors import ContractError
from prefect_synth.tasks.snapshots.errors import SandboxError
from prefect_synth.tasks.snapshots.store import open_store

pytestmark = pytest.mark.usefixtures("prefect_url")

CONTRACTS = """
tables:
  orders:
    balance: {column: status, rows: 90}
    scenarios:
      - {name: winter, where: "ordered_at < '2024-02-01' AND status = 'sent'", at_least: 40}
  customers:
    scenarios:
      - {name: no orders, children: {orders: 0}, at_least: 7}
      - {name: poor, where: "city = 'Ulm' AND credit < 200", children: {orders: 25}, at_least: 2}
"""


def table(shop: Any, name: str) -> Any:
    """A table of the latest snapshot."""
    return pq.read_table(shop.sandbox / "snapshots" / shop.latest()["snapshot_id"] / name)


@pytest.fixture(scope="module")
def published(shop_factory: Any, tmp_path_factory: pytest.TempPathFactory, prefect_url: str) -> Any:
    """A shop whose contracts are kept in a snapshot."""
    shop = shop_factory(tmp_path_factory.mktemp("contracts"))
    shop.configure(CONTRACTS)
    name, outcome = shop.refresh()
    assert name == "Published", outcome
    return shop


def test_scenarios_hold_in_the_snapshot_and_the_manifest_counts_them(published: Any) -> None:
    """Names and figures are public, conditions are not."""
    orders = table(published, "orders")
    winter = pc.and_(
        pc.less(orders["ordered_at"].cast("string"), "2024-02-01"),
        pc.equal(orders["status"].cast("string"), "sent"),
    )
    assert pc.sum(winter).as_py() >= 40
    counts = orders.group_by("customer_id").aggregate([("order_id", "count")])
    assert len(table(published, "customers")) - len(counts) >= 7
    assert pc.sum(pc.equal(counts["order_id_count"], 25)).as_py() >= 2
    snapshot = published.latest()["snapshot_id"]
    manifest = open_store(str(published.sandbox)).show(snapshot)
    found = {(s["table"], s["name"]): s["at_least"] <= s["found"] for s in manifest["scenarios"]}
    assert found == {
        ("orders", "winter"): True,
        ("customers", "no orders"): True,
        ("customers", "poor"): True,
    }
    for file in ("manifest.json", "report.html"):
        text = (published.sandbox / "snapshots" / snapshot / file).read_text()
        assert "winter" in text
        assert "2024-02-01" not in text


def test_what_was_published_counts_balanced_tables() -> None:
    """They are tables of the snapshot like the others."""
    like = {"quality": None, "passed": 9, "failed": 0, "notes": 0, "kept": False, "model": "trees"}
    rest = {"reason": "", "rules": (), "named_rows": 0, "train_seconds": 1.0}
    orders = TableOutcome(real=500, synthetic=500, **like, **rest)
    outcome = Outcome(
        project="shop",
        run_id="r",
        published=True,
        snapshot_id="r-1",
        url="sandbox/r-1",
        report=Path("report.html"),
        tables={"orders": orders},
        balanced={"orders_balanced": 90},
        scores={},
        failures=(),
        resumed=False,
        seconds={},
    )
    assert outcome.message == "Snapshot r-1: 2 tables, 590 rows, at sandbox/r-1"


def test_a_balanced_table_is_published_beside_its_own(published: Any) -> None:
    """Its classes are even, its keys resolve, the gate and `verify` know it, readers its schema."""
    made, customers = table(published, "orders_balanced"), table(published, "customers")
    counts = made["status"].cast("string").value_counts().field("counts").to_pylist()
    assert counts == [30, 30, 30]
    assert pc.all(pc.is_in(made["customer_id"], customers["customer_id"])).as_py()
    assert len(table(published, "orders")) == 500
    store, snapshot = open_store(str(published.sandbox)), published.latest()["snapshot_id"]
    assert store.verify(snapshot) == []
    manifest = store.show(snapshot)
    assert manifest["balanced"][0] == {
        "name": "orders_balanced",
        "table": "orders",
        "column": "status",
        "ratio": 1.0,
        "rows": 90,
    }
    assert manifest["tables"]["orders_balanced"]["rows"] == 90
    assert manifest["metadata"]["tables"]["orders_balanced"]["primary_key"] == ["order_id"]
    checks = {c["name"] for c in manifest["verdict"]["checks"] if c["table"] == "orders_balanced"}
    assert {"class balance", "primary key", "foreign key", "row count"} <= checks


def test_real_rows_are_oversampled_in_private_staging_alone(published: Any) -> None:
    """The command reads what the last refresh staged, and nothing of it can be published."""
    command = ["oversample", "orders", "--column", "status", "--method", "smote", "--json"]
    result = CliRunner().invoke(app, [*command, "--project", str(published.file)])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["after"][0] == found["after"][-1] == found["before"][0]
    file = Path(found["file"])
    assert file.is_relative_to(published.staging)
    before = published.latest()
    with pytest.raises(SandboxError, match="laid between real"):
        open_store(str(published.sandbox)).publish("by-hand", {"orders": file}, {})
    assert published.latest() == before
    command += ["--out", str(published.sandbox / "orders.parquet")]
    refused = CliRunner().invoke(app, [*command, "--project", str(published.file)])
    assert (refused.exit_code, "private staging" in refused.stdout) == (2, True)


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        ("{name: s, where: \"colour = 'red'\", at_least: 1}", "'colour', which the table does not"),
        ('{name: s, where: "status = 3", at_least: 1}', "needs a text"),
        ("{name: s, where: \"status = 'never'\", at_least: 1}", "never there, or fewer than 5"),
        ("{name: s, children: {order_items: 7000}, at_least: 1}", "needs 7,000 children"),
    ],
)
def test_a_quota_out_of_reach_stops_the_run_and_leaves_readers_alone(
    shop: Any, scenario: str, reason: str
) -> None:
    """The error names the scenario and the reason; nothing is published."""
    shop.configure(f"tables: {{orders: {{scenarios: [{scenario}]}}}}\n")
    with pytest.raises(ContractError, match=reason):
        shop.refresh()
    assert shop.latest() is None


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        ('{name: s, where: "status == 1", at_least: 1}', "synth.yaml:4.*write '='.*position 8"),
        ("{name: s, at_least: 1}", "needs 'where', or 'children'"),
        ("{name: s, children: {orders: few}, at_least: 1}", "no number of children"),
        ('{name: s, where: "a = 1", at_least: 0}', "greater than or equal to 1"),
        (
            '{name: s, where: "a = 1", at_least: 1}, {name: s, where: "b = 1", at_least: 1}',
            "two scenarios of the name 's'",
        ),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused_when_the_file_is_read(
    shop: Any, scenario: str, reason: str
) -> None:
    """The message names file, line and key."""
    shop.configure(f"tables: {{orders: {{scenarios: [{scenario}]}}}}\n")
    with pytest.raises(ProjectError, match=reason):
        load_project(shop.file)


def test_check_sees_a_constant_of_the_wrong_type(shop: Any) -> None:
    """Before anything is pulled, and with the exit code of a configuration error."""
    shop.configure(
        'tables: {customers: {scenarios: [{name: s, where: "since > 3", at_least: 1}]}}\n'
    )
    result = CliRunner().invoke(app, ["check", "--project", str(shop.file)])
    assert result.exit_code == 2
    assert "needs a date or time" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("contract", "reason"),
    [
        ("scenarios: [{name: s, where: \"email = 'a'\", at_least: 1}]", "personal column 'email'"),
        ("balance: {column: email}", "personal column 'email'"),
        ("balance: {column: customer_id}", "part of a key"),
    ],
)
def test_what_a_name_tells_to_be_personal_is_refused_before_anything_is_pulled(
    shop: Any, contract: str, reason: str
) -> None:
    """By `check` and by a refresh, with the same sentence."""
    shop.configure(f"tables: {{customers: {{{contract}}}}}\n")
    result = CliRunner().invoke(app, ["check", "--project", str(shop.file), "--json"])
    assert result.exit_code == 2
    assert reason in json.loads(result.stdout)["error"]["message"]
    with pytest.raises(ContractError, match=reason):
        shop.refresh()
    assert not list(shop.staging.glob("runs/*"))


def test_what_values_show_to_be_personal_is_refused_before_anything_is_trained(shop: Any) -> None:
    """A column whose name says nothing, and whose values are addresses; and no real row stays."""
    shop.execute("UPDATE customers SET city = email")
    shop.configure("tables: {customers: {balance: {column: city}}}\n")
    with pytest.raises(ContractError, match="names the personal column 'city'"):
        shop.refresh()
    assert list(shop.staging.glob("runs/*"))
    assert not list(shop.staging.glob("extensions/*"))


def test_a_balance_that_cannot_be_is_refused(shop: Any) -> None:
    """A column without classes, at the time that it is known."""
    shop.configure("tables: {customers: {balance: {column: credit}}}\n")
    with pytest.raises(ContractError, match=r"'credit' has .* classes"):
        shop.refresh()
    shop.configure("tables: {order_items: {balance: {column: quantity}}}\n")
    with pytest.raises(ContractError, match=r"the key \(order_id, line_no\) ties rows"):
        shop.refresh()
    assert shop.latest() is None
