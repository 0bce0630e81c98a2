"""What a refresh came to: small, printable, without a real value."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class TableOutcome(BaseModel):
    """One table of a refresh.

    Args:
        real: Rows in the warehouse's snapshot.
        synthetic: Rows sampled.
        quality: Score of the table, where it has one.
        passed: Checks that passed.
        failed: Checks that failed or crashed.
        notes: Checks that a reader should know of and that do not block.
        kept: Whether the real rows are published as they are.
        model: The model of its rows; `copy` where the real rows are published.
        reason: Why it got that one.
        rules: The rules in force; of one with a constant only the columns that it binds.
        named_rows: Rows with a style of their own, of a reference table.
        train_seconds: Time on the clock that its training took, when it was trained.
        moved: In what its rows are others than those that the last model learned from, as far as
            that was asked.
        alarms: What went wrong in training, in sentences.
    """

    model_config = ConfigDict(frozen=True)

    real: int
    synthetic: int
    quality: float | None
    passed: int
    failed: int
    notes: int
    kept: bool
    model: str
    reason: str
    rules: tuple[str, ...]
    named_rows: int
    train_seconds: float
    moved: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()


class Outcome(BaseModel):
    """A refresh that came to its end.

    Args:
        project: The project's name.
        run_id: The run.
        published: Whether a snapshot was published; otherwise a gate refused it, or none was due.
        unchanged: Whether none was due, because it would have been the one that readers see.
        snapshot_id: The published snapshot, or the one that stays.
        url: Where it is.
        generation: Generation of `latest.json` that names it.
        report: The HTML report on this machine; None where it is gone.
        tables: Each table.
        balanced: Rows of each balanced table.
        scores: Overall quality and its parts.
        failures: A sentence for each check that refused the snapshot.
        resumed: Whether the run went on with the rows of an interrupted one.
        reused: The run that trained the models, where this one drew with those of an earlier run.
        why: Why models were trained, or reused, in the words that follow "because".
        seconds: Time of each step.
        troubles: A sentence for each thing that failed after the snapshot was published.
        held: By table, new columns that are published as NULL until they are accepted.
        quarantine: Folder in private staging where the refused tables are kept for inspection.
    """

    model_config = ConfigDict(frozen=True)

    project: str
    run_id: str
    published: bool
    unchanged: bool = False
    snapshot_id: str | None = None
    url: str | None = None
    generation: int | None = None
    report: Path | None
    tables: dict[str, TableOutcome]
    balanced: dict[str, int] = {}
    scores: dict[str, float]
    failures: tuple[str, ...]
    resumed: bool
    reused: str | None = None
    why: str = ""
    seconds: dict[str, float]
    troubles: tuple[str, ...] = ()
    quarantine: Path | None = None
    held: dict[str, tuple[str, ...]] = {}

    @property
    def size(self) -> str:
        """`8 tables, 191,168 rows`, balanced tables among them."""
        rows = [*(table.synthetic for table in self.tables.values()), *self.balanced.values()]
        return f"{len(rows)} tables, {sum(rows):,} rows"

    @property
    def message(self) -> str:
        """One sentence for Prefect's final state."""
        if self.published:
            return f"Snapshot {self.snapshot_id}: {self.size}, at {self.url}"
        if self.unchanged:
            return (
                f"Nothing changed since snapshot {self.snapshot_id}, which stays: rows, schema, "
                "settings and checks are the same"
            )
        return (
            "Nothing was published, readers see what they saw before. Failed checks: "
            f"{len(self.failures)}, the first: {self.failures[0]}"
        )
