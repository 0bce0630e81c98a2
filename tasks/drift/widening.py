"""Whether one type of a warehouse takes every value of another one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

TypeKind = Literal["type_widened", "type_narrowed", "type_changed"]

_FORM = re.compile(
    r"^(?P<name>[^()\[]+)(\((?P<sizes>[\d\s,]+)\))?(?P<rest>[^()\[]*)(?P<of>(\[\d*\])*)$"
)
_INTEGERS: dict[str, tuple[int, bool]] = {  # bits, signed
    "tinyint": (8, True), "smallint": (16, True), "int2": (16, True),
    "integer": (32, True), "int": (32, True), "int4": (32, True),
    "bigint": (64, True), "int8": (64, True), "hugeint": (128, True),
    "utinyint": (8, False), "usmallint": (16, False), "uinteger": (32, False),
    "ubigint": (64, False), "uhugeint": (128, False),
}  # fmt: skip
_FLOATS = {
    "real": 24,
    "float": 24,
    "float4": 24,
    "double": 53,
    "double precision": 53,
    "float8": 53,
}
"""Bits of the mantissa: so large an integer is held exactly."""
_TEXTS = {"character": 0, "char": 0, "bpchar": 0, "character varying": 1, "varchar": 1, "text": 1}
_NO_BOUND = 1 << 40
_TIMES = ("time", "time without time zone", "time with time zone", "timetz", "timestamp",
          "timestamp without time zone", "timestamp with time zone", "timestamptz")  # fmt: skip
_STAMPS = {"timestamp_s": 0, "timestamp_ms": 3, "timestamp": 6, "timestamp without time zone": 6}


@dataclass(frozen=True)
class _Type:
    name: str
    sizes: tuple[int, ...]
    of: str  # the brackets of an array

    @property
    def length(self) -> int:
        """How many characters a text takes."""
        if self.sizes:
            return self.sizes[0]
        return 1 if self.name in ("character", "char", "bpchar") else _NO_BOUND

    @property
    def digits(self) -> tuple[int, int]:
        """Digits before and behind the point; a numeric without sizes has no bounds."""
        if not self.sizes:
            return _NO_BOUND, _NO_BOUND
        scale = self.sizes[1] if len(self.sizes) > 1 else 0
        return self.sizes[0] - scale, scale


def compare_types(old: str, new: str) -> TypeKind:
    """Say what became of a type that is written otherwise than before.

    Args:
        old: The type as it was, as `character varying(20)`.
        new: The type as it is.

    Returns:
        Widened where every value of the old one fits into the new one, as in another name of the
        same type; narrowed the other way round; else changed.

    Example:
        >>> compare_types("integer", "bigint"), compare_types("numeric(10,2)", "numeric(8,2)")
        ('type_widened', 'type_narrowed')
        >>> compare_types("integer", "text")
        'type_changed'
    """
    before, now = _read(old), _read(new)
    if _fits(before, now):
        return "type_widened"
    return "type_narrowed" if _fits(now, before) else "type_changed"


def _read(text: str) -> _Type:
    """A type's name and sizes, as `timestamp(3) without time zone` has them."""
    found = _FORM.match(text.strip().lower())
    if found is None:
        return _Type(text, (), "")
    name = re.sub(r"\s+", " ", f"{found['name'].strip()} {found['rest']}".strip())
    name = {"decimal": "numeric"}.get(name, name)
    sizes = tuple(int(size) for size in (found["sizes"] or "").split(",") if size.strip())
    return _Type(name, sizes, found["of"])


def _fits(old: _Type, new: _Type) -> bool:
    """Whether the new type takes every value of the old one, without another meaning."""
    if old.of != new.of:
        return False
    if old.name in _INTEGERS:
        return _integer_fits(old, new)
    if old.name in _FLOATS and new.name in _FLOATS:
        return _FLOATS[old.name] <= _FLOATS[new.name]
    if old.name == new.name == "numeric":
        return all(a <= b for a, b in zip(old.digits, new.digits, strict=True))
    if old.name in _TEXTS and new.name in _TEXTS:
        return old.length <= new.length and _TEXTS[old.name] <= _TEXTS[new.name]
    return _time_fits(old, new)


def _integer_fits(old: _Type, new: _Type) -> bool:
    bits, signed = _INTEGERS[old.name]
    if new.name in _INTEGERS:
        more, minus = _INTEGERS[new.name]
        return more >= bits if signed == minus else minus and more > bits
    if new.name in _FLOATS:
        return bits - signed <= _FLOATS[new.name]
    return new.name == "numeric" and len(str(2 ** (bits - signed))) <= new.digits[0]


def _time_fits(old: _Type, new: _Type) -> bool:
    if old.name == "date":
        return new.name in _STAMPS
    if old.name in _STAMPS and new.name in _STAMPS and not (old.sizes or new.sizes):
        return _STAMPS[old.name] <= _STAMPS[new.name]
    if old.name == new.name and old.name in _TIMES:
        return (old.sizes or (6,))[0] <= (new.sizes or (6,))[0]
    return False
