"""Every kind of drift by every policy: plan, change, event, and what the snapshot holds."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drifts import DATA_SETS, PLANTED, DataSet, Drift, execute
from places import SHARED
from typer.testing import CliRunner

from prefect_synth.flows import stepwise
from prefect_synth.flows.cli import app
from prefect_synth.flows.failures import DRIFT, exit_code_of
from prefect_synth.flows.look import DATA_CHANGED, SCHEMA_CHANGED, look, tell_prefect
from prefect_synth.flows.predict import predict
from prefect_synth.flows.prediction import Prediction
from prefect_synth.flows.refresh_setup import open_setup
from prefect_synth.tasks.drift.changes import DriftBlockedError
from prefect_synth.tasks.drift.policies import DATA_KINDS, KINDS
from prefect_synth.tasks.snapshots.store import open_store

pytestmark = pytest.mark.timeout(1800)
POLICIES = ("block", "quarantine", "evolve")
NOT_LOOKED_AT = ("runs", "results")
ONLY_READ = {"models", "extensions", "links", "shared", "judged", "snapshots"}
FEW = {"column_added", "table_dropped", "volume_jumped"}
# all that happens at once is too much for the gates, which are not asked here
PROJECT = """
project: {name}
warehouse: {{url: '{uri}', allow_writable: true}}
sandbox: {{url: sandbox}}
staging: {{url: .synth}}
defaults: {{model: copula}}
gates: {{quality: {{min: 0.0, relations: null, dependence: null, c2st: null}}}}
on_drift: {{{policies}}}
"""


@dataclass
class Base:
    """A data set in PostgreSQL that was accepted and published.

    Args:
        data: The data set.
        folder: Its project.
        admin: The URI of the server's superuser.
        uri: The URI of its database, which is copied and never changed.
    """

    data: DataSet
    folder: Path
    admin: str
    uri: str

    def copy(self, sql: str) -> str:
        """The URI of a copy of the database to which `sql` has happened."""
        name, template = f"d{uuid.uuid4().hex[:12]}", self.uri.split("/")[3].split("?")[0]
        with psycopg.connect(self.admin, autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        copied = self.admin.replace("/postgres?", f"/{name}?")
        execute(copied, sql)
        return copied

    def drop(self, uri: str) -> None:
        """Drop a copy."""
        name = uri.split("/")[3].split("?")[0]
        with psycopg.connect(self.admin, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def project(
        self, folder: Path, uri: str, policies: dict[str, str], leave: tuple[str, ...] = ()
    ) -> None:
        """A copy of the project, with its snapshot, over another database."""
        left_out = shutil.ignore_patterns(*leave)
        shutil.copytree(self.folder, folder, ignore=left_out, copy_function=copy_or_link)
        write(folder, folder.name, uri, policies)


def copy_or_link(source: str, target: str) -> None:
    """Copy a file; one that is only ever read gets a second name, which costs nothing."""
    if ONLY_READ & set(Path(source).parts):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def write(folder: Path, name: str, uri: str, policies: dict[str, str]) -> None:
    """Write a project file."""
    said = ", ".join(f"{kind}: {policy}" for kind, policy in policies.items())
    (folder / "synth.yaml").write_text(PROJECT.format(name=name, uri=uri, policies=said))


def publish(folder: Path) -> dict[str, Any]:
    """Refresh, step by step."""
    run = stepwise.pull(str(folder))["run_id"]
    for step in (stepwise.train, stepwise.sample, stepwise.validate):
        step(str(folder), run)
    return stepwise.publish(str(folder), run)


@pytest.fixture(scope="module")
def bases(postgres_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Data sets by name, each made when it is first asked for."""
    made: dict[str, Base] = {}

    def base(name: str) -> Base:
        if name == "sakila" and not (SHARED / "data" / name).is_dir():
            pytest.skip("the shared data sets are not here")
        if name not in made:
            database, folder = f"base_{name}_{uuid.uuid4().hex[:6]}", tmp_path_factory.mktemp(name)
            with psycopg.connect(postgres_uri, autocommit=True) as admin:
                admin.execute(f"CREATE DATABASE {database}")
            uri = postgres_uri.replace("/postgres?", f"/{database}?")
            DATA_SETS[name].load(uri)
            write(folder, name, uri, {})
            accept = ["drift", "accept", "--all", "--project", str(folder)]
            accepted = CliRunner().invoke(app, accept)
            assert accepted.exit_code == 0, accepted.output
            publish(folder)
            made[name] = Base(DATA_SETS[name], folder, postgres_uri, uri)
        return made[name]

    yield base
    for one in made.values():
        one.drop(one.uri)


def told(url: str, project: str, name: str) -> list[dict[str, Any]]:
    """What events of that name say of a project."""
    sought = {
        "event": {"name": [name]},
        "resource": {"id": [f"prefect-synth.project.{project}"]},
    }
    answer = httpx.post(f"{url}/events/filter", json={"filter": sought}, timeout=60)
    return [event["payload"] for event in answer.json()["events"]]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [("small", FEW)]
    + [pytest.param(name, set(KINDS), marks=pytest.mark.slow) for name in DATA_SETS],
    ids=["few", *DATA_SETS],
)
def test_each_drift_is_told_by_its_policy(
    bases: Any,
    name: str,
    kinds: set[str],
    prefect_url: str,
    tmp_path: Path,
    wait: Any,
    subtests: pytest.Subtests,
) -> None:
    """Change, effect, plan and event; what blocks ends a refresh with 5, and all stays."""
    base = bases(name)
    events: list[tuple[str, Drift, str]] = []
    for number, drift in enumerate(d for d in base.data.drifts if d.kind in kinds):
        uri = base.copy(drift.sql)
        for policy in POLICIES:
            folder = tmp_path / f"{name}-{len(kinds)}-{number}-{policy}"
            base.project(folder, uri, {drift.kind: policy}, NOT_LOOKED_AT)
            with subtests.test(drift=drift.name, policy=policy):
                check(folder, drift, policy)
                events.append((folder.name, drift, policy))
            shutil.rmtree(folder)
        base.drop(uri)
    for project, drift, policy in events:
        with subtests.test("event", drift=drift.name, policy=policy):
            told = wait(lambda p=project, d=drift: event_of(prefect_url, p, d), 60)
            check_event(drift, policy, told)


def check(folder: Path, drift: Drift, policy: str) -> None:
    """What is found, what is planned, and, where it blocks, that nothing is pulled."""
    latest = open_store(str(folder / "sandbox")).latest()
    data = "always" if drift.kind in DATA_KINDS else "never"
    sight = look(open_setup(folder), data, tell_prefect(folder.name))
    check_changes(drift, policy, sight.drift.changes)
    check_plan(drift, policy, predict(open_setup(folder)))
    if drift.effect(policy) == "blocks":
        with pytest.raises(DriftBlockedError, match=f"drift accept .*{drift.table}") as blocked:
            stepwise.pull(str(folder))
        assert exit_code_of(blocked.value) == DRIFT
        assert open_store(str(folder / "sandbox")).latest() == latest


def event_of(url: str, project: str, drift: Drift) -> list[dict[str, Any]]:
    """The events of a project, once they have arrived."""
    return told(url, project, DATA_CHANGED if drift.kind in DATA_KINDS else SCHEMA_CHANGED)


def check_changes(drift: Drift, policy: str, changes: Any) -> None:
    """The change is there as it should be, and no other but those that come with it."""
    found = [c for c in changes if (c.kind, c.table, c.column) == key(drift)]
    assert len(found) == 1, (drift.name, policy, list(map(str, changes)))
    [change] = found
    assert (change.policy, change.effect) == (policy, drift.effect(policy)), drift.name
    others = {c.kind for c in changes if c is not change}
    assert others <= drift.more, (drift.name, list(map(str, changes)))
    if drift.kind not in DATA_KINDS:
        assert (change.old, change.new) == (drift.old, drift.new), drift.name
    assert PLANTED not in change.model_dump_json()


def check_plan(drift: Drift, policy: str, plan: Prediction) -> None:
    """What `plan` says: how it ends, what is held, left out or waits, and what is trained anew."""
    case = (drift.name, policy, plan.ends, plan.why)
    effect = drift.effect(policy)
    if effect == "blocks":
        assert (plan.ends, bool(plan.drift.blocked)) == ("Blocked", True), case
        return
    # the copy's address and its policies are others, so that a snapshot is due in any case
    news = "the schema" in plan.why or "the rows of" in plan.why
    assert (plan.ends, news) == ("Published", drift.ends(policy) == "Published"), case
    told = {"held": plan.drift.held_columns, "left out": plan.drift.left_out_columns}
    if effect in told:
        assert drift.column in told[effect][drift.table], case
    there = effect != "waits" and drift.kind != "table_dropped"
    assert (drift.table in plan.tables) == there, case
    anew = {drift.table} if there and drift.ends(policy) == "Published" else set()
    assert set(plan.with_fate("trained")) == anew, (case, plan.tables)


def check_event(drift: Drift, policy: str, payloads: list[dict[str, Any]]) -> None:
    """One event names table, column, old and new, and the policy; no value of any row."""
    assert len(payloads) == 1, drift.name
    [payload] = payloads
    wanted = (*key(drift), policy)
    assert drift.table in payload["tables"]
    said = [(c["kind"], c["table"], c["column"], c["policy"]) for c in payload["changes"]]
    assert wanted in said
    assert payload["fingerprint"]
    assert PLANTED not in str(payload)


def key(drift: Drift) -> tuple[str, str, str | None]:
    """What a change is known by."""
    return drift.kind, drift.table, drift.column


@pytest.mark.parametrize(
    ("name", "policy"),
    [("small", "quarantine"), pytest.param("small", "evolve", marks=pytest.mark.slow)]
    + [pytest.param(n, p, marks=pytest.mark.slow)
       for n in ("demo", "sakila") for p in ("quarantine", "evolve")],
)  # fmt: skip
def test_the_snapshot_holds_what_the_policies_say(
    bases: Any, name: str, policy: str, tmp_path: Path
) -> None:
    """All that does not block has happened at once: NULL, left out, waiting, or followed."""
    base, folder = bases(name), tmp_path / f"{name}-{policy}"
    happened = [d for d in base.data.drifts if d.effect(policy) != "blocks"]
    assert len({d.kind for d in happened}) >= (9 if policy == "quarantine" else 18)
    uri = base.copy(";".join(drift.sql for drift in happened))
    base.project(folder, uri, {kind: policy for kind in KINDS if kind not in DATA_KINDS})
    snapshot = publish(folder)
    for drift in happened:
        if look_of := drift.looks.get(policy):
            assert matches(look_of, drift, snapshot), (drift.name, look_of)
    if policy == "quarantine":
        assert holding(folder, PLANTED) == []
    base.drop(uri)


def matches(look_of: str, drift: Drift, snapshot: dict[str, Any]) -> bool:
    """Whether a published table is as it should be."""
    there = drift.table in snapshot["rows_by_table"]
    if look_of in ("table", "no table"):
        return there == (look_of == "table")
    table = pq.read_table(f"{snapshot['url']}/{drift.table}")
    word, _, detail = look_of.partition(" ")
    if word in ("rows",):
        return abs(len(table) / int(detail.replace(",", "")) - 1) < 0.1 if detail else True
    if look_of == "absent":
        return drift.column not in table.column_names
    if drift.column and drift.column in table.column_names:
        return column_matches(word, detail, table, drift.column)
    return keys_match(look_of, drift, snapshot)


def column_matches(word: str, detail: str, table: pa.Table, column: str) -> bool:
    """Whether a published column is as it should be."""
    values, field = table[column], table.schema.field(column)
    if word == "null":
        return bool(values.null_count == len(values))
    if word == "type":
        return str(field.type) == detail
    if word in ("nullable", "not"):
        return bool(field.nullable == (word == "nullable"))
    if word in ("with", "without"):
        return (detail in values.to_pylist()) == (word == "with")
    return bool(values.null_count < len(values))


def keys_match(look_of: str, drift: Drift, snapshot: dict[str, Any]) -> bool:
    """Whether the snapshot says of keys what it should."""
    sandbox, _, snapshot_id = snapshot["url"].partition("/snapshots/")
    metadata = open_store(sandbox).show(snapshot_id)["metadata"]
    table = metadata["tables"][drift.table]
    if look_of == "no primary key":
        return not table.get("primary_key")
    if look_of.startswith("no parent by "):
        column = look_of.rpartition(" ")[2]
        return not any(r["child"] == drift.table and column in r["child_columns"]
                       for r in metadata["relationships"])  # fmt: skip
    wanted, _, unique = look_of.partition("unique ")
    return (unique.split(", ") in [list(k) for k in table.get("unique", ())]) == (wanted == "")


def holding(folder: Path, text: str) -> list[str]:
    """Files below a folder that hold a text; the values of Parquet files are looked at."""
    found = []
    for file in (f for f in folder.rglob("*") if f.is_file()):
        seen = file.read_bytes()
        if file.suffix == ".parquet":
            seen += str(pq.read_table(file).to_pydict()).encode()
        if text.encode() in seen:
            found.append(str(file.relative_to(folder)))
    return found
