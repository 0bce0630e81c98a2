"""The documents: what they show can be used, and nothing is left out."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from prefect_synth.flows.cli import app
from prefect_synth.flows.cli_snapshots import snapshots
from prefect_synth.flows.project import Project, load_project
from prefect_synth.flows.project_schema import project_schema

DOCS = Path(__file__).parents[2] / "docs"
SECRETS = {"SHOP_PASSWORD": "a", "SANDBOX_KEY": "b", "SANDBOX_SECRET": "c", "TEST_PASSWORD": "d"}


def example() -> str:
    """The project file that the document shows."""
    text = (DOCS / "project-file.md").read_text()
    [block] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    return str(block)


def test_the_shown_project_file_can_be_loaded(tmp_path: Path) -> None:
    """Every key in it works."""
    (tmp_path / "synth.yaml").write_text(example())
    project = load_project(tmp_path, SECRETS)
    assert (project.copied(), len(project.relationships())) == (("public.countries",), 4)


def test_the_shown_project_file_names_every_key() -> None:
    """No key has to be found out from the code."""
    parts = [project_schema(), *project_schema()["$defs"].values()]
    forms = [form for part in parts for form in part.get("anyOf", [part])]  # a number, or keys
    keys = {key for form in forms for key in form.get("properties", ())}
    shown = set(re.findall(r"([a-z_0-9]+):", example()))
    assert keys - shown - {"fraction"} == set()
    assert Project.model_fields.keys() <= shown


def test_every_command_is_documented() -> None:
    """Each command has a line in the document, and help."""
    text = (DOCS / "running.md").read_text()
    for command in app.registered_commands:
        name = command.callback.__name__ if command.callback else ""
        assert f"prefect-synth {name}" in text
        assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0
    for command in snapshots.registered_commands:
        assert f"snapshots {command.name}" in text
