"""What moved: single changes, each with its policy and what comes of it, and all together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from prefect_synth.tasks.drift.policies import DATA_KINDS, Kind, Policy

__all__ = ["BaselineName", "Change", "Drift", "DriftBlockedError", "Effect", "Kind", "Policy"]

Effect = Literal["blocks", "held", "left out", "waits", "kept", "followed"]
"""What comes of a change: the refresh ends; the column is read as NULL; the column is left out;
the table is not read; what was accepted stays in force; the warehouse is followed."""

BaselineName = Literal["synth.lock", "first refresh", "none"]
"""What the warehouse is compared with."""

_WORDS: dict[Kind, str] = {
    "table_added": "table '{table}' is new",
    "table_dropped": "table '{table}' is gone",
    "table_renamed": "table '{old}' is gone and '{table}' looks like it",
    "column_added": "column '{at}' is new ({new})",
    "column_dropped": "column '{at}' is gone",
    "column_renamed": "column '{table}.{old}' is gone and '{at}' looks like it",
    "columns_reordered": "the columns of '{table}' stand in another order",
    "type_widened": "the type of '{at}' was widened from {old} to {new}",
    "type_narrowed": "the type of '{at}' was narrowed from {old} to {new}",
    "type_changed": "the type of '{at}' changed from {old} to {new}",
    "nullability_changed": "column '{at}' was {old} and is {new}",
    "default_changed": "the default of '{at}' changed",
    "comment_changed": "the comment of '{at}' changed",
    "primary_key_changed": "the primary key of '{table}' was {old} and is {new}",
    "unique_key_changed": "the unique keys of '{table}' changed: {old} before, {new} now",
    "foreign_key_changed": "the foreign keys of '{table}' changed: {old} before, {new} now",
    "enum_value_added": "the enum of '{at}' has new labels ({new})",
    "enum_value_dropped": "the enum of '{at}' lost labels ({old})",
    "category_added": "column '{at}' holds {new} that it did not hold",
    "distribution_moved": "the values of '{at}' moved ({new})",
    "volume_jumped": "table '{table}' had {old} rows and has {new}",
}
_EFFECTS: dict[Effect, str] = {
    "blocks": "nothing is refreshed until somebody decides",
    "held": "it is published as NULL until accepted",
    "left out": "it is left out until accepted",
    "waits": "it is not read until accepted",
    "kept": "what was accepted stays in force",
    "followed": "it is followed",
}


class Change(BaseModel):
    """One thing that moved; no real value in it.

    Args:
        kind: What moved.
        table: The table, by its name of today where it is there.
        column: The column, where one alone is concerned.
        old: How it was, as a short text; None where it is new.
        new: How it is; None where it is gone.
        policy: What the project file says of this kind.
        effect: What comes of it.
        since: When it was first seen, ISO 8601, where that is known.
        needed_by: The setting of the project file that needs what is gone, where one does.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    table: str
    column: str | None = None
    old: str | None = None
    new: str | None = None
    policy: Policy = "evolve"
    effect: Effect = "followed"
    since: str | None = None
    needed_by: str | None = None

    @property
    def place(self) -> str:
        """`table` or `table.column`: what `prefect-synth drift accept` takes."""
        return self.table if self.column is None else f"{self.table}.{self.column}"

    @property
    def what(self) -> str:
        """What moved, as the beginning of a sentence."""
        said = {"table": self.table, "at": self.place, "old": self.old, "new": self.new}
        told = {name: "none" if text is None else text for name, text in said.items()}
        needed = f", and {self.needed_by} needs it" if self.needed_by else ""
        return _WORDS[self.kind].format(**told) + needed

    def __str__(self) -> str:
        return f"{self.what[0].upper()}{self.what[1:]}: {_EFFECTS[self.effect]}."


class Drift(BaseModel):
    """All that moved since somebody last accepted the warehouse.

    Args:
        changes: What moved, by table and column.
        fingerprint: Of the catalogue as it is.
        baseline: What it was compared with: `synth.lock`, the first published refresh, or nothing.
        excluded_columns: By table, the columns that a person left out for good.
        excluded_tables: The tables that a person left out for good.
    """

    model_config = ConfigDict(frozen=True)

    changes: tuple[Change, ...] = ()
    fingerprint: str = ""
    baseline: BaselineName = "none"
    excluded_columns: dict[str, tuple[str, ...]] = {}
    excluded_tables: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that are concerned."""
        return tuple(sorted({change.table for change in self.changes}))

    @property
    def blocked(self) -> tuple[Change, ...]:
        """The changes that end a refresh."""
        return tuple(change for change in self.changes if change.effect == "blocks")

    @property
    def held_columns(self) -> dict[str, tuple[str, ...]]:
        """By table, the columns that are read as NULL."""
        return _by_table(change for change in self.changes if change.effect == "held")

    @property
    def left_out_columns(self) -> dict[str, tuple[str, ...]]:
        """By table, the columns that are left out until they are accepted."""
        return _by_table(change for change in self.changes if change.effect == "left out")

    @property
    def waiting_tables(self) -> tuple[str, ...]:
        """The tables that are not read until they are accepted."""
        return tuple(sorted({c.table for c in self.changes if c.effect == "waits"}))

    @property
    def unread_tables(self) -> tuple[str, ...]:
        """The tables that are not read: they wait, block, or are left out for good."""
        new = {c.table for c in self.blocked if c.kind in ("table_added", "table_renamed")}
        return tuple(sorted({*self.waiting_tables, *self.excluded_tables, *new}))

    def refuse_blocked(self) -> None:
        """End here where a change blocks.

        Raises:
            DriftBlockedError: The message names each change and the remedy.
        """
        if self.blocked:
            raise DriftBlockedError(self.blocked)


class DriftBlockedError(RuntimeError):
    """The warehouse moved in a way that ends a refresh; the last good snapshot stays.

    Args:
        changes: The changes that block.
    """

    def __init__(self, changes: Iterable[Change]) -> None:
        self.changes = changes = tuple(changes)
        said = "; ".join(change.what for change in changes)
        rows = any(change.kind in DATA_KINDS for change in changes)
        data = " --data" if rows else ""
        places = " ".join(dict.fromkeys(change.place for change in changes))
        kinds = ", ".join(dict.fromkeys(change.kind for change in changes))
        super().__init__(
            f"The warehouse drifted, and nothing was {'published' if rows else 'pulled'}: {said}. "
            f"Look at it with `prefect-synth drift{data}`; then accept it with "
            f"`prefect-synth drift accept {places}{data}` and "
            f"commit synth.lock, or choose another policy of on_drift in synth.yaml ({kinds}). "
            "The last good snapshot stays."
        )

    def __reduce__(self) -> tuple[type[DriftBlockedError], tuple[tuple[Change, ...]]]:
        return DriftBlockedError, (self.changes,)


def _by_table(changes: Iterable[Change]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for change in changes:
        if change.column is not None and change.column not in found.setdefault(change.table, []):
            found[change.table].append(change.column)
    return {table: tuple(columns) for table, columns in found.items()}
