"""Rows of a sample that were planned together: its base, and what was appended to it later.

A sample can be planned in stages. The first stage draws the *base*; each later one appends rows
to it, with streams of their own, and leaves the rows before them as they are. So each row must
know what there was when it was planned: how many rows its parents' tables had, and where the
blocks of its own cohort begin.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.storage import stored


@stored
@dataclass(frozen=True)
class Cohort:
    """Rows of a table that were planned together.

    Args:
        label: Names the streams of their draws; 0 is the base.
        stop: End of the rows; the first one follows the cohort before.
        stage: When they were planned.
    """

    label: int
    stop: int
    stage: int


@dataclass(frozen=True)
class Block:
    """Rows of one cohort that are drawn together.

    Args:
        name: Names the streams of their draws.
        low: First row of the cohort.
        start: First row of the block.
        stop: End of the block.
        high: End of the cohort.
    """

    name: str
    low: int
    start: int
    stop: int
    high: int


NOTHING = Block("0", 0, 0, 0, 0)
"""The block of a table without rows."""


@stored
@dataclass
class Cohorts:
    """The cohorts of all tables.

    Args:
        tables: Cohorts by table, in the order of their rows; a table that is not named has one.
        history: Rows of all tables at the end of each stage that is over.
    """

    tables: dict[str, tuple[Cohort, ...]] = field(default_factory=dict)
    history: tuple[dict[str, int], ...] = ()

    @property
    def stage(self) -> int:
        """The stage that is being planned."""
        return len(self.history)

    def begin(self, table: str, stop: int, *, anew: bool) -> None:
        """Add the rows of a table that this stage plans.

        Args:
            table: The table.
            stop: End of its rows.
            anew: Whether they take the place of all rows that there were.
        """
        before = () if anew else self.tables.get(table, ())
        self.tables[table] = (*before, Cohort(self.stage if before else 0, stop, self.stage))

    def base(self, table: str, rows: int) -> int:
        """Rows of a table's first cohort, of `rows` where it has one."""
        cohorts = self.tables.get(table, ())
        return cohorts[0].stop if cohorts else rows

    def words(self, table: str) -> tuple[str, ...]:
        """What the streams of a table's newest cohort are named by, beside their purpose."""
        label = self.tables[table][-1].label if table in self.tables else 0
        return ("growth", str(label)) if label else ()

    def blocks(self, table: str, rows: int, size: int) -> Iterator[Block]:
        """The blocks of a table: each cohort has its own, the last of which may be short.

        Args:
            table: The table.
            rows: Its rows, where it has one cohort.
            size: Rows of a block.
        """
        low = 0
        for cohort in self.tables.get(table, (Cohort(0, rows, 0),)):
            for number, start in enumerate(range(low, cohort.stop, size)):
                name = f"growth {cohort.label}, {number}" if cohort.label else str(number)
                yield Block(name, low, start, min(start + size, cohort.stop), cohort.stop)
            low = cohort.stop

    def parents(self, table: str, rows: Ints, parent: str, now: int) -> Ints:
        """How many rows a parent had when each of some rows was planned, [n].

        Args:
            table: The rows' table.
            rows: Their numbers.
            parent: The parent's table.
            now: Rows that the parent has.
        """
        cohorts = self.tables.get(table, ())
        if not self.history or not cohorts:
            return np.full(len(rows), now, np.int64)
        had = [
            self.history[c.stage].get(parent, now) if c.stage < self.stage else now for c in cohorts
        ]
        at = np.searchsorted([c.stop for c in cohorts], rows, side="right")
        return np.asarray(had)[np.minimum(at, len(had) - 1)]
