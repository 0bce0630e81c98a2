"""Arrow columns as values that every driver takes, without a loop over rows."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Convert = Callable[[pa.Array], pa.Array]

_CONTROL = [chr(code) for code in range(32)]


def storage(array: pa.Array) -> pa.Array:
    """The values themselves: of an extension type its storage, of a dictionary its values."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array


def text(array: pa.Array) -> pa.Array:
    """Any plain column as text."""
    return storage(array).cast(pa.string())


def hexadecimal(array: pa.Array) -> pa.Array:
    """Binary values as hexadecimal text."""
    array = pa.concat_arrays([storage(array).cast(pa.large_binary())])
    offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset :][: len(array) + 1]
    data = array.buffers()[2]
    held = b"" if data is None else data[offsets[0] : offsets[-1]].to_pybytes()
    digits = pa.py_buffer(held.hex().encode())
    places = pa.py_buffer(((offsets - offsets[0]) * 2).tobytes())
    spelled = pa.LargeStringArray.from_buffers(len(array), places, digits)
    return pc.if_else(array.is_valid(), spelled, None).cast(pa.string())


def uuid_text(array: pa.Array) -> pa.Array:
    """UUIDs as people write them."""
    digits = hexadecimal(array)
    cuts = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    return pc.binary_join_element_wise(*(pc.utf8_slice_codeunits(digits, *c) for c in cuts), "-")


def offset_text(array: pa.Array) -> pa.Array:
    """Time stamps with a zone as text of the same instant in UTC, with its offset: +00:00."""
    return pc.replace_substring_regex(_utc_text(array), "Z$", "+00:00")


def naive_utc(array: pa.Array) -> pa.Array:
    """Time stamps with a zone as text of the same instant in UTC, without one."""
    return pc.replace_substring_regex(_utc_text(array), "Z$", "")


def _utc_text(array: pa.Array) -> pa.Array:
    """Arrow spells any other zone as +0100, which hardly anything reads."""
    return text(array.cast(pa.timestamp(array.type.unit, "UTC")))


def microseconds(array: pa.Array) -> pa.Array:
    """Durations as a number of microseconds."""
    return storage(array).cast(pa.duration("us")).cast(pa.int64())


def json_list(array: pa.Array) -> pa.Array:
    """Lists as JSON text."""
    return joined(array, _json_items, "null", "[", "]")


def joined(array: pa.Array, items: Convert, null: str, opening: str, closing: str) -> pa.Array:
    """Lists as text: their items, spelled by `items`, between commas."""
    lists = array.cast(pa.list_(array.type.value_type))
    spelled = items(lists.values).fill_null(null)
    together = pc.binary_join(pa.ListArray.from_arrays(lists.offsets, spelled), ",")
    whole = pc.binary_join_element_wise(opening, together, closing, "")
    return pc.if_else(lists.is_valid(), whole, None)


def escaped(array: pa.Array, sign: str = "\\") -> pa.Array:
    """Text between double quotes, with quotes and backslashes escaped."""
    for found in ("\\", '"'):
        array = pc.replace_substring(array, found, sign + found)
    return pc.binary_join_element_wise('"', array, '"', "")


def _json_items(items: pa.Array) -> pa.Array:
    kind = items.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return text(items)
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_finite(items), text(items), None)
    if isinstance(kind, pa.JsonType):
        return text(items)
    spelled = escaped(plain(items) if not pa.types.is_binary(kind) else hexadecimal(items))
    if pc.any(pc.match_substring_regex(spelled, r"[\x00-\x1f]")).as_py():
        for sign in _CONTROL:
            spelled = pc.replace_substring(spelled, sign, json.dumps(sign)[1:-1])
    return spelled


def plain(array: pa.Array) -> pa.Array:
    """Numbers, booleans and bytes as they are; everything else as text; durations as numbers."""
    kind = array.type
    if isinstance(kind, pa.UuidType):
        return uuid_text(array)
    array = storage(array)
    kind = array.type
    if pa.types.is_duration(kind):
        return microseconds(array)
    if pa.types.is_timestamp(kind) and kind.tz:
        return offset_text(array)
    if is_list(kind):
        return json_list(array)
    if _is_plain(kind):
        return array
    return text(array)


def is_list(kind: pa.DataType) -> bool:
    """Whether a column holds lists, whatever the form."""
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def is_binary(kind: pa.DataType) -> bool:
    """Whether a column holds bytes."""
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _is_plain(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_boolean(kind)
        or (pa.types.is_integer(kind) and kind != pa.uint64())
        or pa.types.is_floating(kind)
        or is_binary(kind)
    )
