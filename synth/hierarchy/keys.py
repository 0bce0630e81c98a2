"""Key columns of sampled tables: minted, counted, made unique, and copied from parents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.errors import SynthesisError, UniquenessError
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.uniqueness import combine, repeated, swap_until_unique
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.randomness import stream

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.sampling import Sample


def fill_keys(
    metadata: Metadata,
    parts: Mapping[str, TablePart],
    order: Sequence[str],
    drawn: Sample,
    seed: int,
) -> None:
    """Add the key columns of all tables to `drawn`.

    Args:
        metadata: The schema.
        parts: A part for each table.
        order: Tables, parents first.
        drawn: Rows and links; columns are added to it.
        seed: Of every draw.

    Raises:
        UniquenessError: A unique key has fewer combinations than rows.
        SynthesisError: A key's type cannot hold so many keys.
    """
    generated = [parts[name] for name in order if parts[name].kept is None]
    for part in generated:
        _mint(part, drawn, seed)
    for part in generated:
        for key in part.unique:
            _make_unique(metadata, part, drawn, key, stream(seed, "unique", part.name, *key))
    for late in (False, True):
        for part in generated:
            for relationship in metadata.parents(part.name):
                if (relationship.name in part.plan.deferred) == late:
                    _copy_key(part, drawn, relationship)
            if not late:
                _count_rows(metadata, part, drawn)


def _mint(part: TablePart, drawn: Sample, seed: int) -> None:
    for column, maker in part.keys.items():
        salt = int(stream(seed, "keys", part.name, column).integers(2**31))
        try:
            keys = maker.generate(np.arange(drawn.rows[part.name]), salt)
        except OverflowError as error:
            raise SynthesisError(
                f"Column '{part.name}.{column}': {error}. Ask for a smaller scale."
            ) from error
        drawn.columns[part.name][column] = keys


def _count_rows(metadata: Metadata, part: TablePart, drawn: Sample) -> None:
    columns = drawn.columns[part.name]
    for column, start in part.counters.items():
        within = [c for c in metadata.tables[part.name].primary_key if c != column]
        numbers = _count_within(combine([_codes(columns[c]) for c in within])) + start
        columns[column] = pa.array(numbers).cast(part.schema.field(column).type)


def _copy_key(part: TablePart, drawn: Sample, relationship: Relationship) -> None:
    """Write the parents' keys into the foreign key; a column that is already there stays."""
    link, columns = drawn.links[relationship.name], drawn.columns[part.name]
    rows = pa.array(np.maximum(link, 0), mask=link < 0)
    for child_column, parent_column in zip(
        relationship.child_columns, relationship.parent_columns, strict=True
    ):
        if child_column in columns:
            continue
        values = drawn.columns[relationship.parent][parent_column]
        kind = part.schema.field(child_column).type
        taken = values.take(rows) if len(values) else pa.nulls(len(link), values.type)
        columns[child_column] = taken if taken.type == kind else taken.cast(kind)


def _make_unique(
    metadata: Metadata,
    part: TablePart,
    drawn: Sample,
    key: tuple[str, ...],
    rng: np.random.Generator,
) -> None:
    """Exchange parents, or own values, between rows until the key is unique."""
    relations = [r for r in metadata.parents(part.name) if set(r.child_columns) & set(key)]
    own = [c for c in key if c in drawn.columns[part.name]]
    codes = [drawn.links[r.name] for r in relations]
    codes += [_codes(drawn.columns[part.name][c]) for c in own]
    if not codes or not len(codes[0]) or not len(repeated(codes)):
        return
    for free in reversed(range(len(codes))):
        is_link = free < len(relations)
        if is_link and relations[free].name == part.plan.primary and len(codes) > 1:
            continue
        order = swap_until_unique(codes, free, rng)
        if order is None:
            continue
        if is_link:
            drawn.links[relations[free].name] = codes[free][order]
        else:
            column = own[free - len(relations)]
            values = drawn.columns[part.name][column]
            drawn.columns[part.name][column] = values.take(pa.array(order))
        return
    raise UniquenessError(part.name, key, len(codes[0]))


def _codes(values: pa.Array) -> Ints:
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    codes = values.dictionary_encode().indices.fill_null(-1)
    return np.asarray(codes).astype(np.int64)


def _count_within(group: Ints) -> Ints:
    """0, 1, 2 ... within each group, in row order."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(group)))
    counted = np.empty(len(group), np.int64)
    counted[order] = np.arange(len(group)) - np.repeat(starts, sizes)
    return counted
