"""Numbers with check digits that are right, and that nobody has where there is such a range.

Each maker turns numbers into the characters of ids, [n, length], without separators; `ROOM` says
how many different ids it has.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.generation.scramble import mix
from prefect_synth.synth.pii import checksums

_ALPHABET = np.array([ord(c) for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"])
_MONTHS = np.array([ord(c) for c in "ABCDEHLMPRST"])


def _digits(numbers: Ints, width: int) -> Ints:
    """Numbers as code points of `width` digits, [n, width]."""
    return np.asarray(numbers[:, None] // 10 ** np.arange(width - 1, -1, -1) % 10 + 48)


def _constant(text: str, count: int) -> Ints:
    return np.tile(np.array([ord(c) for c in text], np.int64), (count, 1))


def _us_ssn(n: Ints) -> Ints:
    """Areas 900 to 999 with groups 01 to 49 are neither social security numbers nor ITINs (SSA)."""
    area, rest = np.divmod(n, 49 * 10_000)
    return np.hstack([_digits(area + 900, 3), _digits(rest // 10_000 + 1, 2), _digits(rest, 4)])


def _uk_nino(n: Ints) -> Ints:
    """The prefix QQ is never given (HMRC, NIM39110)."""
    return np.hstack([_constant("QQ", len(n)), _digits(n // 4, 6), 65 + (n % 4)[:, None]])


def _es_dni(n: Ints) -> Ints:
    """Numbers from 99,000,000 on, which have not been reached."""
    numbers = 99_000_000 + n
    return np.hstack([_digits(numbers, 8), checksums.dni_letter(numbers)[:, None]])


def _fr_nir(n: Ints) -> Ints:
    """Department 00, which there is not."""
    sex, rest = np.divmod(n, 100 * 12 * 990 * 999)
    year, rest = np.divmod(rest, 12 * 990 * 999)
    month, rest = np.divmod(rest, 990 * 999)
    place, order = np.divmod(rest, 999)
    body = np.hstack([
        _digits(sex + 1, 1), _digits(year, 2), _digits(month + 1, 2), _constant("00", len(n)),
        _digits(place + 1, 3), _digits(order + 1, 3),
    ])  # fmt: skip
    return np.hstack([body, _digits(checksums.nir_key(body), 2)])


def _it_cf(n: Ints) -> Ints:
    """Places X000 to X999: no Italian place has a code with X."""
    noise = mix(n, 7)
    letters = [_ALPHABET[(noise // np.uint64(26**i) % np.uint64(26)).astype(int)] for i in range(6)]
    year, rest = np.divmod(n, 12 * 28 * 1000)
    month, rest = np.divmod(rest, 28 * 1000)
    body = np.hstack([
        np.column_stack(letters), _digits(year % 100, 2), _MONTHS[month][:, None],
        _digits(rest // 1000 + 1, 2), _constant("X", len(n)), _digits(rest, 3),
    ])  # fmt: skip
    return np.hstack([body, checksums.codice_letter(body)[:, None]])


def _ch_ahv(n: Ints) -> Ints:
    """Swiss numbers are given at random: none is sure to be nobody's."""
    body = np.hstack([_constant("756", len(n)), _digits(n, 9)])
    return np.hstack([body, checksums.ahv_digit(body - 48)[:, None] + 48])


def _br_cpf(n: Ints) -> Ints:
    """No range of CPF is kept free: none is sure to be nobody's."""
    digits = _digits(n + 1, 9) - 48
    return np.hstack([digits, checksums.cpf_digits(digits)]) + 48


def _de_steuer(n: Ints) -> Ints:
    """A leading 0 marks ids for tests; of the ten digits one comes twice and one is missing."""
    which, order = np.divmod(n, 362_880)  # 9!
    left = np.tile(np.arange(1, 10), (len(n), 1))
    picked = []
    for size in range(9, 0, -1):
        order, at = np.divmod(order, size)
        picked.append(left[np.arange(len(n)), at])
        keep = np.arange(size) != at[:, None]
        left = left[keep].reshape(len(n), size - 1)
    digits = np.column_stack([np.zeros(len(n), np.int64), *picked])
    to, other = (side[which] + 1 for side in np.triu_indices(9, 1))  # 36 pairs of places
    digits[np.arange(len(n)), to] = digits[np.arange(len(n)), other]
    return np.hstack([digits, checksums.steuer_digit(digits)[:, None]]) + 48


def _pl_pesel(n: Ints) -> Ints:
    """Births from 2100 on, which have months 41 to 52."""
    year, rest = np.divmod(n, 12 * 28 * 10_000)
    month, rest = np.divmod(rest, 28 * 10_000)
    body = np.hstack([
        _digits(year, 2), _digits(month + 41, 2), _digits(rest // 10_000 + 1, 2), _digits(rest, 4)
    ])  # fmt: skip
    return np.hstack([body, checksums.pesel_digit(body - 48)[:, None] + 48])


def _nl_bsn(n: Ints) -> Ints:
    """Numbers from 900,000,000 on are for tests (RvIG); remainder 10 is stepped over."""
    numbers = 90_000_000 + 10 * n
    body = _digits(numbers, 8)
    weights = np.array((9, 8, 7, 6, 5, 4, 3, 2))
    for _ in range(2):  # one more in the last place turns a remainder of 10 into 1
        remainder = (body - 48) @ weights % 11
        body[:, 7] += remainder == 10
    return np.hstack([body, ((body - 48) @ weights % 11)[:, None] + 48])


def _mac(n: Ints) -> Ints:
    """Locally administered addresses (IEEE 802): no maker gives them out."""
    nibbles = n[:, None] // 16 ** np.arange(9, -1, -1) % 16
    hexes = np.where(nibbles < 10, nibbles + 48, nibbles + 55)
    return np.hstack([_constant("02", len(n)), hexes])


MAKERS: dict[str, Callable[[Ints], Ints]] = {
    "us_ssn": _us_ssn, "uk_nino": _uk_nino, "es_dni": _es_dni, "fr_nir": _fr_nir,
    "it_cf": _it_cf, "ch_ahv": _ch_ahv, "br_cpf": _br_cpf, "de_steuer": _de_steuer,
    "pl_pesel": _pl_pesel, "nl_bsn": _nl_bsn, "mac": _mac,
}  # fmt: skip
"""Makers by the kinds of `pii.formats.NATIONAL_IDS`, and of MAC addresses."""

ROOM: dict[str, int] = {
    "us_ssn": 100 * 49 * 10_000, "uk_nino": 4_000_000, "es_dni": 1_000_000,
    "fr_nir": 2 * 100 * 12 * 990 * 999, "it_cf": 100 * 12 * 28 * 1000, "ch_ahv": 10**9,
    "br_cpf": 10**9 - 1, "de_steuer": 362_880 * 36, "pl_pesel": 100 * 12 * 28 * 10_000,
    "nl_bsn": 1_000_000, "mac": 16**10,
}  # fmt: skip
"""Different ids of each kind."""

LENGTHS: dict[str, int] = {
    "us_ssn": 9, "uk_nino": 9, "es_dni": 9, "fr_nir": 15, "it_cf": 16, "ch_ahv": 13,
    "br_cpf": 11, "de_steuer": 11, "pl_pesel": 11, "nl_bsn": 9, "mac": 12,
}  # fmt: skip
"""Characters of each kind, without separators."""
