"""The order of the work: which relation makes a table's rows, and which ones are filled in.

Every table gets its rows from at most one *primary* parent. Its other parents are *assigned*
before its own columns are drawn. A relation that would close a cycle is *deferred* until all rows
exist; a table that refers to itself does so by *level*.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.storage import stored

_SMALL = 200
_FANNED_OUT = 20


@stored
@dataclass(frozen=True)
class TablePlan:
    """The roles of one table's foreign keys, by relationship name."""

    primary: str | None
    assigned: tuple[str, ...]
    deferred: tuple[str, ...]
    itself: tuple[str, ...]
    as_category: tuple[str, ...]


@stored
@dataclass(frozen=True)
class Plan:
    """Tables parents first, and each one's roles."""

    order: tuple[str, ...]
    tables: dict[str, TablePlan]


def make_plan(
    metadata: Metadata,
    rows: Mapping[str, int],
    keep: Collection[str] = (),
    most_categories: int = 2000,
) -> Plan:
    """Plan the work on a schema.

    Args:
        metadata: The schema.
        rows: Rows by table; sizes decide which parent is primary.
        keep: Tables that are published as they are: a key to one is a category of the child.
        most_categories: Kept tables of more rows than this are parents like any other.
    """
    deferred = _cycle_breakers(metadata)
    order = _topological(metadata, deferred)
    tables = {}
    for name in order:
        foreign = () if name in keep else metadata.parents(name)
        itself = [r for r in foreign if r.parent == name]
        late = [r for r in foreign if r in deferred]
        category = [
            r
            for r in foreign
            if r.parent in keep
            and 0 < rows[r.parent] <= most_categories
            and r not in late + itself
            and not _is_one_to_one(metadata, r)
            and not _shares_columns(r, foreign)
            and metadata.tables[name].sequence_index is None
        ]
        live = [r for r in foreign if r not in itself + late + category]
        primary = min(live, key=lambda r: _rank(metadata, r, rows), default=None)
        tables[name] = TablePlan(
            primary.name if primary else None,
            tuple(r.name for r in live if r is not primary),
            tuple(r.name for r in late),
            tuple(r.name for r in itself),
            tuple(r.name for r in category),
        )
    return Plan(tuple(order), tables)


def _rank(
    metadata: Metadata, relationship: Relationship, rows: Mapping[str, int]
) -> tuple[bool, bool, bool, bool, int, str]:
    """Smallest is primary: one to one, then no small reference, never null, the largest.

    Before all of them comes the key that the schema says the rows are sequences by.
    """
    child = metadata.tables[relationship.child]
    one_to_one = _is_one_to_one(metadata, relationship)
    # a handful of airlines says less of a flight than its plane does
    small = rows[relationship.parent] <= min(_SMALL, rows[relationship.child] / _FANNED_OUT)
    nullable = any(child.columns[c].nullable for c in relationship.child_columns)
    nullable = nullable or relationship.when is not None
    unordered = relationship.child_columns != (child.sequence_key,)
    size = -rows[relationship.parent]
    return (unordered, not one_to_one, small, nullable, size, relationship.name)


def _is_one_to_one(metadata: Metadata, relationship: Relationship) -> bool:
    child = metadata.tables[relationship.child]
    keys = (child.primary_key, *child.unique)
    return any(key and set(key) <= set(relationship.child_columns) for key in keys)


def _shares_columns(relationship: Relationship, others: Collection[Relationship]) -> bool:
    return any(
        set(relationship.child_columns) & set(o.child_columns) for o in others if o != relationship
    )


def _cycle_breakers(metadata: Metadata) -> list[Relationship]:
    """Relations to leave for last, so that the rest has no cycle; nullable ones first."""
    breakers: list[Relationship] = []
    while cycle := _find_cycle(metadata, breakers):
        breakers.append(min(cycle, key=lambda r: _cost_of_late(metadata, r)))
    return breakers


def _cost_of_late(metadata: Metadata, relationship: Relationship) -> tuple[bool, bool, str]:
    child = metadata.tables[relationship.child]
    nullable = all(child.columns[c].nullable for c in relationship.child_columns)
    in_key = bool(
        set(relationship.child_columns) & {c for k in (child.primary_key, *child.unique) for c in k}
    )
    return (in_key, not nullable, relationship.name)


def _find_cycle(metadata: Metadata, without: Collection[Relationship]) -> list[Relationship]:
    edges: dict[str, list[Relationship]] = {}
    for relationship in metadata.relationships:
        if relationship.parent != relationship.child and relationship not in without:
            edges.setdefault(relationship.child, []).append(relationship)
    done: set[str] = set()
    for start in metadata.tables:
        found = _walk(start, edges, [], done)
        if found:
            return found
    return []


def _walk(
    table: str, edges: Mapping[str, list[Relationship]], path: list[Relationship], done: set[str]
) -> list[Relationship]:
    on_path = [r.child for r in path]
    if table in on_path:
        return path[on_path.index(table) :]
    if table in done:
        return []
    for relationship in edges.get(table, ()):
        found = _walk(relationship.parent, edges, [*path, relationship], done)
        if found:
            return found
    done.add(table)
    return []


def _topological(metadata: Metadata, without: Collection[Relationship]) -> list[str]:
    waiting, order = list(metadata.tables), list[str]()
    while waiting:
        ready = next(
            t
            for t in waiting
            if all(r.parent in order or r.parent == t or r in without for r in metadata.parents(t))
        )
        order.append(ready)
        waiting.remove(ready)
    return order
