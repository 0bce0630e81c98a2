"""Columns of keys that the warehouse has, or had when it was accepted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from prefect_synth.tasks.drift.changes import Drift
from prefect_synth.tasks.drift.facts import ForeignKeyFacts, SchemaFacts, TableFacts

Columns = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class LostKeys:
    """By table, columns whose values only a key may make, whether or not it is in force.

    Args:
        gone: Those that belonged to a key when the warehouse was accepted: only accepting the
            loss makes them ordinary columns.
        unread: Those that belong to a key now, if only to one that leads to a table that a person
            left out.
    """

    gone: Columns
    unread: Columns


def lost_keys(
    before: SchemaFacts, now: SchemaFacts, drift: Drift, read: Collection[str]
) -> LostKeys:
    """Say which columns belong to keys, by their names of today.

    Args:
        before: The tables as they were accepted.
        now: The tables as they are.
        drift: How they differ.
        read: The tables that are read.
    """
    called = {c.old: c.table for c in drift.changes if c.kind == "table_renamed" and c.old}
    moving = {*read, *drift.tables, *called} - {*drift.excluded_tables}

    def chosen(key: ForeignKeyFacts, table: str) -> bool:
        """Whether a key leads to a table that is not read although nothing moved there."""
        same = table in now and key in now[table].foreign_keys
        return same and not any(map(key.refers_to, moving))

    was = {
        name: table.model_copy(
            update={"foreign_keys": tuple(k for k in table.foreign_keys if not chosen(k, name))}
        )
        for name, table in before.items()
    }
    return LostKeys(_renamed(_key_columns(was), called, drift), _key_columns(now))


def _renamed(keys: Columns, called: Mapping[str, str], drift: Drift) -> Columns:
    """The same by the names of today, as far as they are suspected."""
    found = defaultdict(frozenset[str], keys)
    for old, new in called.items():
        found[new] |= keys.get(old, frozenset())
    for change in drift.changes:
        if change.kind == "column_renamed" and change.old in found[change.table] and change.column:
            found[change.table] |= {change.column}
    return found


def _key_columns(tables: SchemaFacts) -> Columns:
    found = {name: _own(table) for name, table in tables.items()}
    for key in (key for table in tables.values() for key in table.foreign_keys):
        for name in filter(key.refers_to, found):
            found[name] |= frozenset(key.referred)
    return found


def _own(table: TableFacts) -> frozenset[str]:
    """The columns of a table's keys; of unique ones over several columns each may be learned."""
    single = (key[0] for key in table.unique if len(key) == 1)
    foreign = (column for key in table.foreign_keys for column in key.columns)
    return frozenset((*table.primary_key, *single, *foreign))
