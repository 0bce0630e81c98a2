"""A scenario: at least so many rows of a kind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prefect_synth.synth.errors import ContractError
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.scenarios.grammar import Comparison, parse_condition


@dataclass(frozen=True)
class ChildCount:
    """How many children a row has.

    Args:
        number: So many.
        or_more: Whether more will do.
    """

    number: int
    or_more: bool = False


@dataclass(frozen=True)
class Scenario:
    """At least `at_least` rows of a table of which `where` and `children` hold.

    Args:
        name: For people.
        at_least: Rows there must be.
        where: A condition on the row's own columns, see `grammar`; any row where empty.
        children: Number of children by child table, or by relation where a table has several
            foreign keys here.

    Raises:
        ContractError: Nothing is asked for, or `where` is no condition.
    """

    name: str
    at_least: int
    where: str = ""
    children: Mapping[str, ChildCount] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be read."""
        if self.at_least < 1:
            raise ContractError(f"at_least must be 1 or more, got {self.at_least}.")
        if not self.where and not self.children:
            raise ContractError("needs 'where', or 'children', or both")
        self.comparisons()

    def comparisons(self) -> tuple[Comparison, ...]:
        """The condition, read."""
        return parse_condition(self.where) if self.where else ()


Scenarios = Mapping[str, tuple[Scenario, ...]]
"""Scenarios by table."""


def parse_children(value: int | str) -> ChildCount:
    """Read a number of children: `0`, `3`, or `">= 3"`.

    Raises:
        ContractError: It is none.
    """
    found = re.fullmatch(r"\s*(>=|>|=)?\s*(\d{1,9})\s*", str(value))
    if found is None or isinstance(value, bool):
        raise ContractError("is no number of children. Write 0, 3 or '>= 3'")
    number = int(found[2]) + (found[1] == ">")
    return ChildCount(number, (found[1] or "").startswith(">"))


def children_relation(metadata: Metadata, table: str, child: str) -> Relationship:
    """The relation that a scenario of `table` means by `child`.

    Args:
        metadata: The schema.
        table: The parent table.
        child: A child table, or the name of a relation.

    Raises:
        ContractError: There is none, or more than one.
    """
    below = metadata.children(table)
    found = [r for r in below if r.name == child] or [r for r in below if r.child == child]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f"'{r.name}'" for r in found)
        raise ContractError(
            f"names the children '{child}', which refer to '{table}' in several ways. Name one of "
            f"{names}."
        )
    known = ", ".join(sorted({r.child for r in below})) or "none"
    raise ContractError(
        f"names the children '{child}', and no foreign key of such a table refers to '{table}'. "
        f"Tables that do: {known}."
    )


def bound_tables(metadata: Metadata, scenarios: Scenarios) -> frozenset[str]:
    """The tables by whose rows scenarios hold: their own, and those of the children they count."""
    below = {
        children_relation(metadata, table, child).child
        for table, asked in scenarios.items()
        for scenario in asked
        for child in scenario.children
    }
    return frozenset(below.union(scenarios))


def check_scenarios(metadata: Metadata, scenarios: Scenarios, kept: Iterable[str] = ()) -> None:
    """Check scenarios against the schema, before any row is read.

    Args:
        metadata: The schema.
        scenarios: What is asked for, by table.
        kept: Tables that are published as they are.

    Raises:
        ContractError: A scenario names what does not exist, or asks what cannot be asked.
    """
    fixed = set(kept)
    for table, asked in scenarios.items():
        if table not in metadata.tables:
            raise ContractError(
                f"Scenarios are asked of the table '{table}', which does not exist. Tables: "
                f"{', '.join(metadata.tables)}."
            )
        for scenario in asked:
            place = f"Scenario '{scenario.name}' of table '{table}'"
            if table not in metadata.tables:
                raise ContractError(
                    f"{place} cannot be reached: there is no such table. Tables: "
                    f"{', '.join(metadata.tables)}."
                )
            if table in fixed:
                raise ContractError(
                    f"{place} cannot be reached: the table's rows are published as they are. Take "
                    "the scenario away, or give the table another model."
                )
            for comparison in scenario.comparisons():
                _check_column(metadata, table, comparison, place, fixed)
            for child in scenario.children:
                _check_children(metadata, table, child, place)


def _check_column(
    metadata: Metadata, table: str, comparison: Comparison, place: str, kept: set[str]
) -> None:
    column, columns = comparison.column, metadata.tables[table].columns
    if column not in columns:
        raise ContractError(
            f"{place} names the column '{column}', which the table does not have. Columns: "
            f"{', '.join(columns)}."
        )
    keyed = metadata.key_columns(table)
    to_kept = any(
        r.child_columns == (column,) and r.parent in kept for r in metadata.parents(table)
    )
    if column in keyed and not to_kept:
        raise ContractError(
            f"{place} names the column '{column}', which is part of a key: keys are made anew. Ask "
            "for other columns, or pin the rows that must have these keys."
        )
    if columns[column].lost_key and comparison.operator != "null":
        raise ContractError(
            f"{place} names the column '{column}', which belongs to a key that is gone or leads to "
            "a table that is not read, so that its values are made up. Ask for other columns, or "
            f"accept that with `prefect-synth drift accept {table}`."
        )
    if columns[column].is_generated and comparison.operator != "null":
        raise ContractError(
            f"{place} names the personal column '{column}', whose values are made up: only IS NULL "
            "and IS NOT NULL can be asked of it. Pin rows that must have certain values, or set "
            f"tables.{table}.columns.{column}.pii to false if it is about nobody."
        )
    if comparison.operator == "null" and not comparison.negated and not columns[column].nullable:
        raise ContractError(
            f"{place} asks for nulls in '{column}', which is declared NOT NULL. Take it away."
        )


def _check_children(metadata: Metadata, table: str, child: str, place: str) -> None:
    try:
        relation = children_relation(metadata, table, child)
    except ContractError as error:
        raise ContractError(f"{place} {error}") from None
    if relation.parent == relation.child:
        raise ContractError(
            f"{place} counts the children '{child}' of a table that refers to itself, whose tree "
            "is made by level. Ask for 'where' alone."
        )
