"""What no block of rows can see to alone: unique keys of several columns, and numbered rows.

All of it works on integers (row numbers, links, codes); no key is written for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.hierarchy.keys import KeyColumns
from prefect_synth.synth.hierarchy.overlap import claims
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.unique_keys import make_unique
from prefect_synth.synth.hierarchy.uniqueness import combine
from prefect_synth.synth.randomness import stream


def repair_keys(keys: KeyColumns, order: Sequence[str]) -> None:
    """Make keys of several columns unique, and count the rows that count within their parent.

    Args:
        keys: The key columns; links, and columns that are held whole, are changed.
        order: Tables, parents first.

    Raises:
        UniquenessError: A unique key has fewer combinations than rows.
    """
    generated = [keys.parts[name] for name in order if keys.parts[name].kept is None]
    for late in (False, True):  # keys that close a cycle come last
        for part in generated:
            deferred = {
                column
                for relation, filled in claims(keys.metadata, part)
                if relation.name in part.plan.deferred
                for column, _ in filled
            }
            for key in part.unique:
                if bool(deferred & set(key)) == late:
                    rng = stream(keys.seed, "unique", part.name, *key)
                    make_unique(keys, part, key, rng)
            if not late:
                _count_rows(keys, part)


def fill_keys(keys: KeyColumns, order: Sequence[str]) -> None:
    """Repair keys, and write all key columns of tables that are drawn whole.

    Args:
        keys: The key columns.
        order: Tables, parents first.

    Raises:
        UniquenessError: A unique key has fewer combinations than rows.
        SynthesisError: A key's type cannot hold so many keys.
    """
    repair_keys(keys, order)
    for name in order:
        rows = np.arange(keys.drawn.rows[name])
        made = {column: keys.values(name, column, rows) for column in keys.names(name)}
        keys.drawn.columns[name].update(made)


def _count_rows(keys: KeyColumns, part: TablePart) -> None:
    for column, start in part.counters.items():
        within = [c for c in keys.metadata.tables[part.name].primary_key if c != column]
        codes = [keys.codes(part.name, c) for c in within]
        numbers = _count_within(codes[0] if len(codes) == 1 else combine(codes)) + start
        made = pa.array(numbers).cast(part.schema.field(column).type)
        keys.drawn.columns[part.name][column] = made


def _count_within(group: Ints) -> Ints:
    """0, 1, 2 ... within each group, in row order."""
    rises = len(group) < 2 or bool((np.diff(group) >= 0).all())
    order = np.arange(len(group)) if rises else np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=group[order[:1]] - 1))
    sizes = np.diff(np.append(starts, len(group)))
    counted = np.empty(len(group), np.int64)
    counted[order] = np.arange(len(group)) - np.repeat(starts, sizes)
    return counted
