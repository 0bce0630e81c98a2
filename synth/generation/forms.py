"""Forms of values: which places are digits or letters, and what stands between them.

`+49 ### #######` is the form of a phone number: the country's code stays, the digits do not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import RARE, Ints
from prefect_synth.synth.generation.pseudonyms import hashed, one_to_one, shares

DIGIT, UPPER, LOWER, PLACE = "#", "@", "&", "¤"
FEWEST_VALUES = 10**6
"""A form of a unique column must have room for so many values."""

_MOST_FORMS = 50
_MOST = 2**62
_KINDS = {DIGIT: (48, 10), UPPER: (65, 26), LOWER: (97, 26)}
_CALLING = r"1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[2-9]\d\d"  # ITU-T E.164
_STAYS = {
    "phone_number": rf"^((?:\+|00) ?(?:{_CALLING})|\(?0)",
    "iban": r"^([A-Za-z]{2})",
    "credit_card_number": r"^(\d)",
}
_US = r"^(\+?1[ .\-]?)?\(?###\)?[ .\-]*###[ .\-]####"


def learn_forms(values: pa.Array, sdtype: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The forms that five values or more have, and their shares.

    Args:
        values: Texts without nulls.
        sdtype: What they are; of phone numbers the country's code stays, of an IBAN the country.
    """
    stays = _STAYS.get(sdtype)
    head = pa.array([""]).take(pa.array(np.zeros(len(values), np.int64)))
    if stays is not None:
        found = pc.extract_regex(values, stays.replace("^(", "^(?P<kept>", 1))
        head = pc.fill_null(pc.struct_field(found, "kept"), "")
    rest = pc.replace_substring_regex(values, "^$", "")
    sizes = np.asarray(pc.utf8_length(head))
    for size in np.unique(sizes):
        tail = pc.utf8_slice_codeunits(values, int(size))
        rest = pc.if_else(pa.array(sizes == size), tail, rest)
    counted = pc.value_counts(pc.binary_join_element_wise(head, _masked(rest, sdtype), ""))
    numbers = np.asarray(pc.struct_field(counted, "counts"))
    texts = np.asarray(pc.struct_field(counted, "values").to_numpy(zero_copy_only=False), object)
    order = sorted(range(len(texts)), key=lambda i: (-numbers[i], texts[i]))[:_MOST_FORMS]
    kept = [i for i in order if numbers[i] >= RARE and texts[i]]
    total = sum(int(numbers[i]) for i in kept)
    return tuple(str(texts[i]) for i in kept), tuple(int(numbers[i]) / total for i in kept)


def masked(values: pa.Array) -> pa.Array:
    """Texts with their digits and letters as places."""
    return _masked(values, "")


def _masked(values: pa.Array, sdtype: str) -> pa.Array:
    texts = pc.replace_substring_regex(values, "[#@&]", "-")
    texts = pc.replace_substring_regex(texts, r"\d", DIGIT)
    if sdtype == "phone_number":  # an extension is said in letters
        return texts
    return pc.replace_substring_regex(
        pc.replace_substring_regex(texts, r"\p{Lu}", UPPER), r"\p{Ll}", LOWER
    )


def capacity(form: str) -> int:
    """How many values a form has room for."""
    found = 1
    for place in form:
        found *= _KINDS[place][1] if place in _KINDS else 1
    return found


def apart(forms: Sequence[str]) -> list[int]:
    """Which of these forms to keep, so that no value has two of them; the first ones are."""
    kept: list[int] = []
    for i, form in enumerate(forms):
        if not any(_meet(form, forms[j]) for j in kept):
            kept.append(i)
    return kept


def _meet(form: str, other: str) -> bool:
    """Whether a text may have both forms."""
    if len(form) != len(other):
        return False
    return all(a == b or _is_of(a, b) or _is_of(b, a) for a, b in zip(form, other, strict=True))


def _is_of(character: str, place: str) -> bool:
    start, size = _KINDS.get(place, (0, 0))
    return start <= ord(character) < start + size


def of_forms(
    rows: Ints, key: int, forms: tuple[str, ...], weights: tuple[float, ...]
) -> list[tuple[str, Ints]]:
    """Which rows have which form.

    Returns:
        Each form with the places of its rows in `rows`.
    """
    edges = np.cumsum(weights)
    which = np.minimum(np.searchsorted(edges, shares(rows, key), side="right"), len(forms) - 1)
    found = [(form, np.flatnonzero(which == i)) for i, form in enumerate(forms)]
    return [(form, at) for form, at in found if len(at)]


def filled(form: str, rows: Ints, key: int, *, phone: bool = False) -> Ints:
    """Code points of a form's values at these rows, [n, length of the form].

    No two rows have the same value while the form has room for others.
    """
    codes = np.tile(np.array([ord(c) for c in form], np.int64), (len(rows), 1))
    fixed = _fixed(form) if phone else {}
    places = [i for i, c in enumerate(form) if c in _KINDS]
    sizes = [_size(form, i, fixed) for i in places]
    if fixed:  # no North American area begins with 0 or 1
        sizes[0] = 8
    room = min(int(np.prod([float(s) for s in sizes], initial=1.0)), _MOST)
    left = one_to_one(rows, max(room, 1), key)
    for i, size in zip(reversed(places), reversed(sizes), strict=True):
        if i in fixed:
            codes[:, i] = ord(fixed[i])
            continue
        if room >= _MOST and (spent := left == 0).any():  # more places than a number has digits
            left[spent] = hashed(rows[spent], key + i, _MOST)
        start = _KINDS[form[i]][0] + (_KINDS[form[i]][1] - size)
        codes[:, i] = start + left % size
        left = left // size
    return codes


def _size(form: str, place: int, fixed: dict[int, str]) -> int:
    """How many characters a place can have: no number begins with 0."""
    if place in fixed:
        return 1
    leading = not any(c.isalnum() or c in _KINDS for c in form[:place])
    return _KINDS[form[place]][1] - int(leading and form[place] == DIGIT)


def _fixed(form: str) -> dict[int, str]:
    """Exchange 555 of a North American number, which is given to hardly anybody."""
    matched = pc.match_substring_regex(pa.array([form]), _US)[0].as_py()
    places = [i for i, c in enumerate(form) if c == DIGIT]
    return dict(zip(places[3:6], "555", strict=True)) if matched else {}
