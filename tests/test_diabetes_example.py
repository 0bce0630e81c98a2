"""The example of a GAN for each class: its commands run, and its check refuses what is wrong."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

REPO = Path(__file__).parents[1]
EXAMPLE = REPO / "examples" / "diabetes"
TRUTHS = ("HighBP", "HighChol", "Smoker", "Stroke", "Sex")


def people(rows: int, seed: int = 0) -> pa.Table:
    """Whole numbers as in the survey: one in four is diabetic, and has more bad days."""
    rng = np.random.default_rng(seed)
    diabetic = np.arange(rows) % 4 == 0
    columns = {"Diabetes_binary": diabetic}
    columns |= {name: rng.random(rows) < 0.3 + 0.2 * diabetic for name in TRUTHS}
    columns |= {"BMI": np.clip(rng.normal(28 + 4 * diabetic, 6), 12, 98)}
    bad = rng.random((2, rows)) < 0.3 + 0.2 * diabetic
    days = np.where(bad, rng.choice([1, 2, 5, 10, 15, 30], (2, rows)), 0)
    columns |= {"MentHlth": days[0], "PhysHlth": days[1]}
    return pa.table({name: np.asarray(values, np.int16) for name, values in columns.items()})


def command(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the command of the README on the files of a folder, with this environment's Python."""
    [line] = re.findall(
        r"^\S+python (synthesize.py .+)$", (EXAMPLE / "README.md").read_text(), re.M
    )
    script, *files = shlex.split(line)
    words = [str(EXAMPLE / script), *(str(folder / file) for file in files), *more]
    environment = {**os.environ, "PYTHONPATH": str(REPO / ".typing"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=environment, check=False
    )


def test_the_example_makes_the_rows_of_both_classes(tmp_path: Path) -> None:
    """As many of each as asked for, in columns of the real table's types."""
    pq.write_table(people(3000), tmp_path / "diabetes.parquet")
    done = command(tmp_path, "--diabetic", "4000", "--others", "2000", "--epochs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    made = pq.read_table(tmp_path / "synthetic.parquet")
    assert made.schema == people(1).schema
    assert np.bincount(np.asarray(made["Diabetes_binary"])).tolist() == [2000, 4000]
    assert "Diabetes_binary = 1: 4,000 of 750 rows" in done.stdout


@pytest.fixture(scope="module")
def check() -> Any:
    """The check that the script makes at its end."""
    return runpy.run_path(str(EXAMPLE / "synthesize.py"))["check"]


def test_other_real_rows_pass(check: Any) -> None:
    """People of the same kind have nothing wrong with them."""
    assert check(people(20_000), people(20_000, seed=1)) == []


@pytest.mark.parametrize("days", [-1, 31])
def test_one_impossible_day_is_told(check: Any, days: int) -> None:
    """A single row is enough."""
    real = people(4000)
    found = np.asarray(real["PhysHlth"]).copy()
    found[3] = days
    sentence = "PhysHlth where Diabetes_binary = 0: there are days below 0 or above 30."
    assert check(real, with_days(real, found)) == [sentence]


def test_zeros_that_are_too_many_are_told(check: Any) -> None:
    """By more than two points in one class, though by less in all."""
    real = people(4000)
    found = np.asarray(real["PhysHlth"]).copy()
    found[np.flatnonzero((np.asarray(real["Diabetes_binary"]) == 1) & (found > 0))[:40]] = 0
    [told] = check(real, with_days(real, found))
    assert told.startswith("PhysHlth where Diabetes_binary = 1: the share of zeros is ")


def with_days(table: pa.Table, days: np.ndarray) -> pa.Table:
    """The table with other days of bad physical health."""
    return table.set_column(table.column_names.index("PhysHlth"), "PhysHlth", pa.array(days))


def test_a_class_without_rows_is_told(check: Any) -> None:
    """And not passed over."""
    real = people(400)
    healthy = real.filter(np.asarray(real["Diabetes_binary"]) == 0)
    assert check(real, healthy)[0] == "MentHlth where Diabetes_binary = 1: there are no rows."
