"""Nested columns as flat leaves, and back: what a shape is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.inference import infer_sdtype
from prefect_synth.synth.metadata import Column

SEPARATOR = "\x1f"
"""Parts a leaf's name from its column's; no column's name has it."""

_OWN = {"": "boolean", "?": "categorical", "#": "numerical"}
"""What the leaves mean that a shape adds: presence, kind and length."""
_LOOKED_AT = 1000
_FORMATS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S")

Leaf = Callable[[str, np.ndarray | None], pa.Array]
"""Gives the values of a leaf, not null in the rows that are needed."""


class Shape(Protocol):
    """How a nested column is taken apart and put together."""

    def flatten(self, name: str, values: pa.Array) -> dict[str, pa.Array]:
        """Leaves by name, [n] each; a leaf may be nested again."""

    def build(
        self,
        name: str,
        leaf: Leaf,
        needed: np.ndarray | None,
        rows: int,
        rng: np.random.Generator,
    ) -> pa.Array:
        """The column of its leaves.

        Args:
            name: The column's name, as in `flatten`.
            leaf: Gives the leaves.
            needed: Rows in which the column may not be null, [n] bool; None for as drawn.
            rows: Number of rows.
            rng: Source of what is no leaf: the items of lists.
        """


def leaf_name(name: str, part: str) -> str:
    """The name of one leaf of column `name`."""
    return f"{name}{SEPARATOR}{part}"


def describe_leaf(leaf: str, values: pa.Array) -> Column:
    """What a leaf means, by its key, type and values."""
    last = leaf.rsplit(SEPARATOR, 1)[-1]
    if isinstance(values.type, pa.BaseExtensionType):
        return Column(leaf, "unknown")
    if SEPARATOR in leaf and last in _OWN:
        return Column(leaf, _OWN[last])
    form = _datetime_format(values)
    if form is not None:
        return Column(leaf, "datetime", datetime_format=form)
    named = [part[1:] for part in leaf.split(SEPARATOR)[1:] if part.startswith(".")]
    key = named[-1] if named else leaf.split(SEPARATOR, 1)[0]
    sdtype, personal = infer_sdtype(key, pa.chunked_array([values]))
    return Column(leaf, sdtype, pii=personal)


def _datetime_format(values: pa.Array) -> str | None:
    """The strftime format of texts that are datetimes, by a look at the first ones."""
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return None
    some = values.drop_null().slice(0, _LOOKED_AT)
    for form in _FORMATS if len(some) else ():
        parsed = pc.strptime(some, format=form, unit="s", error_is_null=True)
        if not parsed.null_count and pc.strftime(parsed, format=form).equals(some):
            return form
    return None


def presence(name: str, values: pa.Array) -> dict[str, pa.Array]:
    """A leaf that is true where a nested value is there; none where it always is."""
    if not values.null_count:
        return {}
    there = np.asarray(values.is_valid())
    return {leaf_name(name, ""): pa.array(np.ones(len(there), bool), mask=~there)}


def present_rows(
    name: str, nullable: bool, leaf: Leaf, needed: np.ndarray | None, rows: int
) -> np.ndarray:
    """The rows in which a nested value is there, [n] bool."""
    if not nullable:
        return np.ones(rows, bool)
    return np.asarray(leaf(leaf_name(name, ""), needed).is_valid())
