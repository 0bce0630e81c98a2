"""The example project: its tests pass, as they are and by the commands of its CI file."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from loaded import LOADED

from prefect_synth.tasks.snapshots.reading import snapshots
from prefect_synth.tasks.snapshots.store import open_store

REPO = Path(__file__).parents[1]
EXAMPLE = REPO / "examples" / "shop-tests"
WORKFLOW = Path(".github", "workflows", "tests.yml")


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of the example, so that nothing is written into the original."""
    ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".synth-cache")
    return Path(shutil.copytree(EXAMPLE, tmp_path / "shop-tests", ignore=ignored))


def bash(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a CI step would, with this environment's Python."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "PREFECT_SYNTH_", "AWS_"))
    }
    paths = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPO / ".typing"),
        "PYTEST_ADDOPTS": " ".join(LOADED),
    }
    return subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=folder,
        env={**inherited, **paths, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def steps() -> list[dict[str, Any]]:
    """The steps of the example's CI file that run its tests."""
    document = yaml.safe_load((EXAMPLE / WORKFLOW).read_text())
    return [s for s in document["jobs"]["tests"]["steps"] if "pytest" in str(s.get("run")).split()]


def test_its_tests_pass_on_the_committed_extract(example: Path) -> None:
    """A clone is all that is needed: no bucket, no server, no docker."""
    [first, _] = steps()
    done = bash(first["run"], example)
    assert done.returncode == 0, done.stdout
    assert re.search(r"synth: shop fixture-\w{8} \(latest\), sqlite", done.stdout)
    assert "8 passed" in done.stdout


def test_its_tests_pass_on_a_pinned_snapshot_in_postgresql(
    example: Path, s3_server: Any, postgres_database: str, tmp_path: Path
) -> None:
    """The CI file's own command and environment, with our bucket and our server in it."""
    bucket = f"s3://{s3_server.fresh_bucket()}/shop"
    name = publish(open_store(bucket, **s3_server.storage_options))
    (example / "synth-snapshot.txt").write_text(f"{name}\n")
    [_, second] = steps()
    given = {
        "PREFECT_SYNTH_DATABASE": postgres_database.replace("://", "+psycopg://"),
        "PREFECT_SYNTH_SANDBOX": bucket,
        "AWS_ACCESS_KEY_ID": s3_server.read_only.key,
        "AWS_SECRET_ACCESS_KEY": s3_server.read_only.secret,
    }
    assert second["env"].keys() - given == {"PREFECT_SYNTH_CACHE"}
    endpoint = {"PREFECT_SYNTH_ENDPOINT_URL": s3_server.endpoint_url}
    done = bash(second["run"], example, **{**second["env"], **given, **endpoint})
    assert done.returncode == 0, done.stdout
    assert f"synth: shop {name} (pinned by synth-snapshot.txt), postgresql" in done.stdout
    assert list((example / ".synth-cache").rglob("*.parquet"))  # what the CI file caches


def publish(store: Any) -> str:
    """Publish the rows of the extract as a snapshot of a bucket."""
    small = snapshots(EXAMPLE / "tests" / "data").latest()
    facts = {"project": "shop", "metadata": small.metadata.to_dict()}
    files = {table: small.files(table)[0] for table in small.tables}
    return str(store.publish("run-1", files, facts).snapshot_id)


def test_the_committed_extract_is_whole_and_synthetic() -> None:
    """As its manifest says, made of a synthetic snapshot of which no table was copied."""
    small = snapshots(EXAMPLE / "tests" / "data").latest()
    assert small.verify() == []
    assert small.manifest["kept"] == []
    assert small.manifest["extract"]["rows"] == 200
    told = {table: small.schema(table).metadata for table in small.tables}
    assert {facts[b"prefect_synth.synthetic"] for facts in told.values()} == {b"true"}


def test_the_ci_file_is_one_that_github_understands() -> None:
    """By the schema of GitHub's workflows, as the package check-jsonschema ships it."""
    check("vendor.github-workflows", EXAMPLE / WORKFLOW)


def check(schema: str, file: Path) -> None:
    """Validate a file by a published schema, without a network."""
    command = [sys.executable, "-m", "check_jsonschema", "--output-format", "json"]
    done = subprocess.run(
        [*command, "--builtin-schema", schema, file], capture_output=True, text=True, check=False
    )
    assert json.loads(done.stdout)["status"] == "ok", done.stdout
