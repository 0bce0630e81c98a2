"""The base job templates and the image for Docker and Kubernetes work pools."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

REPO = Path(__file__).parents[1]
KINDS = ("docker", "kubernetes")


def template(kind: str) -> dict[str, Any]:
    """A template of ours."""
    return json.loads((REPO / f"deployments/{kind}-job-template.json").read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_the_defaults_of_a_template_are_valid(kind: str) -> None:
    """A job without variables of its own is one that the template's schema accepts."""
    schema = template(kind)["variables"]
    jsonschema.Draft202012Validator.check_schema(schema)
    values = {n: p["default"] for n, p in schema["properties"].items() if "default" in p}
    jsonschema.Draft202012Validator(schema).validate(values)


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_mounts_staging_and_the_project(kind: str) -> None:
    """Both are where the documents say."""
    text = json.dumps(template(kind))
    assert "/srv/prefect-synth" in text
    assert "/etc/prefect-synth" in text


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["prefect", "flow-run", "execute"], "prefect flow-run execute"),
        (["feed", "--to", "x"], "prefect-synth feed --to x"),
        ([], "prefect-synth"),
    ],
)
def test_the_image_starts_runs_and_commands(
    typed: list[str], expected: str, tmp_path: Path
) -> None:
    """A worker's command is started as it is, and any other is one of ours."""
    for name in ("prefect", "prefect-synth"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} $*" | sed "s/ $//"\n')
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["sh", str(REPO / "deployments/entrypoint.sh"), *typed],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == expected
