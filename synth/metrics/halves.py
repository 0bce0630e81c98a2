"""Which rows of a table are kin, and halves of a table that keep kin together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.metrics.keys import NO_PARENT
from prefect_synth.synth.metrics.side import Side
from prefect_synth.synth.metrics.sources import Ints

_FEW = 20  # fewer are no families: a table of kinds, such as media types, is shared by all


def kin(table: str, metadata: Metadata, side: Side, above: frozenset[str] = frozenset()) -> Ints:
    """A number for each chosen row, equal for rows of one family.

    Families follow, from table to table, the foreign key with the most parents, as long as there
    are twenty: rows of one ancestor are alike, and a second sample has other ancestors. A row
    without an ancestor is a family of its own.

    Args:
        table: The table.
        metadata: The schema.
        side: The rows chosen.
        above: Tables already followed; a cycle ends there.
    """
    chosen = side.rows[table]
    own = np.arange(side.counts[table] if chosen is None else len(chosen))
    ways = [r for r in metadata.parents(table) if r.parent not in above | {table}]
    links = {r: side.chosen(r) for r in ways}
    many = {r: len(np.unique(p[p != NO_PARENT])) for r, p in links.items()}
    best = max(many, key=lambda r: many[r], default=None)
    if best is None or many[best] < _FEW:
        return own
    parents = links[best]
    families = kin(best.parent, metadata, side, above | {table})[parents]
    found = parents != NO_PARENT
    if len(np.unique(families[found])) < _FEW:
        families = parents
    return np.where(found, families, families.max(initial=0) + 1 + own)


def split(families: Ints, share: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Draw whole families until about a share of the rows is drawn; whether each row is."""
    _, numbered, sizes = np.unique(families, return_inverse=True, return_counts=True)
    order = rng.permutation(len(sizes))
    drawn = np.zeros(len(sizes), dtype=bool)
    middle = np.cumsum(sizes[order]) - sizes[order] / 2
    drawn[order] = middle <= share * len(families)
    return drawn[numbered]
