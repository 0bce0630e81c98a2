"""Relations that the catalogue does not declare: `orders.customer_id -> customers.id`."""

from __future__ import annotations

import re

from prefect_synth.synth.metadata import Relationship

_COMPOSITE = re.compile(r"^(?P<table>.+)\.\((?P<columns>[^()]+)\)$")


def parse_relation(text: str) -> Relationship:
    """Read one line of `relations`.

    Args:
        text: `child.column -> parent.column`, or `child.(a, b) -> parent.(c, d)`; with
            ` when column = value` where only such rows refer to this parent.

    Returns:
        The relationship; tables may carry their schema, as in `public.orders.customer_id`.

    Raises:
        ValueError: The text is not of this form.
    """
    relation, _, condition = text.partition(" when ")
    when = _when(condition, text) if condition else None
    sides = [side.strip() for side in relation.split("->")]
    if len(sides) != 2:
        raise ValueError(_wrong(text))
    (child, child_columns), (parent, parent_columns) = (_side(side, text) for side in sides)
    if len(child_columns) != len(parent_columns):
        raise ValueError(
            f"'{text}' has {len(child_columns)} columns on the left and {len(parent_columns)} on "
            "the right. Give as many on each side"
        )
    return Relationship(child, child_columns, parent, parent_columns, when)


def _when(condition: str, text: str) -> tuple[str, str]:
    column, equals, value = (part.strip() for part in condition.partition("="))
    if not (column and equals and value):
        raise ValueError(
            f"'{text}' has a condition that is none. Write it as 'notes.owner_id -> invoices.id "
            "when owner_type = invoice'"
        )
    return column, value.strip("'\"")


def _side(side: str, text: str) -> tuple[str, tuple[str, ...]]:
    composite = _COMPOSITE.match(side)
    if composite:
        return composite["table"], tuple(c.strip() for c in composite["columns"].split(","))
    table, dot, column = side.rpartition(".")
    if not (dot and table and column) or "(" in side or ")" in side:
        raise ValueError(_wrong(text))
    return table, (column,)


def _wrong(text: str) -> str:
    return (
        f"'{text}' is not a relation. Write it as 'orders.customer_id -> customers.id', or "
        "'shipments.(order_id, line_no) -> order_items.(order_id, line_no)'"
    )
