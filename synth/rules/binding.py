"""Declared rules made ready for the data: types, digits, steps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.ticks import fit_ticks
from prefect_synth.synth.errors import RuleError
from prefect_synth.synth.rules.calendar import Composed, DayOfMonth, Part
from prefect_synth.synth.rules.check_digits import CheckDigit
from prefect_synth.synth.rules.clock import Clock, ClockSum
from prefect_synth.synth.rules.declared import CHECKS, Declared
from prefect_synth.synth.rules.formulas import Product, Sum
from prefect_synth.synth.rules.groups import OneHot
from prefect_synth.synth.rules.lookup import fit_lookup
from prefect_synth.synth.rules.order import Between, common_scale
from prefect_synth.synth.rules.outside import MARK, of_children, of_parent
from prefect_synth.synth.rules.rule import Rule
from prefect_synth.synth.rules.search import Search
from prefect_synth.synth.rules.single import Constant, Copied, NullWith, Range, Step
from prefect_synth.synth.rules.units import is_number, numbers, plain

_OFFSET = re.compile(r"([+-][\d.]+)h(?: until (\S+?))?(?:,|$)")
_HALF = 0.5


def bind_rules(search: Search, declared: Sequence[Declared]) -> None:
    """Add the declared rules of one table to its search, in force whatever the rows say.

    Raises:
        RuleError: A rule does not fit the columns' types.
    """
    for rule in with_ranges_along_orders(declared):
        if rule.kind not in _MAKERS:
            continue
        try:
            made = _MAKERS[rule.kind](search, rule)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise RuleError(f"The rule '{rule.text}' does not fit the data: {error}.") from error
        for each in made:
            search.declare(each)


def with_ranges_along_orders(declared: Sequence[Declared]) -> list[Declared]:
    """Ranges first, and those that follow from an order: a <= b and b <= 9 give a <= 9."""
    orders = [r for r in declared if r.kind == "order"]
    ranges = [r for r in declared if r.kind == "range"]
    waiting = list(ranges)
    while waiting:
        rule = waiting.pop()
        for order in orders:
            at, to = order.columns[0], order.target
            if rule.options["low"] is None:
                at, to = to, at
            if rule.target == at and "." not in to and not _has(ranges, rule, to):
                followed = Declared("range", rule.text, to, (), rule.options)
                ranges.append(followed)
                waiting.append(followed)
    rest = [r for r in declared if r.kind not in ("order", "range")]
    return [*ranges, *rest, *orders]


def _has(ranges: Sequence[Declared], rule: Declared, column: str) -> bool:
    return any(r.target == column and r.options == rule.options for r in ranges)


def _kind(search: Search, column: str) -> pa.Schema:
    return pa.schema([("v", search.rows.columns[column].type)])


def _digits(search: Search, rule: Declared, column: str) -> int:
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


def _here(search: Search, rule: Declared, column: str) -> str:
    """The name under which the rows have a column, of their own or of their parent."""
    if column in search.rows.columns or "." not in column:
        return column
    table, _, name = column.rpartition(".")
    ways = search.family.above if search.family else ()
    relation = next((r for r in ways if r.parent == table), None)
    if relation is None:
        raise RuleError(
            f"The rule '{rule.text}' of table '{search.name}' reads '{column}', but there is not "
            f"exactly one foreign key to '{table}' that is drawn before the row. Leave it out."
        )
    outside = of_parent(relation, name)
    search.see(outside)
    return outside.name


def _relation_sum(search: Search, rule: Declared) -> list[Rule]:
    child = rule.options["child"]
    ways = search.family.below if search.family else ()
    relation = next((r for r in ways if r.child == child), None)
    if relation is None or search.family is None:
        raise RuleError(
            f"The rule '{rule.text}' of table '{search.name}' sums over '{child}', which does not "
            f"have exactly one foreign key to '{search.name}'. Leave it out."
        )
    names = tuple(c.rpartition(".")[2] for c in rule.columns)
    table = search.family.tables[child]
    units = [numbers(plain(table[n])) for n in names]
    if any(u is None for u in units):
        raise RuleError(f"The rule '{rule.text}' sums '{child}' columns that are no numbers.")
    outside = of_children(relation, names, tuple(u.decimals for u in units if u))
    search.see(outside)
    own, digits = _digits(search, rule, rule.target), sum(outside.digits)
    if digits > own:
        raise RuleError(
            f"The rule '{rule.text}' gives '{rule.target}' digits that it does not have. Sum "
            "columns of no more digits."
        )
    kind = _kind(search, rule.target)
    return [Sum(rule.target, (outside.name,), (10 ** (own - digits),), 0, (digits, own), kind)]


def _sum(search: Search, rule: Declared) -> list[Rule]:
    rule = replace(rule, columns=tuple(_here(search, rule, c) for c in rule.columns))
    if rule.options["factors"] == (1,) and not rule.options["constant"]:
        return [Copied(rule.target, rule.columns[0], _kind(search, rule.target))]
    digits = tuple(_digits(search, rule, c) for c in (*rule.columns, rule.target))
    factors = [Fraction(f).limit_denominator(10**9) for f in rule.options["factors"]]
    finest = digits[-1]
    weights = [f * Fraction(10) ** (finest - d) for f, d in zip(factors, digits, strict=False)]
    constant = Fraction(rule.options["constant"]).limit_denominator(10**9) * 10**finest
    if any(w.denominator != 1 for w in (*weights, constant)):
        raise RuleError(
            f"The rule '{rule.text}' gives '{rule.target}' digits that it does not have. Write it "
            "with round(), or turn it round so that another column is computed."
        )
    whole = tuple(int(w) for w in weights)
    kind = _kind(search, rule.target)
    return [Sum(rule.target, rule.columns, whole, int(constant), digits, kind)]


def _product(search: Search, rule: Declared) -> list[Rule]:
    digits = tuple(_digits(search, rule, c) for c in rule.columns)
    last = rule.options.get("digits", _digits(search, rule, rule.target))
    signs = rule.options["signs"]
    kind = _kind(search, rule.target)
    made = [
        Product(rule.target, rule.columns, signs, (*digits, last), even, kind)
        for even in (False, True)
    ]
    unequal = [_unequal(search, m, rule.target) for m in made]
    return [made[int(unequal[1] < unequal[0])]]


def _unequal(search: Search, rule: Product, target: str) -> int:
    computed, values = rule.computed(search.rows), search.rows.columns[target]
    return int((~np.asarray(pa.compute.fill_null(pa.compute.equal(computed, values), True))).sum())


def _clock_sum(search: Search, rule: Declared) -> list[Rule]:
    for column in (*rule.columns, rule.target):
        _digits(search, rule, column)
    start, minutes = rule.columns
    kind = _kind(search, rule.target)
    return [ClockSum(rule.target, start, minutes, _midnight(search, rule.target), kind)]


def _clock(search: Search, rule: Declared) -> list[Rule]:
    _digits(search, rule, rule.target)
    midnight = _midnight(search, rule.target)
    return [Clock(rule.target, midnight, _kind(search, rule.target))]


def _midnight(search: Search, column: str) -> int:
    units = search.units(column)
    return 2400 if units is not None and (units.whole[units.valid] == 2400).any() else 0


def _datetime(search: Search, rule: Declared) -> list[Rule]:
    parts, year = rule.options["parts"], rule.options["year"]
    found = _OFFSET.findall(rule.options["offsets"])
    offsets = tuple(round(float(hours) * 3600) for hours, _ in found) or (0,)
    moments = [np.datetime64(m, "s") for _, m in found if m]
    starts = tuple(int(m.astype(np.int64)) for m in moments)
    kind = _kind(search, rule.target)
    made: list[Rule] = [Composed(rule.target, parts, year, starts, offsets, kind)]
    if {"month", "day"} <= parts.keys():
        of_year = parts.get("year", year)
        day = parts["day"]
        made.append(DayOfMonth(day, parts["month"], of_year, _kind(search, day)))
    return made


def _valid_date(search: Search, rule: Declared) -> list[Rule]:
    numbers = rule.options["numbers"]
    year = int(numbers[0]) if numbers else rule.columns[0]
    kind = _kind(search, rule.target)
    return [DayOfMonth(rule.target, rule.columns[-1], year, kind)]


def _part(search: Search, rule: Declared) -> list[Rule]:
    part, shift = rule.options["part"], rule.options["shift"]
    return [Part(rule.target, rule.columns[0], part, shift, _kind(search, rule.target))]


def _lookup(search: Search, rule: Declared) -> list[Rule]:
    foreign = {columns: relation for relation, columns in search.relations.items()}
    parents = {foreign[c]: c for c in rule.columns if c in foreign}
    columns = [c for c in rule.columns if c not in foreign]
    for column in columns:
        if column in search.keys:
            raise RuleError(
                f"The rule '{rule.text}' has the key '{column}' of table '{search.name}' as a "
                "determinant, and its parents are generated without a style of their own. Keep "
                "the parent table, or leave the rule out."
            )
    made = fit_lookup(search.rows, rule.target, columns, parents)
    if not len(made.keys):
        raise RuleError(
            f"The rule '{rule.text}' of table '{search.name}' has no key of at least 5 rows, so "
            "there is nothing that may be kept of it."
        )
    return [made]


def _order(search: Search, rule: Declared) -> list[Rule]:
    low, high = (_here(search, rule, c) for c in (rule.columns[0], rule.target))
    scale = common_scale([search.rows.columns[c] for c in (low, high)])
    if scale is None:
        raise RuleError(
            f"The rule '{rule.text}' compares '{low}' and '{high}' of table '{search.name}', "
            "which are not both numbers, or both dates or datetimes."
        )
    strict = rule.options["strict"]
    computed = [r.target for r in search.found if not isinstance(r, Range | Step | Between)]
    if high in computed or high.startswith(MARK):
        return [Between(low, (), ((high, strict),), scale, _kind(search, low))]
    return [Between(high, ((low, strict),), (), scale, _kind(search, high))]


def _range(search: Search, rule: Declared) -> list[Rule]:
    values, ends = search.rows.columns[rule.target], []
    for name, sign in (("low", 1), ("high", -1)):
        value = rule.options[name]
        end = pa.array([] if value is None else [value])
        end = pa.array([], values.type) if value is None else _as(end, values.type)
        if rule.options["strict"] and value is not None:
            end = _moved(end, values, sign)
        ends.append(end)
    return [Range(rule.target, ends[0], ends[1], rule.text, _kind(search, rule.target))]


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


def _one_of(search: Search, rule: Declared) -> list[Rule]:
    members = (rule.target, *rule.columns)
    return [OneHot(m, members, _kind(search, m)) for m in members]


def _null(search: Search, rule: Declared) -> list[Rule]:
    return [NullWith(rule.target, rule.columns[0])]


def _constant(search: Search, rule: Declared) -> list[Rule]:
    values = search.rows.columns[rule.target].drop_null()
    if not len(values):
        return []
    usual = pa.compute.mode(values.dictionary_encode().indices)[0].as_py()["mode"]
    value = values.dictionary_encode().dictionary.slice(usual, 1)
    return [Constant(rule.target, value, _kind(search, rule.target))]


def _step(search: Search, rule: Declared) -> list[Rule]:
    numbers: list[Any] = list(rule.options["numbers"])
    fractions = [Fraction(n).limit_denominator(10**9) for n in numbers]
    digits = max(
        _digits(search, rule, rule.target),
        *(next(d for d in range(10) if (f * 10**d).denominator == 1) for f in fractions),
    )
    step, *offset = [int(f * 10**digits) for f in fractions]
    kind = _kind(search, rule.target)
    return [Step(rule.target, step, offset[0] if offset else 0, digits, kind)]


def _check(search: Search, rule: Declared) -> list[Rule]:
    return [CheckDigit(rule.target, rule.kind, _kind(search, rule.target))]


_MAKERS = {
    "sum": _sum, "product": _product, "clock_sum": _clock_sum, "clock": _clock,
    "datetime": _datetime, "valid_date": _valid_date, "part": _part, "lookup": _lookup,
    "order": _order, "range": _range, "one_of": _one_of, "null": _null, "constant": _constant,
    "step": _step, "relation_sum": _relation_sum, **dict.fromkeys(CHECKS, _check),
}  # fmt: skip
