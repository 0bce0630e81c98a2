"""One 64-bit hash for each value of an Arrow array: stable, vectorised, blind to the storage type.

The same value hashes alike as int32 or int64, as decimal(10, 2) or decimal(12, 4), as text or as
a dictionary of text, as timestamp in milli- or nanoseconds. Hashes are the same in every process
and on every machine; they are no protection by themselves, since short values can be guessed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

Hashes = npt.NDArray[np.uint64]

_NULL = np.uint64(0x9E3779B97F4A7C15)
_ORDER = np.uint64(0xD6E8FEB86659FD93)
_EXACT = float(2**53)  # from here on floats skip integers
_DIGITS = 2.0**40  # of a float's mantissa count: twelve decimal digits

_WORDS = (
    pt.is_string,
    pt.is_large_string,
    pt.is_string_view,
    pt.is_binary,
    pt.is_large_binary,
    pt.is_binary_view,
    pt.is_fixed_size_binary,
)


def hash_values(values: pa.Array) -> Hashes:
    """Hash each value of an array; nulls and NaNs have one hash of their own.

    Args:
        values: Any Arrow array: numbers, decimals, text, times, dictionaries, lists, structs.

    Returns:
        One hash for each value.
    """
    if isinstance(values.type, pa.BaseExtensionType):
        values = values.storage
    hashes = _hash(values)
    return np.where(_missing(values), _NULL, hashes)


def mix(values: Hashes) -> Hashes:
    """Scatter 64-bit words (the finalizer of SplitMix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))


def combine(first: Hashes, second: Hashes) -> Hashes:
    """Hash pairs of hashes; the order matters."""
    with np.errstate(over="ignore"):
        return mix(first * _ORDER + second)


def _missing(values: pa.Array) -> npt.NDArray[np.bool_]:
    missing = values.is_null(nan_is_null=pt.is_floating(values.type))
    return np.asarray(missing.to_numpy(zero_copy_only=False), dtype=bool)


def _hash(values: pa.Array) -> Hashes:
    kind = values.type
    if pt.is_null(kind) or len(values) == 0:
        return np.zeros(len(values), dtype=np.uint64)
    if pt.is_dictionary(kind):
        return _through_dictionary(values)
    if pt.is_struct(kind):
        return _struct(values)
    if pt.is_nested(kind):
        return _lists(values)
    if pt.is_floating(kind) or pt.is_decimal(kind):
        return _floats(values.cast(pa.float64(), safe=False).fill_null(0.0).to_numpy())
    if pt.is_boolean(kind) or pt.is_integer(kind) or pt.is_temporal(kind):
        return mix(_whole(values).fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64))
    return _through_dictionary(values.dictionary_encode())


def _whole(values: pa.Array) -> pa.Array:
    kind = values.type
    if pt.is_uint64(kind):
        return pc.cast(values, pa.uint64())
    if pt.is_date(kind):
        values = values.cast(pa.timestamp("us"))
    elif pt.is_timestamp(kind):
        values = values.cast(pa.timestamp("us", tz=kind.tz), safe=False)
    elif pt.is_time(kind):
        values = values.cast(pa.time64("us"), safe=False)
    elif pt.is_duration(kind):
        values = values.cast(pa.duration("us"), safe=False)
    return values.cast(pa.int64())


def _floats(values: npt.NDArray[np.float64]) -> Hashes:
    values = np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf)
    mantissa, exponent = np.frexp(values)
    rounded = np.ldexp(np.rint(mantissa * _DIGITS) / _DIGITS, exponent)
    exact = (values == np.rint(values)) & (np.abs(values) < _EXACT)
    values = np.where(exact, values, rounded) + 0.0  # + 0.0 makes -0.0 zero
    whole = (values == np.rint(values)) & (np.abs(values) < _EXACT)
    words = np.where(whole, np.where(whole, values, 0).astype(np.int64), values.view(np.int64))
    return mix(words.view(np.uint64))


def _through_dictionary(values: pa.DictionaryArray) -> Hashes:
    indices = values.indices.fill_null(0).to_numpy().astype(np.int64)
    if len(values.dictionary) == 0:
        return np.zeros(len(values), dtype=np.uint64)
    hashes: Hashes = _distinct(values.dictionary)[indices]
    return hashes


def _distinct(values: pa.Array) -> Hashes:
    if not any(holds(values.type) for holds in _WORDS):
        return hash_values(values)
    words = values.to_numpy(zero_copy_only=False).astype(object)
    hashes = pd.util.hash_array(np.where(_missing(values), "", words), categorize=False)
    return np.asarray(hashes, dtype=np.uint64)


def _struct(values: pa.StructArray) -> Hashes:
    hashes = np.zeros(len(values), dtype=np.uint64)
    for i in range(values.type.num_fields):
        hashes = combine(hashes, hash_values(values.field(i)))
    return hashes


def _lists(values: pa.Array) -> Hashes:
    if not (pt.is_list(values.type) or pt.is_large_list(values.type) or pt.is_map(values.type)):
        values = values.cast(pa.list_(values.type.value_type))  # fixed sizes, views
    if pt.is_map(values.type):
        items: pa.Array = pa.StructArray.from_arrays([values.keys, values.items], ["key", "value"])
    else:
        items = values.values
    offsets = values.offsets.to_numpy().astype(np.int64)
    lengths = np.diff(offsets)
    lengths = np.where(_missing(values), 0, lengths)
    owners = np.repeat(np.arange(len(values)), lengths)
    places = np.arange(len(owners)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    hashes = hash_values(items)[offsets[owners] + places]
    total = np.zeros(len(values), dtype=np.uint64)
    with np.errstate(over="ignore"):
        np.add.at(total, owners, combine(hashes, places.astype(np.uint64)))
    return combine(total, lengths.astype(np.uint64))
