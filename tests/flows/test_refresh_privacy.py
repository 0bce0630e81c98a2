"""A project with a privacy budget: every training is paid for, and none goes beyond it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import duckdb
import pytest
from typer.testing import CliRunner

from prefect_synth.flows.cli import app
from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.synth.privacy.ledger import FILE, Ledger, OverspentError
from prefect_synth.tasks.purge import purge_parts

PRIVATE = """
privacy: {{unit: customers, epsilon: 90, delta: 0.000001, budget: {budget}, rows_per_unit: 25}}
tables:
  products: {{model: copy}}
  customers:
    columns:
      credit: {{bounds: [0, 1000]}}
      since: {{bounds: [2020-01-01, 2024-12-31]}}
      city: {{categories: [Bonn, Kiel, Ulm]}}
  orders: {{columns: {{ordered_at: {{bounds: [2024-01-01, 2024-10-05]}}}}}}
  order_items: {{columns: {{quantity: {{bounds: [1, 5]}}, line_no: {{bounds: [1, 3]}}}}}}
gates:
  quality: {{min: 0.0, cardinality: null, dependence: null, relations: null, c2st: null}}
  columns: {{ks: 0.0, tv: 0.0, nulls: 1.0, in_range: 0.0, mean: 9.0, coverage: 0.0}}
  row_tolerance: 0.9
run: {{retrain: changed}}
"""


def ledger_of(shop: Any) -> Ledger:
    """The ledger in the shop's staging."""
    return Ledger(shop.staging / FILE)


def another_day(shop: Any) -> None:
    """Change a row of every generated table."""
    with duckdb.connect(str(shop.warehouse)) as database:
        database.execute("UPDATE customers SET credit = credit + 1 WHERE customer_id < 60")
        database.execute("UPDATE order_items SET quantity = 2 WHERE order_id < 200")
        database.execute("UPDATE orders SET status = 'paid' WHERE order_id < 200")


class Private(NamedTuple):
    """A shop, what its refreshes came to, and what was in the ledger and the models before."""

    shop: Any
    refused: Any
    first: tuple[str, Any]
    ledger: bytes
    models: Any
    second: tuple[str, Any]


@pytest.fixture(scope="module")
def private(shop_factory: Any, tmp_path_factory: pytest.TempPathFactory, prefect_url: str) -> Any:
    """A shop with a budget for one training, refreshed before and after its rows moved.

    The first snapshot was refused by a gate once.
    """
    shop = shop_factory(tmp_path_factory.mktemp("private"))
    shop.configure(PRIVATE.format(budget=95).replace("min: 0.0", "min: 1.0"))
    name, refused = shop.refresh()
    assert name == "Rejected"
    before = ledger_of(shop).path.read_bytes()
    shop.configure(PRIVATE.format(budget=95))
    first = shop.refresh()
    models = open_setup(shop.file).staging.last_models
    another_day(shop)
    return Private(shop, refused, first, before, models, shop.refresh())


def test_a_training_is_paid_for(private: Private) -> None:
    """By table and by step, and all of a customer's tables together come to what was asked."""
    entries = json.loads(private.ledger)["entries"]
    assert sorted((e["table"], e["mechanism"]) for e in entries) == [
        (table, mechanism)
        for table in ("customers", "order_items", "orders")
        for mechanism in ("columns", "copula")
    ]
    assert {(e["unit"], e["run"]) for e in entries} == {("customers", private.refused.run_id)}
    assert all("shop.duckdb" in e["source"] and e["key"] for e in entries)
    assert 80 < ledger_of(private.shop).spent("customers").epsilon(1e-6) <= 90


def test_what_a_refused_snapshot_was_drawn_with_need_not_be_paid_again(private: Private) -> None:
    """With other gates and the same rows the same models are drawn with."""
    name, outcome = private.first
    assert name == "Published", outcome.failures
    entries = ledger_of(private.shop).entries()
    assert {entry.run for entry in entries} == {private.refused.run_id}


def test_a_training_that_would_overspend_is_not_begun(private: Private) -> None:
    """The last models are drawn with again; a snapshot is published, and nothing is paid."""
    shop, (name, outcome) = private.shop, private.second
    assert name == "Published", outcome.failures
    assert ledger_of(shop).path.read_bytes() == private.ledger
    now = open_setup(shop.file).staging.last_models
    assert now.models == private.models.models
    decided = max((shop.staging / "runs").glob("*/decision.json"))
    assert json.loads(decided.read_text())["reason"] == "the privacy budget allows no training"
    assert len(shop.published()) == 2


def test_a_run_with_nothing_to_draw_with_is_refused(private: Private) -> None:
    """After a setting changed there is no model to reuse: the run ends, the last snapshot stays."""
    shop = private.shop
    latest = shop.latest()
    text = shop.file.read_text()
    shop.file.write_text(text.replace("rows_per_unit: 25", "rows_per_unit: 24"))
    with pytest.raises(OverspentError, match=r"'customers'.*cap is 95.*cannot be drawn with"):
        shop.refresh()
    shop.file.write_text(text)
    assert shop.latest() == latest


def test_numbers_of_rows_do_not_follow_the_real_ones(private: Private) -> None:
    """What is published is as many as were counted with noise, whatever rows come or go."""
    shop, (_, first), (_, second) = private.shop, private.first, private.second
    snapshots = shop.sandbox / "snapshots"
    files = [snapshots / each.snapshot_id / "manifest.json" for each in (first, second)]
    found = [json.loads(file.read_text())["tables"] for file in files]
    rows, again = ({name: table["rows"] for name, table in each.items()} for each in found)
    assert rows == again
    assert rows["products"] == 40


def test_a_plan_tells_that_nothing_will_be_trained(private: Private) -> None:
    """Before the night, and without spending or writing anything."""
    shop = private.shop
    before = ledger_of(shop).path.read_bytes()
    shown = CliRunner().invoke(app, ["plan", "--project", str(shop.file), "--json"])
    [note] = json.loads(shown.output)["notes"]
    assert "would overspend" in note
    assert "no table is trained" in note
    assert ledger_of(shop).path.read_bytes() == before


def test_the_ledger_can_be_read(private: Private) -> None:
    """By people, and as JSON."""
    shop = private.shop
    shown = CliRunner().invoke(app, ["ledger", "--project", str(shop.file)])
    assert shown.exit_code == 0, shown.output
    assert "customers  epsilon" in shown.output
    answer = CliRunner().invoke(app, ["ledger", "--project", str(shop.file), "--json"])
    told = json.loads(answer.output)
    known = told["units"]["customers"]
    assert known["left"] == pytest.approx(95 - known["spent"])
    assert len(told["entries"]) == 6


def test_purging_everything_leaves_what_was_spent(private: Private) -> None:
    """What was released cannot be called back."""
    shop = private.shop
    before = ledger_of(shop).path.read_bytes()
    purge_parts(open_setup(shop.file).staging, ["everything"])
    assert ledger_of(shop).path.read_bytes() == before


def test_a_project_without_a_ledger_says_so(shop: Any) -> None:
    """Nothing is spent, and models are not private."""
    shown = CliRunner().invoke(app, ["ledger", "--project", str(shop.file)])
    assert shown.exit_code == 0
    assert "without differential privacy" in shown.output
    assert "Nothing is spent" in shown.output


def test_a_schema_that_cannot_be_had_is_refused_before_anything_is_read(shop: Any) -> None:
    """Items hang on orders and on products: one of them must be a public table."""
    shop.configure("privacy: {unit: customers, epsilon: 1}\n")
    shown = CliRunner().invoke(app, ["check", "--project", str(shop.file)])
    assert shown.exit_code == 2
    assert "hangs on several generated tables" in shown.output.replace("\n", " ")


@pytest.mark.parametrize(
    ("privacy", "said"),
    [
        ("{budget: 3}", "has a budget, but no epsilon"),
        ("{epsilon: 3, budget: 1}", "does not allow a single training"),
        ("{epsilon: 0}", "greater than 0"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(shop: Any, privacy: str, said: str) -> None:
    """When the project file is read."""
    shop.configure(f"privacy: {privacy}\n")
    shown = CliRunner().invoke(app, ["ledger", "--project", str(shop.file)])
    assert shown.exit_code == 2
    assert said in shown.output.replace("\n", " ")
