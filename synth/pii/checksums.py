"""Check digits of personal numbers, many at a time.

Every function takes the characters of texts of one length as code points, [n, length], and says of
each text whether it is right. Texts are in capitals, without spaces, dashes or dots.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints

DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
"""Letter of a Spanish DNI or NIE by its number modulo 23 (Real Decreto 1553/2005)."""
IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28,
    "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
    "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20,
    "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30,
    "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22,
    "SA": 24, "SC": 31, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TL": 23, "TN": 24, "TR": 26,
    "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
"""Length of an IBAN by country (SWIFT, IBAN Registry)."""
_CF_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11,
         3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True,
    )
)  # fmt: skip


def characters(texts: pa.Array, length: int) -> Ints:
    """Code points of texts that all have `length` characters, [n, length]."""
    array = np.asarray(texts.to_numpy(zero_copy_only=False), dtype=f"<U{length}")
    return array.view(np.uint32).reshape(len(array), length).astype(np.int64)


def texts_of(codes: Ints) -> pa.Array:
    """The texts of code points, [n]: the inverse of `characters`."""
    whole = np.ascontiguousarray(codes.astype(np.uint32)).view(f"<U{codes.shape[1]}")
    return pa.array(whole.reshape(-1), pa.string())


def luhn_digit(digits: Ints) -> Ints:
    """The digit that follows `digits`, [n, k], by Luhn's rule (ISO/IEC 7812-1), [n]."""
    doubled = digits.copy()
    doubled[:, ::-1][:, ::2] *= 2
    return np.asarray(-np.where(doubled > 9, doubled - 9, doubled).sum(axis=1) % 10)


def luhn(codes: Ints) -> np.ndarray:
    """Whether the last digit is Luhn's."""
    return np.asarray(luhn_digit(codes[:, :-1] - 48) == codes[:, -1] - 48)


def iban_remainder(codes: Ints) -> Ints:
    """An IBAN, its first four characters moved to the end, modulo 97 (ISO 13616), [n]."""
    remainder = np.zeros(len(codes), np.int64)
    for column in np.hstack([codes[:, 4:], codes[:, :4]]).T:
        letter = column >= 65
        value = np.where(letter, column - 55, column - 48)
        remainder = (remainder * np.where(letter, 100, 10) + value) % 97
    return remainder


def iban(codes: Ints) -> np.ndarray:
    """Whether the length is the country's and the check digits are right."""
    countries = texts_of(codes[:, :2]).to_numpy(zero_copy_only=False)
    known = np.array([c for c, n in IBAN_LENGTHS.items() if n == codes.shape[1]])
    return np.isin(countries.astype(str), known) & (iban_remainder(codes) == 1)


def us_ssn(codes: Ints) -> np.ndarray:
    """A US social security number that can have been issued: it has no check digit."""
    area, group, serial = (number(codes[:, a:b]) for a, b in ((0, 3), (3, 5), (5, 9)))
    return np.asarray((area > 0) & (area != 666) & (area < 900) & (group > 0) & (serial > 0))


def dni_letter(numbers: Ints) -> Ints:
    """Code point of the letter of a Spanish number, [n]."""
    return _table(DNI_LETTERS)[numbers % 23]


def dni(codes: Ints) -> np.ndarray:
    """A Spanish DNI, or a NIE: X, Y and Z stand for 0, 1 and 2."""
    first = np.where(codes[:, 0] >= 88, codes[:, 0] - 88, codes[:, 0] - 48)
    numbers = number(np.column_stack([first + 48, codes[:, 1:8]]))
    return np.asarray(dni_letter(numbers) == codes[:, 8])


def nir_key(body: Ints) -> Ints:
    """Key of a French NIR of 13 characters: 97 less the number modulo 97; 2A is 19, 2B is 18."""
    corsica = body[:, 6]
    digits = body.copy()
    digits[:, 6] = np.where(corsica == 65, 57, np.where(corsica == 66, 56, corsica))
    digits[:, 5] = np.where(corsica >= 65, 49, body[:, 5])
    return np.asarray(97 - number(digits) % 97)


def nir(codes: Ints) -> np.ndarray:
    """A French NIR with its key of two digits."""
    return np.asarray(nir_key(codes[:, :13]) == number(codes[:, 13:]))


def steuer_digit(digits: Ints) -> Ints:
    """Check digit of a German Steuer-ID (ISO 7064, MOD 11,10), [n]."""
    product = np.full(len(digits), 10)
    for column in digits.T:
        total = (column + product) % 10
        product = np.where(total == 0, 10, total) * 2 % 11
    return np.asarray((11 - product) % 10)


def steuer_id(codes: Ints) -> np.ndarray:
    """A German Steuer-ID: of its first ten digits exactly one comes two or three times."""
    digits = codes[:, :10] - 48
    counts = np.stack([(digits == d).sum(axis=1) for d in range(10)], axis=1)
    repeated = ((counts > 1).sum(axis=1) == 1) & (counts.max(axis=1) <= 3)
    return np.asarray(repeated & (steuer_digit(digits) == codes[:, 10] - 48))


def codice_letter(body: Ints) -> Ints:
    """Control letter of an Italian codice fiscale of 15 characters (DM 23/12/1976), [n]."""
    odd = np.zeros(128, np.int64)
    odd[[ord(c) for c in _CF_ODD]] = list(_CF_ODD.values())
    even = np.where(body >= 65, body - 65, body - 48)
    return np.asarray((odd[body[:, ::2] % 128].sum(axis=1) + even[:, 1::2].sum(axis=1)) % 26 + 65)


def codice_fiscale(codes: Ints) -> np.ndarray:
    """An Italian codice fiscale."""
    return np.asarray(codice_letter(codes[:, :15]) == codes[:, 15])


def bsn(codes: Ints) -> np.ndarray:
    """A Dutch BSN: the eleven test, the last digit counted negative."""
    return np.asarray(_weighted(codes, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0)


def pesel_digit(digits: Ints) -> Ints:
    """Check digit of a Polish PESEL of ten digits, [n]."""
    return np.asarray(-(digits @ np.array((1, 3, 7, 9, 1, 3, 7, 9, 1, 3))) % 10)


def pesel(codes: Ints) -> np.ndarray:
    """A Polish PESEL: a day, a month that tells the century, and a check digit."""
    month, day = number(codes[:, 2:4]) % 20, number(codes[:, 4:6])
    dated = (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    return np.asarray(dated & (pesel_digit(codes[:, :10] - 48) == codes[:, 10] - 48))


def cpf_digits(digits: Ints) -> Ints:
    """The two check digits of a Brazilian CPF of nine digits, [n, 2]."""
    first = digits @ np.arange(10, 1, -1) * 10 % 11 % 10
    second = np.column_stack([digits, first]) @ np.arange(11, 1, -1) * 10 % 11 % 10
    return np.column_stack([first, second])


def cpf(codes: Ints) -> np.ndarray:
    """A Brazilian CPF; one digit repeated is none."""
    digits = codes - 48
    same = (digits == digits[:, :1]).all(axis=1)
    return np.asarray((cpf_digits(digits[:, :9]) == digits[:, 9:]).all(axis=1) & ~same)


def ahv_digit(digits: Ints) -> Ints:
    """Check digit of a Swiss AHV number of twelve digits, which is EAN-13's, [n]."""
    return np.asarray(-(digits @ np.array((1, 3) * 6)) % 10)


def ahv(codes: Ints) -> np.ndarray:
    """A Swiss AHV number."""
    return np.asarray(ahv_digit(codes[:, :12] - 48) == codes[:, 12] - 48)


def number(codes: Ints) -> Ints:
    """Digits read as numbers, [n]."""
    return np.asarray((codes - 48) @ 10 ** np.arange(codes.shape[1] - 1, -1, -1))


def _weighted(codes: Ints, weights: Sequence[int]) -> Ints:
    return np.asarray((codes - 48) @ np.array(weights))


def _table(letters: str) -> Ints:
    return np.array([ord(letter) for letter in letters])
