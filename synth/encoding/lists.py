"""Arrow's lists and maps: lengths, items, and lists of items."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints


def lengths(values: pa.Array) -> Ints:
    """Items of each list, 0 for null, [n]."""
    if pa.types.is_fixed_size_list(values.type):
        return np.where(np.asarray(values.is_valid()), values.type.list_size, 0)
    sizes = np.diff(np.asarray(values.offsets)).astype(np.int64)
    return np.where(np.asarray(values.is_valid()), sizes, 0)


def list_of(kind: pa.DataType, sizes: Ints, there: np.ndarray, items: pa.Array) -> pa.Array:
    """Lists or maps of type `kind` with the given sizes, null where not `there`."""
    sizes = np.where(there, sizes, 0)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    mask = pa.array(~there)
    if pa.types.is_map(kind):
        keys, values = (_as(items.field(i), kind, i) for i in (0, 1))
        return pa.MapArray.from_arrays(pa.array(ends, pa.int32()), keys, values, kind, mask=mask)
    large = pa.types.is_large_list(kind)
    make, width = (pa.LargeListArray, pa.int64()) if large else (pa.ListArray, pa.int32())
    return make.from_arrays(pa.array(ends, width), items, type=kind, mask=mask)


def _as(values: pa.Array, kind: pa.MapType, part: int) -> pa.Array:
    return values.cast((kind.key_type, kind.item_type)[part])


def rows_first(parts: list[pa.Array], there: np.ndarray) -> pa.Array:
    """Items of several columns in the order of rows, of the rows that are there."""
    row = np.flatnonzero(there)
    at = row[:, None] + np.arange(len(parts))[None, :] * len(there)
    return pa.concat_arrays(parts).take(pa.array(at.ravel()))


def same_length(values: pa.Array) -> int | None:
    """The length that all lists have, or None."""
    there = lengths(values)[np.asarray(values.is_valid())]
    return int(there[0]) if len(there) and (there == there[0]).all() else None


def items_of(values: pa.Array) -> pa.Array:
    """All items of lists, or entries of maps, in order."""
    there = values.drop_null()
    there = there.take(pa.array(np.arange(len(there))))  # without what a slice leaves around it
    if pa.types.is_map(values.type):
        return pa.StructArray.from_arrays([there.keys, there.items], names=["key", "value"])
    return there.flatten()


def all_distinct(items: pa.Array, group: Ints) -> bool:
    """Whether no list has an item twice; not asked of nested items, nor of lists of one."""
    flat = not pa.types.is_nested(items.type) or pa.types.is_struct(items.type)
    if not flat or not len(items) or group[-1] == len(items) - 1:
        return False
    codes = item_codes(items)
    pairs = group * (int(codes.max()) + 1) + codes
    return len(np.unique(pairs)) == len(pairs)


def item_codes(items: pa.Array) -> Ints:
    """Equal for equal items; of map entries, for equal keys."""
    if pa.types.is_struct(items.type):
        items = items.field(0)
    if isinstance(items, pa.ExtensionArray):
        items = items.storage
    if pa.types.is_dictionary(items.type):
        items = items.dictionary.take(items.indices)
    return np.asarray(items.dictionary_encode().indices.fill_null(-1)).astype(np.int64) + 1
