"""Whose rows they are, and which of them are learned from: at most so many of each unit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.hierarchy.plan import Plan
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.privacy.planning import TableCosts
from prefect_synth.synth.row_hashes import row_hashes


def learned_units(
    metadata: Metadata,
    plan: Plan,
    tables: Mapping[str, pa.Table],
    links: Mapping[str, Ints],
    costs: Mapping[str, TableCosts],
) -> dict[str, Ints]:
    """The unit of each row, and -1 for rows that are left out, by generated table.

    Left out are rows that hang on no parent or on one that is left out, and of a unit with more
    rows than `TableCosts.rows` those whose keys hash highest: a choice that depends on nothing but
    the unit's own rows, so that a unit more or less changes no other.

    Args:
        metadata: The schema.
        plan: The order of the work.
        tables: The rows.
        links: Parent row of each row, by relation.
        costs: What each table may cost.
    """
    found: dict[str, Ints] = {}
    parents = {r.name: r.parent for r in metadata.relationships}
    for name in plan.order:
        if name not in costs:
            continue
        relation = plan.tables[name].primary
        if relation is None:
            found[name] = np.arange(len(tables[name]))
            continue
        link, above = links[relation], found[parents[relation]]
        units = np.where(link < 0, -1, above[link]) if len(above) else np.full(len(link), -1)
        hashes = row_hashes(metadata, tables[name], name)
        found[name] = _at_most(units, np.asarray(hashes), costs[name].rows)
    return found


def _at_most(units: Ints, hashes: Ints, most: int) -> Ints:
    """The units of rows, with -1 for all but the first `most` of each by their hashes, [n]."""
    order = np.lexsort((hashes, units))
    sorted_ = units[order]
    starts = np.flatnonzero(np.diff(sorted_, prepend=sorted_[0] - 1)) if len(units) else order
    rank = np.arange(len(units)) - np.repeat(starts, np.diff(np.append(starts, len(units))))
    kept = units.copy()
    kept[order[rank >= most]] = -1
    return kept
