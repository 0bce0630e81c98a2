"""Rows that are appended to a sample: which of the old and the new parents they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prefect_synth.synth.encoding.layout import Floats
from prefect_synth.synth.hierarchy.part import TablePart

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.sample import Sample

NEW_SHARE = 0.8
"""Of the rows that are appended, so many at most have a new parent that is not their primary one.

If all had one, new customers would buy new products only.
"""
CROWDED = 2.0
"""New parents are few where their families would be so many times as large as the old ones."""


def for_growth(
    wanted: Floats,
    new: np.ndarray,
    old: np.ndarray,
    most: float,
    total: int,
    rng: np.random.Generator,
) -> Floats:
    """How many of the appended rows each parent should have.

    New parents come first, each with the children that it was drawn with; what is left goes to the
    old ones in proportion to theirs. So a few new parents never get all the new rows.

    Args:
        wanted: Children that each parent row was drawn with, [parents].
        new: Parents that are appended too and can have children, [parents] bool.
        old: The other ones that can have children, [parents] bool.
        most: Rows that the new parents may have together.
        total: Rows that are appended.
        rng: Rounds.
    """
    theirs, ours = wanted[new].sum(), wanted[old].sum()
    given = min(theirs, most if ours > 0 else total)
    dealt = np.zeros(len(wanted))
    if theirs > 0:
        dealt[new] = wanted[new] * (given / theirs)
    if ours > 0:
        dealt[old] = wanted[old] * ((total - given) / ours)
    return np.asarray(np.floor(dealt + rng.random(len(dealt))))


def is_ordered(part: TablePart) -> bool:
    """Whether a family's rows stand in an order: none can be put behind the last one later."""
    return part.rules.increasing is not None or part.sequence is not None


def is_closed(parent: TablePart, part: TablePart, relation: str) -> bool:
    """Whether old parents should get no further children through a relation.

    Their children stand in an order, or a column of theirs sums the children up and would change.
    """
    if relation == part.plan.primary and is_ordered(part):
        return True
    return any(o.of_children and o.relation == relation for o in parent.rules.outside)


def is_crowded(drawn: Sample, table: str, parent: str) -> bool:
    """Whether a table grows so much more than its parent that new families would be too large."""
    child, above = (_growth(drawn, name) for name in (table, parent))
    return child > CROWDED * above


def _growth(drawn: Sample, table: str) -> float:
    """Rows that this stage plans, for each that there was."""
    last = drawn.cohorts.tables.get(table, ())[-1:]
    rows = last[0].stop if last else drawn.rows[table]
    first = drawn.fresh.get(table, rows)
    return (rows - first) / max(first, 1)
