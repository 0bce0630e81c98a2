"""A balanced table: rows of a table with the classes of one column as frequent as is asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.errors import ContractError
from prefect_synth.synth.metadata import Metadata, Table

MOST_CLASSES = 50


@dataclass(frozen=True)
class Balance:
    """What a balanced table shall be.

    Args:
        name: Its name.
        table: The table whose rows it has the like of.
        column: The column of the classes.
        ratio: Rows of each smaller class, as a share of the largest one's, at least.
        rows: Rows in all; as many as the table has where None.
    """

    name: str
    table: str
    column: str
    ratio: float = 1.0
    rows: int | None = None

    @property
    def place(self) -> str:
        """Begins messages."""
        return f"The balanced table '{self.name}' of '{self.table}'"


def class_rows(counts: Sequence[int], ratio: float, rows: int) -> Ints:
    """Rows of each class.

    Args:
        counts: Rows of each class in the table, above 0.
        ratio: Rows of each smaller class, as a share of the largest one's, at least.
        rows: Rows in all.

    Returns:
        Whole numbers that sum to `rows`: what the table has in excess of `ratio` stays.
    """
    weights = np.maximum(np.asarray(counts) / max(counts), ratio)
    exact = rows * weights / weights.sum()
    found = np.floor(exact).astype(np.int64)
    order = np.argsort(found - exact, kind="stable")
    found[order[: rows - int(found.sum())]] += 1
    return found


def check_class_rows(balance: Balance, rows: Ints) -> None:
    """Check that every class gets a row.

    Args:
        balance: What is asked for.
        rows: What `class_rows` gave.

    Raises:
        ContractError: One gets none.
    """
    if not rows.all():
        raise ContractError(
            f"{balance.place} cannot be drawn: {int((rows == 0).sum())} of {len(rows)} classes of "
            f"'{balance.column}' would get none of its {int(rows.sum()):,} rows at a ratio of "
            f"{balance.ratio:g}. Ask for more rows, or for a larger ratio."
        )


def with_balanced(metadata: Metadata, balances: Iterable[Balance]) -> Metadata:
    """The schema with balanced tables, which refer to the same parents."""
    for balance in balances:
        base = metadata.tables[balance.table]
        keys = tuple(key for key in base.unique if len(key) == 1)
        metadata = metadata.with_table(replace(base, name=balance.name, unique=keys))
        added = tuple(
            replace(relation, child=balance.name)
            for relation in metadata.relationships
            if relation.child == balance.table
        )
        metadata = Metadata(metadata.tables, (*metadata.relationships, *added))
    return metadata


def check_balances(
    metadata: Metadata, balances: Sequence[Balance], kept: Collection[str] = ()
) -> None:
    """Check balanced tables against the schema, before any row is read.

    Args:
        metadata: The schema.
        balances: What is asked for.
        kept: Tables that are published as they are.

    Raises:
        ContractError: One cannot be had.
    """
    taken = {name.casefold(): name for name in metadata.tables}
    for balance in balances:
        if balance.table not in metadata.tables:
            raise ContractError(
                f"{balance.place} cannot be drawn: there is no such table. Tables: "
                f"{', '.join(metadata.tables)}."
            )
        table = metadata.tables[balance.table]
        if balance.name.casefold() in taken:
            raise ContractError(
                f"{balance.place} has the name of the table '{taken[balance.name.casefold()]}'. "
                "Give balance.name another one."
            )
        taken[balance.name.casefold()] = balance.name
        if balance.table in kept:
            raise ContractError(
                f"{balance.place} cannot be drawn: the table's rows are published as they are."
            )
        _check_column(metadata, table, balance)
        _check_keys(metadata, table, balance)


def _check_column(metadata: Metadata, table: Table, balance: Balance) -> None:
    if balance.column not in table.columns:
        raise ContractError(
            f"{balance.place} names the column '{balance.column}', which the table does not have. "
            f"Columns: {', '.join(table.columns)}."
        )
    column = table.columns[balance.column]
    if balance.column in metadata.key_columns(table.name):
        raise ContractError(
            f"{balance.place} names the column '{balance.column}', which is part of a key and has "
            "no classes. Name a column of categories."
        )
    if column.lost_key:
        raise ContractError(
            f"{balance.place} names the column '{balance.column}', which belongs to a key that is "
            "gone or leads to a table that is not read, so that its values are made up. Name a "
            f"column of categories, or accept that with `prefect-synth drift accept {table.name}`."
        )
    if column.is_generated:
        raise ContractError(
            f"{balance.place} names the personal column '{balance.column}', whose values are made "
            "up. Name a column of categories, or set "
            f"tables.{table.name}.columns.{balance.column}.pii to false if it is about nobody."
        )


def _check_keys(metadata: Metadata, table: Table, balance: Balance) -> None:
    foreign = {c for r in metadata.parents(table.name) for c in r.child_columns}
    for key in (table.primary_key, *table.unique):
        if len(key) > 1 or foreign.intersection(key):
            raise ContractError(
                f"{balance.place} cannot be drawn: the key ({', '.join(key)}) ties rows to others, "
                "so that more of a class cannot be made. Balance the parent table instead."
            )
    if table.sequence_index is not None:
        raise ContractError(
            f"{balance.place} cannot be drawn: the table's rows stand in sequences, which one row "
            "more of a class would break."
        )


Balances = Mapping[str, Balance]
"""Balanced tables by their names."""
