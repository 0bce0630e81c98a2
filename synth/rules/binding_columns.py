"""Declared rules of one column, or of columns alike, made ready for the data."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.ticks import fit_ticks
from prefect_synth.synth.errors import RuleError
from prefect_synth.synth.rules.check_digits import CheckDigit
from prefect_synth.synth.rules.declared import Declared
from prefect_synth.synth.rules.groups import OneHot
from prefect_synth.synth.rules.rule import Rule
from prefect_synth.synth.rules.search import Search
from prefect_synth.synth.rules.single import Constant, NullWith, Range, Step
from prefect_synth.synth.rules.units import is_number


def kind_of(search: Search, column: str) -> pa.Schema:
    """A schema of one field, of a column's type."""
    return pa.schema([("v", search.rows.columns[column].type)])


def digits_of(search: Search, rule: Declared, column: str) -> int:
    """Digits of a number column, or why a rule cannot count with it."""
    values = search.rows.columns[column]
    if not is_number(values.type):
        raise RuleError(
            f"The rule '{rule.text}' counts with '{search.name}.{column}', which is no number "
            f"({values.type})."
        )
    units = search.units(column)
    if units is None:
        raise RuleError(
            f"The rule '{rule.text}' counts with '{search.name}.{column}', whose values have no "
            "common last digit. Round the column in a view."
        )
    return units.decimals


def bind_range(search: Search, rule: Declared) -> list[Rule]:
    """A range, closed at both ends."""
    values, ends = search.rows.columns[rule.target], []
    for name, sign in (("low", 1), ("high", -1)):
        value = rule.options[name]
        end = pa.array([] if value is None else [value])
        end = pa.array([], values.type) if value is None else _as(end, values.type)
        if rule.options["strict"] and value is not None:
            end = _moved(end, values, sign)
        ends.append(end)
    return [Range(rule.target, ends[0], ends[1], rule.text, kind_of(search, rule.target))]


def _as(value: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(kind):
        return value.cast(pa.string()).cast(kind)
    return value.cast(kind)


def _moved(end: pa.Array, values: pa.Array, sign: int) -> pa.Array:
    """The first value inside an end that is itself outside."""
    scale = fit_ticks(pa.concat_arrays([values.drop_null(), end]))
    if scale.is_continuous:
        return pa.array(np.nextafter(np.asarray(end), sign * np.inf)).cast(end.type)
    return scale.from_ticks(scale.to_ticks(end) + sign, end.type)


def bind_one_of(search: Search, rule: Declared) -> list[Rule]:
    """A one-hot group: a rule for each of its columns."""
    members = (rule.target, *rule.columns)
    return [OneHot(m, members, kind_of(search, m)) for m in members]


def bind_null(search: Search, rule: Declared) -> list[Rule]:
    """A null that follows from another."""
    return [NullWith(rule.target, rule.columns[0])]


def bind_constant(search: Search, rule: Declared) -> list[Rule]:
    """The value that most rows have."""
    values = search.rows.columns[rule.target].drop_null()
    if not len(values):
        return []
    usual = pc.mode(values.dictionary_encode().indices)[0].as_py()["mode"]
    value = values.dictionary_encode().dictionary.slice(usual, 1)
    return [Constant(rule.target, value, kind_of(search, rule.target))]


def bind_step(search: Search, rule: Declared) -> list[Rule]:
    """A grid."""
    numbers: list[Any] = list(rule.options["numbers"])
    fractions = [Fraction(n).limit_denominator(10**9) for n in numbers]
    digits = max(
        digits_of(search, rule, rule.target),
        *(next(d for d in range(10) if (f * 10**d).denominator == 1) for f in fractions),
    )
    step, *offset = [int(f * 10**digits) for f in fractions]
    kind = kind_of(search, rule.target)
    return [Step(rule.target, step, offset[0] if offset else 0, digits, kind)]


def bind_check(search: Search, rule: Declared) -> list[Rule]:
    """Check digits."""
    return [CheckDigit(rule.target, rule.kind, kind_of(search, rule.target))]
