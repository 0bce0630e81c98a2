"""Metadata from data: sdtypes, primary keys and relationships of Arrow tables.

A catalogue is the better source where there is one; `refine_metadata` adds to it only what a
catalogue cannot say: which texts are categories, which are free text, and which name a person.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.pii.detection import LOOKED_AT as SEEN
from prefect_synth.synth.pii.detection import detect

Tables = Mapping[str, pa.Table | Path]

LOOKED_AT = 200_000
"""Rows of a table that are looked at; enough to tell a category from a text."""


def infer_metadata(tables: Tables) -> Metadata:
    """Infer the whole schema of `tables`: sdtypes, primary keys, relationships.

    A primary key is a unique column without nulls whose name says that it is one; a relationship
    is a column of the name and type of another table's primary key whose values all exist there.
    """
    loaded = {name: as_table(table) for name, table in tables.items()}
    inferred = {name: _infer_table(name, table, loaded) for name, table in loaded.items()}
    relationships = tuple(sorted(_relationships(inferred, loaded)))
    keys = {(r.child, c) for r in relationships for c in r.child_columns}
    return Metadata(
        {
            name: replace(
                table,
                columns={
                    c: replace(column, sdtype="id", pii=False) if (name, c) in keys else column
                    for c, column in table.columns.items()
                },
                primary_key=_inherited_key(
                    table, tuple(c for c in table.columns if (name, c) in keys), loaded[name]
                ),
            )
            for name, table in inferred.items()
        },
        relationships,
    )


def refine_metadata(metadata: Metadata, tables: Tables) -> Metadata:
    """Tell categories, free text and personal data apart in the columns of a catalogue.

    Only columns that a catalogue could not describe (sdtype `categorical` without an enum, or
    `numerical`, outside any key) are looked at: of numbers, only which are personal by their
    name or by a checksum. What a person declared stays as it is.
    """
    refined = {}
    for name, table in metadata.tables.items():
        keys = metadata.key_columns(name)
        open_columns = [
            c
            for c in table.columns.values()
            if c.name not in keys and (_is_open(c) or c.sdtype == "numerical")
        ]
        columns = dict(table.columns)
        if name not in tables or not open_columns:
            refined[name] = table
            continue
        texts = as_table(tables[name], [c.name for c in open_columns if _is_open(c)])
        numbers = _head(tables[name], [c.name for c in open_columns if not _is_open(c)])
        for column in open_columns:
            values = (texts if _is_open(column) else numbers)[column.name]
            sdtype, pii = infer_sdtype(column.name, values, name)
            if pii or _is_open(column):
                columns[column.name] = replace(column, sdtype=sdtype, pii=pii)
        refined[name] = replace(table, columns=columns)
    return replace(metadata, tables=refined)


def _is_open(column: Column) -> bool:
    return column.sdtype == "categorical" and column.categories is None


def as_table(table: pa.Table | Path, columns: list[str] | None = None) -> pa.Table:
    """Read `columns` of a Parquet path, or select them from a table already in memory.

    A pandas or polars frame is taken by its Arrow stream, without its index.
    """
    if hasattr(table, "__arrow_c_stream__"):
        arrow = table if isinstance(table, pa.Table) else _without_index(pa.table(table))
        return arrow if columns is None else arrow.select(columns)
    return pq.read_table(table, columns=columns)


def _head(table: pa.Table | Path, columns: list[str]) -> pa.Table:
    """The first rows of some columns: enough to see a checksum, and quick to read."""
    if not isinstance(table, Path) or table.is_dir() or not columns:
        return as_table(table, columns).slice(0, SEEN)
    with pq.ParquetFile(table) as file:
        batches = list(islice(file.iter_batches(SEEN, columns=columns), 1))
    return pa.Table.from_batches(batches) if batches else as_table(table, columns)


def _without_index(table: pa.Table) -> pa.Table:
    named = [c for c in table.column_names if not c.startswith("__index_level_")]
    return table.select(named).replace_schema_metadata(None)


def infer_sdtype(name: str, values: pa.ChunkedArray, table: str = "") -> tuple[str, bool]:
    """The sdtype of a column by its type, its name and its values, and whether it is personal.

    Args:
        name: The column's name.
        values: Its values, nulls included.
        table: The table's name; `customer.name` is a person's, `genre.name` is not.

    Returns:
        sdtype and the pii flag.
    """
    kind = values.type
    if pa.types.is_boolean(kind):
        return "boolean", False
    if pa.types.is_temporal(kind) and not pa.types.is_duration(kind):
        return "datetime", False
    person = detect(name, values.drop_null()) if _is_number(kind) else None
    if person is not None:
        return person.sdtype, True
    if _is_number(kind) or pa.types.is_duration(kind):
        return ("id", False) if _names_an_id(name) else ("numerical", False)
    if isinstance(kind, pa.UuidType):
        return "id", False
    if pa.types.is_dictionary(kind):
        values, kind = values.cast(kind.value_type), kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _text_sdtype(name, values.slice(0, LOOKED_AT).drop_null(), table)
    return "unknown", False


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _names_an_id(name: str) -> bool:
    low = name.lower()
    return low in ("id", "key", "uuid", "guid") or low.endswith(("_id", "_key", "_uuid", "_guid"))


def _text_sdtype(name: str, values: pa.ChunkedArray, table: str) -> tuple[str, bool]:
    person = detect(name, values, table)
    if person is not None:
        return person.sdtype, person.sdtype != "text"
    distinct = pc.count_distinct(values).as_py() if len(values) else 0
    if distinct <= max(50, len(values) // 2):
        return "categorical", False
    spaces = pc.mean(pc.match_substring(values, " ").cast(pa.int8())).as_py() or 0.0
    if _names_an_id(name) or (spaces < 0.1 and distinct == len(values)):
        return "id", False
    return "text", False


def _infer_table(name: str, table: pa.Table, others: Collection[str]) -> Table:
    columns = {}
    for field in table.schema:
        sdtype, pii = infer_sdtype(field.name, table[field.name], name)
        nullable = field.nullable
        columns[field.name] = Column(field.name, sdtype, nullable, pii, source_type=str(field.type))
    key = _primary_key(name, table, columns, others)
    for column in key:
        columns[column] = replace(columns[column], sdtype="id", nullable=False, pii=False)
    return Table(name, columns, key)


def _primary_key(
    name: str, table: pa.Table, columns: Mapping[str, Column], others: Collection[str]
) -> tuple[str, ...]:
    expected = {"id", *_key_names(name)}
    foreign = {key for other in others if other != name for key in _key_names(other)} - expected
    named = [c for c in columns if c.lower() in expected]
    rest = [
        c
        for c, column in columns.items()
        if column.sdtype == "id" and c not in named and c.lower() not in foreign
    ]
    for column in (*named, *rest[:1]):
        if _is_key(table, (column,)):
            return (column,)
    return ()


def _key_names(table: str) -> set[str]:
    """What the key of a table may be called: `orders` has `order_id`, `cities` has `city_id`."""
    stem = table.rsplit(".", 1)[-1].lower()
    stems = {stem, stem.removesuffix("s"), stem.removesuffix("es")}
    if stem.endswith("ies"):
        stems.add(stem.removesuffix("ies") + "y")
    return {f"{s}{end}" for s in stems for end in ("_id", "id")}


def _is_key(table: pa.Table, columns: tuple[str, ...]) -> bool:
    values = [table[c] for c in columns]
    if not len(table) or any(v.null_count for v in values):
        return False
    chosen = pa.table([_storage(v) for v in values], list(columns))
    return len(chosen.group_by(list(columns)).aggregate([])) == len(table)


def _storage(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values in a type that Arrow can compare and group: a uuid is none."""
    is_extension = isinstance(values.type, pa.BaseExtensionType)
    return values.cast(values.type.storage_type) if is_extension else values


def _relationships(tables: Mapping[str, Table], data: Mapping[str, pa.Table]) -> list[Relationship]:
    found = []
    for parent in tables.values():
        if len(parent.primary_key) != 1:
            continue
        (key,) = parent.primary_key
        names = _key_names(parent.name) | (set() if key.lower() == "id" else {key.lower()})
        for child in tables.values():
            for column in child.columns:
                itself = child.name == parent.name and column == key
                if (
                    column.lower() in names
                    and not itself
                    and _included(data[child.name][column], data[parent.name][key])
                ):
                    found.append(Relationship(child.name, (column,), parent.name, (key,)))
    return found


def _included(child: pa.ChunkedArray, parent: pa.ChunkedArray) -> bool:
    both_integers = pa.types.is_integer(child.type) and pa.types.is_integer(parent.type)
    if child.null_count == len(child) or not (child.type == parent.type or both_integers):
        return False
    child, parent = _storage(child.drop_null()), _storage(parent)
    found = pc.is_in(child.cast(parent.type, safe=False), parent.combine_chunks())
    return bool(pc.all(found).as_py())


def _inherited_key(table: Table, foreign: tuple[str, ...], data: pa.Table) -> tuple[str, ...]:
    """The key of a table that has none of its own: its foreign keys, where they are unique.

    One foreign key makes a one-to-one table, several a many-to-many one.
    """
    if table.primary_key or not foreign:
        return table.primary_key
    return foreign if _is_key(data, foreign) else ()
