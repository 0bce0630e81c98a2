"""What is fed, and in which order: parents first, the tables of a cycle together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

import pyarrow as pa

from prefect_synth.synth.metadata import Metadata, Relationship, Table
from prefect_synth.tasks.databases.errors import FeedRequestError
from prefect_synth.tasks.warehouses.errors import did_you_mean


@dataclass(frozen=True)
class Place:
    """Where a table lies in the database.

    Args:
        schema: The schema; None where the dialect has none, or the connection's own is meant.
        name: The table's name in it.
    """

    schema: str | None
    name: str

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class PlannedTable:
    """A table that is fed.

    Args:
        name: Its name in the snapshot.
        place: Where it goes.
        meaning: Its columns and keys.
        schema: The Arrow schema of its files.
        rows: How many rows the manifest says it has.
    """

    name: str
    place: Place
    meaning: Table
    schema: pa.Schema
    rows: int


@dataclass(frozen=True)
class Plan:
    """All that is fed.

    Args:
        tables: The tables, parents first as far as cycles allow.
        foreign_keys: The foreign keys among them.
        groups: The same tables; those of one cycle are one group.
    """

    tables: tuple[PlannedTable, ...]
    foreign_keys: tuple[Relationship, ...]
    groups: tuple[tuple[str, ...], ...]

    def __getitem__(self, name: str) -> PlannedTable:
        return next(table for table in self.tables if table.name == name)

    def parents(self, name: str) -> tuple[Relationship, ...]:
        """The foreign keys of a table."""
        return tuple(key for key in self.foreign_keys if key.child == name)

    def source(self, table: PlannedTable, column: str) -> tuple[PlannedTable, str]:
        """The column that a foreign key's column takes its values from, through any depth.

        Some databases want both to have one type.
        """
        seen = {table.name}
        while True:
            for key in self.parents(table.name):
                if column in key.child_columns and key.parent not in seen:
                    column = key.parent_columns[key.child_columns.index(column)]
                    table = self[key.parent]
                    seen.add(table.name)
                    break
            else:
                return table, column

    def closing(self) -> frozenset[Relationship]:
        """The foreign keys whose parent comes later: they close a cycle."""
        position = {table.name: place for place, table in enumerate(self.tables)}
        return frozenset(k for k in self.foreign_keys if position[k.parent] > position[k.child])


def chosen_tables(
    metadata: Metadata, wanted: Collection[str] | None, closure: bool = True
) -> tuple[str, ...]:
    """The tables to feed: those wanted and, with `closure`, all that their foreign keys need.

    Args:
        metadata: The snapshot's schema.
        wanted: Names of tables; None for all.
        closure: Whether to add the parents, their parents, and so on.

    Raises:
        FeedRequestError: A table is not in the snapshot.
    """
    if wanted is None:
        return tuple(metadata.tables)
    for name in wanted:
        if name not in metadata.tables:
            hint = did_you_mean(name, metadata.tables)
            raise FeedRequestError(f"Table '{name}' is not in the snapshot. {hint}")
    parents = _parents(metadata.tables, metadata.relationships)
    needed = {n for name in wanted for n in (_reached(name, parents) if closure else ())}
    return tuple(name for name in metadata.tables if name in needed | set(wanted))


def grouped(names: Iterable[str], keys: Collection[Relationship]) -> tuple[tuple[str, ...], ...]:
    """The tables, parents first; those that refer to one another in a circle are one group."""
    order = list(names)
    parents = _parents(order, keys)
    reached = {name: _reached(name, parents) for name in order}
    group = {
        name: next(n for n in order if n == name or (n in reached[name] and name in reached[n]))
        for name in order
    }
    members: dict[str, list[str]] = defaultdict(list)
    for name in order:
        members[group[name]].append(name)
    needs = {
        head: sorted({group[p] for m in tables for p in parents[m]} - {head}, key=order.index)
        for head, tables in members.items()
    }
    return tuple(tuple(members[head]) for head in TopologicalSorter(needs).static_order())


def enforceable(metadata: Metadata, schemas: Mapping[str, pa.Schema]) -> tuple[Relationship, ...]:
    """The relationships that a database can hold as foreign keys.

    One that depends on another column's value is none, and the parent's columns must be a key of
    the same kind of values.
    """
    return tuple(
        key
        for key in metadata.relationships
        if key.when is None and _is_key(metadata.tables[key.parent], key) and _alike(key, schemas)
    )


def _is_key(parent: Table, key: Relationship) -> bool:
    keys = [frozenset(columns) for columns in (parent.primary_key, *parent.unique)]
    return frozenset(key.parent_columns) in keys


def _alike(key: Relationship, schemas: Mapping[str, pa.Schema]) -> bool:
    return all(
        _kind(schemas[key.child].field(c).type) == _kind(schemas[key.parent].field(p).type)
        for c, p in zip(key.child_columns, key.parent_columns, strict=True)
    )


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind):
        return "integer"
    return "text" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else str(kind)


def _parents(names: Iterable[str], keys: Iterable[Relationship]) -> dict[str, list[str]]:
    parents: dict[str, list[str]] = {name: [] for name in names}
    for key in keys:
        if key.when is None and key.child in parents and key.parent in parents:
            parents[key.child].append(key.parent)
    return parents


def _reached(name: str, parents: Mapping[str, list[str]]) -> set[str]:
    found: set[str] = set()
    ahead = list(parents[name])
    while ahead:
        parent = ahead.pop()
        if parent not in found:
            found.add(parent)
            ahead.extend(parents[parent])
    return found
