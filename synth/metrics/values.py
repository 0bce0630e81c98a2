"""Turn Arrow columns into what scores are computed from: numbers, or codes of categories."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from prefect_synth.synth.metadata import Column
from prefect_synth.synth.metrics.hashing import Hashes, hash_values
from prefect_synth.synth.metrics.sources import Floats, Ints

NULL = -1
"""The code of a null."""


def plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Decode dictionaries, and make NaN null and -0.0 zero, so that equal values are alike."""
    if isinstance(values.type, pa.BaseExtensionType):
        values = values.cast(values.type.storage_type)
    if pt.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pt.is_float16(values.type):
        values = values.cast(pa.float32())
    if pt.is_floating(values.type):
        values = pc.add(values, pa.scalar(0.0, values.type))
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    return values


def value_hashes(values: pa.ChunkedArray) -> Hashes:
    """One hash for each value, blind to the storage type; nulls and NaN have one of their own."""
    chunks = [hash_values(chunk) for chunk in plain(values).chunks]
    return np.concatenate([np.zeros(0, dtype=np.uint64), *chunks])


def numbers(values: pa.ChunkedArray, column: Column) -> Floats:
    """The values of a numerical or datetime column as floats; null and NaN are NaN.

    Points in time become microseconds. Text is parsed: what does not parse is NaN.
    """
    if pt.is_floating(values.type) and not pt.is_float16(values.type):
        floats = np.asarray(values.to_numpy(), dtype=np.float64)
        return floats + 0.0  # -0.0 becomes 0.0
    values = plain(values)
    if _is_text(values.type):
        return _parsed(values, column)
    if pt.is_temporal(values.type):
        values = _microseconds(values)
    result = values.cast(pa.float64(), safe=False).to_numpy()
    return np.asarray(result, dtype=np.float64)


def codes(*sides: pa.ChunkedArray) -> tuple[list[Ints], int]:
    """Number the distinct values of all sides together.

    Args:
        sides: Columns that hold values of the same meaning; their types may differ.

    Returns:
        Codes from 0 for each side, equal where the values are, `NULL` for null; and how many
        distinct values there are.
    """
    encoded = _are_encoded(sides)
    if not encoded:
        sides = tuple(_unified([plain(side) for side in sides]))
    chunks = [chunk for side in sides for chunk in side.chunks]
    together = pa.chunked_array(chunks, None if chunks else sides[0].type)
    numbered, size = _number(together)
    if encoded:
        numbered, size = _used(numbered, size)
    ends = np.cumsum([len(side) for side in sides])[:-1]
    return np.split(numbered, ends), size


def _number(values: pa.ChunkedArray) -> tuple[Ints, int]:
    if pt.is_nested(values.type):
        distinct, inverse = np.unique(hash_values(values.combine_chunks()), return_inverse=True)
        valid = values.is_valid().to_numpy()
        return np.where(valid, inverse, NULL).astype(np.int64), len(distinct)
    encoded = values.dictionary_encode().unify_dictionaries()
    if encoded.num_chunks == 0:
        return np.zeros(0, dtype=np.int64), 0
    indices = pa.chunked_array([chunk.indices for chunk in encoded.chunks])
    size = len(encoded.chunk(0).dictionary)
    return np.asarray(indices.fill_null(NULL).to_numpy(), dtype=np.int64), size


def _are_encoded(sides: Sequence[pa.ChunkedArray]) -> bool:
    """Whether all sides hold the same kind of texts as dictionaries, so that codes are there."""
    type_ = sides[0].type
    return (
        pt.is_dictionary(type_)
        and _is_text(type_.value_type)
        and all(side.type == type_ and side.num_chunks for side in sides)
        and all(_is_proper(chunk.dictionary) for side in sides for chunk in side.chunks)
    )


def _is_proper(dictionary: pa.Array) -> bool:
    return not dictionary.null_count and len(dictionary.unique()) == len(dictionary)


def _used(numbered: Ints, size: int) -> tuple[Ints, int]:
    """Leave out the numbers that no value has: dictionaries may hold more than their rows."""
    counts = np.bincount(numbered - NULL, minlength=size + 1)[1:]
    if counts.all():
        return numbered, size
    renumbered = np.append(np.cumsum(counts > 0) - 1, NULL)  # the last place answers for NULL
    return renumbered[numbered], int(np.count_nonzero(counts))


def _unified(sides: Sequence[pa.ChunkedArray]) -> list[pa.ChunkedArray]:
    types = [side.type for side in sides]
    if all(type_ == types[0] for type_ in types):
        return list(sides)
    if all(pt.is_integer(type_) for type_ in types):
        return [side.cast(pa.int64(), safe=False) for side in sides]
    if all(_is_number(type_) for type_ in types):
        return [side.cast(pa.float64(), safe=False) for side in sides]
    if all(pt.is_temporal(type_) for type_ in types):
        return [_microseconds(side) for side in sides]
    return [side.cast(pa.string()) for side in sides]


def _is_number(type_: pa.DataType) -> bool:
    return bool(pt.is_integer(type_) or pt.is_floating(type_) or pt.is_decimal(type_))


def _is_text(type_: pa.DataType) -> bool:
    return bool(pt.is_string(type_) or pt.is_large_string(type_) or pt.is_string_view(type_))


def _microseconds(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pt.is_date(values.type):
        values = values.cast(pa.timestamp("us"))
    elif pt.is_timestamp(values.type):
        values = values.cast(pa.timestamp("us", tz=values.type.tz), safe=False)
    elif pt.is_time(values.type):
        values = values.cast(pa.time64("us"), safe=False)
    else:
        values = values.cast(pa.duration("us"), safe=False)
    return values.cast(pa.int64())


def _parsed(values: pa.ChunkedArray, column: Column) -> Floats:
    texts = pd.Series(values.to_pandas(), dtype="str")
    if column.sdtype == "datetime":
        moments = pd.to_datetime(
            texts, format=column.datetime_format or "ISO8601", errors="coerce", utc=True
        )
        micros = moments.dt.tz_localize(None).astype("datetime64[us]")
        return np.where(micros.isna(), np.nan, micros.to_numpy().astype(np.int64))
    return np.asarray(pd.to_numeric(texts, errors="coerce"), dtype=np.float64)
