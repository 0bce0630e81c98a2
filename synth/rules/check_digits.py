"""Ids whose last digits check the others: Luhn (ISO/IEC 7812), EAN-13, ISBN, IBAN (ISO 13616).

The digits before are kept, the check digits are computed anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.rules.formulas import quoted
from prefect_synth.synth.rules.rule import Rows, agree
from prefect_synth.synth.storage import stored

_IBAN_HEAD = 4


@stored
@dataclass(frozen=True)
class CheckDigit:
    """`luhn(card)`: an id with check digits.

    Args:
        target: The column, of text or whole numbers.
        check: luhn, ean13, isbn13, isbn10 or iban.
        kind: Schema with one field of the column's type.
    """

    target: str
    check: str
    kind: pa.Schema
    inputs: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()

    def holds(self, rows: Rows) -> np.ndarray:
        """The check digits are right, or the id is null."""
        values = rows.columns[self.target]
        return agree(self._mended(values), values)

    def forward(self, rows: Rows) -> dict[str, pa.Array]:
        """The column as it is."""
        return {self.target: rows.columns[self.target]}

    def backward(self, rows: Rows, rng: np.random.Generator) -> pa.Array:
        """The column with right check digits."""
        return self._mended(rows.columns[self.target])

    def text(self) -> str:
        """`luhn(a)`."""
        return f"{self.check}({quoted(self.target)})"

    def _mended(self, values: pa.Array) -> pa.Array:
        kind = self.kind.field(0).type
        texts = values.cast(pa.string()).fill_null("")
        return pc.if_else(values.is_valid(), mended(texts, self.check).cast(kind), values)


def mended(texts: pa.Array, check: str) -> pa.Array:
    """Ids with right check digits; what stands between digits (spaces, dashes) stays."""
    codes, lengths = _characters(texts)
    if check == "iban":
        return _mended_iban(codes, lengths)
    is_digit = (codes >= 48) & (codes <= 57)
    if check == "isbn10":
        is_digit |= (codes == 88) & (np.arange(codes.shape[1]) == lengths[:, None] - 1)
    after = np.cumsum(is_digit[:, ::-1], axis=1)[:, ::-1] - 1  # digits to the right of each
    digits = np.where(is_digit & (after > 0), codes - 48, 0)
    wanted = _CHECKS[check](digits, after)
    last = is_digit & (after == 0)
    codes = np.where(last, np.where(wanted == 10, 88, wanted + 48)[:, None], codes)
    return _texts(codes, lengths)


def _luhn(digits: Ints, after: Ints) -> Ints:
    doubled = np.where(after % 2 == 1, 2 * digits, digits)
    return -np.where(doubled > 9, doubled - 9, doubled).sum(axis=1) % 10


def _ean13(digits: Ints, after: Ints) -> Ints:
    return -(digits * np.where(after % 2 == 1, 3, 1)).sum(axis=1) % 10


def _isbn10(digits: Ints, after: Ints) -> Ints:
    return -(digits * (after + 1)).sum(axis=1) % 11


_CHECKS = {"luhn": _luhn, "ean13": _ean13, "isbn13": _ean13, "isbn10": _isbn10}


def _mended_iban(codes: Ints, lengths: Ints) -> pa.Array:
    """Check digits such that country and digits, moved to the end, are 1 modulo 97."""
    remainder = np.zeros(len(codes), np.int64)
    used = np.arange(codes.shape[1])[None, :] < lengths[:, None]
    head = [codes[:, j] for j in range(min(2, codes.shape[1]))]
    tail = [codes[:, j] for j in range(_IBAN_HEAD, codes.shape[1])]
    filled = [used[:, j] for j in range(_IBAN_HEAD, codes.shape[1])]
    zero = np.full(len(codes), 48)
    every = np.ones(len(codes), bool)
    for column, there in zip(
        [*tail, *head, zero, zero], [*filled, every, every, every, every], strict=True
    ):
        letter, digit = (column >= 65) & (column <= 90), (column >= 48) & (column <= 57)
        value = np.where(letter, column - 55, column - 48)
        remainder = np.where(there & letter, (remainder * 100 + value) % 97, remainder)
        remainder = np.where(there & digit, (remainder * 10 + value) % 97, remainder)
    check = 98 - remainder
    whole = lengths > _IBAN_HEAD
    codes = codes.copy()
    for place, value in ((2, check // 10), (3, check % 10)):
        if codes.shape[1] > place:
            codes[:, place] = np.where(whole, value + 48, codes[:, place])
    return _texts(codes, lengths)


def _characters(texts: pa.Array) -> tuple[Ints, Ints]:
    """Code points, zero behind the end, [n, longest], and lengths."""
    array = np.asarray(texts.to_numpy(zero_copy_only=False), dtype=np.str_)
    lengths = np.asarray(pc.utf8_length(texts)).astype(np.int64)
    width = max(array.dtype.itemsize // 4, 1)
    codes = array.astype(f"<U{width}").view(np.uint32).reshape(len(array), width)
    return codes.astype(np.int64), lengths


def _texts(codes: Ints, lengths: Ints) -> pa.Array:
    width = codes.shape[1]
    texts = np.ascontiguousarray(codes.astype(np.uint32)).view(f"<U{width}").reshape(-1)
    return pa.array(texts, pa.string())
