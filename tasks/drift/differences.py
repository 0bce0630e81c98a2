"""How two states of the catalogue differ: facts against facts, without policies."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from difflib import SequenceMatcher

from prefect_synth.tasks.drift.changes import Change
from prefect_synth.tasks.drift.facts import ColumnFacts, SchemaFacts, TableFacts
from prefect_synth.tasks.drift.policies import Kind
from prefect_synth.tasks.drift.widening import compare_types

_SIMILAR_NAMES = 0.6
_SIMILAR_TABLES = 0.8


def differences(before: SchemaFacts, now: SchemaFacts) -> tuple[Change, ...]:
    """Say all in which two states of the catalogue differ; equal ones give nothing.

    Args:
        before: The tables as they were accepted.
        now: The tables as they are.
    """
    gone = [name for name in before if name not in now]
    new = [name for name in now if name not in before]
    renamed = _pairs(gone, new, lambda old, name: _likeness(before[old], now[name]))
    changes = [Change(kind="table_renamed", table=n, old=o, new=n) for o, n in renamed.items()]
    changes += [Change(kind="table_dropped", table=n) for n in gone if n not in renamed]
    changes += [
        Change(kind="table_added", table=n, new=_count(len(now[n].columns), "column"))
        for n in new
        if n not in renamed.values()
    ]
    for name in sorted(before.keys() & now.keys()):
        changes += _table(name, before[name], now[name])
    return tuple(sorted(changes, key=lambda change: (change.table, change.column or "")))


def _pairs(
    gone: Collection[str], new: Collection[str], likeness: Callable[[str, str], float]
) -> dict[str, str]:
    """What is gone with what it is now suspected to be called, the likest first."""
    scored = [(likeness(old, name), old, name) for old in gone for name in new]
    found: dict[str, str] = {}
    for score, old, name in sorted(scored, key=lambda pair: (-pair[0], pair[1:])):
        if score > 0 and old not in found and name not in found.values():
            found[old] = name
    return found


def _likeness(old: TableFacts, new: TableFacts) -> float:
    """The share of columns that two tables have in common; 0 where they are not alike."""
    left, right = ({(c.name, c.type) for c in table.columns} for table in (old, new))
    share = len(left & right) / max(1, len(left | right))
    return share if share >= _SIMILAR_TABLES else 0.0


def _table(name: str, before: TableFacts, now: TableFacts) -> Iterator[Change]:
    old, new = before.by_name, now.by_name
    gone = [column for column in old if column not in new]
    added = [column for column in new if column not in old]
    renamed = _pairs(gone, added, lambda a, b: _same_column(before, now, a, b))
    for column, called in renamed.items():
        yield Change(kind="column_renamed", table=name, column=called, old=column, new=called)
    for column in (c for c in gone if c not in renamed):
        yield Change(kind="column_dropped", table=name, column=column, old=old[column].type)
    for column in (c for c in added if c not in renamed.values()):
        yield Change(kind="column_added", table=name, column=column, new=_shape(new[column]))
    for column in (c for c in new if c in old):
        yield from _column(name, old[column], new[column])
    if [c for c in old if c in new] != [c for c in new if c in old]:
        yield Change(kind="columns_reordered", table=name)
    yield from _keys(name, before, now)
    if before.comment != now.comment:
        yield Change(kind="comment_changed", table=name)


def _same_column(before: TableFacts, now: TableFacts, old: str, new: str) -> float:
    """How much a new column looks like one that is gone; 0 where it does not."""
    was, is_ = before.by_name[old], now.by_name[new]
    if (was.type, was.labels) != (is_.type, is_.labels):
        return 0.0
    names = SequenceMatcher(None, old.lower(), new.lower()).ratio()
    if before.columns.index(was) == now.columns.index(is_):
        return 1 + names
    return names if names >= _SIMILAR_NAMES else 0.0


def _column(table: str, before: ColumnFacts, now: ColumnFacts) -> Iterator[Change]:
    change = Change(kind="comment_changed", table=table, column=now.name)
    if before.comment != now.comment:
        yield change
    if before.type != now.type:
        yield _of(change, compare_types(before.type, now.type), before.type, now.type)
    else:
        yield from _labels(change, before, now)
    if before.nullable != now.nullable:
        old, new = ("nullable" if c.nullable else "NOT NULL" for c in (before, now))
        yield _of(change, "nullability_changed", old, new)
    if (before.default, before.identity) != (now.default, now.identity):
        yield _of(change, "default_changed", _default(before), _default(now))


def _of(change: Change, kind: Kind, old: str | None, new: str | None) -> Change:
    return change.model_copy(update={"kind": kind, "old": old, "new": new})


def _labels(change: Change, before: ColumnFacts, now: ColumnFacts) -> Iterator[Change]:
    old, new = before.labels or (), now.labels or ()
    added = [label for label in new if label not in old]
    gone = [label for label in old if label not in new]
    if added:
        yield _of(change, "enum_value_added", None, ", ".join(added))
    if gone:
        yield _of(change, "enum_value_dropped", ", ".join(gone), None)
    if [label for label in old if label in new] != [label for label in new if label in old]:
        yield _of(change, "type_changed", now.type, "its labels in another order")


def _keys(name: str, before: TableFacts, now: TableFacts) -> Iterator[Change]:
    if before.primary_key != now.primary_key:
        old, new = (", ".join(t.primary_key) or None for t in (before, now))
        yield Change(kind="primary_key_changed", table=name, old=old, new=new)
    unique = [{", ".join(key) for key in table.unique} for table in (before, now)]
    yield from _sets("unique_key_changed", name, *unique)
    foreign = [{str(key) for key in table.foreign_keys} for table in (before, now)]
    yield from _sets("foreign_key_changed", name, *foreign)


def _sets(kind: Kind, table: str, old: set[str], new: set[str]) -> Iterator[Change]:
    for text in sorted(old - new):
        yield Change(kind=kind, table=table, old=text)
    for text in sorted(new - old):
        yield Change(kind=kind, table=table, new=text)


def _shape(column: ColumnFacts) -> str:
    return column.type if column.nullable else f"{column.type} NOT NULL"


def _default(column: ColumnFacts) -> str | None:
    """What may be told of a default: that there is one, never its text."""
    if column.identity:
        return "counts up"
    return None if column.default is None else "a default"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
