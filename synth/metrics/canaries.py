"""Planted values: find texts that must nowhere be published, in columns of any type.

A canary is a value that was put into the training data to see whether it comes out again
(Carlini et al. 2019, "The secret sharer", USENIX Security).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from prefect_synth.synth.metrics.sources import Ints, Source, read_batches, read_schema

Bools = npt.NDArray[np.bool_]

_WORD = r"[\pL\pN_]"
_BEYOND = 2**64  # what no integer column holds
_TOGETHER = 200  # texts that one pattern looks for


@dataclass(frozen=True)
class _Wanted:
    patterns: tuple[str, ...]
    texts: pa.Array
    numbers: tuple[Decimal, ...]
    moments: pa.Array  # microseconds since 1970, without time zone


def find_values(source: Source, wanted: Collection[str]) -> dict[str, int]:
    """Count the cells of each column that hold one of some values.

    All rows and columns are read. A text, or one in a list or a struct, counts where it contains
    the value as a word of its own; a number, a date or a time where it is what the value says
    ("12.50" is 12.5; "2024-02-29" is that date, or its midnight).

    Args:
        source: The rows to search.
        wanted: The values, as text. Blank ones are left out.

    Returns:
        Cells by column, the columns with a hit alone.
    """
    values = [value.strip() for value in wanted if value.strip()]
    if not values:
        return {}
    searched, columns = _wanted(values), read_schema(source).names
    counts = dict.fromkeys(columns, 0)
    for batch in read_batches(source, columns):
        for column in columns:
            counts[column] += int(_holds(batch.column(column), searched).sum())
    return {column: count for column, count in counts.items() if count}


def list_items(values: pa.Array) -> tuple[pa.Array, Ints]:
    """The items of all lists of an array, and the position of the list of each."""
    if not (pt.is_list(values.type) or pt.is_large_list(values.type)):
        values = values.cast(pa.list_(values.type.value_type))  # fixed sizes, views
    # a null may own items that are hidden: its length is null, and they are not flattened
    lengths = pc.list_value_length(values).fill_null(0).to_numpy()
    return pc.list_flatten(values), np.repeat(np.arange(len(values)), lengths)


def _wanted(values: list[str]) -> _Wanted:
    chunks = [values[i : i + _TOGETHER] for i in range(0, len(values), _TOGETHER)]
    numbers = [number for value in values if (number := _number(value)) is not None]
    moments = [moment for value in values if (moment := _moment(value)) is not None]
    return _Wanted(
        tuple(_pattern(chunk) for chunk in chunks),
        pa.array(values),
        tuple(numbers),
        pa.array(moments, pa.int64()),
    )


def _pattern(values: list[str]) -> str:
    either = "|".join(r"\s+".join(map(re.escape, value.split())) for value in values)
    return f"(?:^|[^{_WORD[1:-1]}])(?:{either})(?:$|[^{_WORD[1:-1]}])"


def _holds(values: pa.Array, wanted: _Wanted) -> Bools:
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        return _holds(values.storage, wanted)
    if pt.is_dictionary(kind):
        inside = np.append(_holds(values.dictionary, wanted), False)
        return np.asarray(inside[values.indices.fill_null(len(inside) - 1).to_numpy()])
    if pt.is_struct(kind):
        parts = [_holds(part, wanted) for part in values.flatten()]
        return np.any([np.zeros(len(values), dtype=bool), *parts], axis=0)
    if pt.is_map(kind):
        entries = pa.StructArray.from_arrays([values.keys, values.items], ["key", "value"])
        values = pa.ListArray.from_arrays(values.offsets, entries)
    if pt.is_nested(kind):
        return _in_lists(values, wanted)
    return _cells(values, wanted)


def _in_lists(values: pa.Array, wanted: _Wanted) -> Bools:
    items, owners = list_items(values)
    return np.bincount(owners[_holds(items, wanted)], minlength=len(values)) > 0


def _cells(values: pa.Array, wanted: _Wanted) -> Bools:
    kind = values.type
    if pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_fixed_size_binary(kind):
        found = pc.is_in(values.cast(pa.binary()), wanted.texts.cast(pa.binary()))
    elif pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind):
        return _in_texts(values.cast(pa.string()), wanted)
    elif pt.is_date(kind) or pt.is_timestamp(kind):
        plain = pc.local_timestamp(values) if getattr(kind, "tz", None) else values
        micros = plain.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        found = pc.is_in(micros, wanted.moments)
    elif pt.is_integer(kind) or pt.is_decimal(kind):
        found = pc.is_in(values, _exactly(wanted.numbers, kind))
    elif pt.is_floating(kind):
        numbers = pa.array([float(number) for number in wanted.numbers], pa.float64())
        found = pc.is_in(values.cast(pa.float64()), numbers)
    else:  # truth values, times of day
        texts = pc.replace_substring_regex(values.cast(pa.string()), r"\.0+$", "")
        found = pc.is_in(texts, wanted.texts)
    return _bools(found)


def _in_texts(values: pa.Array, wanted: _Wanted) -> Bools:
    found = np.zeros(len(values), dtype=bool)
    for pattern in wanted.patterns:
        found |= _bools(pc.match_substring_regex(values, pattern))
    return found


def _bools(values: pa.Array) -> Bools:
    return np.asarray(values.fill_null(False).to_numpy(zero_copy_only=False), dtype=bool)


def _exactly(numbers: tuple[Decimal, ...], kind: pa.DataType) -> pa.Array:
    """The numbers that a type holds without rounding: floats skip integers from 2**53 on."""
    fitting = []
    for number in numbers:
        if pt.is_decimal(kind):
            with suppress(pa.ArrowInvalid):
                fitting.append(pa.scalar(number, kind).as_py())
        elif abs(number) < _BEYOND and number == int(number):
            with suppress(pa.ArrowInvalid, OverflowError):
                fitting.append(pa.scalar(int(number), kind).as_py())
    return pa.array(fitting, kind)


def _number(value: str) -> Decimal | None:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _moment(value: str) -> int | None:
    try:
        moment = dt.datetime.fromisoformat(value).replace(tzinfo=None)
    except ValueError:
        return None
    return (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)
