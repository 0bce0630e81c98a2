"""People whom nobody is: the names of a row, and what is made of them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.generation.pools import pool_of
from prefect_synth.synth.generation.pseudonyms import hashed, one_to_one, serials

DOMAINS = ("example.com", "example.org", "example.net")
"""Domains that RFC 2606 reserves: mail to them reaches nobody."""
PERSON_SDTYPES = ("first_name", "last_name", "name", "email", "user_name", "url")
"""Sdtypes that are made of the name of a row's person."""

_SHORT_DOMAIN = "a.test"  # reserved too, for columns without room
_FAMILY_FIRST = {"ja": " ", "hu": " ", "zh": "", "ko": ""}


def names(rows: Ints, key: int, locale: str) -> tuple[pa.Array, pa.Array]:
    """First and last name of the person of each row; pairs do not repeat while there are others.

    Args:
        rows: Row numbers, [n].
        key: Of the table's people.
        locale: Faker's locale.
    """
    first, last = pool_of("first_name", locale), pool_of("last_name", locale)
    which = one_to_one(rows, len(first) * len(last), key)
    return first.take(pa.array(which // len(last))), last.take(pa.array(which % len(last)))


def full_names(rows: Ints, key: int, locale: str) -> pa.Array:
    """Full names, in the order of the language."""
    first, last = names(rows, key, locale)
    joiner = _FAMILY_FIRST.get(locale[:2])
    if joiner is not None:
        return pc.binary_join_element_wise(last, first, joiner)
    return pc.binary_join_element_wise(first, last, " ")


@lru_cache(maxsize=64)
def longest_unique_name(locale: str) -> tuple[int, int]:
    """How many full names differ for certain, and how long the longest one is."""
    first, last = pool_of("first_name", locale), pool_of("last_name", locale)
    lengths = sum(pc.max(pc.utf8_length(pool)).as_py() for pool in (first, last)) + 1
    ambiguous = locale[:2] in _FAMILY_FIRST or pc.any(pc.match_substring(last, " ")).as_py()
    return (0 if ambiguous else len(first) * len(last)), lengths


def emails(rows: Ints, person: int, key: int, locale: str, longest: int | None) -> pa.Array:
    """Addresses in reserved domains, made of the row's name and of a number no other row has.

    Args:
        rows: Row numbers, [n].
        person: Key of the table's people.
        key: Key of the column.
        locale: Faker's locale.
        longest: Longest text allowed.
    """
    local = _ascii(pc.binary_join_element_wise(*names(rows, person, locale), "."))
    local = pc.ascii_trim(local, ".")
    local = pc.if_else(pc.equal(local, ""), "user", local)  # a name in another script
    number = pc.cast(pa.array(serials(rows, 10, key)), pa.string())
    domains = DOMAINS if longest is None or longest >= 20 else (_SHORT_DOMAIN,)
    domain = pa.array(domains).take(pa.array(hashed(rows, key, len(domains))))
    if longest is not None:
        local = cut(local, number, longest - len(domains[0]) - 1)
    return pc.binary_join_element_wise(local, number, "@", domain, "")


def user_names(rows: Ints, person: int, key: int, locale: str, longest: int | None) -> pa.Array:
    """Names to log in with: an initial, the last name and a number no other row has."""
    first, last = names(rows, person, locale)
    local = _ascii(pc.binary_join_element_wise(pc.utf8_slice_codeunits(first, 0, 1), last, ""))
    local = pc.if_else(pc.equal(local, ""), "user", local)
    number = pc.cast(pa.array(serials(rows, 10, key)), pa.string())
    local = local if longest is None else cut(local, number, longest)
    return pc.binary_join_element_wise(local, number, "")


def cut(texts: pa.Array, ends: pa.Array, longest: int) -> pa.Array:
    """Texts so short that each has room for its end, one character at least where there is any."""
    sizes = np.asarray(pc.utf8_length(ends))
    for size in np.unique(sizes):
        short = pc.utf8_slice_codeunits(texts, 0, max(longest - int(size), 0))
        texts = pc.if_else(pa.array(sizes == size), short, texts)
    return texts


def _ascii(texts: pa.Array) -> pa.Array:
    plain = pc.replace_substring(pc.utf8_lower(texts), "ß", "ss")
    return pc.replace_substring_regex(pc.utf8_normalize(plain, form="NFKD"), r"[^a-z.]+", "")
