"""Key columns of sampled tables: minted, counted, made unique, and copied from parents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.generation.keys import Keys
from prefect_synth.synth.hierarchy.overlap import twin_columns
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.unique_keys import claims, codes_of, make_unique
from prefect_synth.synth.hierarchy.uniqueness import combine
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.randomness import stream

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.structure import Sample


def fill_keys(
    metadata: Metadata,
    parts: Mapping[str, TablePart],
    order: Sequence[str],
    drawn: Sample,
    seed: int,
    chosen: Keys = "fresh",
) -> None:
    """Add the key columns of all tables to `drawn`.

    Args:
        metadata: The schema.
        parts: A part for each table.
        order: Tables, parents first.
        drawn: Rows and links; columns are added to it.
        seed: Of every draw.
        chosen: Whether minted keys are fresh or stable.

    Raises:
        UniquenessError: A unique key has fewer combinations than rows.
        SynthesisError: A key's type cannot hold so many keys.
    """
    generated = [parts[name] for name in order if parts[name].kept is None]
    for part in generated:
        _mint(metadata, part, drawn, None if chosen == "stable" else seed)
    for late in (False, True):  # keys that close a cycle come last
        for part in generated:
            filled = claims(metadata, part)
            deferred = {c for r, cs in filled if r.name in part.plan.deferred for c, _ in cs}
            for key in part.unique:
                if bool(deferred & set(key)) == late:
                    rng = stream(seed, "unique", part.name, *key)
                    make_unique(metadata, part, drawn, key, rng)
            for relationship, columns in filled:
                if (relationship.name in part.plan.deferred) == late:
                    rng = stream(seed, "copy", relationship.name)
                    _copy_key(metadata, part, drawn, relationship, columns, rng)
            if not late:
                _count_rows(metadata, part, drawn)


def _mint(metadata: Metadata, part: TablePart, drawn: Sample, seed: int | None) -> None:
    twins = twin_columns(metadata)
    for column, maker in part.keys.items():
        place = twins.get((part.name, column), ((part.name, column),))[0]
        salt = key_salt(seed, *place)
        try:
            keys = maker.generate(np.arange(drawn.rows[part.name]), salt)
        except OverflowError as error:
            raise SynthesisError(
                f"Column '{part.name}.{column}': {error}. Ask for a smaller scale."
            ) from error
        drawn.columns[part.name][column] = keys


def key_salt(seed: int | None, table: str, column: str) -> int:
    """What a column's keys are permuted with; without a seed it is always the same."""
    purpose = ("keys", table, column)
    rng = stream(seed, *purpose) if seed is not None else stream(0, "stable", *purpose)
    return int(rng.integers(2**31))


def _count_rows(metadata: Metadata, part: TablePart, drawn: Sample) -> None:
    columns = drawn.columns[part.name]
    for column, start in part.counters.items():
        within = [c for c in metadata.tables[part.name].primary_key if c != column]
        numbers = _count_within(combine([codes_of(columns[c]) for c in within])) + start
        columns[column] = pa.array(numbers).cast(part.schema.field(column).type)


def _copy_key(
    metadata: Metadata,
    part: TablePart,
    drawn: Sample,
    relationship: Relationship,
    filled: Sequence[tuple[str, str]],
    rng: np.random.Generator,
) -> None:
    """Write the parents' keys into the columns that the foreign key fills."""
    link, columns = drawn.links[relationship.name], drawn.columns[part.name]
    parents = drawn.rows[relationship.parent]
    for child_column, parent_column in filled:
        values = drawn.columns[relationship.parent][parent_column]
        kind = part.schema.field(child_column).type
        known = metadata.tables[part.name].columns[child_column]
        if not known.nullable and parents:  # the other columns of the key say that it is null
            rows = pa.array(np.where(link < 0, rng.integers(0, parents, len(link)), link))
        else:
            rows = pa.array(np.maximum(link, 0), mask=link < 0)
        taken = values.take(rows) if len(values) else pa.nulls(len(link), values.type)
        columns[child_column] = taken if taken.type == kind else taken.cast(kind)


def _count_within(group: Ints) -> Ints:
    """0, 1, 2 ... within each group, in row order."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(group)))
    counted = np.empty(len(group), np.int64)
    counted[order] = np.arange(len(group)) - np.repeat(starts, sizes)
    return counted
