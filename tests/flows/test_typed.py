"""Commands that people are told to type next."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from prefect_synth.flows.commands.typed import program, typed


def test_a_program_is_named_by_its_path_where_the_shell_would_not_find_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is shown can be run although the environment is not active."""
    monkeypatch.setenv("PATH", str(tmp_path))
    shown = program("python")
    assert os.sep in shown
    assert subprocess.run([shown, "-c", ""], check=True).returncode == 0


def test_a_program_on_the_path_is_named_shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    """In an active environment the name is enough; a project elsewhere is given."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert typed("snapshots ls", Path("demo")) == "prefect-synth snapshots ls --project demo"
