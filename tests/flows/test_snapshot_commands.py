"""`prefect-synth snapshots`: with a project file, or with the sandbox's address alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from prefect_synth.flows.cli import app
from prefect_synth.tasks.snapshots.store import SnapshotStore, open_store

VERDICT = {"passed": True, "checks": [{"status": "passed"}, {"status": "warned"}]}


def run(*arguments: object) -> Result:
    """Run a command as a person would."""
    return CliRunner().invoke(app, ["snapshots", *(str(argument) for argument in arguments)])


def document(*arguments: object) -> Any:
    """Run a command as a program would."""
    return json.loads(run(*arguments, "--json").stdout)


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """One little table."""
    pq.write_table(pa.table({"id": [1, 2, 3]}), tmp_path / "orders.parquet")
    return tmp_path / "orders.parquet"


def publish(store: SnapshotStore, orders: Path, nights: int) -> list[str]:
    """Publish one snapshot a night, and return their names, oldest first."""
    created = (f"2026-11-{night:02d}T02:30:00Z" for night in range(1, nights + 1))
    facts = ({"created": moment, "verdict": VERDICT} for moment in created)
    return [
        store.publish(f"run-{number}", {"orders": orders}, fact).snapshot_id
        for number, fact in enumerate(facts)
    ]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that keeps the newest two snapshots; its sandbox is a folder beside it."""
    (tmp_path / "synth.yaml").write_text(
        "version: 1\nproject: shop\nwarehouse: {url: 'duckdb:///no.duckdb'}\n"
        "sandbox: {url: sandbox, retain: {last: 2, weekly: 0}}\n"
    )
    return tmp_path


@pytest.fixture
def store(project: Path) -> SnapshotStore:
    """The project's sandbox."""
    return open_store(str(project / "sandbox"))


def test_a_snapshot_is_verified_and_every_bad_file_is_named(
    project: Path, store: SnapshotStore, orders: Path
) -> None:
    """Exit code 0 says that all files are whole, 1 that one is not."""
    [name] = publish(store, orders, 1)
    good = run("verify", "--project", project)
    assert (good.exit_code, "1 files" in good.stdout) == (0, True)
    store.backend.delete(f"snapshots/{name}/orders/part-00000.parquet")
    store.backend.put_new(f"snapshots/{name}/strange.txt", b"1")
    bad = run("verify", name, "--project", project)
    assert bad.exit_code == 1
    assert bad.stdout.splitlines()[:2] == [
        "orders/part-00000.parquet is missing",
        "strange.txt is not in the manifest",
    ]
    told = document("verify", "--project", project)
    assert (told["snapshot_id"], len(told["differences"])) == (name, 2)


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "missing"), (b'{"format": 1', "damaged"), (b'{"format": 1}', "damaged")],
)
def test_a_bad_manifest_is_a_bad_file(
    project: Path, store: SnapshotStore, orders: Path, content: bytes | None, told: str
) -> None:
    """Exit code 1 as for every other."""
    [name] = publish(store, orders, 1)
    store.backend.delete(f"snapshots/{name}/manifest.json")
    if content:
        store.backend.put_new(f"snapshots/{name}/manifest.json", content)
    bad = run("verify", "--project", project)
    assert (bad.exit_code, bad.stdout.splitlines()[0]) == (1, f"manifest.json is {told}")


def test_a_deleted_snapshot_is_not_damaged_but_gone(
    project: Path, store: SnapshotStore, orders: Path
) -> None:
    """Exit code 2: there is nothing to verify."""
    first, _ = publish(store, orders, 2)
    store.retain(last=1)
    gone = run("verify", first, "--project", project)
    assert (gone.exit_code, "deleted by retention" in gone.stderr) == (2, True)


def test_a_pin_is_set_shown_and_taken_away(
    project: Path, store: SnapshotStore, orders: Path
) -> None:
    """`ls` and `show` tell of it and of its note."""
    first, second = publish(store, orders, 2)
    told = document("pin", first, "--note", "[red]4.2", "--project", project)
    assert told["pin"]["note"] == "[red]4.2"
    listed = document("ls", "--project", project)["snapshots"]
    assert [(i["snapshot_id"], i["is_latest"], i["pin"]) for i in listed] == [
        (second, True, None),
        (first, False, told["pin"]),
    ]
    said = run("ls", "--project", project).stdout
    assert f"pinned  {first}  {told['pin']['since'][:10]}: [red]4.2" in said
    shown = run("show", first, "--project", project).stdout
    assert "[red]4.2" in shown
    assert "passed: 2 checks, 1 warnings" in shown
    assert document("show", first, "--project", project)["pin"] == told["pin"]
    assert document("unpin", first, "--project", project)["pin"] is None
    again = run("unpin", first, "--project", project)
    assert (again.exit_code, "is not pinned; pinned are: none" in again.stderr) == (2, True)


def test_gc_deletes_what_the_project_does_not_keep(
    project: Path, store: SnapshotStore, orders: Path
) -> None:
    """It can be asked beforehand; the pinned snapshot stays."""
    names = publish(store, orders, 5)
    run("pin", names[0], "--project", project)
    told = document("gc", "--dry-run", "--project", project)
    assert (told["snapshots"], len(store.list())) == (names[1:3], 5)
    assert f"would delete snapshot {names[1]}" in run("gc", "--dry-run", "-p", project).stdout
    assert document("gc", "--project", project)["snapshots"] == names[1:3]
    assert [info.snapshot_id for info in store.list()] == [names[4], names[3], names[0]]
    assert run("gc", "--project", project).stdout == "nothing to delete\n"


def test_a_named_sandbox_needs_no_project(store: SnapshotStore, orders: Path) -> None:
    """Every command works; whole snapshots stay, since nobody said how many to keep."""
    names = publish(store, orders, 3)
    here = ("--sandbox", store.url)
    assert document("rollback", names[1], *here)["snapshot_id"] == names[1]
    assert document("show", *here)["snapshot_id"] == names[1]
    assert document("verify", *here)["differences"] == []
    assert document("pin", "latest", *here)["snapshot_id"] == names[1]
    assert document("gc", "--grace-hours", 0, *here)["snapshots"] == []
    assert [info["snapshot_id"] for info in document("ls", *here)["snapshots"]] == names[::-1]


def test_a_named_bucket_takes_keys_from_the_environment(
    s3_server: Any, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the AWS tools do; nothing secret is typed."""
    url = f"s3://{s3_server.fresh_bucket()}/shop"
    [name] = publish(open_store(url, **s3_server.storage_options), orders, 1)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret)
    here = ("--sandbox", url, "--endpoint-url", s3_server.endpoint_url)
    assert document("verify", *here)["snapshot_id"] == name


@pytest.mark.parametrize("command", ["ls", "show", "verify", "gc"])
def test_an_endpoint_without_a_bucket_is_refused(project: Path, command: str) -> None:
    """A project file says it itself, and a folder has none."""
    alone = run(command, "--endpoint-url", "http://127.0.0.1:9", "--project", project)
    folder = run(command, "--endpoint-url", "http://127.0.0.1:9", "--sandbox", project / "sandbox")
    assert (alone.exit_code, "belongs to --sandbox" in alone.stderr) == (2, True)
    assert (folder.exit_code, "endpoint_url" in folder.stderr) == (2, True)


def test_an_empty_sandbox_is_told(project: Path) -> None:
    """Nothing to verify, nothing to pin."""
    for command in (("verify",), ("pin", "latest"), ("pin", "run-0-00000000")):
        assert run(*command, "--project", project).exit_code == 2
