"""What no block of rows can see to alone: unique keys of several columns, and numbered rows.

All of it works on integers (row numbers, links, codes); no key is written for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from prefect_synth.synth.errors import UniquenessError
from prefect_synth.synth.hierarchy.key_codes import combine, count_within
from prefect_synth.synth.hierarchy.keys import KeyColumns
from prefect_synth.synth.hierarchy.overlap import claims
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.unique_keys import make_unique
from prefect_synth.synth.randomness import stream

_PASSES = 10


def repair_keys(keys: KeyColumns, order: Sequence[str]) -> None:
    """Make keys of several columns unique, and count the rows that count within their parent.

    Args:
        keys: The key columns; links, and columns that are held whole, are changed, but not of rows
            that an earlier stage has planned.
        order: Tables, parents first, that have rows of this stage.

    Raises:
        UniquenessError: A unique key has fewer combinations than rows.
    """
    generated = [keys.parts[name] for name in order if keys.parts[name].kept is None]
    for part in generated:
        _make_all_unique(keys, part, [key for key in part.unique if not _is_late(keys, part, key)])
        _count_rows(keys, part)
    for part in generated:  # keys that close a cycle come last
        if any(_is_late(keys, part, key) for key in part.unique):
            _make_all_unique(keys, part, part.unique)


def _is_late(keys: KeyColumns, part: TablePart, key: tuple[str, ...]) -> bool:
    """Whether a relation that waits until all rows exist fills a column of the key."""
    return any(
        column in key
        for relation, filled in claims(keys.metadata, part)
        if relation.name in part.plan.deferred
        for column, _ in filled
    )


def _make_all_unique(keys: KeyColumns, part: TablePart, unique: Sequence[tuple[str, ...]]) -> None:
    """Repair keys until none is broken by the repair of another."""
    for again in range(_PASSES):
        words = keys.drawn.cohorts.words(part.name)
        purpose = ("unique", part.name, *words, *([str(again)] * (again > 0)))
        changed = [
            key for key in unique if make_unique(keys, part, key, stream(keys.seed, *purpose, *key))
        ]
        if not changed or len(unique) == 1:
            return
    raise UniquenessError(part.name, changed[0], keys.drawn.rows[part.name])


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
        numbers = count_within(codes[0] if len(codes) == 1 else combine(codes)) + start
        made = pa.array(numbers).cast(part.schema.field(column).type)
        keys.drawn.columns[part.name][column] = made
