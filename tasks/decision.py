"""Whether a refresh trains models or draws with those of the last snapshot, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from prefect_synth.tasks.folders import write_atomically

FILE = "decision.json"

Wish = Literal["moved", "changed", "reuse", "train"]
"""`moved`: train where the rows moved; `changed`: every part whose fingerprint changed; `reuse`:
draw with the last models whatever moved; `train`: train again all that changed."""


class Decision(BaseModel):
    """What was decided of a run, once; an interrupted run goes on by it.

    Args:
        wish: By what it was decided.
        reuse: Whether the models of the last snapshot are drawn with.
        reason: Why, in the words that follow "because".
        tables: By table, in what its rows are others than those that its model learned from.
        refused: Whether models are trained because a gate refused what reused ones drew.
    """

    model_config = ConfigDict(frozen=True)

    wish: Wish
    reuse: bool
    reason: str
    tables: dict[str, tuple[str, ...]] = {}
    refused: bool = False

    def save(self, folder: Path) -> None:
        """Write it into a folder, whole or not at all."""
        write_atomically(folder / FILE, self.model_dump_json(indent=1))


def read_decision(folder: Path, wish: Wish) -> Decision | None:
    """What was decided by the same wish before the run was interrupted; None if nothing was."""
    try:
        found = Decision.model_validate_json((folder / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return None
    return found if found.wish == wish else None
