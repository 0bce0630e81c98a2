"""Suites as files on the command line, and what they do in a refresh."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner, Result

from prefect_synth.flows.cli import app

OWN = {
    "type": "expect_sku_to_be_ours",
    "kwargs": {"column": "sku"},
    "description": "an article number as we write them",
}
MODULE = '''
import great_expectations.expectations as gxe


class ExpectSkuToBeOurs(gxe.ExpectColumnValuesToMatchRegex):
    """Expect article numbers as our shop writes them."""

    regex: str = r"^SKU-[0-9]{4}$"
'''


def run(shop: Any, *arguments: object) -> Result:
    """Run a command on the shop."""
    return CliRunner().invoke(app, [*map(str, arguments), "--project", str(shop.file)])


def generate(shop: Any, *options: str, code: int = 0) -> Any:
    """Generate suites; the JSON document."""
    result = run(shop, "suites", "generate", "--json", *options)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def suite(shop: Any, table: str) -> dict[str, Any]:
    """A suite file."""
    return json.loads((shop.folder / "suites" / f"{table}.json").read_text())


def edit(shop: Any, table: str, *own: dict[str, Any]) -> None:
    """Add expectations to a suite file."""
    path = shop.folder / "suites" / f"{table}.json"
    file = suite(shop, table)
    path.write_text(json.dumps({**file, "expectations": [*file["expectations"], *own]}))


def checks(shop: Any) -> dict[str, str]:
    """Status by name of the checks of the published snapshot."""
    return {check["name"]: check["status"] for check in notes(shop)}


def notes(shop: Any) -> list[dict[str, Any]]:
    """The checks of the published snapshot."""
    folder = sorted((shop.sandbox / "snapshots").iterdir())[-1]
    manifest = json.loads((folder / "manifest.json").read_text())
    found: list[dict[str, Any]] = manifest["verdict"]["checks"]
    return found


def test_every_table_gets_a_file_from_the_catalogue_alone(shop: Any) -> None:
    """Before any refresh there are suites, and generating again changes nothing."""
    assert set(generate(shop)["tables"]) == {"customers", "products", "orders", "order_items"}
    assert len(suite(shop, "orders")["expectations"]) > 10
    again = generate(shop)
    assert (again["up_to_date"], again["stray"]) == (True, [])


def test_check_says_whether_files_are_up_to_date_and_writes_nothing(shop: Any) -> None:
    """For continuous integration: exit code 1 until someone generates and commits."""
    assert generate(shop, "--check", code=1)["up_to_date"] is False
    assert not (shop.folder / "suites").exists()
    generate(shop)
    assert generate(shop, "--check")["up_to_date"] is True


def test_edits_survive_a_change_of_the_schema(shop: Any) -> None:
    """A column comes, a column goes: what a person wrote is kept, and what is lost is told."""
    generate(shop)
    own = {"type": "expect_column_max_to_be_between", "kwargs": {"column": "quantity"}}
    edit(shop, "order_items", own)
    shop.execute("ALTER TABLE order_items DROP quantity; ALTER TABLE order_items ADD size INTEGER")
    told = generate(shop)["tables"]["order_items"]
    assert told["orphaned"] == ["expect_column_max_to_be_between (quantity)"]
    assert "expect_column_mean_to_be_near (size)" in told["added"]
    assert suite(shop, "order_items")["expectations"][-1]["kwargs"]["column"] == "size"


def test_another_way_to_write_json_is_no_change(shop: Any) -> None:
    """A formatter of the user's own does not make a file out of date."""
    generate(shop)
    path = shop.folder / "suites" / "orders.json"
    path.write_text(json.dumps(suite(shop, "orders"), indent=8))
    assert generate(shop, "--check")["up_to_date"] is True


def test_a_file_of_no_table_is_reported(shop: Any) -> None:
    """A renamed table leaves one."""
    generate(shop)
    (shop.folder / "suites" / "old.json").write_text("{}")
    assert [Path(path).name for path in generate(shop)["stray"]] == ["old.json"]


def test_a_broken_file_is_told_before_anything_is_pulled(shop: Any) -> None:
    """A comma too many must not end a night of training."""
    generate(shop)
    (shop.folder / "suites" / "orders.json").write_text('{"expectations": [,]}')
    result = run(shop, "check")
    assert result.exit_code == 2
    assert "orders.json, line 1, column 19: this is not JSON" in result.output


@pytest.fixture
def refreshed(shop: Any, prefect_url: str) -> Any:
    """A shop that was refreshed by suite files, an expectation class and SQL checks."""
    (shop.folder / "shop_expectations.py").write_text(MODULE)
    shop.configure(
        "suites: {modules: [shop_expectations]}\n"
        "checks:\n"
        "  no order in the future: SELECT * FROM orders WHERE ordered_at > '2100-01-01'\n"
        "  few orders: {sql: SELECT * FROM orders, on_fail: warn}\n"
    )
    generate(shop)
    edit(shop, "products", OWN)
    typo = {"type": "expect_column_max_to_be_between", "kwargs": {"column": "quantty"}}
    edit(shop, "order_items", typo)
    (shop.folder / "suites" / "clients.json").write_text('{"expectations": []}')
    shop.execute("ALTER TABLE customers ADD points INTEGER")
    name, outcome = shop.refresh()
    assert name == "Published", outcome.failures
    return shop


def test_a_refresh_judges_by_files_classes_and_sql(refreshed: Any, tmp_path: Path) -> None:
    """All of a user's own checks run beside the generated ones; Data Docs show them privately."""
    found = checks(refreshed)
    assert found["expect_sku_to_be_ours"] == "passed"
    assert found["no order in the future"] == "passed"
    assert found["few orders"] == "warned"
    assert found["suite file"] == "warned"  # the new column is covered, and the file lags
    generate(refreshed)
    _no_real_value(refreshed)
    _data_docs(refreshed, tmp_path / "docs")


def test_no_expectation_of_a_persons_own_vanishes_quietly(refreshed: Any) -> None:
    """One with a mistyped column, and the file of a table that was renamed, are told each."""
    told = {
        (c["name"], c["table"], c["column"], c["observed"], c["status"]) for c in notes(refreshed)
    }
    lost = "expect_column_max_to_be_between is not run"
    assert ("lost expectation", "order_items", "quantty", lost, "warned") in told
    assert ("suite file", None, None, "clients.json", "warned") in told


def _no_real_value(shop: Any) -> None:
    """Generated after a refresh, suite files hold no text, date or fraction of the warehouse."""
    text = "".join(path.read_text() for path in (shop.folder / "suites").glob("*.json"))
    with duckdb.connect(str(shop.warehouse)) as warehouse:
        values = warehouse.execute(
            "SELECT email FROM customers UNION SELECT city FROM customers UNION SELECT sku FROM "
            "products UNION SELECT since::VARCHAR FROM customers UNION SELECT ordered_at::VARCHAR "
            "FROM orders UNION SELECT credit::VARCHAR FROM customers WHERE credit > 10"
        ).fetchall()
    assert len(values) > 500
    assert [value for (value,) in values if value and value in text] == []


def _data_docs(shop: Any, folder: Path) -> None:
    result = run(shop, "report", "--data-docs", folder, "--json")
    assert result.exit_code == 0, result.output
    assert "PRIVATE" in json.loads(result.stdout)["warning"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    pages = [path.read_text() for path in folder.glob("validations/**/*.html")]
    assert len(pages) == 4
    assert sum("KS complement with the real column" in page for page in pages) == 4
    again = run(shop, "report", "--data-docs", folder)
    assert (again.exit_code, "is not an empty folder" in again.output) == (2, True)


def test_data_docs_need_a_staged_run_and_a_private_place(shop: Any) -> None:
    """They never get into the sandbox."""
    result = run(shop, "report", "--data-docs", shop.sandbox / "docs")
    assert (result.exit_code, "lies in the sandbox" in result.output) == (2, True)
    result = run(shop, "report", "--data-docs", shop.folder / "docs")
    assert (result.exit_code, "No staged run" in result.output) == (2, True)


def test_what_fails_or_breaks_keeps_a_snapshot_from_being_published(
    shop: Any, prefect_url: str
) -> None:
    """A check that finds a row, one that breaks, a lost module, an unknown class: each blocks."""
    shop.configure(
        "suites: {modules: [nowhere]}\n"
        "checks: {no order: SELECT * FROM orders, no column: SELECT nothing FROM orders}\n"
    )
    generate(shop)
    edit(shop, "products", {**OWN, "type": "expect_nothing_that_exists"})
    name, outcome = shop.refresh()
    assert (name, shop.latest()) == ("Rejected", None)
    told = "\n".join(outcome.failures)
    assert "no order failed: 500" in told
    for broken in ("no column", "suite module", "expect_nothing_that_exists"):
        assert f"{broken} crashed" in told
