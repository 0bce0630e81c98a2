"""Where data sets, peers and the independent scorer lie, and how commands are run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("PREFECT_SYNTH_SHARED") or REPO.parent / "shared")
PEERS = Path(os.environ.get("PEERS") or Path.home() / ".cache" / "peers")
BENCH = SHARED / "bench"
OUT = PEERS / "out" / "ours"
RECORDS = PEERS / "out" / "acceptance.jsonl"
SCORER = PEERS / "sdv" / "bin" / "python"


def half(data: str, side: str = "A") -> Path:
    """The folder of half A, which is trained on, or half B, which is held out."""
    return PEERS / "data" / f"{data}_{side}"


def one_thread() -> dict[str, str]:
    """The environment in which every tool uses one thread."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(names, "1"), "PYTHONHASHSEED": "0"}


def run_json(*command: str | Path) -> dict[str, Any]:
    """Run a command on one thread and read the JSON that it prints.

    Raises:
        RuntimeError: It failed; the message ends with what it said.
    """
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, env=one_thread())
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise RuntimeError(f"{' '.join(words[:3])} ended with {done.returncode}:\n{said}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def prefect_synth(*arguments: str | Path) -> dict[str, Any]:
    """Run our command line as a user does."""
    return run_json(Path(sys.executable).parent / "prefect-synth", *arguments, "--json")


def script(name: str, *arguments: str | Path, python: Path | None = None) -> dict[str, Any]:
    """Run a script of this folder in a process of its own."""
    return run_json(python or sys.executable, Path(__file__).with_name(name), *arguments)
