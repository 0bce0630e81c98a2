"""A subject's family in staged files: its row, and all rows that foreign keys lead to it from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from prefect_synth.synth.metadata import Metadata, Relationship

_FILE, _ROW = "__file", "__row"


class PurgeError(ValueError):
    """A purge that cannot be done; the message names the table and the cure, never the key."""


@dataclass(frozen=True)
class Family:
    """Rows of one subject.

    Args:
        rows: Row numbers by table and file; files without any are left out.
        left: Rows that remain, by file.
    """

    rows: Mapping[str, Mapping[Path, np.ndarray]]
    left: Mapping[Path, int]

    @property
    def size(self) -> int:
        """All rows."""
        return sum(len(at) for rows in self.rows.values() for at in rows.values())


def family_of(
    metadata: Metadata, files: Mapping[str, list[Path]], table: str, key: tuple[str, ...]
) -> Family:
    """Find the row with a key, and all its descendants, down every foreign key.

    Args:
        metadata: The schema.
        files: The staged files of each table.
        table: The subject's table.
        key: Its primary key, as texts.

    Raises:
        PurgeError: There is no such table, it has no primary key, or the key does not fit it.
    """
    _check(metadata, table, key)
    rows = {name: _keys(metadata, name, found) for name, found in files.items() if found}
    marked = {name: np.zeros(len(data), bool) for name, data in rows.items()}
    if table in rows:
        marked[table] = _has_key(metadata, table, rows[table], key)
    waiting = [table] if table in rows and marked[table].any() else []
    while waiting:
        name = waiting.pop()
        below = [r for r in metadata.children(name) if r.child in rows]
        waiting += [r.child for r in below if _mark_children(r, rows, marked)]
    return _family(rows, marked, files)


def _check(metadata: Metadata, table: str, key: tuple[str, ...]) -> None:
    if table not in metadata.tables:
        raise PurgeError(
            f"The table '{table}' is not among the staged tables. Use one of: "
            f"{', '.join(metadata.tables)}."
        )
    primary = metadata.tables[table].primary_key
    if not primary:
        raise PurgeError(f"The table '{table}' has no primary key. Purge everything with --all.")
    if len(primary) != len(key):
        raise PurgeError(
            f"The primary key of '{table}' has {len(primary)} columns ({', '.join(primary)}), and "
            f"{len(key)} values were given. Say --subject {table}={','.join(primary)} with a value "
            "for each."
        )


def _keys(metadata: Metadata, table: str, files: list[Path]) -> pa.Table:
    """The key columns of a table's files, one below the other, with file and row."""
    known = metadata.tables[table]
    needed = {*known.primary_key}
    for r in metadata.relationships:
        needed |= {*r.child_columns, *(r.when or ())[:1]} if r.child == table else set()
        needed |= {*r.parent_columns} if r.parent == table else set()
    parts = []
    for number, file in enumerate(files):
        count = pq.read_metadata(file).num_rows
        columns = {_FILE: np.full(count, number, np.int32), _ROW: np.arange(count)}
        if needed:
            part = pq.read_table(file, columns=sorted(needed), partitioning=None)
            columns |= {name: part[name] for name in part.column_names}
        parts.append(pa.table(columns))
    return pa.concat_tables(parts)


def _has_key(metadata: Metadata, table: str, data: pa.Table, key: tuple[str, ...]) -> np.ndarray:
    mask = np.ones(len(data), bool)
    for column, text in zip(metadata.tables[table].primary_key, key, strict=True):
        values = _plain(data[column])
        try:
            wanted = _scalar(text, data[column].type, values.type)
        except (ValueError, pa.ArrowNotImplementedError):
            raise PurgeError(
                f"The key column '{table}.{column}' is of the type {data[column].type}, and the "
                "value given for it is not. Give it as the warehouse shows it."
            ) from None
        mask &= np.asarray(pc.fill_null(pc.equal(values, wanted), False))
    return mask


def _scalar(text: str, kind: pa.DataType, plain: pa.DataType) -> pa.Scalar:
    """A key that was given as text, as a value of its column; ValueError where it is none."""
    if isinstance(kind, pa.UuidType):
        return pa.scalar(UUID(text).bytes, plain)
    return pa.scalar(text).cast(plain)


def _mark_children(
    relation: Relationship, rows: Mapping[str, pa.Table], marked: dict[str, np.ndarray]
) -> bool:
    """Mark the rows that refer to marked parents; whether there are new ones."""
    parent, child = rows[relation.parent], rows[relation.child]
    above = parent.filter(pa.array(marked[relation.parent]))
    mine = [_plain(child[c]) for c in relation.child_columns]
    theirs = [_plain(above[c]) for c in relation.parent_columns]
    found = _in_rows(mine, theirs)
    if relation.when is not None:
        column, value = relation.when
        found &= np.asarray(pc.fill_null(pc.equal(child[column].cast(pa.string()), value), False))
    new = found & ~marked[relation.child]
    marked[relation.child] |= found
    return bool(new.any())


def _in_rows(mine: list[pa.ChunkedArray], theirs: list[pa.ChunkedArray]) -> np.ndarray:
    """Which of my rows are among theirs, by all columns, [n]."""
    theirs = [b.cast(a.type, safe=False) for a, b in zip(mine, theirs, strict=True)]
    if len(mine) == 1:
        found = pc.is_in(mine[0], value_set=theirs[0].combine_chunks(), skip_nulls=True)
        return np.array(found)
    names = [f"c{i}" for i in range(len(mine))]
    left = pa.table([*mine, pa.array(np.arange(len(mine[0])))], [*names, _ROW])
    right = pa.table(theirs, names).group_by(names).aggregate([])
    at = left.join(right, names, join_type="left semi")[_ROW]
    found = np.zeros(len(mine[0]), bool)
    found[np.asarray(at)] = True
    return found


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values of a type that Arrow compares: a uuid as its bytes, a dictionary as its values."""
    if isinstance(values.type, pa.BaseExtensionType):
        return values.cast(values.type.storage_type)
    if pa.types.is_dictionary(values.type):
        return values.cast(values.type.value_type)
    return values


def _family(
    rows: Mapping[str, pa.Table],
    marked: Mapping[str, np.ndarray],
    files: Mapping[str, list[Path]],
) -> Family:
    found: dict[str, dict[Path, np.ndarray]] = {}
    left: dict[Path, int] = {}
    for name, mask in marked.items():
        number, row = (np.asarray(rows[name][column]) for column in (_FILE, _ROW))
        for i, file in enumerate(files[name]):
            at = row[mask & (number == i)]
            if len(at):
                found.setdefault(name, {})[file] = at
                left[file] = int((number == i).sum()) - len(at)
    return Family(found, left)
