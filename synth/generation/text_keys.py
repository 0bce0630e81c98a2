"""Text keys: by template, numbered above the real ones, or as addresses that reach nobody."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.generation.orders import Run, Scatter, fit_order
from prefect_synth.synth.generation.people import DOMAINS
from prefect_synth.synth.generation.scramble import MOST, mix, permute
from prefect_synth.synth.pii.detection import are_emails
from prefect_synth.synth.storage import stored

LOOKED_AT = 10_000
"""Keys from which a form is learned."""

_MOST_DIGITS = 15
_CLASSES = {
    "d": "0123456789",
    "u": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "l": "abcdefghijklmnopqrstuvwxyz",
    "h": "0123456789abcdef",
    "H": "0123456789ABCDEF",
    "a": "0123456789abcdefghijklmnopqrstuvwxyz",
    "A": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "x": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
}


@stored
@dataclass(frozen=True)
class TextKeys:
    """Text keys by template: a constant, or a class of characters, at each place.

    Args:
        template: One string for each place: its possible characters.
        kind: Schema with one field of the column's type.
        order: In which order the template's texts are given out; at random where None.
        longest: Longest text that the column can hold; None where there is no limit.
    """

    template: tuple[str, ...]
    kind: pa.Schema
    order: Scatter | Run | None = None
    longest: int | None = None

    def generate(self, rows: Ints, seed: int) -> pa.Array:
        """Keys of the rows with these numbers, [n]: unique, with a further digit if need be.

        Raises:
            OverflowError: The column is too narrow for so many keys.
        """
        template = self.template or (_CLASSES["d"],)
        kind = _text_type(self.kind.field(0).type)
        made, first, order = pa.array([""] * len(rows), kind), 0, self.order
        while True:  # each round makes the rows that the template has room for
            size = capacity(template)
            here = (rows >= first) & (rows < first + size)
            if here.any():
                self._check_length(template, rows)
                texts = _written(template, rows[here] - first, order, seed).cast(kind)
                made = pc.replace_with_mask(made, pa.array(here), texts)
            first, order, template = first + size, None, (*template, _CLASSES["d"])
            if not len(rows) or first > rows.max():
                return made

    def _check_length(self, template: tuple[str, ...], rows: Ints) -> None:
        if self.longest is not None and len(template) > self.longest:
            raise OverflowError(
                f"{self.longest} characters cannot hold {int(rows.max()) + 1} keys of this form"
            )


def capacity(template: tuple[str, ...]) -> int:
    """Texts that the numbered places of a template tell apart."""
    return math.prod(len(template[i]) for i in _numbered_places(template))


def _numbered_places(template: tuple[str, ...]) -> list[int]:
    """The varying places, from the right, that make a number of at most 62 bits."""
    places: list[int] = []
    size = 1
    for i in reversed(range(len(template))):
        if len(template[i]) > 1 and size * len(template[i]) <= MOST:
            places.append(i)
            size *= len(template[i])
    return places


def _written(
    template: tuple[str, ...], rows: Ints, order: Scatter | Run | None, seed: int
) -> pa.Array:
    """The texts of row numbers below the template's capacity, [n]."""
    number = permute(rows, capacity(template), seed) if order is None else order.numbers(rows, seed)
    counted, filler = set(_numbered_places(template)), mix(rows, seed)
    letters = np.empty((len(rows), len(template)), "U1")
    for i in reversed(range(len(template))):
        table = np.array(list(template[i]))
        if i in counted:
            letters[:, i] = table[number % len(table)]
            number = number // len(table)
        else:  # the numbered places keep keys unique: any fixed function of the row will do
            letters[:, i] = table[(filler % np.uint64(len(table))).astype(np.int64)]
            filler = mix(filler, seed + 1)
    return pa.array(letters.view(f"U{len(template)}").ravel(), pa.string())


def _read(template: tuple[str, ...], texts: pa.Array) -> Ints:
    """The numbers of those texts that fit the template: the inverse of `_written`."""
    number, fits = np.zeros(len(texts), np.int64), np.ones(len(texts), bool)
    counted = set(_numbered_places(template))
    for i, characters in enumerate(template):
        place = pc.utf8_slice_codeunits(texts, i, i + 1)
        digit = pc.index_in(place, pa.array(list(characters), place.type)).fill_null(-1)
        digits = np.asarray(digit).astype(np.int64)
        fits &= digits >= 0
        if i in counted:
            number = number * len(characters) + np.maximum(digits, 0)
    return np.asarray(number[fits])


@stored
@dataclass(frozen=True)
class NumberedKeys:
    """Text keys of a constant start and a padded number, above the real numbers.

    Args:
        prefix: The constant start.
        digits: Places of the number; 0 where it is not padded.
        start: First number: a power of ten above every real one, so that it tells none.
        kind: Schema with one field of the column's type.
        longest: Longest text that the column can hold; None where there is no limit.
    """

    prefix: str
    digits: int
    start: int
    kind: pa.Schema
    longest: int | None = None

    def generate(self, rows: Ints, seed: int) -> pa.Array:
        """Keys of the rows with these numbers, [n]; unique, with a further digit if need be.

        Raises:
            OverflowError: The column is too narrow for so many keys.
        """
        room = 10**self.digits
        # beyond the last number the low ones come again, and then longer ones
        number = np.where(rows < room, (rows + self.start) % room, rows)
        number = number if self.digits else rows + self.start
        text = pc.utf8_lpad(pa.array(number).cast(pa.string()), self.digits, "0")
        made = pc.binary_join_element_wise(self.prefix, text, "")
        if self.longest is not None and len(rows) and _longest(made) > self.longest:
            raise OverflowError(
                f"{self.longest} characters cannot hold {int(rows.max()) + 1} keys of this form"
            )
        return made.cast(_text_type(self.kind.field(0).type))


@stored
@dataclass(frozen=True)
class EmailKeys:
    """E-mail addresses as keys, in domains that are reserved: no letter reaches anyone.

    Args:
        longest: Longest address that the column can hold; None where there is no limit.
        kind: Schema with one field of the column's type.
    """

    longest: int | None
    kind: pa.Schema

    def generate(self, rows: Ints, seed: int) -> pa.Array:
        """Addresses of the rows with these numbers, [n]; short ones where there is little room.

        Raises:
            OverflowError: The column is too narrow for so many addresses.
        """
        number = pa.array(rows + 1).cast(pa.string())
        salt = pa.array(np.char.mod("%06x", (mix(rows, seed) >> np.uint64(40)).astype(np.int64)))
        domain = pa.array(np.array(DOMAINS)[rows % len(DOMAINS)].astype(str), pa.string())
        local = pc.binary_join_element_wise("user", number, ".", salt.cast(pa.string()), "")
        made = pc.binary_join_element_wise(local, domain, "@")
        if self.longest is not None:
            short = pc.binary_join_element_wise(number, domain, "@")
            made = pc.if_else(pc.less_equal(pc.utf8_length(made), self.longest), made, short)
            if len(rows) and _longest(made) > self.longest:
                raise OverflowError(f"{self.longest} characters cannot hold {len(rows)} addresses")
        return made.cast(_text_type(self.kind.field(0).type))


AnyTextKeys = TextKeys | NumberedKeys | EmailKeys


def fit_text_keys(present: pa.Array, schema: pa.Schema, longest: int | None = None) -> AnyTextKeys:
    """Learn the form of text keys.

    Args:
        present: The keys, without nulls.
        schema: One field of the column's type.
        longest: Longest text that the column can hold, where that is known.
    """
    if not len(present):
        return TextKeys((_CLASSES["d"],) * 8, schema)
    some = present.slice(0, LOOKED_AT)
    if are_emails(some):
        return EmailKeys(longest, schema)
    lengths = pc.utf8_length(some)
    length = pc.mode(lengths)[0].as_py()["mode"]
    same = some.filter(pc.equal(lengths, length))
    seen = [
        set(pc.unique(pc.utf8_slice_codeunits(same, i, i + 1)).to_pylist()) for i in range(length)
    ]
    alone = len(same) < 10
    template = _with_leading_digits([_characters(s, alone) for s in seen])
    numbered = _numbered(present, template, schema, longest)
    return numbered or _by_template(present, template, schema, longest)


def _with_leading_digits(template: list[str]) -> tuple[str, ...]:
    """A 0 before a number is a place of it that the real numbers did not reach."""
    for i in reversed(range(len(template) - 1)):
        if template[i] == "0" and template[i + 1] == _CLASSES["d"]:
            template[i] = _CLASSES["d"]
    return tuple(template)


def _by_template(
    present: pa.Array, template: tuple[str, ...], schema: pa.Schema, longest: int | None
) -> TextKeys:
    if any(len(set(characters)) < len(characters) for characters in template) or not template:
        return TextKeys(template, schema, None, longest)
    same = present.filter(pc.equal(pc.utf8_length(present), len(template)))
    return TextKeys(template, schema, fit_order(_read(template, same), capacity(template)), longest)


def _numbered(
    present: pa.Array, template: tuple[str, ...], schema: pa.Schema, longest: int | None
) -> NumberedKeys | None:
    """Numbered keys, where all keys are a constant and a number with room above the largest."""
    prefix = "".join(template).rstrip(_CLASSES["d"]) if template else ""
    digits = len(template) - len(prefix)
    constant = all(len(place) == 1 for place in template[: len(prefix)])
    if not constant or not 0 < digits <= _MOST_DIGITS or all(len(p) == 1 for p in template):
        return None
    rest = pc.utf8_slice_codeunits(present, len(prefix))
    starts = pc.all(pc.starts_with(present, prefix)).as_py()
    if starts and _all_match(rest, f"^[0-9]{{{digits}}}$"):
        start = 10 ** len(str(pc.max(rest.cast(pa.int64())).as_py()))
        roomy = start + len(rest) <= 10**digits
        return NumberedKeys(prefix, digits, start, schema, longest) if roomy else None
    if starts and _all_match(rest, f"^(0|[1-9][0-9]{{0,{_MOST_DIGITS - 1}}})$"):
        start = 10 ** len(str(pc.max(rest.cast(pa.int64())).as_py()))
        return NumberedKeys(prefix, 0, start, schema, longest)
    return None


def _all_match(texts: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(texts, pattern)).as_py())


def _longest(texts: pa.Array) -> int:
    return int(pc.max(pc.utf8_length(texts)).as_py())


def _characters(seen: set[str], alone: bool) -> str:
    if len(seen) == 1 and (not alone or not next(iter(seen)).isalnum()):
        return next(iter(seen))
    for characters in _CLASSES.values():
        if seen <= set(characters):
            return characters
    return "".join(sorted(seen | set(_CLASSES["x"])))


def _text_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
