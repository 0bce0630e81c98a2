"""Whose values a personal column has: kept as a way, never as values."""

from __future__ import annotations

from dataclasses import dataclass

from prefect_synth.synth.storage import stored


@stored
@dataclass(frozen=True)
class Shared:
    """Whose values the values of a personal column are.

    Args:
        table: The table that owns them.
        column: Its column.
        path: Relations from the column's table up to the owner's; the same row where it is empty
            and `pick` is too.
        share: Share of the rows that have the owner's value.
        pick: Where there is no path: the column by which a row of the owner is chosen; columns
            of the same pick tell of the same person.
    """

    table: str
    column: str
    path: tuple[str, ...]
    share: float
    pick: str = ""
