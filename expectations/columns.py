"""What may be compared of a column: a distribution of numbers, of categories, or neither."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from prefect_synth.synth.encoding.layout import RARE as RARE
from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.synth.metrics.hashing import Hashes
from prefect_synth.synth.metrics.sources import Ints
from prefect_synth.synth.metrics.values import value_hashes

ColumnKind = Literal["number", "category", "generated", "opaque"]
"""`generated` values are made up (keys, ids, personal data, text); `opaque` ones, such as lists,
have no distribution that is compared here."""

MAX_CATEGORIES = 2_000
"""Categories whose shares are kept one by one; the rarer ones are taken together."""

OTHER = "other"
"""The name of all rare categories together."""


def key_columns(table: Table, metadata: Metadata | None) -> frozenset[str]:
    """Columns whose values are made up because a key needs them unique or resolving."""
    single = {key[0] for key in table.unique if len(key) == 1}
    foreign = metadata.foreign_key_columns(table.name) if metadata else frozenset()
    return frozenset({*table.primary_key, *single, *foreign})


def column_kind(column: Column, type_: pa.DataType, keys: Collection[str]) -> ColumnKind:
    """Decide what of a column is compared.

    Args:
        column: The column's meaning.
        type_: Its Arrow type.
        keys: What `key_columns` gave for its table.
    """
    made_up = column.name in keys or column.is_generated or column.sdtype in {"id", "text"}
    if made_up:
        return "generated"
    if column.sdtype in {"numerical", "datetime"}:
        return "number" if _is_ordered(type_, column) else "opaque"
    if column.sdtype in {"categorical", "boolean"} and not pt.is_nested(type_):
        return "category"
    return "opaque"


def table_kinds(
    table: Table, schema: pa.Schema, metadata: Metadata | None
) -> dict[str, ColumnKind]:
    """What is compared of each column of a table, in the table's order."""
    keys = key_columns(table, metadata)
    return {
        name: column_kind(column, schema.field(name).type, keys)
        for name, column in table.columns.items()
        if name in schema.names
    }


def compared_columns(kinds: Mapping[str, ColumnKind]) -> list[str]:
    """Columns that a synthesizer learns, so that only they can copy a row."""
    return [name for name, kind in kinds.items() if kind in {"number", "category"}]


@dataclass(frozen=True)
class Categories:
    """The distinct values of a column, the most frequent first.

    Args:
        names: Their hashes, so that no value is remembered.
        counts: How often each occurs.
        codes: For each value that is not null, its place in `names`.
    """

    names: Hashes
    counts: Ints
    codes: Ints

    @property
    def common(self) -> int:
        """How many are kept one by one; those after them are rare."""
        return min(int((self.counts >= RARE).sum()), MAX_CATEGORIES)

    def shares(self) -> dict[str, float]:
        """The share of each category by its hash; the rare ones are `OTHER`, the last."""
        total = max(1, int(self.counts.sum()))
        shares = {str(self.names[i]): float(self.counts[i] / total) for i in range(self.common)}
        if self.common < len(self.names):
            shares[OTHER] = max(0.0, 1.0 - sum(shares.values()))
        return shares


def count_categories(values: pa.ChunkedArray) -> Categories:
    """Count the distinct values of a column; nulls do not count."""
    names, codes, counts = np.unique(
        value_hashes(values.drop_null()), return_inverse=True, return_counts=True
    )
    order = np.argsort(-counts, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return Categories(names[order], counts[order], place[codes])


def category_shares(values: pa.ChunkedArray) -> dict[str, float]:
    """The share of each category among the values that are not null, the largest first."""
    return count_categories(values).shares()


def matched_shares(reference: Mapping[str, float], values: pa.ChunkedArray) -> dict[str, float]:
    """The shares of a column's values in the categories of `reference`; the rest is other."""
    return matched_hashes(reference, value_hashes(values.drop_null()))


def matched_hashes(reference: Mapping[str, float], hashes: Hashes) -> dict[str, float]:
    """The same, of hashes of values that are not null."""
    distinct, counts = np.unique(hashes, return_counts=True)
    found = dict.fromkeys([*reference, OTHER], 0.0)
    for name, count in zip(distinct.astype(str), counts, strict=True):
        found[name if name in found else OTHER] += float(count / len(hashes))
    return found


def share_complement(reference: Mapping[str, float], values: pa.ChunkedArray) -> float:
    """The TV complement of a column against stored shares; 0 where a side holds no value."""
    return hash_complement(reference, value_hashes(values.drop_null()))


def hash_complement(reference: Mapping[str, float], hashes: Hashes) -> float:
    """The TV complement of hashed values against stored shares; 0 where a side holds no value.

    A synthesizer may withhold rare categories and hand their share to the others, or make up
    values for them: any share of `OTHER` up to the real one is right. More of it is not.
    """
    if len(hashes) == 0 or not reference:
        return 0.0
    found = matched_hashes(reference, hashes)
    rare = reference.get(OTHER, 0.0)
    other = min(found[OTHER], rare)
    scale = (1 - other) / (1 - rare) if rare < 1 else 1.0
    wanted = {name: share * scale for name, share in reference.items()} | {OTHER: other}
    return max(0.0, 1.0 - sum(abs(found[name] - wanted[name]) for name in found) / 2)


def coverage(reference: Mapping[str, float], hashes: Hashes) -> float:
    """The share of the real rows whose category occurs at all; rare categories do not count."""
    shares = {name: share for name, share in reference.items() if name != OTHER}
    present = set(np.unique(hashes).astype(str))
    total = sum(shares.values())
    return sum(share for name, share in shares.items() if name in present) / total if total else 1.0


def _is_ordered(type_: pa.DataType, column: Column) -> bool:
    if pt.is_dictionary(type_):
        type_ = type_.value_type
    is_number = pt.is_integer(type_) or pt.is_floating(type_) or pt.is_decimal(type_)
    is_moment = pt.is_temporal(type_) and not pt.is_interval(type_)
    is_dated_text = column.sdtype == "datetime" and column.datetime_format is not None
    return is_number or is_moment or is_dated_text
