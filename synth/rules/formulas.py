"""Arithmetic within a row: sums, differences, unit splits, products with rounding."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.rules.rule import Derivation, Rows
from prefect_synth.synth.rules.units import counted, from_numbers
from prefect_synth.synth.storage import stored


@stored
@dataclass(frozen=True)
class Sum(Derivation):
    """`target = 100 * hour + minute`: whole multiples of columns, and a constant.

    Args:
        target: The column that is computed.
        terms: Columns.
        weights: Units of the target in a unit of each term.
        constant: In units of the target.
        decimals: Digits of each term, and of the target last.
        kind: Schema with one field of the target's type.
        rest: Whether the target has values where a term has none.
        gap: Whether the target is null where no term is.
    """

    target: str
    terms: tuple[str, ...]
    weights: tuple[int, ...]
    constant: int
    decimals: tuple[int, ...]
    kind: pa.Schema
    rest: bool = False
    gap: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """The terms."""
        return self.terms

    def computed(self, rows: Rows) -> pa.Array:
        """The sum; null where a term is."""
        total, valid = np.full(rows.length, self.constant, np.int64), np.ones(rows.length, bool)
        for term, weight, digits in zip(self.terms, self.weights, self.decimals, strict=False):
            units = counted(rows.columns[term], digits)
            total += weight * units.whole
            valid &= units.valid
        return from_numbers(total, valid, self.decimals[-1], self.kind.field(0).type)

    def text(self) -> str:
        """`a = 100 * b + c - 2.5`."""
        parts = [
            _times(self._factor(weight, digits), quoted(term))
            for term, weight, digits in zip(self.terms, self.weights, self.decimals, strict=False)
        ]
        if self.constant:
            parts.append(_number(self._factor(self.constant, 0)))
        return f"{quoted(self.target)} = " + " + ".join(parts).replace("+ -", "- ")

    def _factor(self, weight: int, digits: int) -> Fraction:
        return Fraction(weight) * Fraction(10) ** (digits - self.decimals[-1])


@stored
@dataclass(frozen=True)
class Product(Derivation):
    """`total = round(quantity * price, 2)`; a factor may be `1 - discount` or `1 + tax`.

    Args:
        target: The column that is computed.
        factors: Columns.
        signs: 0 for the column itself, -1 for `1 - column`, 1 for `1 + column`.
        decimals: Digits of each factor, and of the target last.
        even: Whether halves are rounded to even digits, not up.
        kind: Schema with one field of the target's type.
        rest: Whether the target has values where a factor has none.
        gap: Whether the target is null where no factor is.
    """

    target: str
    factors: tuple[str, ...]
    signs: tuple[int, ...]
    decimals: tuple[int, ...]
    even: bool
    kind: pa.Schema
    rest: bool = False
    gap: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """The factors."""
        return self.factors

    def computed(self, rows: Rows) -> pa.Array:
        """The product, rounded; null where a factor is."""
        whole, valid = np.ones(rows.length, np.int64), np.ones(rows.length, bool)
        for factor, sign, digits in zip(self.factors, self.signs, self.decimals, strict=False):
            units = counted(rows.columns[factor], digits)
            whole = whole * (10**digits + sign * units.whole if sign else units.whole)
            valid &= units.valid
        cut = sum(self.decimals[:-1]) - self.decimals[-1]
        rounded = round_units(whole, cut, even=self.even)
        return from_numbers(rounded, valid, self.decimals[-1], self.kind.field(0).type)

    def holds(self, rows: Rows) -> np.ndarray:
        """Where both are known, they differ by one unit at most, as any rounding may."""
        digits = self.decimals[-1]
        wanted = counted(self.computed(rows), digits)
        found = counted(rows.columns[self.target], digits)
        near = np.abs(wanted.whole - found.whole) <= (sum(self.decimals[:-1]) > digits)
        return near | ~wanted.valid | ~found.valid

    def text(self) -> str:
        """`total = round(quantity * (1 - discount), 2)`."""
        parts = [
            quoted(f) if not sign else f"(1 {'-' if sign < 0 else '+'} {quoted(f)})"
            for f, sign in zip(self.factors, self.signs, strict=True)
        ]
        product = " * ".join(parts)
        if sum(self.decimals[:-1]) > self.decimals[-1]:
            product = f"round({product}, {self.decimals[-1]})"
        return f"{quoted(self.target)} = {product}"


def round_units(whole: Ints, digits: int, *, even: bool) -> Ints:
    """Units with the last `digits` digits rounded off (or as many zeros added, where negative)."""
    if digits <= 0:
        return whole * 10**-digits
    step = 10**digits
    low, left = np.divmod(whole, step)
    up = 2 * left > step
    half = 2 * left == step
    return np.asarray(low + (up | (half & ((low % 2 == 1) if even else (whole >= 0)))))


def quoted(name: str) -> str:
    """A column's name, in backticks unless it is a plain word."""
    if name.startswith("\x1f"):  # of another table, shown as it is written
        return name[1:]
    return name if re.fullmatch(r"[^\W\d]\w*", name) else f"`{name}`"


def _times(factor: Fraction, name: str) -> str:
    if factor == 1:
        return name
    return f"-{name}" if factor == -1 else f"{_number(factor)} * {name}"


def _number(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.12g}"
