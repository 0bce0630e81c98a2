"""Encoders of columns that are learned by noised counts alone, or not at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.categories import CategoryEncoder
from prefect_synth.synth.encoding.choice import AnyEncoder
from prefect_synth.synth.encoding.generated import (
    GeneratedEncoder,
    TextDatetimeEncoder,
    parse_datetimes,
)
from prefect_synth.synth.encoding.layout import Floats, Layout
from prefect_synth.synth.errors import UnsupportedTypeError
from prefect_synth.synth.generation.keys import fit_keys
from prefect_synth.synth.generation.made_up import (
    ConstantGenerator,
    declared_length,
    fit_bytes,
    fit_personal,
    fit_text,
)
from prefect_synth.synth.metadata import PII_SDTYPES, Column
from prefect_synth.synth.privacy.counting import Counting, null_share, shares
from prefect_synth.synth.privacy.numbers import Costs, fit_number
from prefect_synth.synth.privacy.settings import Bound

Way = Literal["number", "date text", "categories", "made up"]

_SELECTING = 1 / 3
_TEXT_LENGTH = 40


@dataclass(frozen=True)
class Known:
    """What everybody knows of a column.

    Args:
        column: What it means.
        kind: Its type.
        unique: Whether no value may come twice.
        bounds: Its smallest and largest value, or None.
        categories: All its values, or None.
        locale: Faker's locale for personal data.
    """

    column: Column
    kind: pa.DataType
    unique: bool
    bounds: tuple[Bound, Bound] | None
    categories: tuple[str, ...] | None
    locale: str

    @property
    def way(self) -> Way:
        """How it is encoded, by its type and meaning alone."""
        column, kind = self.column, _plain(self.kind)
        if self.unique or column.is_generated or column.sdtype in ("text", "id"):
            return "made up"
        if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_null(kind):
            return "made up"
        if column.sdtype == "datetime" and column.datetime_format and _is_text(kind):
            return "date text"
        measured = pa.types.is_temporal(kind) or column.sdtype in ("numerical", "datetime")
        ordered = self.categories is None and _is_ordered(kind) and measured
        return "number" if ordered else "categories"

    @property
    def is_charged(self) -> bool:
        """Whether anything is learned of it."""
        return self.way != "made up" or (self.column.nullable and not self.unique)


def fit_column(
    known: Known, values: pa.Array, counting: Counting, costs: Costs, table: str
) -> AnyEncoder:
    """Learn one column, or make up its values without looking at them.

    Args:
        known: What everybody knows of it.
        values: Its values.
        counting: Counts the rows.
        costs: What it may cost.
        table: The table's name, for messages.

    Raises:
        UnsupportedTypeError: A type cannot be learned with differential privacy.
    """
    nullable = known.column.nullable
    if known.way == "number":
        return fit_number(values, nullable, known.bounds, counting, costs)
    if known.way == "date text":
        written = known.column.datetime_format or ""
        parsed = parse_datetimes(values, written)
        inner = fit_number(parsed, nullable, known.bounds, counting, costs)
        return TextDatetimeEncoder(inner, written, pa.schema([("v", known.kind)]))
    if known.way == "categories":
        found = _fit_categories(known, _values_of(values), counting, costs)
        if found is not None:
            return found
        costs = replace(costs, rho=costs.rho * (1 - _SELECTING))  # the rest was spent in vain
    return _made_up(known, values, counting, costs, table)


def _fit_categories(
    known: Known, values: pa.Array, counting: Counting, costs: Costs
) -> CategoryEncoder | None:
    """Categories that are known, or else those that many units have; None if there are none."""
    rho = costs.rho
    if known.categories is not None:
        wanted = pa.array(sorted(set(known.categories)), pa.string()).cast(values.type)
    else:
        coded = values.dictionary_encode()
        codes = np.asarray(coded.indices.fill_null(-1)).astype(np.int64)
        often = counting.popular(
            codes, len(coded.dictionary), _SELECTING * rho, costs.delta
        )  # fmt: skip
        wanted = coded.dictionary.filter(pa.array(often))
        # in an order that tells nothing of the rows
        wanted = wanted.take(pc.sort_indices(wanted))
        rho -= _SELECTING * rho
    if not len(wanted):
        return None
    found = pc.index_in(values, wanted).fill_null(len(wanted) + 1)
    codes = np.asarray(found).astype(np.int64)
    codes[~np.asarray(values.is_valid())] = len(wanted)
    counts = counting.histogram(codes, len(wanted) + 2, rho)
    null = null_share(counts[-2], counts[:-2].sum(), counting.clear(rho, 1))
    layout = _layout(counts[:-2], null if known.column.nullable else None)
    return CategoryEncoder(layout, wanted, pa.schema([("v", known.kind)]), 1.0)


def _layout(counts: Floats, null: float | None) -> Layout:
    pieces = shares(counts)
    if null is not None:
        pieces = np.concatenate([[null], (1 - null) * pieces])
    return Layout(pieces, np.zeros(len(pieces), bool), len(counts) > 2, null is not None)


def _made_up(
    known: Known, values: pa.Array, counting: Counting, costs: Costs, table: str
) -> GeneratedEncoder:
    """Values that no row was looked at for; only the share of nulls is counted."""
    column, kind = known.column, known.kind
    if not _can_be_made(kind):
        raise UnsupportedTypeError(table, column.name, kind)
    layout = None
    if column.nullable and not known.unique:
        codes = np.asarray(values.is_valid()).astype(np.int64)
        nulls, there = counting.histogram(codes, 2, costs.rho)
        layout = Layout(shares(np.array([nulls, there])), np.zeros(2, bool), False, True)
    return GeneratedEncoder(
        _maker(known),  # type: ignore[arg-type]
        layout,
        False,
        pa.schema([("v", kind)]),
    )


def _maker(known: Known) -> object:
    """A maker of values, told of the type, the declaration and the meaning, and of no value."""
    column, nothing = known.column, pa.array([], _plain(known.kind))
    longest = declared_length(column.source_type)
    if column.sdtype in PII_SDTYPES and not (known.unique and _is_ordered(nothing.type)):
        return fit_personal(
            column.sdtype, nothing, known.locale, column.source_type, unique=known.unique
        )
    if _is_ordered(nothing.type) or isinstance(known.kind, pa.UuidType):
        return fit_keys(nothing)
    if pa.types.is_boolean(nothing.type):
        return ConstantGenerator("false")
    if _is_text(nothing.type) and column.sdtype == "id":
        return fit_keys(nothing, longest)
    if _is_text(nothing.type):
        return fit_text(nothing, longest or _TEXT_LENGTH, unique=known.unique, maker="words")
    if pa.types.is_binary(nothing.type) or pa.types.is_large_binary(nothing.type):
        return fit_bytes(nothing)
    return ConstantGenerator("[]" if pa.types.is_nested(nothing.type) else "{}")


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _values_of(values: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        return values.dictionary.take(values.indices)
    return values


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_ordered(kind: pa.DataType) -> bool:
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return number or (pa.types.is_temporal(kind) and not pa.types.is_interval(kind))


def _can_be_made(kind: pa.DataType) -> bool:
    plain = _plain(kind)
    return (
        _is_ordered(plain)
        or _is_text(plain)
        or isinstance(plain, pa.UuidType)
        or pa.types.is_boolean(plain)
        or pa.types.is_binary(plain)
        or pa.types.is_large_binary(plain)
        or pa.types.is_fixed_size_binary(plain)
        or pa.types.is_list(plain)
        or pa.types.is_large_list(plain)
        or pa.types.is_struct(plain)
    )
