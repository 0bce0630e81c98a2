"""Keys of several parts as integers: which rows are equal in them, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints


@dataclass
class KeyPart:
    """One part of a key: a parent row, or a value, for each row.

    Args:
        choice: Which option each row has, [n].
        codes: The code of each option, [m]; options of equal code are equal in the key.
        groups: Rows may have options of their own group only, [n]; None where all are allowed.
        option_groups: Group of each option, [m].
        ordered: Whether neighbouring options are alike.
    """

    choice: Ints
    codes: Ints
    groups: Ints | None = None
    option_groups: Ints | None = None
    ordered: bool = False

    @property
    def row_codes(self) -> Ints:
        """The code of each row's option, [n]."""
        return np.asarray(self.codes[self.choice])


def codes_of(values: pa.Array) -> Ints:
    """One integer for each value, -1 for null, [n]."""
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    codes = values.dictionary_encode().indices.fill_null(-1)
    return np.asarray(codes).astype(np.int64)


def repeated(parts: Sequence[Ints]) -> Ints:
    """Row numbers whose combination of parts stands in an earlier row too."""
    codes = combine(parts)
    order = np.argsort(codes, kind="stable")
    again = np.diff(codes[order], prepend=codes[order[:1]] - 1) == 0
    return np.sort(order[again])


def combine(parts: Sequence[Ints]) -> Ints:
    """One integer for each combination of parts, [n]."""
    codes = np.zeros(len(parts[0]), np.int64)
    for part in parts:
        dense = np.unique(part, return_inverse=True)[1]
        codes = codes * (int(dense.max(initial=0)) + 1) + dense
        codes = np.unique(codes, return_inverse=True)[1].astype(np.int64)
    return codes


def count_within(group: Ints) -> Ints:
    """0, 1, 2 ... within each group, in row order."""
    rises = len(group) < 2 or bool((np.diff(group) >= 0).all())
    order = np.arange(len(group)) if rises else np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=group[order[:1]] - 1))
    sizes = np.diff(np.append(starts, len(group)))
    counted = np.empty(len(group), np.int64)
    counted[order] = np.arange(len(group)) - np.repeat(starts, sizes)
    return counted
