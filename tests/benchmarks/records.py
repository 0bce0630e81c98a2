"""Records of runs: one JSON line for each, outside the repository."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from places import RECORDS, REPO


@dataclass(frozen=True)
class Record:
    """What one run found.

    Args:
        row: Name of the row.
        row_model: What drew the rows; `ceiling` for the unseen half.
        seed: Of the run.
        figures: Figure by name.
        load: One-minute load of the machine when it began.
        commit: State of the tree.
        when: Time in UTC.
    """

    row: str
    row_model: str
    seed: int
    figures: Mapping[str, float]
    load: float
    commit: str = ""
    when: str = ""


def append(record: Record) -> None:
    """Add a record, with the tree's state and the time."""
    RECORDS.parent.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    full: dict[str, Any] = asdict(record) | {"commit": state_of_tree(), "when": now}
    with RECORDS.open("a") as file:
        file.write(json.dumps(full) + "\n")


def state_of_tree() -> str:
    """The commit, with a `+` where the library's files differ from it."""
    commit = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "synth", "flows")
    return commit + ("+" if changed else "")


def newest(row: str, row_model: str) -> list[Record]:
    """The newest record of each seed of a row, by seed."""
    if not RECORDS.exists():
        return []
    records = [Record(**json.loads(line)) for line in RECORDS.read_text().splitlines()]
    by_seed = {r.seed: r for r in records if (r.row, r.row_model) == (row, row_model)}
    return [by_seed[seed] for seed in sorted(by_seed)]


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=REPO, capture_output=True, text=True)
    return done.stdout.strip()
