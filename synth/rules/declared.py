"""Rules as people write them, read without any data.

    total = round(quantity * price, 2)      due = 100 * hour + minute
    arrived = clock(due + late)             at = datetime(2013, month, day, hour)
    week = iso_week(day)                    origin, dest -> distance
    start <= end                            0 <= share <= 1
    placed_on >= customers.joined_on        total = sum(lines.quantity * lines.price)
    one_of(is_a, is_b, is_c)                null(sold_on) -> null(price)
    constant(currency)                      step(price, 0.05)
    city = customers.city                   items = count(lines)
    unique(code)                            luhn(card)
    clock(opens)                            increasing(seen_at)

Names that are no plain words stand in backticks.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from prefect_synth.synth.errors import RuleError
from prefect_synth.synth.rules.calendar import PARTS

CHECKS = ("luhn", "ean13", "isbn10", "isbn13", "iban")
_UNITS = ("year", "month", "day", "hour", "minute", "second")
_SINGLE = ("constant", "increasing", "one_of", "unique", "step", "clock", "valid_date", *CHECKS)
_PART_NAMES = tuple(p for p in PARTS if "@" not in p)
_FUNCTIONS = (*_PART_NAMES, "round", "clock", "datetime", "sum", "count")
WORDS = frozenset({*_FUNCTIONS, *_SINGLE, "null", "and"})
"""Words of the language of rules that are no names."""
_OFFSETS = re.compile(r" [+-][\d.]+h(?: until [^,]+)?(?:, [+-][\d.]+h(?: until [^,]+)?)*$")


@dataclass(frozen=True)
class Declared:
    """A rule as it was written.

    Args:
        kind: sum, product, clock_sum, clock, datetime, part, lookup, order, range, relation_sum,
            one_of, null, constant, step, unique, valid_date, increasing, or a name of `CHECKS`.
        text: As it was written.
        target: The column that is computed or checked; of an order the larger one.
        columns: The other columns; one of another table as `table.column`.
        options: What else the kind needs.
    """

    kind: str
    text: str
    target: str
    columns: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def computes(self) -> bool:
        """Whether the target follows from the other columns."""
        return self.kind in (
            "sum", "product", "clock_sum", "datetime", "part", "lookup", "relation_sum", "constant",
        )  # fmt: skip


def read_rule(text: str) -> list[Declared]:
    """Read one line; a chain `a <= b <= c`, or `a <= c and b <= c`, is several rules.

    Raises:
        RuleError: The line is no rule.
    """
    try:
        return _Reader(text).read()
    except (SyntaxError, ValueError, TypeError, AttributeError, IndexError) as error:
        if isinstance(error, RuleError):
            raise
        raise RuleError(
            f"'{text}' is no rule. Rules look like: a = b + c; a = round(b * c, 2); a, b -> c; "
            "a <= b; one_of(a, b, c)."
        ) from error


def unknown_column(name: str, rule: str, known: Collection[str]) -> RuleError:
    """A rule that names a column that is not there, with the nearest one that is."""
    near = difflib.get_close_matches(name, known, 1)
    hint = f" Did you mean '{near[0]}'?" if near else f" Columns: {', '.join(known)}."
    return RuleError(f"The rule '{rule}' names the column '{name}', which does not exist.{hint}")


class _Reader:
    """One line, with names in backticks put aside."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: dict[str, str] = {}

    def read(self) -> list[Declared]:
        plain = re.sub(r"`([^`]+)`", self._aside, self.text.strip())
        if "->" in plain:
            return [self._arrow(*plain.split("->"))]
        offsets = _OFFSETS.search(plain)
        plain = plain[: offsets.start()] if offsets else plain
        (statement,) = ast.parse(plain).body
        if isinstance(statement, ast.Assign):
            (target,) = statement.targets
            return [self._formula(self._name(target), statement.value, offsets)]
        if not isinstance(statement, ast.Expr):
            raise ValueError(plain)
        if isinstance(statement.value, ast.Compare):
            return self._compared(statement.value)
        if isinstance(statement.value, ast.BoolOp) and isinstance(statement.value.op, ast.And):
            return [rule for part in statement.value.values for rule in self._compared(part)]
        return [self._call(statement.value)]

    def _aside(self, match: re.Match[str]) -> str:
        name = f"quoted_name_{len(self.names)}_"
        self.names[name] = match[1]
        return name

    def _name(self, node: ast.AST) -> str:
        if isinstance(node, ast.Attribute):
            return f"{self._name(node.value)}.{self.names.get(node.attr, node.attr)}"
        if not isinstance(node, ast.Name):
            raise ValueError(ast.dump(node))
        return self.names.get(node.id, node.id)

    def _arrow(self, left: str, right: str) -> Declared:
        nulls = [re.fullmatch(r"\s*null\((.+)\)\s*", side) for side in (left, right)]
        if nulls[0] and nulls[1]:
            first, second = (self.names.get(m[1].strip(), m[1].strip()) for m in nulls if m)
            return Declared("null", self.text, second, (first,))
        names = [self._name(ast.parse(n.strip(), mode="eval").body) for n in left.split(",")]
        target = self._name(ast.parse(right.strip(), mode="eval").body)
        if not 1 <= len(names) <= 3:
            raise RuleError(f"The rule '{self.text}' has {len(names)} determinants; 1 to 3 can be.")
        return Declared("lookup", self.text, target, tuple(names))

    def _formula(self, target: str, value: ast.expr, offsets: re.Match[str] | None) -> Declared:
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            made = self._function(target, value.func.id, value.args, offsets)
            if made is not None:
                return made
        shifted = self._shifted_part(target, value)
        if shifted is not None:
            return shifted
        factors = self._factors(value)
        if factors is not None:
            names, signs = factors
            return Declared("product", self.text, target, names, {"signs": signs})
        terms, constant = self._terms(value)
        options = {"factors": tuple(terms.values()), "constant": constant}
        return Declared("sum", self.text, target, tuple(terms), options)

    def _function(
        self, target: str, name: str, args: list[ast.expr], offsets: re.Match[str] | None
    ) -> Declared | None:
        if name == "round":
            factors = self._factors(args[0])
            if factors is None:
                raise ValueError(self.text)
            digits = ast.literal_eval(args[1]) if len(args) > 1 else 0
            options = {"signs": factors[1], "digits": digits}
            return Declared("product", self.text, target, factors[0], options)
        if name == "clock":
            terms, _ = self._terms(args[0])
            return Declared("clock_sum", self.text, target, tuple(terms))
        if name == "datetime":
            return self._datetime(target, args, offsets)
        if name in ("sum", "count"):
            node = args[0]
            names = (self._factors(node) or ((self._name(node),), ()))[0]
            child = names[0] if name == "count" else names[0].rsplit(".", 1)[0]
            columns = names if name == "sum" else ()
            return Declared("relation_sum", self.text, target, columns, {"child": child})
        return self._shifted_part(target, ast.Call(ast.Name(name), args, []))

    def _datetime(
        self, target: str, args: list[ast.expr], offsets: re.Match[str] | None
    ) -> Declared:
        year = args[0].value if isinstance(args[0], ast.Constant) else None
        named = zip(_UNITS, args, strict=False)
        parts = {u: self._name(a) for u, a in named if not isinstance(a, ast.Constant)}
        options = {"year": year, "parts": parts, "offsets": offsets[0] if offsets else ""}
        return Declared("datetime", self.text, target, tuple(parts.values()), options)

    def _shifted_part(self, target: str, value: ast.expr) -> Declared | None:
        shift = 0
        if isinstance(value, ast.BinOp) and isinstance(value.right, ast.Constant):
            sign = {ast.Add: 1, ast.Sub: -1}.get(type(value.op), 0)
            shift, value = sign * int(ast.literal_eval(value.right)), value.left
        if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Name):
            return None
        part = value.func.id
        if part == "week" and len(value.args) == 2:
            part = f"week@{ast.literal_eval(value.args[1])}"
        if part not in PARTS:
            raise RuleError(_no_function(part, self.text, _FUNCTIONS))
        moment = self._name(value.args[0])
        return Declared("part", self.text, target, (moment,), {"part": part, "shift": shift})

    def _factors(self, value: ast.expr) -> tuple[tuple[str, ...], tuple[int, ...]] | None:
        """Names and signs of a product of columns, `1 - column` and `1 + column`."""
        if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Mult):
            return None
        names: list[str] = []
        signs: list[int] = []
        for side in (value.left, value.right):
            if isinstance(side, ast.Constant):
                return None  # a multiple of a column: a sum of one term
            inner = self._factors(side)
            if inner is not None:
                names += inner[0]
                signs += inner[1]
            elif isinstance(side, ast.BinOp):
                if ast.literal_eval(side.left) != 1:
                    raise ValueError(self.text)
                names.append(self._name(side.right))
                signs.append(1 if isinstance(side.op, ast.Add) else -1)
            else:
                names.append(self._name(side))
                signs.append(0)
        return tuple(names), tuple(signs)

    def _terms(self, value: ast.expr, factor: float = 1) -> tuple[dict[str, float], float]:
        """Factors by column, and the constant."""
        if isinstance(value, ast.Constant):
            return {}, factor * float(ast.literal_eval(value))
        if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
            return self._terms(value.operand, -factor)
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult | ast.Div):
            number, other = value.right, value.left
            if isinstance(value.op, ast.Mult) and isinstance(value.left, ast.Constant):
                number, other = value.left, value.right
            size = float(ast.literal_eval(number))
            size = size if isinstance(value.op, ast.Mult) else 1 / size
            return self._terms(other, factor * size)
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub):
            left, constant = self._terms(value.left, factor)
            sign = 1 if isinstance(value.op, ast.Add) else -1
            right, other_constant = self._terms(value.right, sign * factor)
            terms = {n: left.get(n, 0) + right.get(n, 0) for n in (*left, *right)}
            return terms, constant + other_constant
        return {self._name(value): factor}, 0.0

    def _compared(self, value: ast.expr) -> list[Declared]:
        if not isinstance(value, ast.Compare):
            raise ValueError(ast.dump(value))
        sides = [value.left, *value.comparators]
        rules = []
        for left, operator, right in zip(sides, value.ops, sides[1:], strict=False):
            strict = isinstance(operator, ast.Lt | ast.Gt)
            if isinstance(operator, ast.Gt | ast.GtE):
                left, right = right, left
            elif not isinstance(operator, ast.Lt | ast.LtE):
                raise ValueError("no order")
            rules.append(self._order(left, right, strict=strict))
        return rules

    def _order(self, low: ast.expr, high: ast.expr, *, strict: bool) -> Declared:
        numbers = [_number(low), _number(high)]
        if numbers[0] is None and numbers[1] is None:
            names = (self._name(low),)
            return Declared("order", self.text, self._name(high), names, {"strict": strict})
        column = self._name(high if numbers[1] is None else low)
        options = {"low": numbers[0], "high": numbers[1], "strict": strict}
        return Declared("range", self.text, column, (), options)

    def _call(self, value: ast.expr) -> Declared:
        if not isinstance(value, ast.Call):
            raise ValueError(self.text)
        name = self._name(value.func)
        if name not in _SINGLE:
            raise RuleError(_no_function(name, self.text, _SINGLE))
        numbers = tuple(n for n in map(_number, value.args) if n is not None)
        names = tuple(self._name(a) for a in value.args if _number(a) is None)
        if name == "valid_date":
            return Declared(name, self.text, names[-1], names[:-1], {"numbers": numbers})
        return Declared(name, self.text, names[0], names[1:], {"numbers": numbers})


def _number(node: ast.expr) -> float | str | None:
    """A number, or a date in quotes; None for a name."""
    if isinstance(node, ast.Name | ast.Attribute):
        return None
    value = ast.literal_eval(node)
    if not isinstance(value, int | float | str):
        raise ValueError(value)
    return value


def _no_function(name: str, rule: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(known)}."
    return f"The rule '{rule}' uses '{name}', which is not known. {hint}"
