"""Personal data in the column's own forms: phone numbers, accounts, cards, ids, net addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.generation.forms import (
    FEWEST_VALUES,
    PLACE,
    apart,
    capacity,
    filled,
    learn_forms,
    masked,
    of_forms,
)
from prefect_synth.synth.generation.national_ids import LENGTHS, MAKERS, ROOM
from prefect_synth.synth.generation.pools import pool_of
from prefect_synth.synth.generation.pseudonyms import hashed, one_to_one
from prefect_synth.synth.pii.checksums import iban_remainder, luhn_digit, texts_of
from prefect_synth.synth.pii.detection import national_id
from prefect_synth.synth.storage import stored

_TEST_CARDS = {"4": "411111", "5": "555555", "3": "378282", "6": "601111", "2": "222300"}
"""How the card numbers begin that the networks publish for tests."""
_SHAPED = frozenset(
    {
        "phone_number",
        "iban",
        "credit_card_number",
        "ssn",
        "mac_address",
        "license_plate",
        "postcode",
    }
)
_SOME = 200


@stored
@dataclass(frozen=True)
class Forms:
    """In which forms a column's values are written.

    Args:
        forms: Forms that five values or more have.
        weights: Their shares.
        kind: A kind of id whose check digits are known, a key of `national_ids.MAKERS`, or a
            kind of net address; empty where there is none.
    """

    forms: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    kind: str = ""

    @property
    def known(self) -> bool:
        """Whether there is any form to keep."""
        return bool(self.forms or self.kind)


def fit_forms(values: pa.Array, sdtype: str, locale: str, *, unique: bool) -> Forms:
    """Learn the forms of a column; no value is kept.

    Args:
        values: Texts without nulls.
        sdtype: What they are.
        locale: Whose postcodes are taken from a list where they have the column's form.
        unique: Whether no value may come twice: forms without room are left out then.
    """
    if sdtype in ("ipv4_address", "ipv6_address"):
        return Forms(kind=sdtype)
    if sdtype not in _SHAPED or not len(values):
        return Forms()
    kind = {"ssn": national_id(values) or "", "mac_address": "mac"}.get(sdtype, "")
    if kind:  # only what stands between the characters is learned
        values = pc.replace_substring_regex(values, "[0-9A-Za-z]", PLACE)
    forms, weights = learn_forms(values, sdtype)
    if sdtype == "postcode" and not unique and _listed(forms, locale):
        return Forms()
    if kind:
        rooms = [form.count(PLACE) == LENGTHS[kind] for form in forms]
    else:
        rooms = [not unique or capacity(form) >= FEWEST_VALUES for form in forms]
    kept = [i for i, fits in enumerate(rooms) if fits]
    if unique:
        kept = [kept[i] for i in apart([forms[i] for i in kept])]
    total = sum(weights[i] for i in kept)
    return Forms(tuple(forms[i] for i in kept), tuple(weights[i] / total for i in kept), kind)


def _listed(forms: tuple[str, ...], locale: str) -> bool:
    """Whether the locale's list has postcodes of the column's commonest form."""
    pool = masked(pool_of("postcode", locale).slice(0, _SOME))
    return not forms or bool(pc.any(pc.equal(pool, forms[0])).as_py())


def formatted(sdtype: str, forms: Forms, rows: Ints, key: int, *, unique: bool) -> pa.Array:
    """Values of an sdtype in a column's forms, one for each row number.

    Args:
        sdtype: What they are.
        forms: The column's forms.
        rows: Row numbers, [n].
        key: Of the column.
        unique: Whether no value may come twice.

    Raises:
        SynthesisError: There are not so many different values.
    """
    if sdtype in _NETS:
        return _NETS[sdtype](rows, key)
    if forms.kind:
        return _ids(forms, rows, key, unique)
    texts = np.empty(len(rows), object)
    for form, at in of_forms(rows, key, forms.forms, forms.weights):
        if unique:
            _check_room(rows, capacity(form), sdtype)
        codes = filled(form, rows[at], key, phone=sdtype == "phone_number")
        codes = _CHECKED[sdtype](codes) if sdtype in _CHECKED else codes
        texts[at] = texts_of(codes).to_numpy(zero_copy_only=False)
    return pa.array(texts, pa.string())


def _ids(forms: Forms, rows: Ints, key: int, unique: bool) -> pa.Array:
    """Ids with right check digits, with what the column has between their characters."""
    if unique:
        _check_room(rows, ROOM[forms.kind], forms.kind)
    codes = MAKERS[forms.kind](one_to_one(rows, ROOM[forms.kind], key))
    if not forms.forms:
        return texts_of(codes)
    texts = np.empty(len(rows), object)
    for form, at in of_forms(rows, key, forms.forms, forms.weights):
        whole = np.tile(np.array([ord(c) for c in form], np.int64), (len(at), 1))
        whole[:, [i for i, c in enumerate(form) if c == PLACE]] = codes[at]
        texts[at] = texts_of(whole).to_numpy(zero_copy_only=False)
    return pa.array(texts, pa.string())


def _check_room(rows: Ints, room: int, what: str) -> None:
    if len(rows) and int(rows.max()) >= room:
        raise SynthesisError(
            f"There are not {int(rows.max()) + 1:,} different values of the kind '{what}' in the "
            f"column's form, at most {room:,}. Ask for fewer rows."
        )


def _with_luhn(codes: Ints) -> Ints:
    """A card number of a test range with Luhn's digit at its end."""
    codes = codes.copy()
    places = np.flatnonzero((codes[0] >= 48) & (codes[0] <= 57))
    head = _TEST_CARDS.get(chr(codes[0, places[0]]), "999999")
    for place, digit in zip(places[:-1], head, strict=False):
        codes[:, place] = ord(digit)
    codes[:, places[-1]] = luhn_digit(codes[:, places[:-1]] - 48) + 48
    return codes


def _with_iban_digits(codes: Ints) -> Ints:
    """An account number with the check digits of its country and digits."""
    codes = codes.copy()
    places = np.flatnonzero((codes[0] > 47) & (codes[0] != 95))
    compact = codes[:, places]
    compact[(compact >= 97) & (compact <= 122)] -= 32
    compact[:, 2:4] = 48
    check = 98 - iban_remainder(compact)
    codes[:, places[2]], codes[:, places[3]] = check // 10 + 48, check % 10 + 48
    return codes


_CHECKED: dict[str, Callable[[Ints], Ints]] = {
    "credit_card_number": _with_luhn,
    "iban": _with_iban_digits,
}


def _ipv4(rows: Ints, key: int) -> pa.Array:
    """Addresses of 198.18.0.0/15, which RFC 2544 keeps for tests; beyond them of 10.0.0.0/8."""
    tests = one_to_one(rows, 2**17, key)
    private = one_to_one(np.maximum(rows - 2**17, 0), 2**24, key)
    number = np.where(rows < 2**17, (198 << 24) + (18 << 16) + tests, (10 << 24) + private)
    parts = [pa.array(number >> shift & 255).cast(pa.string()) for shift in (24, 16, 8, 0)]
    return pc.binary_join_element_wise(*parts, ".")


def _ipv6(rows: Ints, key: int) -> pa.Array:
    """Addresses of 2001:db8::/32, which RFC 3849 keeps for documents."""
    number = one_to_one(rows, 2**48, key)
    parts = [np.char.mod("%04x", number >> shift & 0xFFFF) for shift in (32, 16, 0)]
    more = hashed(rows, key, 2**16)
    parts.append(np.char.mod("%04x", more))
    return pc.binary_join_element_wise(
        pa.scalar("2001:0db8:0000:0000"), *(pa.array(p, pa.string()) for p in parts), ":"
    )


_NETS: dict[str, Callable[[Ints, int], pa.Array]] = {"ipv4_address": _ipv4, "ipv6_address": _ipv6}
