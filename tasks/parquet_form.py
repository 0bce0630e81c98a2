"""The Parquet files of a snapshot: how they are encoded, and what they say of themselves.

The same rows give the same bytes, however they come in batches and on any number of workers:
row groups and encodings follow from the first rows, chunks are joined, dictionaries made anew.
Nothing of the run or the attempt is in them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from prefect_synth.synth.metadata import Column, Table
from prefect_synth.tasks.warehouses.staging_writer import row_groups, write_parquet

FORM = 1
"""Version of what the files say of themselves."""

PREFIX = "prefect_synth."
"""Before each key of a file's metadata that is ours."""

GROUP_ROWS = 1 << 20
GROUP_BYTES = 32 << 20
"""A row group is held in memory; its values take about so much there at most."""

_FEW_DISTINCT = 20
"""A dictionary pays where each value comes about so often or more (measured: see DECISIONS.md)."""


class FileFacts(BaseModel):
    """What a published file says of its table, beside comments.

    Args:
        table: The table's name.
        copied: Whether its rows are real ones, published as they are.
        project: The project's name, where there is one.
        model: Fingerprint of the table's trained part; None of a copy.
        seed: Of every draw.
    """

    model_config = ConfigDict(frozen=True)

    table: str
    copied: bool = False
    project: str | None = None
    model: str | None = None
    seed: int | None = None

    def entries(self) -> dict[str, str]:
        """Return keys and values of the file's metadata."""
        drawn = {"model": self.model, "seed": self.seed} if not self.copied else {}
        facts = {
            "form": FORM,
            "synthetic": json.dumps(not self.copied),
            "copied": json.dumps(self.copied),
            "project": self.project,
            "table": self.table,
            **drawn,
        }
        return {PREFIX + key: str(value) for key, value in facts.items() if value is not None}


def write_published(
    path: Path,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    facts: FileFacts,
    meaning: Table | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> int:
    """Stream the rows of a table to a file as readers of the sandbox get it.

    Args:
        path: The file, which appears only when it is complete.
        schema: The table's Arrow schema; names, types and nullability are kept.
        batches: The rows.
        facts: What the file says of itself.
        meaning: Comments and source types of table and columns.
        on_batch: Called with the rows of each row group that is written.

    Returns:
        The number of rows written.

    Raises:
        StagedFileError: The disk is full or the folder cannot be written.
    """
    described = describe(schema, facts, meaning)
    return write_parquet(path, described, batches, PublishedForm(), on_batch)


def describe(schema: pa.Schema, facts: FileFacts, meaning: Table | None = None) -> pa.Schema:
    """Return the same schema with comments, source types and facts as metadata.

    What the schema says already (for pandas, say) stays.
    """
    columns = {} if meaning is None else meaning.columns
    fields = [_described(field, columns.get(field.name)) for field in schema]
    entries = facts.entries()
    if meaning is not None and meaning.comment:
        entries[f"{PREFIX}comment"] = meaning.comment
    notes = {field.name: _notes(field) for field in fields}
    # for readers that see no Arrow schema (DuckDB, Spark)
    entries[f"{PREFIX}columns"] = json.dumps({k: v for k, v in notes.items() if v})
    return pa.schema(fields, {**(schema.metadata or {}), **_encoded(entries)})


def _described(field: pa.Field, column: Column | None) -> pa.Field:
    if column is None:
        return field
    known = {"comment": column.comment, "source_type": column.source_type}
    added = _encoded({key: value for key, value in known.items() if value})
    return field.with_metadata({**(field.metadata or {}), **added}) if added else field


def _encoded(entries: Mapping[str, str]) -> dict[bytes, bytes]:
    """As Arrow gives metadata back: a text as key beside it would be a second entry."""
    return {key.encode(): value.encode() for key, value in entries.items()}


def _notes(field: pa.Field) -> dict[str, str]:
    held = field.metadata or {}
    return {k: held[k.encode()].decode() for k in ("comment", "source_type") if k.encode() in held}


class PublishedForm:
    """The form of what readers of the sandbox get: small, and quick to read in part."""

    def groups(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
        """Cut a stream into row groups of up to `GROUP_ROWS` rows, fewer where rows are long.

        The first piece tells how many pieces make a group.
        """
        held: list[pa.Table] = []
        pieces = 1
        for number, piece in enumerate(row_groups(batches, schema)):
            if number == 0:
                pieces = _pieces(piece)
            held.append(piece)
            if len(held) == pieces:
                yield _joined(held)
                held = []
        if held:
            yield _joined(held)

    def options(self, first: pa.Table) -> Mapping[str, Any]:
        """Return the writer's options: a dictionary only where values come often.

        No BYTE_STREAM_SPLIT: it gains 3 % on columns of random floats, and Spark's vectorised
        reader learned it only in 2026 (SPARK-56894).
        """
        chosen = [path for path in _leaves(first.schema) if _repeats(first, path)]
        return {"use_dictionary": chosen or False, "write_page_index": True}


def _pieces(piece: pa.Table) -> int:
    taken = sum(_value_bytes(column.combine_chunks()) for column in piece.columns)
    fitting = GROUP_BYTES // max(int(taken), 1)
    return max(1, min(fitting, GROUP_ROWS // max(piece.num_rows, 1)))


def _value_bytes(array: pa.Array) -> float:
    """Bytes that the values take; unlike `nbytes` the same however they came in batches."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _value_bytes(array.storage)
    if pa.types.is_dictionary(kind):
        return _value_bytes(array.indices)
    if _is_text(kind):
        return 4 * len(array) + (pc.sum(pc.binary_length(array)).as_py() or 0)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return 4 * len(array) + _value_bytes(array.flatten())
    if pa.types.is_struct(kind):
        return sum(_value_bytes(child) for child in array.flatten())
    return len(array) * _width(kind)


def _width(kind: pa.DataType) -> float:
    try:
        return kind.bit_width / 8
    except ValueError:  # a map, say
        return _UNKNOWN_BYTES


_UNKNOWN_BYTES = 64.0


def _is_text(kind: pa.DataType) -> bool:
    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary)
    return any(test(kind) for test in (*known, pa.types.is_large_binary))


def _joined(pieces: list[pa.Table]) -> pa.Table:
    """One chunk a column: pages end where the writer looks at their size, so at chunks too."""
    table = pa.concat_tables(pieces).combine_chunks()
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(place, field, _canonical(table.column(place), field.type))
    return table


def _canonical(column: pa.ChunkedArray, kind: pa.DictionaryType) -> pa.Array:
    """The same values with a dictionary of just those, in the order in which they come."""
    encoded = column.cast(kind.value_type).combine_chunks().dictionary_encode()
    return pa.DictionaryArray.from_arrays(
        encoded.indices.cast(kind.index_type), encoded.dictionary, ordered=kind.ordered
    )


def _leaves(schema: pa.Schema) -> list[str]:
    """The paths of the columns that Parquet knows, as its writer names them."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema):
        pass
    written = pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema
    return [written.column(place).path for place in range(len(written))]


def _repeats(table: pa.Table, path: str) -> bool:
    """Whether a dictionary is tried: nested columns always, the writer gives it up by itself."""
    if path not in table.schema.names:
        return True
    column = table.column(path).slice(0, 131_072)
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array(
            [chunk.storage for chunk in column.chunks], column.type.storage_type
        )
    if pa.types.is_dictionary(column.type):
        return True
    if pa.types.is_boolean(column.type) or pa.types.is_null(column.type):
        return False
    try:
        distinct = pc.count_distinct(column).as_py()
    except pa.ArrowNotImplementedError:  # of string views, say
        return True
    return distinct * _FEW_DISTINCT <= len(column)
