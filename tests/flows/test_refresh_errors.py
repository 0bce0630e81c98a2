"""What a refresh refuses, each time with the place and the cure."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest

from prefect_synth.flows.failures import exit_code_of, explain
from prefect_synth.flows.project import ProjectError
from prefect_synth.flows.refresh import refresh
from prefect_synth.synth.errors import OrphanError
from prefect_synth.tasks.staging import RefreshRunningError, Staging
from prefect_synth.tasks.steps import StepError, guarded, private_errors
from prefect_synth.tasks.warehouses.errors import ConnectionFailed, TableNotFound

VISITS = """
CREATE TABLE visits (visit_id INTEGER PRIMARY KEY, customer_id INTEGER);
INSERT INTO visits SELECT i, i % 150 FROM range(300) t(i);
"""
DECLARED = "relations: ['visits.customer_id -> customers.customer_id']\n"


@pytest.mark.usefixtures("prefect_url")
class TestRefresh:
    """Refusals of the whole flow."""

    def test_orphans_are_counted_and_the_setting_is_named(self, shop: Any) -> None:
        """Rows that refer to nobody stop the refresh before anything is trained."""
        shop.execute(VISITS)
        shop.configure(DECLARED)
        with pytest.raises(OrphanError, match=r"visits.customer_id' has 60 orphan.*on_orphan"):
            shop.refresh()

    def test_orphans_lose_their_reference_if_asked(self, shop: Any) -> None:
        """`on_orphan: null` keeps the rows and clears the key."""
        shop.execute(VISITS)
        shop.configure(DECLARED + "defaults: {on_orphan: 'null'}\n")
        name, outcome = shop.refresh()
        assert (name, outcome.tables["visits"].synthetic) == ("Published", 300), outcome.failures

    def test_orphans_are_dropped_if_asked(self, shop: Any) -> None:
        """`on_orphan: drop` leaves the rows out; of the held-out ones as many as of the others."""
        shop.execute(VISITS)
        shop.configure(DECLARED + "defaults: {on_orphan: drop}\n")
        name, outcome = shop.refresh()
        assert name == "Published", outcome.failures
        assert outcome.tables["visits"].synthetic == pytest.approx(240, abs=10)

    def test_a_failed_run_is_not_resumed(self, shop: Any) -> None:
        """Once the data are mended, the next refresh pulls them again."""
        shop.execute(VISITS)
        shop.configure(DECLARED)
        with pytest.raises(OrphanError):
            shop.refresh()
        shop.execute("DELETE FROM visits WHERE customer_id >= 120")
        assert shop.refresh()[1].resumed is False

    def test_a_second_refresh_is_refused(self, shop: Any) -> None:
        """One refresh of a project at a time."""
        with Staging(shop.staging).lock(), pytest.raises(RefreshRunningError) as refused:
            shop.refresh()
        assert exit_code_of(refused.value) == 2

    def test_a_table_that_does_not_exist_is_named(self, shop: Any) -> None:
        """A table in the file that the warehouse does not have is told with its neighbour."""
        shop.configure("tables: {custmers: {model: fast}}\n")
        with pytest.raises(ProjectError, match="Did you mean 'customers'"):
            shop.refresh()

    def test_a_pattern_that_matches_nothing_is_named(self, shop: Any) -> None:
        """A warehouse without a table to read is a wrong setting."""
        shop.file.write_text(
            "project: shop\nsandbox: {url: sandbox}\n"
            "warehouse: {url: 'duckdb:///shop.duckdb', include: ['custmers']}\n"
        )
        with pytest.raises((ProjectError, TableNotFound)) as refused:
            shop.refresh()
        assert exit_code_of(refused.value) == 2

    def test_a_warehouse_that_is_not_there_is_a_failed_connection(self, shop: Any) -> None:
        """A missing file is told with its path."""
        shop.warehouse.unlink()
        with pytest.raises(ConnectionFailed, match=r"shop\.duckdb") as refused:
            shop.refresh()
        assert exit_code_of(refused.value) == 3


REAL = "person7@real.example"


def quote_a_row(*_: Any) -> None:
    """Fail as Arrow does, with a value in the text."""
    pa.array([REAL]).cast(pa.int64())


@pytest.mark.usefixtures("prefect_url")
@pytest.mark.parametrize(
    ("place", "errors"),
    [
        ("refresh_setup.apply_settings", "errors"),
        ("refresh_pull.refine_metadata", "runs/*/errors"),
        ("refresh_end.leave_artifacts", "runs/*/errors"),
    ],
)
def test_no_real_value_of_a_failure_is_in_what_prefect_keeps(
    shop: Any, prefect_home: Path, monkeypatch: pytest.MonkeyPatch, place: str, errors: str
) -> None:
    """Wherever a refresh fails, Prefect is told the kind, and the text stays private."""
    monkeypatch.setattr(f"prefect_synth.flows.{place}", quote_a_row)
    with pytest.raises(StepError, match="An unexpected ArrowInvalid"):
        shop.refresh()
    kept = b"".join(file.read_bytes() for file in prefect_home.rglob("*") if file.is_file())
    assert (str(shop.staging).encode() in kept, REAL.encode() in kept) == (True, False)
    assert [REAL in file.read_text() for file in shop.staging.glob(f"{errors}/*")] == [True]


@pytest.mark.usefixtures("prefect_url")
def test_a_run_that_failed_in_the_flow_is_not_resumed(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rows would only fail again."""
    with monkeypatch.context() as broken:
        broken.setattr("prefect_synth.flows.refresh_pull.refine_metadata", quote_a_row)
        with pytest.raises(StepError):
            shop.refresh()
    name, outcome = shop.refresh()
    assert (name, outcome.resumed) == ("Published", False)


@pytest.mark.usefixtures("prefect_url")
def test_a_trouble_after_publishing_takes_nothing_back(shop: Any) -> None:
    """A record that cannot be read stops the deletion of old snapshots, and nothing else."""
    _, first = shop.refresh()
    (shop.sandbox / "runs" / f"{first.run_id}.json").write_text("{")
    name, outcome = shop.refresh(force=True)
    (trouble,) = outcome.troubles
    assert trouble.startswith("The snapshot is published, but old snapshots were not deleted: ")
    assert (name, shop.latest()["run_id"], shop.refresh()[1].resumed) == (
        "Published",
        outcome.run_id,
        False,
    )


def test_what_caused_one_of_our_errors_stays_private(tmp_path: Path) -> None:
    """Prefect logs an error with its causes, whose text may quote a real value."""

    @guarded
    def refuse() -> None:
        try:
            quote_a_row()
        except pa.ArrowInvalid as cause:
            raise OrphanError("orders.customer_id", 3, 10) from cause

    with private_errors(tmp_path), pytest.raises(OrphanError) as told:
        refuse()
    assert REAL not in "".join(traceback.format_exception(told.value))
    assert [REAL in file.read_text() for file in tmp_path.iterdir()] == [True]


def test_the_text_of_an_unknown_error_stays_private(tmp_path: Any) -> None:
    """Prefect shows errors to everybody; a library's may quote a real value."""

    @guarded
    def parse(table: str) -> pa.Array:
        return pa.array([table]).cast(pa.int64())

    with private_errors(tmp_path), pytest.raises(StepError) as told:
        parse("alice@example.com")
    assert "alice" not in str(told.value)
    assert [("alice" in file.read_text()) for file in tmp_path.iterdir()] == [True]


def test_our_own_errors_pass(tmp_path: Any) -> None:
    """They are made for people and name places only."""

    @guarded
    def refuse() -> None:
        raise OrphanError("orders.customer_id", 3, 10)

    with private_errors(tmp_path), pytest.raises(OrphanError):
        refuse()


def test_a_full_disk_is_explained() -> None:
    """The system's message is completed with what to do."""
    assert explain(OSError(28, "No space left on device", "/data/x")) == (
        "The disk is full ('/data/x'). Free some space, or set staging.url and sandbox.url to a "
        "larger disk, and run the same command again."
    )


def test_a_run_is_named_after_what_started_it(tmp_path: Path, prefect_url: str) -> None:
    """The name says the tables that an event named; many are counted, not listed."""
    tables = ["customers", "orders", "order_items", "products", "visits"]
    arguments = {"reason": "schema-change", "tables": tables}
    state = refresh(str(tmp_path / "missing.yaml"), **arguments, return_state=True)
    run = httpx.get(f"{prefect_url}/flow_runs/{state.state_details.flow_run_id}").json()
    why = "schema-change · customers, orders, order_items and 2 more"
    assert run["name"].startswith(f"missing · {why} · 20")
