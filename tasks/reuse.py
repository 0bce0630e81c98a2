"""The models of the last published snapshot, and whether the next refresh can draw with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from prefect_synth.tasks.folders import write_atomically
from prefect_synth.tasks.references import ExtensionsRef, ModelRef

FILE = "models.json"

_SLACK = 0.01
"""A table that lost at most this share of its rows keeps those that it has."""
_GROWN, _TABLE_GROWN = 0.01, 0.03
"""Appended rows stay for good once they are so many of all rows, or of a table's."""

Scales = dict[str, float]


class Trained(BaseModel):
    """Models that a snapshot was drawn with.

    Args:
        run_id: The run that trained them.
        depends_on: Fingerprints of all that they depend on but the rows, by what it is.
        extensions: What parent rows know of their children.
        models: The parts of the tables.
        rows: Rows staged for training, by table.
        stages: Scales at which they were sampled, the first ones first: what these drew stays.
        since: When they were trained; None where an older version did not note it.
        pulled: Fingerprints of the pulled rows that they were trained from, by table.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    depends_on: dict[str, str]
    extensions: ExtensionsRef
    models: tuple[ModelRef, ...]
    rows: dict[str, int]
    stages: tuple[Scales, ...] = ()
    since: datetime | None = None
    pulled: dict[str, str] = {}

    @property
    def paths(self) -> tuple[Path, ...]:
        """The folders that must be there to draw with them."""
        return (self.extensions.path, *(model.path for model in self.models))

    def obstacle(self, depends_on: Mapping[str, str], rows: Mapping[str, int]) -> str | None:
        """Why a refresh cannot draw with them, in the words that follow "because"; None if it can.

        Args:
            depends_on: The same fingerprints as they are now.
            rows: Rows that models would be trained on now, by table.
        """
        changed = [n for n, now in depends_on.items() if self.depends_on.get(n) != now]
        if changed or self.depends_on.keys() != depends_on.keys():
            return (
                f"{' and '.join(changed) or 'what they depend on'} changed since they were trained"
            )
        if not all(path.is_dir() for path in self.paths):
            return "they are no longer in private staging"
        unseen = [t for t, now in rows.items() if now and not self.extensions.rows.get(t)]
        if unseen:
            return f"there was no row of {', '.join(unseen)} when they were trained"
        return None

    def asked(self, wanted: Mapping[str, float]) -> Scales:
        """Scales to sample at: a table that lost a few rows keeps those that it has.

        Args:
            wanted: Scales of exactly the rows that there are.
        """
        last = self.stages[-1] if self.stages else {}
        found = {}
        for table, scale in wanted.items():
            had = last.get(table, scale)
            found[table] = had if (1 - _SLACK) * had <= scale < had else scale
        return found

    def sampled(self, asked: Scales) -> Trained:
        """The same after a snapshot was drawn at these scales and published.

        What was appended becomes a stage of its own when it is enough, so that it stays from now
        on. Until then the few newest rows are drawn anew every time; that keeps stages few.
        """
        if self.stages and not self._has_grown(asked):
            return self
        return self.model_copy(update={"stages": (*self.stages, asked)})

    def _has_grown(self, asked: Scales) -> bool:
        last = self.stages[-1]
        had, now = (
            {t: round(self.extensions.rows.get(t, 0) * s[t]) for t in asked} for s in (last, asked)
        )
        by_table = any(now[t] < had[t] or now[t] > had[t] * (1 + _TABLE_GROWN) for t in asked)
        return by_table or sum(now.values()) > sum(had.values()) * (1 + _GROWN)

    def save(self, folder: Path) -> None:
        """Write them into a folder, whole or not at all."""
        write_atomically(folder / FILE, self.model_dump_json(indent=1))


def read_trained(folder: Path) -> Trained | None:
    """What `save` wrote; None where there is nothing, or it was written by another version."""
    try:
        return Trained.model_validate_json((folder / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return None
