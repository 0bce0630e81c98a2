"""`prefect-synth plan` tells what the next refresh then does, and changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from prefect_synth.flows.cli import app

pytestmark = pytest.mark.usefixtures("prefect_url")

TABLES = {"customers", "products", "orders", "order_items"}


def plan(shop: Any) -> dict[str, Any]:
    """What the command says as JSON."""
    answer = CliRunner().invoke(app, ["plan", "--project", str(shop.file), "--json"])
    assert answer.exit_code == 0, answer.output
    return dict(json.loads(answer.stdout))


def fates(planned: dict[str, Any], *wanted: str) -> set[str]:
    """The tables of which something would become."""
    return {name for name, table in planned["tables"].items() if table["fate"] in wanted}


def models(shop: Any) -> set[Path]:
    """The trained parts in staging."""
    return set(shop.staging.glob("models/*/*"))


def check_agreement(shop: Any) -> tuple[dict[str, Any], Any]:
    """Plan, refresh, and compare: what was trained is what was planned."""
    planned, before = plan(shop), models(shop)
    name, outcome = shop.refresh()
    trained = {path.parent.name for path in models(shop) - before}
    assert name in planned["ends"].split(" or ")
    assert fates(planned, "trained") <= trained
    assert trained <= fates(planned, "trained", "perhaps trained", "copied")
    assert (outcome.reused is not None) == (fates(planned, "reused") != set()) or outcome.unchanged
    return planned, outcome


def test_a_first_refresh_trains_everything(shop: Any) -> None:
    """Without a history all is trained, and the expectation is a guess that says so."""
    planned = plan(shop)
    assert (planned["ends"], fates(planned, "trained")) == ("Published", TABLES)
    assert planned["why"] == "no snapshot was published from this staging yet"
    assert {step["measured"] for step in planned["expected"]["steps"]} == {None}
    assert planned["expected"]["factor"] == 4


def test_a_first_plan_leaves_no_trace(shop: Any) -> None:
    """Neither private staging nor the pseudonyms' key is made, and no table is read."""
    assert plan(shop)["tables"]["orders"]["rows"] == 500
    assert not shop.staging.parent.exists()


def test_a_plan_makes_no_new_secret(lent_shop: Any) -> None:
    """It tells that the next refresh will, and what comes of it."""
    key = lent_shop.staging / "pseudonyms.key"
    key.unlink()
    planned = plan(lent_shop)
    assert (planned["ends"], planned["why"]) == ("Published", "changed: the pseudonyms' key")
    assert not key.exists()


def test_models_without_a_memory_of_their_rows_are_trained(lent_shop: Any) -> None:
    """After nights that compared nothing, no move can be told: all that changed is trained."""
    (lent_shop.staging / "published" / "profiles" / "learned.json").unlink()
    lent_shop.execute("INSERT INTO orders SELECT 500, 7, 'paid', TIMESTAMP '2024-03-01'")
    planned, outcome = check_agreement(lent_shop)
    assert (fates(planned, "reused"), "orders" in fates(planned, "trained")) == (set(), True)
    assert outcome.why == "nothing is remembered of the rows that models learned from"


def test_an_unchanged_night_is_foretold(lent_shop: Any) -> None:
    """Small tables are read whole, so that it is certain; only the pull is expected."""
    planned, _ = check_agreement(lent_shop)
    assert planned["ends"] == "Unchanged"
    assert {table["changed"] for table in planned["tables"].values()} == {"no"}
    assert [step["step"] for step in planned["expected"]["steps"]] == ["pull"]
    assert planned["expected"]["factor"] == 2


def test_few_new_rows_and_a_move_are_told_apart(lent_shop: Any) -> None:
    """Few rows: everything is reused. Another distribution: the table and its kin are trained."""
    lent_shop.execute("INSERT INTO orders SELECT 500, 7, 'paid', TIMESTAMP '2024-03-01'")
    planned, _ = check_agreement(lent_shop)
    assert fates(planned, "reused") == TABLES
    assert {n for n, t in planned["tables"].items() if t["changed"] == "yes"} == {"orders"}
    lent_shop.execute("UPDATE order_items SET quantity = 9 WHERE line_no = 1")
    planned, _ = check_agreement(lent_shop)
    assert fates(planned, "trained") == {"order_items", "orders"}  # orders: since it was learned
    assert "quantity: distribution moved" in planned["tables"]["order_items"]["moved"]


def test_a_held_column_is_told(lent_shop: Any) -> None:
    """Drift and its policy stand in the plan, and the table that is trained for it."""
    lent_shop.execute("ALTER TABLE order_items ADD COLUMN ssn VARCHAR DEFAULT '999'")
    planned, _ = check_agreement(lent_shop)
    assert planned["held"] == {"order_items": ["ssn"]}
    assert "order_items" in fates(planned, "trained")


def test_drift_that_blocks_ends_with_5(lent_shop: Any) -> None:
    """The plan is that nothing runs."""
    lent_shop.configure("on_drift: {column_added: block}\n")
    lent_shop.execute("ALTER TABLE order_items ADD COLUMN ssn VARCHAR")
    answer = CliRunner().invoke(app, ["plan", "--project", str(lent_shop.file), "--json"])
    assert (answer.exit_code, json.loads(answer.stdout)["ends"]) == (5, "Blocked")


def test_a_plan_changes_nothing(lent_shop: Any) -> None:
    """No run, no rows, no model: what is in staging and sandbox is what was there."""

    def files() -> set[Path]:
        folders = (lent_shop.staging, lent_shop.sandbox)
        return {file for folder in folders for file in folder.rglob("*") if file.is_file()}

    before = files()
    plan(lent_shop)
    new = {file.relative_to(lent_shop.staging) for file in files() - before}
    assert {f for f in new if "sketches" not in f.parts} <= {Path("looks/.lock")}


def test_a_scenario_out_of_reach_is_told(lent_shop: Any) -> None:
    """More rows are asked for than will be drawn: the refresh would refuse after minutes."""
    lent_shop.configure(
        "tables: {products: {scenarios: [{name: heavy, where: 'weight > 1', at_least: 99}]}}\n"
    )
    [note] = plan(lent_shop)["notes"]
    assert "scenario 'heavy' asks for 99 rows, and 40 will be drawn" in note


def test_people_read_it_too(lent_shop: Any) -> None:
    """The terminal has a line for each table, how it ends, and what it takes."""
    said = CliRunner().invoke(app, ["plan", "--project", str(lent_shop.file)]).output
    assert "Unchanged: rows, schema, settings and checks are the same" in said
    assert "as earlier refreshes took, within a factor of 2" in said
    assert "Nothing was changed." in said
