"""Foreign keys as row numbers: which parent row each child row refers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.errors import OrphanError, SynthesisError
from prefect_synth.synth.hierarchy.loading import Overlaid
from prefect_synth.synth.metadata import Metadata, Relationship

OnOrphan = Literal["error", "null", "drop"]

NO_PARENT = -1
ORPHAN = -2


def parent_rows(child: pa.Table, parent: pa.Table, relationship: Relationship) -> Ints:
    """Row number of each child row's parent, [n].

    A key with any null part has no parent (SQL's MATCH SIMPLE): `NO_PARENT`. A full key that the
    parent table does not hold is an `ORPHAN`. Rows that do not meet the relationship's condition
    have no parent.
    """
    if relationship.when is not None:
        here = np.flatnonzero(meets(child, relationship))
        plain = replace(relationship, when=None)
        found = np.full(len(child), NO_PARENT, np.int64)
        found[here] = parent_rows(child.take(pa.array(here)), parent, plain)
        return found
    theirs = [child[c] for c in relationship.child_columns]
    ours = [parent[c] for c in relationship.parent_columns]
    try:
        child_codes, parent_codes = key_codes(theirs, ours)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        kinds = [", ".join(str(c.type) for c in side) for side in (theirs, ours)]
        raise SynthesisError(
            f"Foreign key '{relationship}' compares {kinds[0]} with {kinds[1]}, and these cannot "
            "be compared. Cast one of them in a view, or remove the relation."
        ) from error
    found = pc.index_in(pa.array(child_codes), pa.array(parent_codes))
    rows = np.asarray(found.fill_null(ORPHAN).to_numpy(zero_copy_only=False)).astype(np.int64)
    rows[_any_null(theirs)] = NO_PARENT
    return rows


def meets(child: pa.Table, relationship: Relationship) -> np.ndarray:
    """Which rows the relationship is meant for, by its condition, [n] bool."""
    if relationship.when is None:
        return np.ones(len(child), bool)
    column, value = relationship.when
    values = _plain(child[column], _storage(child[column].type)).cast(pa.string())
    return np.asarray(pc.fill_null(pc.equal(values, value), False))


def key_codes(
    left: Sequence[pa.ChunkedArray], right: Sequence[pa.ChunkedArray]
) -> tuple[Ints, Ints]:
    """One integer for each key on either side; equal keys have equal integers."""
    size = len(left[0])
    codes = np.zeros(size + len(right[0]), np.int64)
    for a, b in zip(left, right, strict=True):
        kind = _common_type(a.type, b.type)
        both = pa.concat_arrays([_plain(a, kind), _plain(b, kind)])
        part = both.dictionary_encode().indices.fill_null(-1)
        part_codes = np.asarray(part).astype(np.int64) + 1
        codes = codes * (int(part_codes.max(initial=0)) + 1) + part_codes
        codes = np.unique(codes, return_inverse=True)[1].astype(np.int64)
    return codes[:size], codes[size:]


def _common_type(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    """A type that holds the values of both sides; integers of any width compare."""
    left, right = _storage(left), _storage(right)
    if left == right or not (pa.types.is_integer(left) and pa.types.is_integer(right)):
        return right
    both_unsigned = pa.types.is_unsigned_integer(left) and pa.types.is_unsigned_integer(right)
    return pa.uint64() if both_unsigned else pa.int64()


def _storage(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return kind.value_type
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _plain(values: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    whole = values.combine_chunks()
    if isinstance(whole, pa.ExtensionArray):
        whole = whole.storage
    return whole.cast(kind)


def _any_null(columns: Sequence[pa.ChunkedArray]) -> np.ndarray:
    missing = np.zeros(len(columns[0]), bool)
    for column in columns:
        missing |= np.asarray(column.is_null())
    return missing


def link_tables(
    metadata: Metadata, tables: Mapping[str, pa.Table], order: Sequence[str], on_orphan: OnOrphan
) -> tuple[dict[str, Ints], dict[str, Ints]]:
    """Resolve every foreign key, dealing with orphans as asked.

    Args:
        metadata: The schema.
        tables: The rows.
        order: Table names, parents before children where cycles allow.
        on_orphan: `error`, or `null` the key, or `drop` the row (and, in turn, its children).

    Returns:
        The parents' row numbers by relationship name; and of tables whose orphans were dropped
        the numbers of the rows that stay.

    Raises:
        OrphanError: A key has orphans and they are errors, or may not be null.
    """
    dropped: dict[str, pa.Table] = {}
    left: dict[str, Ints] = {}
    tables = Overlaid(tables, dropped)
    links: dict[str, Ints] = {}
    unsettled = True
    while unsettled:  # dropping rows can orphan others; the number of rows only falls
        unsettled = False
        for name in order:
            for relationship in metadata.parents(name):
                rows = parent_rows(tables[name], tables[relationship.parent], relationship)
                lost = rows == ORPHAN
                if lost.any() and on_orphan == "drop":
                    left[name] = left.get(name, np.arange(len(lost)))[~lost]
                    dropped[name] = tables[name].filter(pa.array(~lost))
                    unsettled = True
                    break
                links[relationship.name] = _settled(metadata, relationship, rows, on_orphan)
    return links, left


def _settled(
    metadata: Metadata, relationship: Relationship, rows: Ints, on_orphan: OnOrphan
) -> Ints:
    lost = int((rows == ORPHAN).sum())
    if not lost:
        return rows
    if on_orphan == "error":
        raise OrphanError(str(relationship), lost, len(rows))
    columns = metadata.tables[relationship.child].columns
    if not any(columns[c].nullable for c in relationship.child_columns):
        raise SynthesisError(
            f"Foreign key '{relationship}' has {lost} orphan rows, and may not be null. "
            "Set on_orphan to 'drop', or mend the data."
        )
    return np.where(rows == ORPHAN, NO_PARENT, rows)
