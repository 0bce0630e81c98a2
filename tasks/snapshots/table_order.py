"""The order in which tables can be loaded: parents first."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_synth.synth.metadata import Metadata, Relationship


def parents_first(metadata: Metadata) -> tuple[str, ...]:
    """Return the tables so that each comes after those it refers to, as far as cycles allow.

    A cycle is opened at a foreign key that may be null, where there is one; self references do
    not count. Otherwise tables keep the order that the metadata have.

    Args:
        metadata: The schema.
    """
    open_keys = [r for r in metadata.relationships if r.child != r.parent]
    left, placed = list(metadata.tables), list[str]()
    while left:
        table = _next(metadata, left, open_keys)
        placed.append(table)
        left.remove(table)
        open_keys = [r for r in open_keys if r.parent != table]
    return tuple(placed)


def _next(metadata: Metadata, left: Sequence[str], open_keys: Sequence[Relationship]) -> str:
    strict = [r for r in open_keys if not _nullable(metadata, r)]
    for keys in (open_keys, strict):
        waiting = {r.child for r in keys}
        for table in left:
            if table not in waiting:
                return table
    return left[0]


def _nullable(metadata: Metadata, key: Relationship) -> bool:
    columns = metadata.tables[key.child].columns
    return any(columns[name].nullable for name in key.child_columns)
