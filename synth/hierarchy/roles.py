"""Which of a table's columns are modelled, minted, counted, or filled in from a parent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.generation.keys import KeyGenerator, fit_keys
from prefect_synth.synth.generation.made_up import declared_length
from prefect_synth.synth.hierarchy.key_codes import combine
from prefect_synth.synth.hierarchy.overlap import twin_columns
from prefect_synth.synth.metadata import Column, Metadata

_COUNTS_UP = 0.95


@dataclass(frozen=True)
class KeyRoles:
    """How the key columns of one table come to be.

    Args:
        own: Columns that encoders see.
        unique: Names of own columns whose values may not repeat.
        keys: Makers of minted columns.
        counters: First number of columns that count rows within their parent.
        repaired: Keys of several columns to make unique after sampling.
        one_to_one: Names of relations in which each parent has at most one row here.
    """

    own: tuple[Column, ...]
    unique: frozenset[str]
    keys: dict[str, KeyGenerator]
    counters: dict[str, int]
    repaired: tuple[tuple[str, ...], ...]
    one_to_one: tuple[str, ...]


def key_roles(
    metadata: Metadata,
    name: str,
    tables: Mapping[str, pa.Table],
    narrow: Mapping[tuple[str, str], int],
    *,
    stable: bool = False,
) -> KeyRoles:
    """Decide the role of each column of table `name`.

    Args:
        metadata: The schema.
        name: The table.
        tables: The rows of all tables.
        narrow: Largest integer that a column can hold, by table and column.
        stable: Whether keys should stay as they are when the data grow.

    Raises:
        SynthesisError: A primary key has a type whose values cannot be made.
    """
    table, foreign, data = metadata.tables[name], metadata.foreign_key_columns(name), tables[name]
    own_key = [c for c in table.primary_key if c not in foreign]
    keys: dict[str, KeyGenerator] = {}
    counters: dict[str, int] = {}
    if len(table.primary_key) == 1 and own_key:
        keys = {own_key[0]: _maker(metadata, name, own_key[0], tables, narrow, stable)}
    elif len(own_key) == 1:
        start = _counter_start(data, own_key[0], [c for c in table.primary_key if c in foreign])
        counters = {} if start is None else {own_key[0]: start}
    made = {*keys, *counters, *foreign}
    own = tuple(c for c in table.columns.values() if c.name not in made)
    candidates = (table.primary_key, *table.unique)
    repaired = tuple(
        dict.fromkeys(k for k in candidates if len(k) > 1 and not {*keys, *counters} & set(k))
    )
    single = {k[0] for k in candidates if len(k) == 1} - made
    return KeyRoles(
        own, frozenset(single), keys, counters, repaired, _one_to_one(metadata, name, candidates)
    )


def narrow_columns(tables: Mapping[str, pa.Table]) -> dict[tuple[str, str], int]:
    """Largest integer that each integer column can hold, by table and column."""
    return {
        (name, field.name): 2 ** (field.type.bit_width - pa.types.is_signed_integer(field.type)) - 1
        for name, table in tables.items()
        for field in table.schema
        if pa.types.is_integer(field.type)
    }


def _one_to_one(
    metadata: Metadata, name: str, candidates: tuple[tuple[str, ...], ...]
) -> tuple[str, ...]:
    return tuple(
        r.name
        for r in metadata.parents(name)
        if any(key and set(key) <= set(r.child_columns) for key in candidates)
    )


def _maker(
    metadata: Metadata,
    table: str,
    column: str,
    tables: Mapping[str, pa.Table],
    narrow: Mapping[tuple[str, str], int],
    stable: bool,
) -> KeyGenerator:
    # a foreign key may be of a narrower type than the key that it refers to
    most, child = min(_room(metadata, table, column, narrow), default=(None, ""))
    try:
        return fit_keys(
            _values(metadata, table, column, tables),
            declared_length(metadata.tables[table].columns[column].source_type),
            most=most,
            limit=f"'{child}', which refers to it and ends at {most},",
            stable=stable,
        )
    except TypeError as error:
        raise SynthesisError(
            f"Column '{table}.{column}' is a primary key, but {error}. "
            "Use a number, date, text or uuid as key, or exclude the table."
        ) from error


def _values(
    metadata: Metadata, table: str, column: str, tables: Mapping[str, pa.Table]
) -> pa.Array:
    """The keys of a column, with those of columns that must have the same ones."""
    own = tables[table][column].combine_chunks()
    twins = twin_columns(metadata).get((table, column), ())
    others = [tables[t][c].combine_chunks() for t, c in twins if (t, c) != (table, column)]
    alike = [values for values in others if values.type == own.type]
    return pa.concat_arrays([own, *alike]) if alike else own


def _room(
    metadata: Metadata, table: str, column: str, narrow: Mapping[tuple[str, str], int]
) -> Iterator[tuple[int, str]]:
    """Largest number of each column that refers to this one, and its name."""
    for relationship in metadata.children(table):
        for child_column, parent_column in zip(
            relationship.child_columns, relationship.parent_columns, strict=True
        ):
            if parent_column == column and (relationship.child, child_column) in narrow:
                place = relationship.child, child_column
                yield narrow[place], ".".join(place)


def _counter_start(data: pa.Table, column: str, within: list[str]) -> int | None:
    """First number of a column that counts 1, 2, 3 within the other key columns, or None."""
    values = data[column].combine_chunks()
    if not within or not len(values) or not pa.types.is_integer(values.type) or values.null_count:
        return None
    numbers = np.asarray(values.cast(pa.int64()))
    parts = [np.asarray(data[c].combine_chunks().dictionary_encode().indices) for c in within]
    group = combine(parts)
    order = np.lexsort((numbers, group))
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    firsts = numbers[order][starts]
    start = int(pc.mode(pa.array(firsts))[0].as_py()["mode"])
    rank = np.arange(len(numbers)) - np.repeat(starts, np.diff(np.append(starts, len(numbers))))
    counted = (numbers[order] == rank + start).mean() >= _COUNTS_UP
    return start if counted else None
