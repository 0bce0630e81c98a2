"""Which rows a large table's models are trained on: whole families, chosen by a keyed hash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.generation.scramble import mix
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.randomness import stream

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.extensions import Extensions

TRAINED_ON = 200_000
"""Rows that are enough to train a row model on."""
_ENOUGH_FAMILIES = 1000


def family_rows(
    metadata: Metadata, extensions: Extensions, name: str, seed: int, most: int = TRAINED_ON
) -> Ints:
    """Rows of a table that belong to a chosen share of the families, in their order.

    A family is what hangs on one row at the top of the line of primary parents; where there are
    few of these, on one row further down. The same families are chosen in every table, more of
    them in a smaller one. Counts, links and marginals are learned from all rows all the same.

    Args:
        metadata: The schema.
        extensions: The bottom-up pass over all tables.
        name: The table.
        seed: Key of the hash.
        most: About how many rows to choose.
    """
    rows = extensions.tables[name].rows
    if rows <= most:
        return np.arange(rows)
    parents = {r.name: r.parent for r in metadata.relationships}
    top = _heads(extensions, name, parents)
    salt = int(stream(seed, "families").integers(2**31))
    chosen = np.flatnonzero(mix(top, salt) < np.uint64(most / rows * 2.0**64))
    return chosen if len(chosen) else np.arange(0, rows, -(-rows // most))


def _heads(extensions: Extensions, name: str, parents: Mapping[str, str]) -> Ints:
    """A number for the head of each row's family, [n]."""
    head, table = np.arange(extensions.tables[name].rows), name
    while (relation := extensions.plan.tables[table].primary) is not None:
        link, table = extensions.tables[table].links[relation], parents[relation]
        if extensions.tables[table].rows < _ENOUGH_FAMILIES:
            break
        # a row without a parent is the head of its own family: a negative number
        above = link[np.maximum(head, 0)]
        head = np.where((head < 0) | (above < 0), np.minimum(head, -1 - head), above)
    return head
