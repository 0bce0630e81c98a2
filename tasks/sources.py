"""What a snapshot was made from, and whether tonight's sources are the same."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from prefect_synth.tasks.folders import write_atomically

FILE = "sources.json"
ROWS = "the rows of "
"""What fingerprints of rows are called, before the table's name."""


class Sources(BaseModel):
    """Fingerprints of all that a snapshot and the verdict on it depend on; private staging only.

    Args:
        run_id: The run that read them.
        depends_on: Fingerprints by what they are of, in the words that follow "changed:".
        rows: Rows of each table that was pulled.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    depends_on: dict[str, str]
    rows: dict[str, int] = {}

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that were pulled."""
        return tuple(self.rows)

    def of_rows(self) -> dict[str, str]:
        """Fingerprints of the pulled rows, by table."""
        return {t: self.depends_on[ROWS + t] for t in self.rows if ROWS + t in self.depends_on}

    def changed_since(self, before: Sources) -> tuple[str, ...]:
        """What is not as it was, in words; nothing where all is the same.

        Args:
            before: What was read then.
        """
        then, now = before.depends_on, self.depends_on
        return tuple(name for name in {**then, **now} if then.get(name) != now.get(name))

    def save(self, folder: Path) -> None:
        """Write them into a folder, whole or not at all."""
        write_atomically(folder / FILE, self.model_dump_json(indent=1))


def read_sources(folder: Path) -> Sources | None:
    """What `save` wrote; None where there is nothing, or it was written by another version."""
    try:
        return Sources.model_validate_json((folder / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return None
