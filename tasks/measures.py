"""What refreshes took, kept in private staging: `plan` tells from it what the next one takes."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from prefect_synth.tasks.folders import write_atomically

FILE = "measures.json"
_KEPT = 20


class Measure(BaseModel):
    """What one refresh took.

    Args:
        run_id: The run.
        rows: Rows pulled, by table.
        seconds: Time on the clock of each step.
        memory_mb: The largest memory of the flow's process in each step.
        before_mb: Its memory before the first one.
        trained: Seconds of each table that was trained, side by side with others.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    rows: dict[str, int]
    seconds: dict[str, float]
    memory_mb: dict[str, float] = {}
    before_mb: float = 0.0
    trained: dict[str, float] = {}

    @property
    def all_rows(self) -> int:
        """Rows of all tables."""
        return sum(self.rows.values())


class Measures(BaseModel):
    """What the last refreshes took, the oldest first."""

    model_config = ConfigDict(frozen=True)

    refreshes: tuple[Measure, ...] = ()

    def of_step(self, step: str) -> Measure | None:
        """The last refresh that had a step; of training, the one that trained most of late."""
        found = [m for m in self.refreshes if step in m.seconds and (step != "train" or m.trained)]
        return found[-1] if found else None

    def of_table(self, table: str) -> Measure | None:
        """The last refresh that trained a table."""
        found = [m for m in self.refreshes if table in m.trained]
        return found[-1] if found else None


def read_measures(folder: Path) -> Measures:
    """What was noted; nothing where there is nothing, or another version wrote it."""
    try:
        return Measures.model_validate_json((folder / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return Measures()


def note_measure(folder: Path, measure: Measure) -> None:
    """Add what a refresh took; the oldest ones are forgotten.

    Args:
        folder: Private staging.
        measure: What it took.
    """
    kept = (*read_measures(folder).refreshes, measure)[-_KEPT:]
    write_atomically(folder / FILE, Measures(refreshes=kept).model_dump_json(indent=1))


def scaled(seconds: float, then: int, now: int) -> float:
    """Seconds of as many rows as there are now, if they grow in a straight line."""
    return seconds * (now / then if then else 1.0)
