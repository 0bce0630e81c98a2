"""Structs, lists, vectors and maps as leaves, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.bags import Bag, first_distinct, fit_bag
from prefect_synth.synth.encoding.choice import EncodingSettings
from prefect_synth.synth.encoding.layout import RARE, Ints
from prefect_synth.synth.encoding.lists import (
    all_distinct,
    item_codes,
    items_of,
    lengths,
    list_of,
    rows_first,
    same_length,
)
from prefect_synth.synth.encoding.pieces import kind_of
from prefect_synth.synth.encoding.shapes import Leaf, leaf_name, presence, present_rows
from prefect_synth.synth.encoding.units import holders
from prefect_synth.synth.storage import stored

_LONGEST_VECTOR = 16
_MOST_KEYS = 64
_COVERED = 0.98


@stored
@dataclass(frozen=True)
class StructShape:
    """A struct, or a list of fixed length: each field, or place, is a leaf.

    Args:
        kind: Schema with one field of the column's type.
        parts: Names of the leaves.
        required: Whether a leaf is never null where the struct is there.
        nullable: Whether the struct itself may be null.
    """

    kind: pa.Schema
    parts: tuple[str, ...]
    required: tuple[bool, ...]
    nullable: bool

    def flatten(self, name: str, values: pa.Array) -> dict[str, pa.Array]:
        """Presence, and a leaf for each part."""
        inner = _parts(values, len(self.parts))
        return {**presence(name, values)} | {
            leaf_name(name, part): v for part, v in zip(self.parts, inner, strict=True)
        }

    def build(
        self,
        name: str,
        leaf: Leaf,
        needed: np.ndarray | None,
        rows: int,
        rng: np.random.Generator,
    ) -> pa.Array:
        """Structs of the leaves."""
        there = present_rows(name, self.nullable, leaf, needed, rows)
        parts = [
            leaf(leaf_name(name, part), there if must else None)
            for part, must in zip(self.parts, self.required, strict=True)
        ]
        kind, mask = kind_of(self.kind), pa.array(~there)
        if pa.types.is_struct(kind):
            return pa.StructArray.from_arrays(parts, fields=list(kind), mask=mask)
        size = len(parts)
        if not pa.types.is_fixed_size_list(kind):
            rows_there = there.astype(np.int64) * size
            return list_of(kind, rows_there, there, rows_first(parts, there))
        items = rows_first(parts, np.ones(rows, bool))
        return pa.FixedSizeListArray.from_arrays(items, type=kind, mask=mask)


@stored
@dataclass(frozen=True)
class ListShape:
    """A list or map: its length is a leaf, and its items are drawn from a bag.

    Args:
        kind: Schema with one field of the column's type.
        bag: The items.
        distinct: Whether an item comes only once in a list (a map: a key).
        nullable: Whether the list itself may be null.
    """

    kind: pa.Schema
    bag: Bag
    distinct: bool
    nullable: bool

    def flatten(self, name: str, values: pa.Array) -> dict[str, pa.Array]:
        """The length, null where the list is."""
        return {
            leaf_name(name, "#"): pa.array(lengths(values), mask=~np.asarray(values.is_valid()))
        }

    def build(
        self,
        name: str,
        leaf: Leaf,
        needed: np.ndarray | None,
        rows: int,
        rng: np.random.Generator,
    ) -> pa.Array:
        """Lists of the drawn lengths."""
        length = leaf(leaf_name(name, "#"), needed)
        there = np.asarray(length.is_valid())
        wanted = np.maximum(np.asarray(length.fill_null(0)), 0).astype(np.int64)
        items, wanted = draw_items(self.bag, wanted, rng, distinct=self.distinct)
        return list_of(kind_of(self.kind), wanted, there, items)


@stored
@dataclass(frozen=True)
class MapShape:
    """A map of few keys: the value of each key is a leaf, null where the map has it not.

    Args:
        kind: Schema with one field of the column's type.
        keys: The keys, of `RARE` rows or more each.
        nullable: Whether the map itself may be null.
    """

    kind: pa.Schema
    keys: pa.Array
    nullable: bool

    def flatten(self, name: str, values: pa.Array) -> dict[str, pa.Array]:
        """Presence, and a leaf for each key."""
        return {**presence(name, values)} | {
            leaf_name(name, f".{key}"): pc.map_lookup(values, key, "first") for key in self.keys
        }

    def build(
        self,
        name: str,
        leaf: Leaf,
        needed: np.ndarray | None,
        rows: int,
        rng: np.random.Generator,
    ) -> pa.Array:
        """Maps of the keys whose leaves are not null."""
        there = present_rows(name, self.nullable, leaf, needed, rows)
        parts = [leaf(leaf_name(name, f".{key}"), None) for key in self.keys]
        has = np.column_stack([np.asarray(p.is_valid()) for p in parts]) & there[:, None]
        row, column = np.nonzero(has)
        items = pa.concat_arrays(parts).take(pa.array(column * rows + row))
        entries = pa.StructArray.from_arrays(
            [self.keys.take(pa.array(column)), items], names=["key", "value"]
        )
        return list_of(kind_of(self.kind), has.sum(axis=1), there, entries)


def fit_struct(values: pa.Array) -> StructShape:
    """The shape of structs, or of lists that all have the same few items."""
    kind = values.type
    if pa.types.is_struct(kind):
        names = tuple(f".{kind.field(i).name}" for i in range(kind.num_fields))
    else:
        names = tuple(f"[{i}]" for i in range(same_length(values) or 0))
    there = values.drop_null()
    required = tuple(part.null_count == 0 for part in _parts(there, len(names)))
    return StructShape(pa.schema([("v", kind)]), names, required, values.null_count > 0)


def fit_list(
    name: str, values: pa.Array, settings: EncodingSettings, units: Ints | None
) -> StructShape | ListShape | MapShape:
    """The shape of a list or map."""
    schema, nullable = pa.schema([("v", values.type)]), values.null_count > 0
    if pa.types.is_map(values.type):
        keys = _common_keys(values, units)
        if keys is not None:
            return MapShape(schema, keys, nullable)
    elif 0 < (same_length(values) or 0) <= _LONGEST_VECTOR:
        return fit_struct(values)
    items, group = items_of(values), np.repeat(np.arange(len(values)), lengths(values))
    bag = fit_bag(name, items, settings, None if units is None else units[group])
    return ListShape(schema, bag, all_distinct(items, group), nullable)


def draw_items(
    bag: Bag, wanted: Ints, rng: np.random.Generator, *, distinct: bool
) -> tuple[pa.Array, Ints]:
    """Items for lists of the `wanted` lengths, and the lengths: fewer where values run out."""
    if not distinct:
        return bag.draw(int(wanted.sum()), rng), wanted
    spare = np.where(wanted > 0, 2 * wanted + 2, 0)  # some come twice
    group = np.repeat(np.arange(len(wanted)), spare)
    items = bag.draw(len(group), rng)
    kept = first_distinct(group, wanted, item_codes(items))
    return items.take(pa.array(kept)), np.bincount(group[kept], minlength=len(wanted))


def _parts(values: pa.Array, count: int) -> list[pa.Array]:
    if pa.types.is_struct(values.type):
        return [pc.struct_field(values, [i]) for i in range(count)]
    return [pc.list_element(values, i) for i in range(count)]


def _common_keys(values: pa.Array, units: Ints | None) -> pa.Array | None:
    """The keys of maps that have few; None where they have many."""
    keys = items_of(values).field(0)
    if not (pa.types.is_string(keys.type) or pa.types.is_integer(keys.type)) or not len(keys):
        return None
    coded, row = keys.dictionary_encode(), np.repeat(np.arange(len(values)), lengths(values))
    codes = np.asarray(coded.indices)
    rows_with = holders(codes, len(coded.dictionary), row if units is None else units[row])
    common = np.flatnonzero(rows_with >= RARE)
    if not 0 < len(common) <= _MOST_KEYS or np.isin(codes, common).mean() < _COVERED:
        return None
    kept = coded.dictionary.take(pa.array(common))
    return kept.take(pc.sort_indices(kept))
