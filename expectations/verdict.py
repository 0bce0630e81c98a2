"""What the judgement found: checks, and the verdict they make.

Verdicts leave private staging, so they hold aggregates only: counts, shares and scores, never a
value of the real data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

CheckKind = Literal["structure", "fidelity", "privacy", "expectation"]
CheckStatus = Literal["passed", "failed", "crashed", "warned"]

BLOCKING: frozenset[CheckStatus] = frozenset({"failed", "crashed"})
"""Statuses that keep a snapshot from being published."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Args:
        name: What was looked at, in plain words, such as `foreign key`.
        table: The table, or None where the whole snapshot is meant.
        column: The column or columns, or None where the whole table is meant.
        kind: Which promise the check belongs to.
        observed: What was found, an aggregate.
        required: What was asked for, in words.
        status: `crashed` means that the check itself broke and says nothing about the data;
            `warned` does not block.
        detail: What a reader should know besides, such as that a sample was judged.
    """

    name: str
    table: str | None
    column: str | None
    kind: CheckKind
    observed: float | int | str | bool | None
    required: str
    status: CheckStatus
    detail: str = ""

    @property
    def place(self) -> str:
        """`orders.customer_id`, `orders`, or `snapshot`."""
        return ".".join(part for part in (self.table, self.column) if part) or "snapshot"

    @property
    def found(self) -> str:
        """The observed value as people read it."""
        if isinstance(self.observed, float):
            return f"{self.observed:.3f}" if abs(self.observed) >= 0.001 else f"{self.observed:.2g}"
        if isinstance(self.observed, int) and not isinstance(self.observed, bool):
            return f"{self.observed:,}"
        return "-" if self.observed is None else str(self.observed)

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.place}: {self.name} {self.status}: {self.found}, {self.required}{detail}"


@dataclass(frozen=True)
class Verdict:
    """All checks of a table or of a snapshot.

    Args:
        checks: The checks in the order in which they ran.
    """

    checks: tuple[Check, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether nothing failed and nothing crashed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that keep the snapshot from being published."""
        return tuple(c for c in self.checks if c.status in BLOCKING)

    @property
    def warnings(self) -> tuple[Check, ...]:
        """The checks that a reader should know of and that do not block."""
        return tuple(c for c in self.checks if c.status == "warned")

    def merge(self, *others: Verdict) -> Verdict:
        """One verdict of the checks of all."""
        return Verdict(tuple(c for verdict in (self, *others) for c in verdict.checks))

    def of(self, table: str | None) -> Verdict:
        """The checks of one table, or of the snapshot as a whole."""
        return Verdict(tuple(c for c in self.checks if c.table == table))

    def to_dict(self) -> dict[str, Any]:
        """The verdict as plain JSON values; `from_dict` reads it back."""
        return {"passed": self.passed, "checks": [dict(vars(c)) for c in self.checks]}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Verdict:
        """Read what `to_dict` wrote."""
        return cls(tuple(Check(**c) for c in document["checks"]))


def merge_verdicts(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict of many."""
    return Verdict().merge(*verdicts)
