"""The wheel: `prefect_synth`, all of it, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
ROOMS = ("deployments", "expectations", "flows", "synth", "tasks")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources."""
    copy = tmp_path_factory.mktemp("sources")
    for room in ROOMS:
        shutil.copytree(REPO / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("__init__.py", "py.typed", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPO / file, copy / file)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", copy / "out"]
    subprocess.run([*command, copy], check=True, capture_output=True)
    [built] = (copy / "out").glob("*.whl")
    return built


def test_everything_is_in_the_wheel(wheel: Path) -> None:
    """A package or a data file that pyproject.toml forgets would be missing only for users."""
    files = [f for room in ROOMS for f in (REPO / room).rglob("*") if f.is_file()]
    expected = {
        f"prefect_synth/{f.relative_to(REPO).as_posix()}"
        for f in files
        if "__pycache__" not in f.parts
    }
    held = set(zipfile.ZipFile(wheel).namelist())
    assert expected - held == set()
    assert {"prefect_synth/__init__.py", "prefect_synth/py.typed"} <= held


def test_the_wheel_installs_one_package(wheel: Path, tmp_path: Path) -> None:
    """No `flows`, `tasks` or `tests` of ours appears beside other packages."""
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--no-index"]
    subprocess.run([*pip, "--target", tmp_path, wheel], check=True, capture_output=True)
    names = {p.name for p in tmp_path.iterdir() if not p.name.endswith(".dist-info")}
    assert names - {"bin"} == {"prefect_synth"}


def test_pytest_finds_the_plugin(wheel: Path, tmp_path: Path) -> None:
    """Once the package is installed, no `-p` and no conftest.py is needed."""
    place, folder = tmp_path / "installed", tmp_path / "project"
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--no-index"]
    subprocess.run([*pip, "--target", place, wheel], check=True, capture_output=True)
    folder.mkdir()
    (folder / "test_it.py").write_text(
        "def test_it(pytestconfig):\n"
        "    plugin = pytestconfig.pluginmanager.get_plugin('prefect_synth')\n"
        f"    assert plugin.__file__.startswith({str(place)!r})\n"
    )
    environment = {n: v for n, v in os.environ.items() if not n.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error"],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
