"""What was accepted of a warehouse: when it is lost, and when it names what is gone."""

from __future__ import annotations

import json
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from prefect_synth.flows.cli import app
from prefect_synth.flows.drift import NothingAcceptedError
from prefect_synth.flows.failures import CONFIGURATION, DRIFT, exit_code_of
from prefect_synth.flows.predict import predict
from prefect_synth.flows.project import ProjectError
from prefect_synth.flows.refresh_pull import opened
from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.tasks.drift.baseline import FirstFactsError
from prefect_synth.tasks.drift.lock import Lock, read_lock, write_lock

pytestmark = pytest.mark.usefixtures("prefect_url")

ADD = "ALTER TABLE order_items ADD COLUMN ssn VARCHAR DEFAULT '078-05-1120'"


def run(*arguments: str, folder: Any) -> tuple[int, Any]:
    """A command's exit code and its JSON document."""
    result = CliRunner().invoke(app, [*arguments, "--json", "--project", str(folder)])
    return result.exit_code, json.loads(result.stdout)


def test_a_torn_baseline_ends_a_refresh_until_somebody_accepts(lent_shop: Any) -> None:
    """A new column does not pass for an old one; `accept --all` writes a lock file all the same."""
    first = lent_shop.staging / "catalogue.json"
    first.write_bytes(first.read_bytes()[:200])
    lent_shop.execute(ADD)
    with pytest.raises(FirstFactsError, match="drift accept --all") as found:
        lent_shop.refresh()
    assert exit_code_of(found.value) == CONFIGURATION
    assert run("drift", folder=lent_shop.folder)[0] == CONFIGURATION
    assert run("drift", "accept", "orders", folder=lent_shop.folder)[0] == CONFIGURATION
    assert run("drift", "accept", "--all", folder=lent_shop.folder)[0] == 0
    lock = read_lock(lent_shop.folder / "synth.lock")
    assert lock is not None
    assert "ssn" in lock.tables["order_items"].by_name
    assert run("drift", folder=lent_shop.folder)[0] == 0


def test_a_lost_baseline_ends_a_refresh_whose_project_was_published(lent_shop: Any) -> None:
    """Nothing would be held back; another project in the same sandbox has its own first night."""
    (lent_shop.staging / "catalogue.json").unlink()
    lent_shop.execute(ADD)
    latest = lent_shop.latest()
    with pytest.raises(NothingAcceptedError, match="drift accept --all") as found:
        lent_shop.refresh()
    assert (exit_code_of(found.value), lent_shop.latest()) == (CONFIGURATION, latest)
    with pytest.raises(NothingAcceptedError):
        predict(open_setup(lent_shop.file))
    lent_shop.file.write_text(lent_shop.file.read_text().replace("project: shop", "project: other"))
    with opened(open_setup(lent_shop.file)) as source:
        assert "ssn" in source.metadata.tables["order_items"].columns


def test_where_all_tables_wait_they_are_named(lent_shop: Any) -> None:
    """The remedy is to accept them, not to look into the project file."""
    write_lock(lent_shop.folder / "synth.lock", Lock())
    waiting = "customers order_items orders products"
    with (
        pytest.raises(ProjectError, match=f"drift accept {waiting}`"),
        opened(open_setup(lent_shop.file)),
    ):
        pass


DESCRIBED = """
tables:
  order_items:
    columns: {quantity: {marginal: norm}}
  gadgets: {model: copy}
privacy: {quasi_identifiers: {order_items: [quantity, line_no]}}
"""


def test_settings_that_describe_what_is_gone_end_no_night(shop: Any) -> None:
    """They are skipped, with a warning in the log; a name that was never there is refused."""
    shop.execute("CREATE TABLE gadgets (id INTEGER PRIMARY KEY); INSERT INTO gadgets VALUES (1)")
    shop.accept()
    shop.execute("DROP TABLE gadgets; ALTER TABLE order_items DROP quantity")
    shop.configure(DESCRIBED)
    assert run("check", folder=shop.folder)[0] == 0
    name, outcome = shop.refresh()
    assert (name, set(outcome.tables)) == (
        "Published",
        {"customers", "order_items", "orders", "products"},
    )
    assert "quantity" not in pq.read_table(f"{outcome.url}/order_items").column_names
    assert predict(open_setup(shop.file)).ends == "Unchanged"
    shop.configure("tables: {order_items: {columns: {quantty: {pii: true}}}}\n")
    assert run("check", folder=shop.folder)[0] == CONFIGURATION


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ("tables: {order_items: {rules: ['quantity >= 1']}}", "tables.order_items.rules"),
        ("tables: {order_items: {balance: {column: quantity}}}", "tables.order_items.balance"),
        ("gates: {targets: [order_items.quantity]}", "gates.targets"),
        (
            "tables: {order_items: {scenarios: [{name: big, where: 'quantity > 3', at_least: 2}]}}",
            "tables.order_items.scenarios: 'big'",
        ),
        ("tables: {gadgets: {scenarios: [{name: x, where: 'id > 3', at_least: 2}]}}", "gadgets"),
        ("relations: [order_items.quantity -> gadgets.id]", "relations"),
        ("warehouse: {url: 'duckdb:///shop.duckdb', sample: {rows: 9, root: gadgets}}", "root"),
    ],
)
def test_a_setting_that_needs_what_is_gone_blocks_and_is_named(
    settings: str, named: str, shop: Any
) -> None:
    """`drift` and `plan` say so beforehand, and a refresh ends with exit code 2."""
    shop.execute("CREATE TABLE gadgets (id INTEGER PRIMARY KEY)")
    shop.accept()
    shop.execute("DROP TABLE gadgets; ALTER TABLE order_items DROP quantity")
    shop.configure(f"{settings}\n")
    if settings.startswith("warehouse"):
        shop.file.write_text(f"project: shop\nsandbox: {{url: sandbox}}\n{settings}\n")
    code, drift = run("drift", "--data", folder=shop.folder)
    blocking = [c for c in drift["changes"] if c["effect"] == "blocks"]
    assert (code, bool(blocking)) == (DRIFT, True)
    assert all(named in change["needed_by"] for change in blocking)
    assert predict(open_setup(shop.file)).ends == "Blocked"
    with pytest.raises(ProjectError, match="needs it"), opened(open_setup(shop.file)):
        pass
