"""What a rule reads of other tables: a column of the parent, or a sum over the children.

It stands beside a table's own columns while rules are at work, under a name that no column has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.rules.formulas import quoted
from prefect_synth.synth.rules.units import counted, from_numbers, plain
from prefect_synth.synth.storage import stored

MARK = "\x1f"
"""Begins the name of what stands beside a table's own columns."""


@stored
@dataclass(frozen=True)
class Outside:
    """A column of another table, as the rows of this one see it.

    Args:
        name: `MARK`, and as rules show it: `customers.joined_on`, `sum(lines.amount)`.
        relation: The relation that leads there.
        columns: The parent's column; or of the children the column, or the factors of a product,
            that are summed; none to count them.
        digits: Digits of what is summed; none for a parent's column.
        of_children: Whether it is a sum over children.
    """

    name: str
    relation: str
    columns: tuple[str, ...]
    digits: tuple[int, ...] = ()
    of_children: bool = False


def of_parent(relation: Relationship, column: str) -> Outside:
    """The column of the row's parent."""
    name = f"{MARK}{quoted(relation.parent)}.{quoted(column)}"
    return Outside(name, relation.name, (column,))


def of_children(
    relation: Relationship, columns: tuple[str, ...], digits: tuple[int, ...]
) -> Outside:
    """The sum over the row's children, or their number."""
    parts = " * ".join(f"{quoted(relation.child)}.{quoted(c)}" for c in columns)
    shown = f"sum({parts})" if columns else f"count({quoted(relation.child)})"
    return Outside(MARK + shown, relation.name, columns, digits, of_children=True)


def parent_values(values: pa.Array, link: Ints) -> pa.Array:
    """A parent's column as its children see it; null without a parent."""
    values = plain(values)
    if not len(values):
        return pa.nulls(len(link), values.type)
    return values.take(pa.array(np.maximum(link, 0), mask=link < 0))


def child_sums(outside: Outside, columns: Mapping[str, pa.Array], link: Ints, parents: int) -> Ints:
    """Sums over the children of each parent in whole units, [parents].

    Args:
        outside: What is summed.
        columns: The children's columns.
        link: Parent row of each child, negative where there is none, [n].
        parents: Number of parent rows.
    """
    whole, known = np.ones(len(link), np.int64), link >= 0
    for column, digits in zip(outside.columns, outside.digits, strict=True):
        units = counted(plain(columns[column]), digits)
        whole, known = whole * units.whole, known & units.valid
    sums = np.bincount(link[known], weights=whole[known].astype(float), minlength=parents)
    return np.rint(sums).astype(np.int64)  # exact: floats count to 2^53


def outside_values(
    outside: Outside,
    metadata: Metadata,
    tables: Mapping[str, pa.Table],
    links: Mapping[str, Ints],
) -> pa.Array:
    """What a whole real table sees of another."""
    relation = next(r for r in metadata.relationships if r.name == outside.relation)
    link = links[relation.name]
    if not outside.of_children:
        return parent_values(tables[relation.parent][outside.columns[0]], link)
    child = tables[relation.child]
    columns = {c: child[c] for c in outside.columns}
    return as_numbers(outside, child_sums(outside, columns, link, len(tables[relation.parent])))


def as_numbers(outside: Outside, sums: Ints) -> pa.Array:
    """Whole sums as the decimal numbers that they are."""
    kind = pa.decimal128(18, sum(outside.digits))
    return from_numbers(sums, np.ones(len(sums), bool), kind.scale, kind)
