"""The flow `feed` and its command: from the sandbox into test databases."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from prefect_synth.flows.cli import app
from prefect_synth.flows.project import load_project
from prefect_synth.flows.serving import Service
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.tasks.snapshots.store import open_store

METADATA = Metadata(
    {
        "customers": Table("customers", {"id": Column("id", "id", False, identity=True)}, ("id",)),
        "orders": Table(
            "orders",
            {"id": Column("id", "id", False), "customer_id": Column("customer_id", "id", False)},
            ("id",),
        ),
    },
    (Relationship("orders", ("customer_id",), "customers", ("id",)),),
)


@pytest.fixture
def published(shop: Any) -> Any:
    """A shop with a published snapshot of two tables, and two databases to feed."""
    tables = {
        "customers": pa.table({"id": [1, 2]}),
        "orders": pa.table({"id": [10, 11, 12], "customer_id": [2, 2, 1]}),
    }
    files = {name: shop.folder / f"{name}.parquet" for name in tables}
    for name, table in tables.items():
        pq.write_table(table, files[name])
    store = open_store(str(shop.sandbox))
    store.publish("run-1", files, {"metadata": METADATA.to_dict()})
    shop.configure(
        "feeds:\n  test: {url: 'sqlite:///test.db'}\n"
        "  other: {url: 'duckdb:///other.duckdb', tables: [customers], automatic: false}\n"
    )
    return shop


def count(file: Path, table: str) -> int:
    """How many rows an SQLite table has."""
    with closing(sqlite3.connect(file)) as connection:
        [(found,)] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    return int(found)


def run(*words: object) -> Any:
    """A command with `--json`: its exit code and what it printed."""
    result = CliRunner().invoke(app, [*map(str, words), "--json"])
    return result.exit_code, json.loads(result.stdout)


def test_a_url_is_fed_without_prefect(published: Any) -> None:
    """`--to` needs no entry in the project file."""
    file = published.folder / "mine.db"
    code, said = run("feed", "--to", f"sqlite:///{file}", "--project", published.folder)
    assert (code, said["fed"]["--to"]["rows"], count(file, "orders")) == (0, 5, 3)


def test_a_sandbox_is_enough(published: Any) -> None:
    """Whoever has no project names the sandbox."""
    file = published.folder / "mine.db"
    code, said = run(
        "feed", "--to", f"sqlite:///{file}", "--sandbox", published.sandbox, "--table", "customers"
    )
    assert (code, [t["place"] for t in said["fed"]["--to"]["tables"]]) == (0, ["customers"])


def test_targets_are_fed_by_the_flow(published: Any, prefect_url: str) -> None:
    """All automatic ones without a name; relative files lie beside the project file."""
    code, said = run("feed", "--project", published.folder)
    assert (code, list(said["fed"])) == (0, ["test"])
    assert count(published.folder / "test.db", "orders") == 3
    assert not (published.folder / "other.duckdb").exists()


def test_one_target_is_fed_by_name(published: Any, prefect_url: str) -> None:
    """Its own settings count, and the command line's more than they."""
    code, said = run("feed", "other", "--project", published.folder)
    assert (code, said["fed"]["other"]["rows"]) == (0, 2)
    with closing(duckdb.connect(str(published.folder / "other.duckdb"))) as connection:
        assert connection.execute("SELECT count(*) FROM customers").fetchone() == (2,)


def test_the_figures_are_in_prefect_and_no_address(published: Any, prefect_url: str) -> None:
    """A name for the run, an artifact for each database; parameters are names only."""
    assert run("feed", "test", "--project", published.folder)[0] == 0
    wanted = {"artifacts": {"key": {"any_": ["shop-feed-test"]}}}
    [artifact, *_] = httpx.post(f"{prefect_url}/artifacts/filter", json=wanted).json()
    assert "| orders | 3 |" in artifact["data"]
    runs = httpx.post(f"{prefect_url}/flow_runs/filter", json={}).json()
    fed = [run for run in runs if run["name"].startswith("shop · feed test · manual")]
    assert fed
    assert fed[0]["state"]["name"] == "Fed"
    assert "sqlite" not in json.dumps(fed[0]["parameters"])


def test_one_failure_keeps_nobody_else_from_being_fed(published: Any, prefect_url: str) -> None:
    """The others are fed; the command fails, and says which database is as it was."""
    published.configure(
        "feeds:\n  bad: {url: 'sqlite:////no/such/folder/x.db'}\n"
        "  test: {url: 'sqlite:///test.db'}\nrun: {retries: 0}\n"
    )
    code, said = run("feed", "--project", published.folder)
    assert (code, said["error"]["kind"]) == (3, "TargetPermissionError")
    assert count(published.folder / "test.db", "orders") == 3


@pytest.mark.parametrize(("mode", "runs"), [("append", 1), ("upsert", 2)])
def test_appending_is_not_tried_again(
    published: Any, prefect_url: str, mode: str, runs: int
) -> None:
    """After a lost connection nobody knows whether the rows are there; other modes may repeat."""
    name = f"far-{mode}"
    published.configure(
        f"feeds:\n  {name}: {{url: 'postgresql://u@127.0.0.1:1/x', mode: {mode}}}\n"
        "run: {retries: 1}\n"
    )
    code, said = run("feed", name, "--project", published.folder)
    assert (code, said["error"]["kind"]) == (3, "TargetConnectionError")
    wanted = {"task_runs": {"name": {"any_": [f"feed[{name}]"]}}}
    [found] = httpx.post(f"{prefect_url}/task_runs/filter", json=wanted).json()
    assert found["run_count"] == runs


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["other2"], 2, "feeds names no 'other2'. Did you mean 'other'?"),
        (["--to", "duckdb:///shop.duckdb"], 2, "the project's own warehouse"),
        (["--to", "sqlite:///x.db", "--table", "order"], 2, "Did you mean 'orders'?"),
        (["--to", "sqlite:///x.db", "--snapshot", "run-9"], 2, "run-9"),
        (["--to", "oracle://x"], 2, "of kind 'oracle'"),
        (["--to", "postgresql://ann:s3cret@127.0.0.1:1/x"], 3, "ann:***@"),
    ],
)
def test_bad_requests_are_told(
    published: Any, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, said: str
) -> None:
    """Each with its exit code, and never a password."""
    monkeypatch.chdir(published.folder)
    exit_code, answer = run("feed", *words)
    assert (exit_code, said in answer["error"]["message"]) == (code, True), answer
    assert "s3cret" not in json.dumps(answer)


def test_a_damaged_snapshot_reaches_no_database(published: Any) -> None:
    """One changed byte, and the database is not even opened."""
    file = published.folder / "mine.db"
    [part] = published.sandbox.glob("snapshots/*/orders/*.parquet")
    damaged = bytearray(part.read_bytes())
    damaged[20] ^= 1
    part.chmod(0o644)
    part.write_bytes(damaged)
    code, said = run("feed", "--to", f"sqlite:///{file}", "--project", published.folder)
    assert (code, "sha256" in said["error"]["message"], file.exists()) == (3, True, False)


def test_check_names_the_databases(published: Any) -> None:
    """Without a password, and without opening them."""
    published.configure("feeds: {test: {url: 'mysql://ann:s3cret@db.example/x'}}\n")
    code, said = run("check", "--project", published.folder)
    assert (code, said["feeds"]) == (0, {"test": "mysql://ann:***@db.example/x"})


def test_two_ways_to_name_a_database_are_refused(published: Any) -> None:
    """TARGET or --to; what belongs to --to is said."""
    for words in (["test", "--to", "sqlite:///x.db"], ["test", "--schema", "x"]):
        result = CliRunner().invoke(app, ["feed", *words, "--project", str(published.folder)])
        assert (result.exit_code, "either TARGET" in result.output) == (2, True)


def test_serving_again_leaves_one_trigger_and_then_none(published: Any, deployable: str) -> None:
    """The automation stays the same one, and goes with the last database that is fed."""

    def automations() -> list[str]:
        found = httpx.post(f"{deployable}/automations/filter", json={}).json()
        return [a["id"] for a in found if a["name"] == "shop: feed what was published"]

    Service(load_project(published.file), published.file)
    [first] = automations()
    Service(load_project(published.file), published.file)
    assert automations() == [first]
    published.configure()
    Service(load_project(published.file), published.file)
    assert automations() == []
