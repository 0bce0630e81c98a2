"""Rows that somebody looks at: gone at the end, and soon after where the process was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from prefect_synth.tasks.looks import FOLDER, forget_looks, rows_for_a_look
from prefect_synth.tasks.purge import purge_parts, purge_subject
from prefect_synth.tasks.staging import Staging

LOOKING = """
import os, signal, sys
from pathlib import Path
from prefect_synth.tasks.looks import rows_for_a_look
with rows_for_a_look(Path(sys.argv[1])) as folder:
    (folder / "0.parquet").write_text("real rows")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    """Private staging in which a process was killed while it looked at rows."""
    staging = Staging(tmp_path / "staging")
    subprocess.run([sys.executable, "-c", LOOKING, str(staging.root)], check=False, timeout=60)
    assert [file.name for file in rows(staging)] == ["0.parquet"]
    return staging


def rows(staging: Staging) -> list[Path]:
    """The files that somebody looks at, or looked at."""
    return sorted(staging.root.glob(f"{FOLDER}/*/*.parquet"))


def test_nothing_is_left_of_a_look(tmp_path: Path) -> None:
    """Neither at the end nor after an error."""
    staging = Staging(tmp_path / "staging")

    def look() -> None:
        with rows_for_a_look(staging.root) as folder:
            (folder / "0.parquet").write_text("real rows")
            assert (folder.stat().st_mode & 0o777, len(rows(staging))) == (0o700, 1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        look()
    assert rows(staging) == []


def test_the_next_look_deletes_what_a_killed_one_left(staging: Staging) -> None:
    """But not what a living one is at, be it of the same process."""
    with rows_for_a_look(staging.root) as first:
        (first / "1.parquet").write_text("real rows")
        with rows_for_a_look(staging.root):
            forget_looks(staging.root)
            assert [file.name for file in rows(staging)] == ["1.parquet"]


def test_the_next_refresh_does(staging: Staging) -> None:
    """At its end, with what else is deleted by policy."""
    staging.clean(1)
    assert rows(staging) == []


def test_purges_do(staging: Staging) -> None:
    """Whole ones, and those of a subject: it may have been among the rows."""
    purge_parts(staging, ["runs"])
    assert not (staging.root / FOLDER).exists()
    subprocess.run([sys.executable, "-c", LOOKING, str(staging.root)], check=False, timeout=60)
    purge_subject(staging, "customers", ("7",))
    assert not (staging.root / FOLDER).exists()
