"""The compose file and the Dockerfile, as far as they can be tested without docker."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from shops import publish_shop
from typer.testing import CliRunner

from prefect_synth.flows.cli import app
from prefect_synth.tasks.snapshots.reading import snapshots
from prefect_synth.tasks.snapshots.store import open_store

REPO = Path(__file__).parents[1]
DEPLOYMENTS = REPO / "deployments"


def compose() -> dict[str, Any]:
    """The compose file."""
    return dict(yaml.safe_load((DEPLOYMENTS / "compose.yaml").read_text()))


def by_default(text: str) -> str:
    """A text with the defaults of its variables, as compose puts them in."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def test_the_compose_file_keeps_the_specification() -> None:
    """By the JSON schema of the Compose Specification, as the package check-jsonschema ships it."""
    command = [sys.executable, "-m", "check_jsonschema", "--output-format", "json"]
    schema = ["--builtin-schema", "vendor.compose-spec", str(DEPLOYMENTS / "compose.yaml")]
    done = subprocess.run([*command, *schema], capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["status"] == "ok", done.stdout


def test_its_command_feeds_the_database(postgres_database: str) -> None:
    """The very command, with the folder and the server that compose would put in its places."""
    services = compose()["services"]
    feed, database = services["feed"], services["database"]["environment"]
    mounts = dict(volume.split(":")[:2][::-1] for volume in feed["volumes"])
    extract = (DEPLOYMENTS / mounts["/sandbox"]).resolve()
    user, password, name = (database[f"POSTGRES_{key}"] for key in ("USER", "PASSWORD", "DB"))
    places = {
        "/sandbox": str(extract),
        f"postgresql://{user}:{password}@database:5432/{name}": postgres_database,
    }
    words = [by_default(word) for word in feed["command"]]
    assert set(places) <= set(words)
    done = CliRunner().invoke(app, [places.get(word, word) for word in words])
    assert done.exit_code == 0, done.output
    small = snapshots(extract).latest()
    with psycopg.connect(postgres_database) as connection:
        for table in small.tables:
            count = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()
            assert count == (small.manifest["tables"][table]["rows"],)


def test_the_image_is_built_of_files_that_are_there() -> None:
    """Every file that is copied exists, and the packages are all that a wheel is built of."""
    lines = (DEPLOYMENTS / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY")]
    files = {name for names in copied for name in names}
    assert all((REPO / name).exists() for name in files)
    rooms = {path.parent.name for path in REPO.glob("*/__init__.py") if path.parent.name != "tests"}
    needed = {"__init__.py", "py.typed", "pyproject.toml", "README.md", "LICENSE"}
    assert files == rooms | needed | {"constraints.txt"}


def test_the_images_entry_point_is_the_command() -> None:
    """Compose's `command` is what follows it."""
    text = (DEPLOYMENTS / "Dockerfile").read_text()
    [entry] = re.findall(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)
    assert json.loads(entry) == ["prefect-synth-entrypoint"]  # test_work_pools.py tries it
    feed = compose()["services"]["feed"]
    assert (DEPLOYMENTS / feed["build"]["context"]).resolve() == REPO
    assert (REPO / feed["build"]["dockerfile"]).is_file()
    assert "PREFECT_SYNTH_CACHE=/cache" in text
    assert "cache:/cache" in feed["volumes"]


def test_the_keys_and_the_server_of_a_bucket_come_from_the_environment(
    postgres_database: str, s3_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compose hands on what the AWS tools read; nothing of it stands in a command."""
    feed = compose()["services"]["feed"]
    bucket = f"s3://{s3_server.fresh_bucket()}/shop"
    publish_shop(open_store(bucket, **s3_server.storage_options), tmp_path)
    given = {
        "AWS_ACCESS_KEY_ID": s3_server.read_only.key,
        "AWS_SECRET_ACCESS_KEY": s3_server.read_only.secret,
        "AWS_ENDPOINT_URL": s3_server.endpoint_url,
    }
    assert set(given) <= set(feed["environment"])
    for name, value in {**given, "PREFECT_SYNTH_CACHE": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    places = {"/sandbox": bucket, "database": postgres_database}
    words = [by_default(word) for word in feed["command"]]
    words = [places["database"] if "://" in word else places.get(word, word) for word in words]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    with psycopg.connect(postgres_database) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (180,)
