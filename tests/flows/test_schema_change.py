"""A column appears in production and nobody acts: the whole way on a real server, with a worker.

The parts are those of a real night: PostgreSQL and a role that can only read it, a Prefect server,
a worker of type process, `deployments/prefect.yaml` as it is deployed, and a bucket.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3fs
import yaml

REPOSITORY = Path(__file__).parents[2]
CANARY = "078-05-1120"
PATIENCE = 900.0  # where other work keeps the machine busy; an idle one needs a tenth of it

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@dataclass(frozen=True)
class Night:
    """A shop that is deployed to a server of its own, where a worker is at work."""

    shop: Any
    api: str
    home: Path
    files: s3fs.S3FileSystem
    bucket: str

    def ask(self, path: str, **body: Any) -> Any:
        """Ask Prefect's API."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = httpx.post(f"{self.api}/{path}", json=body, timeout=120)
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            else:
                if answer.status_code < 500 or time.monotonic() > deadline:
                    return answer.raise_for_status().json()
            time.sleep(1)

    def runs(self, deployment: str, *states: str) -> list[dict[str, Any]]:
        """The runs of a deployment in these states, the last one first."""
        flow, name = deployment.split("/")
        found = self.ask(
            "flow_runs/filter",
            flows={"name": {"any_": [flow]}},
            deployments={"name": {"any_": [name]}},
            flow_runs={"state": {"name": {"any_": list(states)}}} if states else None,
            sort="START_TIME_DESC",
        )
        return list(found)

    def tasks(self, run: dict[str, Any]) -> dict[str, str]:
        """The states of a run's tasks by their names."""
        where = {"flow_run_id": {"any_": [run["id"]]}}
        return {t["name"]: t["state_name"] for t in self.ask("task_runs/filter", task_runs=where)}

    def manifest(self) -> dict[str, Any]:
        """The manifest of the snapshot that readers see."""
        latest = json.loads(self.files.cat_file(f"{self.bucket}/shop/latest.json"))
        folder = f"{self.bucket}/shop/snapshots/{latest['snapshot_id']}"
        return dict(json.loads(self.files.cat_file(f"{folder}/manifest.json")))

    def start(self, deployment: str) -> None:
        """Start a run of a deployment, as the schedule would."""
        found = httpx.get(f"{self.api}/deployments/name/{deployment}", timeout=120).json()
        self.ask(f"deployments/{found['id']}/create_flow_run")

    def published(self, snapshot: str = "*") -> dict[str, pa.Table]:
        """The tables of a snapshot, or of all of them."""
        paths = self.files.glob(f"{self.bucket}/shop/snapshots/{snapshot}/*/*.parquet")
        read = {path: pq.read_table(path, filesystem=self.files) for path in paths}
        return {p if snapshot == "*" else p.split("/")[-2]: table for p, table in read.items()}

    def staged(self) -> list[pa.Table]:
        """The real rows that were pulled."""
        files = self.shop.staging.glob("runs/*/real/**/*.parquet")
        return [pq.ParquetFile(file).read() for file in files]

    def everything(self) -> Iterator[bytes]:
        """All that left private staging: the bucket, and what the Prefect server keeps."""
        for path in self.files.find(self.bucket):
            yield self.files.cat_file(path)
        for file in self.home.rglob("*"):
            if file.is_file():
                yield file.read_bytes()


def deploy(shop: Any, environment: dict[str, str], seconds: int) -> None:
    """Deploy a copy of `deployments/prefect.yaml` that names the shop's project file."""
    document = yaml.safe_load((REPOSITORY / "deployments" / "prefect.yaml").read_text())
    for deployment in document["deployments"]:
        deployment["parameters"]["project"] = str(shop.file)
        for schedule in deployment.get("schedules", ()):
            if "interval" in schedule:
                schedule["interval"] = seconds
    copy = shop.folder / "prefect.yaml"
    copy.write_text(yaml.safe_dump(document))
    prefect = [sys.executable, "-m", "prefect", "--no-prompt"]
    for command in (
        ["work-pool", "create", "synth", "--type", "process"],
        ["deploy", "--all", "--prefect-file", str(copy)],
    ):
        subprocess.run([*prefect, *command], cwd=shop.folder, env=environment, check=True)


@contextmanager
def running(environment: dict[str, str], log: Path, *arguments: str) -> Iterator[None]:
    """A `prefect` process that ends with the context."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "prefect", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture
def night(
    postgres_shop: Any, s3_server: Any, port: int, wait: Any, tmp_path: Path
) -> Iterator[Night]:
    """A shop that is deployed, watched, and published once."""
    shop, bucket, home = postgres_shop, s3_server.fresh_bucket(), tmp_path / "home"
    home.mkdir()
    shop.file.write_text(
        f"project: shop\nwarehouse: {{url: '${{WAREHOUSE_URL}}'}}\n"
        f"sandbox: {{url: 's3://{bucket}/shop', key: {s3_server.key},\n"
        f"  secret: '${{SANDBOX_SECRET}}', endpoint_url: '{s3_server.endpoint_url}'}}\n"
        "staging: {keep_runs: 9}\n"
    )
    api = f"http://127.0.0.1:{port}/api"
    environment = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": api,
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        # a busy machine is no error
        "PREFECT_API_REQUEST_TIMEOUT": "300",
        "PREFECT_SERVER_DATABASE_TIMEOUT": "120",
        "WAREHOUSE_URL": shop.reader,
        "SANDBOX_SECRET": s3_server.secret,
    }
    serve = ["server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    with ExitStack() as parts:
        parts.enter_context(running(environment, home / "server.log", *serve))
        wait(lambda: is_healthy(api), PATIENCE)
        deploy(shop, environment, seconds=60)
        work = ["worker", "start", "--pool", "synth"]
        parts.enter_context(running(environment, home / "worker.log", *work))
        files = s3fs.S3FileSystem(**s3_server.storage_options)
        yield Night(shop, api, home, files, bucket)


def is_healthy(api: str) -> bool:
    """Whether the server answers."""
    try:
        return httpx.get(f"{api}/health", timeout=30).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def test_a_new_column_is_published_as_null_with_nobody_acting(night: Night, wait: Any) -> None:
    """The watch tells, the event starts a refresh, one table is trained, nothing real gets out."""
    night.start("refresh/shop")
    wait(lambda: night.runs("refresh/shop", "Published"), PATIENCE)
    before = night.manifest()
    wait(lambda: night.runs("watch/shop", "Unchanged"), PATIENCE)

    night.shop.execute("ALTER TABLE customers ADD COLUMN ssn text")
    night.shop.execute(f"UPDATE customers SET ssn = '{CANARY}'")

    run = wait(lambda: night.runs("refresh/shop-on-change", "Published"), PATIENCE)[0]
    assert run["created_by"]["type"] == "AUTOMATION"
    assert " · schema-change · customers · " in run["name"]
    where = {"event": {"name": ["warehouse.schema.changed"]}}
    [event] = night.ask("events/filter", filter=where)["events"]
    [change] = event["payload"]["changes"]
    place = change["kind"], change["table"], change["column"]
    assert place == ("column_added", "customers", "ssn")
    assert night.runs("watch/shop", "Changed")

    trained = {name: state for name, state in night.tasks(run).items() if "train[" in name}
    assert trained == {
        "train[customers]": "Completed",
        "train[orders]": "Cached",
        "train[order_items]": "Cached",
        "train[products]": "Cached",
    }
    after = night.manifest()
    parts = {name for name, part in after["models"].items() if part != before["models"][name]}
    assert parts == {"customers"}

    customers = night.published(after["snapshot_id"])["customers"]
    assert (customers["ssn"].null_count, customers.num_rows) == (120, 120)
    assert not any(CANARY.encode() in content for content in night.everything())
    assert not any(CANARY in row for t in night.published().values() for row in map(str, rows(t)))
    assert [table["ssn"].null_count for table in night.staged() if "ssn" in table.column_names]
    assert not any(CANARY in row for table in night.staged() for row in map(str, rows(table)))


def rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows of a small table."""
    return list(table.to_pylist())
