"""Personal data that nobody has: each row's value follows from its number and a key alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.generation import people
from prefect_synth.synth.generation.formatted import Forms, fit_forms, formatted
from prefect_synth.synth.generation.pools import pool_of
from prefect_synth.synth.generation.pseudonyms import derive, hashed, serials
from prefect_synth.synth.generation.text_lengths import declared_length
from prefect_synth.synth.storage import stored

_MOSTLY = 0.95
_SEEN = 200_000
_NUMBER_BASE = 36
_DIGITS = np.array(list("0123456789abcdefghijklmnopqrstuvwxyz"))


@stored
@dataclass(frozen=True)
class PersonalGenerator:
    """Personal data of one sdtype, from Faker's lists of a locale or in the column's own forms.

    Args:
        sdtype: One of `PII_SDTYPES`.
        locale: Faker's locale, as `de_DE`.
        max_length: Longest text allowed; None where there is no limit.
        unique: Whether no value may come twice.
        role: Whose names they are, where a table has several people in a row.
        forms: Forms of the column's values, where they are kept.
        case: `upper` or `lower` where all letters are so; empty otherwise.
    """

    sdtype: str
    locale: str
    max_length: int | None
    unique: bool
    role: str = ""
    forms: Forms = field(default_factory=Forms)
    case: str = ""

    def generate(self, count: int, rng: np.random.Generator, first: int = 0) -> pa.Array:
        """`count` texts, of the rows from `first` on, by keys of their own."""
        key = rng.bytes(16)
        return self.at(first + np.arange(count), derive(key, "column"), derive(key, "person"))

    def at(self, rows: Ints, key: int, person: int) -> pa.Array:
        """The texts of the rows with these numbers, in any order, [n].

        Args:
            rows: Row numbers.
            key: Of the column.
            person: Of the people of the table in this column's role.

        Raises:
            SynthesisError: There are not so many different texts of this length.
        """
        if not len(rows):
            return pa.array([], pa.string())
        texts = self._texts(rows, key, person)
        return {"upper": pc.utf8_upper, "lower": pc.utf8_lower}.get(self.case, _same)(texts)

    def _texts(self, rows: Ints, key: int, person: int) -> pa.Array:
        if self.sdtype == "email":
            return people.emails(rows, person, key, self.locale, self.max_length)
        if self.sdtype == "user_name":
            return people.user_names(rows, person, key, self.locale, self.max_length)
        if self.forms.known:
            texts = formatted(self.sdtype, self.forms, rows, key, unique=self.unique)
            return texts if self.max_length is None else _short(texts, self.max_length)
        texts = self._listed(rows, key, person)
        numbered = self._numbered(rows)
        if self.max_length is not None:
            texts = pc.utf8_rtrim_whitespace(_short(texts, self.max_length))
        if not numbered.any():
            return texts
        ended = with_serials(texts, rows, key, self.max_length)
        return pc.if_else(pa.array(numbered), ended, texts)

    def _listed(self, rows: Ints, key: int, person: int) -> pa.Array:
        """Values of Faker's lists, or made of the row's name."""
        if self.sdtype == "name":
            return people.full_names(rows, person, self.locale)
        if self.sdtype in ("first_name", "last_name"):
            first, last = people.names(rows, person, self.locale)
            return first if self.sdtype == "first_name" else last
        if self.sdtype == "url":
            names = people.user_names(rows, person, key, self.locale, None)
            return pc.binary_join_element_wise(pa.scalar("https://example.com/users/"), names, "")
        pool = pool_of(self.sdtype, self.locale)
        return pool.take(pa.array(hashed(rows, key, len(pool))))

    def _numbered(self, rows: Ints) -> np.ndarray:
        """Which texts need a number of their own to be different, [n]."""
        different, longest = people.longest_unique_name(self.locale)
        if self.sdtype == "name" and longest <= (self.max_length or longest):
            return (rows >= different) & self.unique
        return np.full(len(rows), self.unique and self.sdtype != "url")


def fit_personal(
    sdtype: str,
    values: pa.Array,
    locale: str,
    source_type: str | None,
    *,
    unique: bool,
) -> PersonalGenerator:
    """Learn how a personal column's values are written: their forms and letters.

    Values are cut only where the column's declaration says how long they may be.

    Args:
        sdtype: What they are.
        values: The column, of any type; of what is no text nor whole number nothing is learned.
        locale: Faker's locale.
        source_type: The column's declaration, as `varchar(40)`.
        unique: Whether no value may come twice.
    """
    texts, longest = _as_texts(values), declared_length(source_type)
    if texts is None:
        return PersonalGenerator(sdtype, locale, longest, unique)
    some = texts.slice(0, _SEEN)
    forms = fit_forms(some, sdtype, locale, unique=unique)
    cased = sdtype in ("email", "user_name") or (forms.forms and not forms.kind)
    case = "" if cased else _case(some)
    return PersonalGenerator(sdtype, locale, longest, unique, "", forms, case)


def with_serials(texts: pa.Array, rows: Ints, key: int, longest: int | None) -> pa.Array:
    """The texts, each with a number at its end that no other row has.

    Raises:
        SynthesisError: A number is longer than the column.
    """
    ends = pa.array(_in_base(serials(rows, _NUMBER_BASE, key)), pa.string())
    if longest is None:
        return pc.binary_join_element_wise(texts, ends, "-")
    sizes = np.asarray(pc.utf8_length(ends))
    if int(sizes.max()) > longest:
        raise SynthesisError(
            f"There are not {len(rows)} more different texts of at most {longest} characters. "
            "Ask for fewer rows, or widen the column."
        )
    alone = pa.array(sizes == longest)
    dashed = pc.binary_join_element_wise("", ends, "-")
    return pc.if_else(
        alone, ends, pc.binary_join_element_wise(people.cut(texts, dashed, longest), dashed, "")
    )


def _in_base(numbers: Ints) -> np.ndarray:
    """Numbers as texts of digits and small letters, [n]."""
    texts, left = np.full(len(numbers), "", object), numbers.copy()
    open_ = np.ones(len(numbers), bool)
    while open_.any():
        left[open_], digit = np.divmod(left[open_], _NUMBER_BASE)
        texts[open_] = _DIGITS[digit].astype(object) + texts[open_]
        open_ &= left > 0
    return texts


def _as_texts(values: pa.Array) -> pa.Array | None:
    """The values as texts without nulls, or None for what is none."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    if not is_text and not pa.types.is_integer(values.type):
        return None
    return values.drop_null().cast(pa.string())


def _case(texts: pa.Array) -> str:
    letters = texts.filter(pc.match_substring_regex(texts, r"\p{L}"))
    for case, change in (("upper", pc.utf8_upper), ("lower", pc.utf8_lower)):
        if len(letters) and pc.mean(pc.equal(letters, change(letters))).as_py() >= _MOSTLY:
            return case
    return ""


def _short(texts: pa.Array, longest: int) -> pa.Array:
    return pc.utf8_slice_codeunits(texts, 0, longest)


def _same(texts: pa.Array) -> pa.Array:
    return texts
