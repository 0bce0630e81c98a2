"""Declared rules made ready for the data: types, digits, steps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pyarrow as pa

from prefect_synth.synth.errors import RuleError
from prefect_synth.synth.rules.binding_columns import (
    bind_check,
    bind_constant,
    bind_null,
    bind_one_of,
    bind_range,
    bind_step,
    digits_of,
    kind_of,
)
from prefect_synth.synth.rules.calendar import Composed, DayOfMonth, Part
from prefect_synth.synth.rules.clock import Clock, ClockSum
from prefect_synth.synth.rules.declared import CHECKS, Declared
from prefect_synth.synth.rules.find_increasing import increasing_of
from prefect_synth.synth.rules.find_order import own_step
from prefect_synth.synth.rules.formulas import Product, Sum
from prefect_synth.synth.rules.increasing import Increasing
from prefect_synth.synth.rules.lookup import fit_lookup
from prefect_synth.synth.rules.order import Between, common_scale
from prefect_synth.synth.rules.outside import MARK, of_children, of_parent
from prefect_synth.synth.rules.rule import Rule
from prefect_synth.synth.rules.search import Search
from prefect_synth.synth.rules.single import Copied, Range, Step
from prefect_synth.synth.rules.units import numbers, plain

_OFFSET = re.compile(r"([+-][\d.]+)h(?: until (\S+?))?(?:,|$)")


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
    own, digits = digits_of(search, rule, rule.target), sum(outside.digits)
    if digits > own:
        raise RuleError(
            f"The rule '{rule.text}' gives '{rule.target}' digits that it does not have. Sum "
            "columns of no more digits."
        )
    kind = kind_of(search, rule.target)
    return [Sum(rule.target, (outside.name,), (10 ** (own - digits),), 0, (digits, own), kind)]


def _sum(search: Search, rule: Declared) -> list[Rule]:
    rule = replace(rule, columns=tuple(_here(search, rule, c) for c in rule.columns))
    if rule.options["factors"] == (1,) and not rule.options["constant"]:
        return [Copied(rule.target, rule.columns[0], kind_of(search, rule.target))]
    digits = tuple(digits_of(search, rule, c) for c in (*rule.columns, rule.target))
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
    kind = kind_of(search, rule.target)
    return [Sum(rule.target, rule.columns, whole, int(constant), digits, kind)]


def _product(search: Search, rule: Declared) -> list[Rule]:
    digits = tuple(digits_of(search, rule, c) for c in rule.columns)
    last = rule.options.get("digits", digits_of(search, rule, rule.target))
    signs = rule.options["signs"]
    kind = kind_of(search, rule.target)
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
        digits_of(search, rule, column)
    start, minutes = rule.columns
    kind = kind_of(search, rule.target)
    return [ClockSum(rule.target, start, minutes, _midnight(search, rule.target), kind)]


def _clock(search: Search, rule: Declared) -> list[Rule]:
    digits_of(search, rule, rule.target)
    midnight = _midnight(search, rule.target)
    return [Clock(rule.target, midnight, kind_of(search, rule.target))]


def _midnight(search: Search, column: str) -> int:
    units = search.units(column)
    return 2400 if units is not None and (units.whole[units.valid] == 2400).any() else 0


def _datetime(search: Search, rule: Declared) -> list[Rule]:
    parts, year = rule.options["parts"], rule.options["year"]
    found = _OFFSET.findall(rule.options["offsets"])
    offsets = tuple(round(float(hours) * 3600) for hours, _ in found) or (0,)
    moments = [np.datetime64(m, "s") for _, m in found if m]
    starts = tuple(int(m.astype(np.int64)) for m in moments)
    kind = kind_of(search, rule.target)
    made: list[Rule] = [Composed(rule.target, parts, year, starts, offsets, kind)]
    if {"month", "day"} <= parts.keys():
        of_year = parts.get("year", year)
        day = parts["day"]
        made.append(DayOfMonth(day, parts["month"], of_year, kind_of(search, day)))
    return made


def _valid_date(search: Search, rule: Declared) -> list[Rule]:
    numbers = rule.options["numbers"]
    year = int(numbers[0]) if numbers else rule.columns[0]
    kind = kind_of(search, rule.target)
    return [DayOfMonth(rule.target, rule.columns[-1], year, kind)]


def _part(search: Search, rule: Declared) -> list[Rule]:
    part, shift = rule.options["part"], rule.options["shift"]
    return [Part(rule.target, rule.columns[0], part, shift, kind_of(search, rule.target))]


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
        own = replace(scale, step=own_step(search, low, scale))
        return [Between(low, (), ((high, strict),), own, kind_of(search, low))]
    own = replace(scale, step=own_step(search, high, scale))
    return [Between(high, ((low, strict),), (), own, kind_of(search, high))]


def _increasing(search: Search, rule: Declared) -> list[Rule]:
    if any(isinstance(r, Increasing) for r in search.found):
        raise RuleError(
            f"The rule '{rule.text}' of table '{search.name}' is the second one of its kind. "
            "The rows of a parent stand in one order; leave one of them out."
        )
    return [increasing_of(search, rule.target)]


_MAKERS = {
    "sum": _sum, "product": _product, "clock_sum": _clock_sum, "clock": _clock,
    "datetime": _datetime, "valid_date": _valid_date, "part": _part, "lookup": _lookup,
    "order": _order, "range": bind_range, "one_of": bind_one_of, "null": bind_null,
    "constant": bind_constant, "step": bind_step, "relation_sum": _relation_sum,
    "increasing": _increasing,
    **dict.fromkeys(CHECKS, bind_check),
}  # fmt: skip
