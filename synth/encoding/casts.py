"""Types that are another type inside: views, run ends, intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.lists import list_of
from prefect_synth.synth.encoding.pieces import kind_of
from prefect_synth.synth.encoding.shapes import Leaf, leaf_name, presence, present_rows
from prefect_synth.synth.storage import stored

_INTERVAL = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])
_PARTS = ("months", "days", "nanoseconds")


@stored
@dataclass(frozen=True)
class CastShape:
    """A column that is encoded as a plainer type, and cast back.

    Args:
        kind: Schema with one field of the column's type.
    """

    kind: pa.Schema

    def flatten(self, name: str, values: pa.Array) -> dict[str, pa.Array]:
        """The same values in the plain type."""
        if pa.types.is_run_end_encoded(values.type):
            return {leaf_name(name, "~"): pc.run_end_decode(values)}
        plain = plain_type(values.type)
        if pa.types.is_nested(values.type):  # Arrow's own cast of list views with nulls is broken
            there = np.asarray(values.is_valid())
            sizes = np.where(there, np.asarray(values.sizes), 0)
            return {leaf_name(name, "~"): list_of(plain, sizes, there, values.flatten())}
        return {leaf_name(name, "~"): values.cast(plain)}

    def build(
        self,
        name: str,
        leaf: Leaf,
        needed: np.ndarray | None,
        rows: int,
        rng: np.random.Generator,
    ) -> pa.Array:
        """The values in the column's own type."""
        values, kind = leaf(leaf_name(name, "~"), needed), kind_of(self.kind)
        if pa.types.is_run_end_encoded(kind):
            return pc.run_end_encode(values, run_end_type=kind.run_end_type)
        if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
            return _as_view(values, kind)
        return values.cast(kind)


@stored
@dataclass(frozen=True)
class IntervalShape:
    """Intervals of months, days and nanoseconds: three leaves.

    Args:
        nullable: Whether an interval may be null.
    """

    nullable: bool

    def flatten(self, name: str, values: pa.Array) -> dict[str, pa.Array]:
        """Presence, months, days and nanoseconds."""
        raw = np.frombuffer(values.buffers()[1], _INTERVAL)[values.offset :][: len(values)]
        gone = ~np.asarray(values.is_valid())
        return {**presence(name, values)} | {
            leaf_name(name, part): pa.array(raw[part].copy(), mask=gone) for part in _PARTS
        }

    def build(
        self,
        name: str,
        leaf: Leaf,
        needed: np.ndarray | None,
        rows: int,
        rng: np.random.Generator,
    ) -> pa.Array:
        """Intervals of the leaves."""
        there = present_rows(name, self.nullable, leaf, needed, rows)
        raw = np.zeros(rows, _INTERVAL)
        for part in _PARTS:
            raw[part] = np.asarray(leaf(leaf_name(name, part), there).fill_null(0))
        bits = pa.py_buffer(np.packbits(there, bitorder="little").tobytes())
        return pa.Array.from_buffers(
            pa.month_day_nano_interval(), rows, [bits, pa.py_buffer(raw.tobytes())]
        )


def plain_type(kind: pa.DataType) -> pa.DataType | None:
    """The plainer type of a view, or None where a type is plain."""
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_list_view(kind):
        return pa.list_(kind.value_field)
    if pa.types.is_large_list_view(kind):
        return pa.large_list(kind.value_field)
    return None


def _as_view(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Lists as list views, for which Arrow has no cast."""
    offsets = np.asarray(values.offsets)
    make = pa.LargeListViewArray if pa.types.is_large_list_view(kind) else pa.ListViewArray
    width = pa.int64() if pa.types.is_large_list_view(kind) else pa.int32()
    return make.from_arrays(
        pa.array(offsets[:-1], width),
        pa.array(np.diff(offsets), width),
        values.values,
        type=kind,
        mask=values.is_null(),
    )
