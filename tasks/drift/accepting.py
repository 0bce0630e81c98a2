"""Taking over what moved: one table, one column, or all, into what is accepted."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from prefect_synth.tasks.drift.changes import Change
from prefect_synth.tasks.drift.differences import differences
from prefect_synth.tasks.drift.facts import ColumnFacts, SchemaFacts, TableFacts
from prefect_synth.tasks.warehouses.errors import did_you_mean


class DriftRequestError(ValueError):
    """What is to be accepted or left out does not exist, or cannot be; the message says why."""


Place = tuple[str, str | None]
"""A table, and the column where one alone is meant."""


def find_place(text: str, before: SchemaFacts, now: SchemaFacts) -> Place:
    """The table or the column that a text names, accepted or as it is.

    Args:
        text: `TABLE` or `TABLE.COLUMN`; names may have dots.
        before: The tables as they were accepted.
        now: The tables as they are.

    Raises:
        DriftRequestError: There is no such table or column, neither before nor now.
    """
    tables = {**before, **now}
    if text in tables:
        return text, None
    for table, column in _splits(text):
        sides = [side[table].by_name for side in (before, now) if table in side]
        if any(column in side for side in sides):
            return table, column
    columns = {f"{t}.{c}" for side in (before, now) for t in side for c in side[t].by_name}
    raise DriftRequestError(
        f"'{text}' is neither a table nor a column, of what was accepted or of the warehouse. "
        f"{did_you_mean(text, [*tables, *sorted(columns)])}"
    )


def _splits(text: str) -> Iterator[tuple[str, str]]:
    for at, letter in enumerate(text):
        if letter == ".":
            yield text[:at], text[at + 1 :]


def accept_place(before: SchemaFacts, now: SchemaFacts, place: Place) -> SchemaFacts:
    """Take over how a table or a column is now; a suspected renaming is taken over as a whole.

    Args:
        before: The tables as they were accepted.
        now: The tables as they are.
        place: What is accepted.

    Returns:
        The tables as they are accepted from now on.

    Raises:
        DriftRequestError: A column is named of a table that is new, or gone.
    """
    table, column = place
    if column is None:
        names = {table, *_called(differences(before, now), "table_renamed", table)}
        kept = {name: facts for name, facts in before.items() if name not in names}
        return kept | {name: now[name] for name in names if name in now}
    for side, state in ((before, "new"), (now, "gone")):
        if table not in side:
            raise DriftRequestError(
                f"Table '{table}' is {state}, and its columns with it: accept '{table}'."
            )
    moved = differences({table: before[table]}, {table: now[table]})
    columns = {column, *_called(moved, "column_renamed", column)}
    return {**before, table: _accept_columns(before[table], now[table], columns)}


def _called(changes: Collection[Change], kind: str, name: str) -> Iterator[str]:
    """The other name of what was renamed."""
    for change in changes:
        names = (change.old, change.new)
        if change.kind == kind and name in names:
            yield from (other for other in names if other)


def _accept_columns(before: TableFacts, now: TableFacts, columns: Collection[str]) -> TableFacts:
    merged = _merged(before, now, columns)
    there = {column.name for column in merged}

    def takes(key: Collection[str], old: Collection[str]) -> bool:
        return bool({*key, *old} & set(columns)) and set(key) <= there

    primary = now.primary_key if takes(now.primary_key, before.primary_key) else before.primary_key
    stays = [k for k in before.unique if k in now.unique or not set(columns) & set(k)]
    unique = [*stays, *(key for key in now.unique if takes(key, ()))]
    mine = {k for k in before.foreign_keys if set(columns) & set(k.columns)}
    foreign = [k for k in before.foreign_keys if k in now.foreign_keys or k not in mine]
    foreign += [k for k in now.foreign_keys if takes(k.columns, ())]
    return TableFacts(
        columns=merged,
        primary_key=primary,
        unique=tuple(sorted(set(unique))),
        foreign_keys=tuple(sorted(set(foreign), key=str)),
        comment=before.comment,
    )


def _merged(
    before: TableFacts, now: TableFacts, columns: Collection[str]
) -> tuple[ColumnFacts, ...]:
    """The accepted columns, those in `columns` as they are now, new ones where they stand."""
    merged = {c.name: c for c in before.columns if c.name not in columns or c.name in now.by_name}
    order = list(merged)
    for at, column in enumerate(now.columns):
        if column.name not in columns:
            continue
        if column.name not in merged:
            earlier = [c.name for c in now.columns[:at] if c.name in merged]
            order.insert(order.index(earlier[-1]) + 1 if earlier else 0, column.name)
        merged[column.name] = column
    return tuple(merged[name] for name in order)


def exclude_place(before: SchemaFacts, now: SchemaFacts, place: Place) -> SchemaFacts:
    """Forget a table or a column that is to be left out for good.

    Args:
        before: The tables as they were accepted.
        now: The tables as they are.
        place: What is left out.

    Returns:
        The tables as they are accepted from now on.

    Raises:
        DriftRequestError: The column is part of a key that its table, or another one, needs.
    """
    table, column = place
    if column is None:
        return {name: facts for name, facts in before.items() if name != table}
    facts = now.get(table) or before[table]
    referred = any(
        key.refers_to(table) and column in key.referred
        for other in now.values()
        for key in other.foreign_keys
    )
    if column in facts.primary_key or referred:
        raise DriftRequestError(
            f"'{table}.{column}' is part of a key, and its table is nothing without it. Leave out "
            f"the whole table: '{table}'."
        )
    if table not in before:
        return before
    left = tuple(c for c in before[table].columns if c.name != column)
    return {**before, table: before[table].model_copy(update={"columns": left})}
