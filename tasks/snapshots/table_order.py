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
    waiting = {r.child for r in open_keys}
    free = [table for table in left if table not in waiting]
    if free:
        return free[0]
    circle = _circle(left, open_keys)
    strict = {r.child for r in open_keys if not _nullable(metadata, r)}
    return next((table for table in circle if table not in strict), circle[0])


def _circle(left: Sequence[str], open_keys: Sequence[Relationship]) -> list[str]:
    """The tables of the first cycle that waits for no table outside of it."""
    above = {table: _above(table, open_keys) for table in left}
    inner = [table for table in left if all(table in above[other] for other in above[table])]
    return [table for table in inner if table in above[inner[0]]]


def _above(table: str, open_keys: Sequence[Relationship]) -> set[str]:
    found: set[str] = set()
    edge = {table}
    while edge:
        edge = {r.parent for r in open_keys if r.child in edge} - found
        found |= edge
    return found


def _nullable(metadata: Metadata, key: Relationship) -> bool:
    columns = metadata.tables[key.child].columns
    return any(columns[name].nullable for name in key.child_columns)
