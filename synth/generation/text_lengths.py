"""Texts of a column's length, that differ where they must."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.errors import SynthesisError

_OF_ROW = "-0[0-9a-f]+$"
"""How texts of later blocks end."""


def fit_length(
    texts: pa.Array, max_length: int | None, *, unique: bool, first: int = 0
) -> pa.Array:
    """Cut texts to `max_length`, and number those that come again where they must be unique.

    Args:
        texts: The texts of a block of rows.
        max_length: Longest text allowed.
        unique: Whether no text may come twice, in this block or another.
        first: Number of the block's first row: all texts of later blocks end with their row number.
    """
    if unique and first:
        return _of_row(texts, first, max_length)
    if max_length is not None:
        texts = pc.utf8_rtrim_whitespace(pc.utf8_slice_codeunits(texts, 0, max_length))
    if not unique:
        return texts
    codes = np.asarray(texts.dictionary_encode().indices)
    alone = np.unique(codes, return_index=True)[1]
    alone = alone[~np.asarray(pc.match_substring_regex(texts.take(pa.array(alone)), _OF_ROW))]
    open_ = np.setdiff1d(np.arange(len(codes)), alone)
    taken, number = texts.take(pa.array(alone)), 1
    while len(open_):  # a numbered text may meet one that is there already
        made = _numbered(texts.take(pa.array(open_)), number, max_length)
        new = ~np.asarray(pc.is_in(made, taken))
        new[np.setdiff1d(np.arange(len(made)), _firsts(made))] = False
        mask = np.zeros(len(codes), bool)
        mask[open_[new]] = True
        made = made.filter(pa.array(new))
        texts = pc.replace_with_mask(texts, pa.array(mask), made)
        taken = pa.concat_arrays([taken, made])
        open_, number = open_[~new], number + len(open_)
    return texts


def _of_row(texts: pa.Array, first: int, max_length: int | None) -> pa.Array:
    """The texts with a 0 and their row number at the end, as no text of the first block has."""
    numbers = pa.array(np.char.mod("-0%x", np.arange(first, first + len(texts))))
    if max_length is not None and len(texts):
        longest = int(pc.max(pc.utf8_length(numbers)).as_py())
        if longest > max_length:
            raise SynthesisError(
                f"There are not {first + len(texts)} different texts of at most {max_length} "
                "characters. Ask for fewer rows, or widen the column."
            )
        texts = pc.utf8_slice_codeunits(texts, 0, max_length - longest)
    return pc.binary_join_element_wise(texts, numbers, "")


def _firsts(texts: pa.Array) -> np.ndarray:
    return np.unique(np.asarray(texts.dictionary_encode().indices), return_index=True)[1]


def _numbered(stems: pa.Array, start: int, max_length: int | None) -> pa.Array:
    """The stems with rising hexadecimal numbers, cut so that the number has room."""
    numbers = pa.array(np.char.mod("%x", np.arange(start, start + len(stems))))
    if max_length is None:
        return pc.binary_join_element_wise(stems, numbers, "-")
    digits = len(f"{start + len(stems) - 1:x}")
    if digits > max_length:
        raise SynthesisError(
            f"There are not {len(stems)} more different texts of at most {max_length} characters. "
            "Ask for fewer rows, or widen the column."
        )
    stems = pc.utf8_slice_codeunits(stems, 0, max(max_length - digits - 1, 0))
    return pc.binary_join_element_wise(stems, numbers, "-" if max_length > digits else "")


def declared_length(source_type: str | None) -> int | None:
    """The n of VARCHAR(n) or CHAR(n), or None."""
    found = re.search(r"char\w*(?:\s+varying)?\s*\((\d+)\)", source_type or "", re.IGNORECASE)
    return int(found.group(1)) if found else None
