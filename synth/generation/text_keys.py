"""Text keys: by template, numbered above the real ones, or as addresses that reach nobody."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.generation.made_up import DOMAINS
from prefect_synth.synth.generation.scramble import mix, permute
from prefect_synth.synth.pii_rules import are_emails
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
_SCRAMBLE = 2**31 - 1  # a prime: row numbers are permuted modulo it


@stored
@dataclass(frozen=True)
class TextKeys:
    """Text keys by template: a constant, or a class of characters, at each place.

    Args:
        template: One string for each place: its possible characters.
        kind: Schema with one field of the column's type.
    """

    template: tuple[str, ...]
    kind: pa.Schema

    def generate(self, rows: Ints, seed: int) -> pa.Array:
        """Keys of the rows with these numbers, [n]; unique as long as the template allows."""
        template = self._wide_enough(int(rows.max()) + 1 if len(rows) else 0)
        capacity = math.prod(len(c) for c in template)
        modulus = min(capacity, _SCRAMBLE)
        number = permute(rows, modulus, seed)
        filler = mix(rows, seed)
        places = []
        used = 1
        for characters in reversed(template):
            table = np.array(list(characters))
            if used < modulus:
                places.append(table[number % len(table)])
                number, used = number // len(table), used * len(table)
            else:  # beyond the number's digits any fixed function of the row keeps keys unique
                places.append(table[(filler % len(table)).astype(np.int64)])
                filler = mix(filler.astype(np.int64), seed + 1)
        text = [pa.array(p.astype(str)) for p in reversed(places)]
        joined = pc.binary_join_element_wise(*text, "") if len(text) > 1 else text[0]
        return joined.cast(_text_type(self.kind.field(0).type))

    def _wide_enough(self, rows: int) -> tuple[str, ...]:
        template = self.template or (_CLASSES["d"],)
        while math.prod(len(c) for c in template) < rows:
            template = (*template, _CLASSES["d"])
        return template


@stored
@dataclass(frozen=True)
class NumberedKeys:
    """Text keys of a constant start and a padded number, above the real numbers.

    Args:
        prefix: The constant start.
        digits: Places of the number.
        start: First number: a power of ten above every real one, so that it tells none.
        kind: Schema with one field of the column's type.
    """

    prefix: str
    digits: int
    start: int
    kind: pa.Schema

    def generate(self, rows: Ints, seed: int) -> pa.Array:
        """Keys of the rows with these numbers, [n]; unique, with a further digit if need be."""
        room = 10**self.digits
        # beyond the last number the low ones come again, and then longer ones
        number = np.where(rows < room, (rows + self.start) % room, rows)
        text = pc.utf8_lpad(pa.array(number).cast(pa.string()), self.digits, "0")
        kind = _text_type(self.kind.field(0).type)
        return pc.binary_join_element_wise(self.prefix, text, "").cast(kind)


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
            if len(rows) and pc.max(pc.utf8_length(made)).as_py() > self.longest:
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
    template = tuple(_characters(s, alone) for s in seen)
    return _numbered(present, template, schema) or TextKeys(template, schema)


def _numbered(
    present: pa.Array, template: tuple[str, ...], schema: pa.Schema
) -> NumberedKeys | None:
    """Numbered keys, where all keys are a constant and a number with room above the largest."""
    prefix = "".join(template).rstrip(_CLASSES["d"]) if template else ""
    digits = len(template) - len(prefix)
    constant = all(len(place) == 1 for place in template[: len(prefix)])
    if not constant or not 0 < digits <= _MOST_DIGITS or all(len(p) == 1 for p in template):
        return None
    pattern = f"^[0-9]{{{digits}}}$"
    rest = pc.utf8_slice_codeunits(present, len(prefix))
    if not pc.all(
        pc.and_(pc.starts_with(present, prefix), pc.match_substring_regex(rest, pattern))
    ).as_py():
        return None
    start = 10 ** len(str(pc.max(rest.cast(pa.int64())).as_py()))
    return NumberedKeys(prefix, digits, start, schema) if start + len(rest) <= 10**digits else None


def _characters(seen: set[str], alone: bool) -> str:
    if len(seen) == 1 and (not alone or not next(iter(seen)).isalnum()):
        return next(iter(seen))
    for characters in _CLASSES.values():
        if seen <= set(characters):
            return characters
    return "".join(sorted(seen | set(_CLASSES["x"])))


def _text_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
