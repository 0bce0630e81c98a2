"""What the next refresh would do: small, printable, without a real value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from prefect_synth.tasks.drift.changes import Drift

Known = Literal["yes", "no", "unknown"]
Ends = Literal["Published", "Unchanged", "Unchanged or Published", "Blocked"]
Fate = Literal["trained", "perhaps trained", "known", "reused", "copied"]
"""`known`: nothing that its part depends on changed; `reused`: drawn with the last model whatever
changed; `perhaps trained`: that hangs on what related tables turn out to be, or on unread rows."""


@dataclass(frozen=True)
class TablePlan:
    """What would become of one table.

    Args:
        rows: Rows that would be pulled, about.
        rows_before: Rows that the last published snapshot was made from; None if there is none.
        columns: Columns that would be pulled.
        changed: Whether a row of it is another one than at the last published snapshot.
        moved: In what its rows are others than those that its model learned from, as far as known.
        fate: What would become of its model.
        why: Why.
    """

    rows: int
    rows_before: int | None
    columns: int
    changed: Known
    moved: tuple[str, ...]
    fate: Fate
    why: str


@dataclass(frozen=True)
class Prediction:
    """What a refresh would do now.

    Args:
        ends: How it would end, if no gate refuses.
        why: Why.
        drift: What moved in the warehouse, and what comes of it.
        tables: Each table that would be pulled.
        notes: What else is worth knowing beforehand.
    """

    ends: Ends
    why: str
    drift: Drift
    tables: dict[str, TablePlan] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def with_fate(self, *fates: Fate) -> tuple[str, ...]:
        """The tables of which something would become."""
        return tuple(name for name, table in self.tables.items() if table.fate in fates)
