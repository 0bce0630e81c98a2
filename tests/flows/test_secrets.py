"""No secret gets out: known passwords are looked for wherever a refresh leaves something."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import psycopg
import pyarrow.parquet as pq
import pytest
import s3fs
from databases import database
from pydantic import SecretStr

from prefect_synth.tasks.blocks import Warehouse

# with all that has to be written otherwise in a URL
READER = "r3ader/s+Secret@1%20&x"
BLOCKED = "bl0ck/s+Secret@2%20&x"
FEEDER = "f33der/s+Secret@3%20&x"
NOBODY = "n0body/s+Secret@4%20&x"
PLANTED = "pl4nted/s+Secret@5%20&x"

TABLES = """
CREATE TABLE clients (id int PRIMARY KEY, city varchar(40), since date NOT NULL);
CREATE TABLE visits (
    id int PRIMARY KEY, client_id int NOT NULL REFERENCES clients, cost numeric(8, 2)
);
INSERT INTO clients SELECT i, 'City ' || i % 9, date '2024-01-01' + i % 300
    FROM generate_series(1, 200) i;
INSERT INTO visits SELECT i, 1 + i % 200, (i * 31) % 9000 / 100.0 FROM generate_series(1, 400) i;
"""
PROJECT = """
project: {name}
warehouse: {warehouse}
sandbox: {{url: 's3://{bucket}/{name}', key: {key}, secret: '${{S3_SECRET}}',
  endpoint_url: '{endpoint}'}}
feeds: {{test: {{url: '${{FEED_URL}}'}}}}
run: {{retries: 0}}
gates: {{quality: {{relations: null}}}}
"""
# one process after the other would import everything each time
RUN_ALL = """
import json, sys
from prefect_synth.flows.cli import app
codes = []
for arguments in json.loads(sys.argv[1]):
    print("$", [word for word in arguments if "://" not in word], flush=True)
    try:
        app(arguments)
    except SystemExit as end:
        codes.append(end.code)
open(sys.argv[2], "w").write(json.dumps(codes))
"""


def forms(secret: str) -> set[bytes]:
    """How a secret may be written: as it is, in a URL, in JSON, and in base64 at any offset."""
    plain = secret.encode()
    texts = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]}
    texts |= {quote(text, safe="") for text in texts} | {json.dumps(secret)[1:-1]}
    # without the characters that depend on what stands beside it
    coded = {base64.b64encode(b"\0" * n + plain)[4 if n else 0 : -4] for n in range(3)}
    return {text.encode() for text in texts} | coded | {plain.hex().encode()}


def hits(places: dict[str, bytes], secrets: set[str]) -> list[tuple[str, str]]:
    """Which secret stands where."""
    wanted = {form: secret for secret in secrets for form in forms(secret)}
    return sorted(
        {(secret, place) for place, found in places.items() for f, secret in wanted.items()
         if f in found}
    )  # fmt: skip


@dataclass(frozen=True)
class Trail:
    """All that a few nights have left.

    Args:
        folder: The projects, with their private staging.
        home: Where Prefect's server keeps its database.
        api: Prefect's address.
        bucket: The sandbox.
        server: The S3 server.
        said: What the commands said.
        codes: How they ended.
    """

    folder: Path
    home: Path
    api: str
    bucket: str
    server: Any
    said: str
    codes: list[int]

    def files(self) -> dict[str, bytes]:
        """Project folders: project file, lock, private staging."""
        return {str(f): f.read_bytes() for f in self.folder.rglob("*") if f.is_file()}

    def database(self) -> dict[str, bytes]:
        """The files of Prefect's database, the write-ahead log among them, and of its results."""
        found = [file for file in self.home.rglob("*") if file.is_file()]
        assert any(file.suffix == ".db" for file in found)
        return {str(file): file.read_bytes() for file in found}

    def answers(self) -> dict[str, bytes]:
        """What Prefect's API tells everybody who asks."""
        with httpx.Client(base_url=self.api, timeout=60) as client:
            return {kind: b"\n".join(pages(client, kind)) for kind in KINDS}

    def objects(self) -> dict[str, bytes]:
        """What lies in the bucket; the columns of Parquet files read, since they are packed."""
        files = s3fs.S3FileSystem(**self.server.storage_options)
        found = {path: files.cat_file(path) for path in files.find(self.bucket)}
        rows = {
            f"{path}, read": str(pq.read_table(path, filesystem=files).to_pylist()).encode()
            for path in found
            if path.endswith(".parquet")
        }
        return found | rows


KINDS = (
    "flow_runs", "task_runs", "flow_run_states", "task_run_states", "logs", "artifacts", "events",
    "deployments", "block_documents", "variables", "automations", "work_pools", "flows",
    "v2/concurrency_limits",
)  # fmt: skip


def pages(client: httpx.Client, kind: str) -> Iterator[bytes]:
    """All that the API tells of a kind."""
    if kind.endswith("_states"):
        yield from states(client, kind)
        return
    for offset in range(0, 100_000, 200):
        asked = {"limit": 200, "offset": offset}
        if kind == "events":
            asked = {"limit": 50}
        answer = client.post(f"/{kind}/filter", json=asked)
        answer.raise_for_status()
        yield answer.content
        found = answer.json()
        if kind == "events":
            yield from further_events(client, found)
            return
        if len(found) < 200:
            return


def further_events(client: httpx.Client, found: dict[str, Any]) -> Iterator[bytes]:
    """The pages of events after the first."""
    while found.get("next_page"):
        answer = client.get(found["next_page"])
        answer.raise_for_status()
        yield answer.content
        found = answer.json()


def states(client: httpx.Client, kind: str) -> Iterator[bytes]:
    """The states of the newest runs, their data among them."""
    runs = kind.removesuffix("_states") + "s"
    newest = client.post(f"/{runs}/filter", json={"limit": 60, "sort": "EXPECTED_START_TIME_DESC"})
    for run in newest.json():
        name = f"{kind.removesuffix('_states')}_id"
        yield client.get(f"/{kind}/", params={name: run["id"]}).content


def project(folder: Path, name: str, warehouse: str, bucket: str, server: Any) -> str:
    """Write a project file; its secrets are in the environment or in a block."""
    (folder / name).mkdir()
    text = PROJECT.format(
        name=name, warehouse=warehouse, bucket=bucket, key=server.key, endpoint=server.endpoint_url
    )
    (folder / name / "synth.yaml").write_text(text)
    return str(folder / name)


def url_of(owner: str, role: str, password: str) -> str:
    """The URL of a role with a password."""
    return owner.replace("postgres:", f"{role}:").replace(
        "postgres@", f"{role}:{quote(password, safe='')}@"
    )


@pytest.fixture(scope="module")
def trail(
    prefect_url: str,
    prefect_home: Path,
    postgres_uri: str,
    s3_server: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Trail]:
    """A good night, one whose warehouse is gone, and everything else that knows a password."""
    folder, bucket = tmp_path_factory.mktemp("secrets"), s3_server.fresh_bucket()
    with database(postgres_uri) as shop, database(postgres_uri) as test:
        with psycopg.connect(shop) as admin:
            admin.execute(TABLES)
            for role, password in (("secret_reader", READER), ("secret_blocked", BLOCKED)):
                admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
                admin.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        with psycopg.connect(test) as admin:
            admin.execute(f"CREATE ROLE secret_feeder LOGIN SUPERUSER PASSWORD '{FEEDER}'")
        Warehouse(url=SecretStr(url_of(shop, "secret_blocked", BLOCKED))).save("secrets")
        good = project(folder, "good", "{url: '${SHOP_URL}'}", bucket, s3_server)
        block = project(folder, "block", "{block: secrets}", bucket, s3_server)
        gone = project(folder, "gone", "{url: '${GONE_URL}'}", bucket, s3_server)
        lost = project(folder, "lost", "{url: '${LOST_URL}'}", bucket, s3_server)
        nobody = f"postgresql://nobody:{quote(NOBODY, safe='')}@127.0.0.1:9/shop"
        environment = {
            **os.environ,
            "PREFECT_API_URL": prefect_url,
            "PREFECT_LOGGING_LEVEL": "DEBUG",
            "SHOP_URL": url_of(shop, "secret_reader", READER),
            "FEED_URL": url_of(test, "secret_feeder", FEEDER),
            "GONE_URL": nobody,
            "LOST_URL": url_of(shop.replace("/d", "/lost", 1), "secret_reader", READER),
            "S3_SECRET": s3_server.secret,
        }
        said, codes = run_all(folder, environment, commands(good, block, gone, lost, nobody))
        yield Trail(folder, prefect_home, prefect_url, bucket, s3_server, said, codes)
        with psycopg.connect(shop) as admin:
            admin.execute("DROP OWNED BY secret_reader; DROP OWNED BY secret_blocked")
    with psycopg.connect(postgres_uri, autocommit=True) as admin:
        for role in ("secret_reader", "secret_blocked", "secret_feeder"):
            admin.execute(f"DROP ROLE {role}")


def commands(
    good: str, block: str, gone: str, lost: str, nobody: str
) -> list[tuple[int, list[str]]]:
    """What is run, each with the exit code that it shall have."""
    return [
        (0, ["check", "--project", good]),
        (0, ["refresh", "--verbose", "--project", good]),
        (0, ["refresh", "--json", "--project", block]),
        (0, ["drift", "--project", good]),
        (0, ["watch", "--project", good]),
        (0, ["feed", "--project", good]),
        (0, ["deploy", "--project", good]),
        (3, ["--debug", "refresh", "--verbose", "--project", gone]),
        (3, ["--debug", "refresh", "--json", "--project", lost]),
        (3, ["--debug", "watch", "--project", gone]),
        (3, ["--debug", "feed", "--to", nobody, "--project", good]),
    ]


def run_all(
    folder: Path, environment: dict[str, str], wanted: list[tuple[int, list[str]]]
) -> tuple[str, list[int]]:
    """Run commands in one process: what they said, and their exit codes beside the wanted ones."""
    ended = folder / "codes.json"
    script = [sys.executable, "-c", RUN_ALL, json.dumps([c for _, c in wanted]), str(ended)]
    done = subprocess.run(
        script, env=environment, capture_output=True, text=True, check=False, timeout=500
    )
    said = done.stdout + done.stderr
    codes = json.loads(ended.read_text()) if ended.exists() else []
    assert codes == [code for code, _ in wanted], said[-6000:]
    return said, codes


@pytest.fixture(scope="module")
def secrets(s3_server: Any) -> set[str]:
    """All that must not be found."""
    return {READER, BLOCKED, FEEDER, NOBODY, s3_server.secret}


def test_no_secret_is_said(trail: Trail, secrets: set[str]) -> None:
    """Standard output and error of all commands, with Prefect's log and with tracebacks."""
    assert "ConnectionFailed" in trail.said
    assert hits({"said": trail.said.encode()}, secrets) == []


def test_no_secret_is_in_prefects_database(trail: Trail, secrets: set[str]) -> None:
    """Every file of the server: runs, states, results, events, and blocks, which are encrypted."""
    assert hits(trail.database(), secrets) == []


def test_no_secret_is_told_by_prefects_api(trail: Trail, secrets: set[str]) -> None:
    """Runs, states, logs, artifacts, events, deployments, blocks, variables, automations."""
    answers = trail.answers()
    assert b"connection" in answers["logs"]
    assert b"secrets" in answers["block_documents"]
    assert hits(answers, secrets) == []


def test_no_secret_is_in_the_bucket(trail: Trail, secrets: set[str]) -> None:
    """Manifests, reports, records, and the rows of every table."""
    objects = trail.objects()
    assert any(path.endswith("latest.json") for path in objects)
    assert hits(objects, secrets) == []


def test_no_secret_is_in_the_projects_folder(trail: Trail, secrets: set[str]) -> None:
    """Private staging with its texts of errors, and what is committed."""
    assert hits(trail.files(), secrets) == []


def test_the_search_would_find_them(trail: Trail) -> None:
    """A password that somebody does write down turns up everywhere it is looked for."""
    files = s3fs.S3FileSystem(**trail.server.storage_options)
    coded = base64.b64encode(f"x{PLANTED}y".encode())
    files.pipe_file(f"{trail.bucket}/planted.txt", coded)
    planted = trail.folder / "planted.txt"
    planted.write_text(quote(PLANTED, safe=""))
    answer = httpx.post(f"{trail.api}/variables/", json={"name": "planted", "value": PLANTED})
    answer.raise_for_status()
    places = {
        "bucket": trail.objects(), "folder": trail.files(), "database": trail.database(),
        "api": trail.answers(), "said": {"said": f"password={PLANTED}".encode()},
    }  # fmt: skip
    assert {name for name, found in places.items() if hits(found, {PLANTED})} == set(places)
    planted.unlink()
    httpx.delete(f"{trail.api}/variables/name/planted").raise_for_status()
