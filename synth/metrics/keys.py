"""Keys and the links they make: which parent row each child row refers to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.metadata import Relationship
from prefect_synth.synth.metrics.sources import Ints, Source, read_columns
from prefect_synth.synth.metrics.values import NULL, codes

NO_PARENT = -1
"""The position given to a child row whose parent does not exist."""


def key_codes(
    tables: Sequence[pa.Table], columns: Sequence[Sequence[str]]
) -> tuple[list[Ints], int]:
    """Number the distinct keys of several tables together.

    Args:
        tables: Tables whose keys are compared.
        columns: The key's columns in each table, in the same order.

    Returns:
        Codes from 0 for each table, `NULL` where any column of the key is null; and how many
        distinct keys there are.
    """
    keys = [np.zeros(table.num_rows, dtype=np.int64) for table in tables]
    size = 1
    for names in zip(*columns, strict=True):
        parts, count = codes(*(table[c] for table, c in zip(tables, names, strict=True)))
        keys = [
            np.where((key == NULL) | (part == NULL), NULL, key * max(count, 1) + part)
            for key, part in zip(keys, parts, strict=True)
        ]
        keys, size = _compact(keys)
    return keys, size


def parent_rows(
    child: pa.Table,
    child_columns: Sequence[str],
    parent: pa.Table,
    parent_columns: Sequence[str],
) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Find the parent row of each child row.

    Returns:
        The parent's position for each child row, `NO_PARENT` where there is none; and whether the
        child row refers to any parent at all: a key with a null refers to none (MATCH SIMPLE).
    """
    (referring, referred), size = key_codes([child, parent], [child_columns, parent_columns])
    places = np.full(size + 1, NO_PARENT, dtype=np.int64)  # the last place answers for NULL
    positions = np.arange(len(referred))
    places[referred[::-1]] = positions[::-1]  # the first of equal keys wins
    places[NULL] = NO_PARENT
    return places[referring], referring != NULL


def read_references(source: Source, relationship: Relationship) -> pa.Table:
    """Read a foreign key, null where the relationship's condition does not hold."""
    if relationship.when is None:
        return read_columns(source, relationship.child_columns)
    column, value = relationship.when
    keys = read_columns(source, (*relationship.child_columns, column))
    types = keys[column].combine_chunks()
    types = types.dictionary_decode() if isinstance(types, pa.DictionaryArray) else types
    here = pc.fill_null(pc.equal(types.cast(pa.string()), value), False)
    for name in relationship.child_columns:
        known = pc.if_else(here, keys[name], pa.scalar(None, keys[name].type))
        keys = keys.set_column(keys.column_names.index(name), name, known)
    return keys.select(list(relationship.child_columns))


def child_counts(parents: Ints, parent_count: int) -> Ints:
    """Count the children of each parent row, childless ones included."""
    return np.bincount(parents[parents != NO_PARENT], minlength=parent_count)


def _compact(keys: Sequence[Ints]) -> tuple[list[Ints], int]:
    distinct, numbered = np.unique(np.concatenate(keys), return_inverse=True)
    has_null = int(len(distinct) > 0 and distinct[0] == NULL)
    ends = np.cumsum([len(key) for key in keys])[:-1]
    return np.split(numbered - has_null, ends), len(distinct) - has_null
