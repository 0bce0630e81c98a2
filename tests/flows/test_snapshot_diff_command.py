"""`prefect-synth snapshots diff`, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from prefect_synth.flows.cli import app
from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.tasks.snapshots.store import open_store

FACTS = {
    "metadata": Metadata(
        {"t": Table("t", {"id": Column("id", "id"), "kind": Column("kind")}, ("id",))}
    ).to_dict()
}


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    """Three snapshots: one row is added each time, and one changes in the last."""
    store = open_store(str(tmp_path / "sandbox"))
    for number, kinds in enumerate((["a"] * 9, ["a"] * 10, ["b"] + ["a"] * 10)):
        table = pa.table({"id": range(len(kinds)), "kind": kinds})
        pq.write_table(table, tmp_path / "t.parquet")
        store.publish(f"run-{number}", {"t": tmp_path / "t.parquet"}, FACTS)
    return tmp_path / "sandbox"


def diff(sandbox: Path, *arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["snapshots", "diff", *arguments, "--sandbox", str(sandbox)])


def test_without_names_the_last_two_are_compared(sandbox: Path) -> None:
    """What the last night changed."""
    newest, middle, _ = open_store(str(sandbox)).list()
    found = json.loads(diff(sandbox, "--json").stdout)
    assert (found["before"], found["after"]) == (middle.snapshot_id, newest.snapshot_id)
    rows = found["tables"]["t"]
    assert [rows[k] for k in ("added", "removed", "changed", "unchanged")] == [1, 0, 1, 9]
    assert found["unchanged_share"] == 0.9


def test_any_two_can_be_named(sandbox: Path) -> None:
    """The older one first; `latest` is a name too."""
    _, middle, oldest = (info.snapshot_id for info in open_store(str(sandbox)).list())
    assert json.loads(diff(sandbox, oldest, middle, "--json").stdout)["tables"]["t"]["added"] == 1
    assert json.loads(diff(sandbox, oldest, "--json").stdout)["tables"]["t"]["added"] == 2
    assert (
        json.loads(diff(sandbox, "latest", oldest, "--json").stdout)["tables"]["t"]["removed"] == 2
    )


def test_people_see_what_moved(sandbox: Path) -> None:
    """Rows by table, and the columns that moved most."""
    shown = diff(sandbox, "--table", "t").stdout
    assert "rows unchanged: 90.0%" in shown
    assert "t.kind" in shown


def test_the_first_snapshot_has_none_before_it(sandbox: Path) -> None:
    """The error says how to name one."""
    store = open_store(str(sandbox))
    oldest = store.list()[-1].snapshot_id
    store.rollback(oldest)
    failed = diff(sandbox)
    assert (failed.exit_code, "snapshots diff A B" in failed.stderr) == (2, True)
