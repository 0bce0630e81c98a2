"""A file of pinned rows as an Arrow table of the table's own types, or a sentence what is wrong."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from prefect_synth.synth.errors import ContractError
from prefect_synth.synth.interpolated import is_marked
from prefect_synth.synth.metadata import Column, Table

MOST_ROWS = 10_000
"""Pinned rows of a table at most: they are written by people."""


@dataclass(frozen=True)
class Pins:
    """The pinned rows of one table.

    Args:
        file: The file, as messages name it.
        table: What the table means.
        rows: The columns that the file has, in the table's types and order.
        lines: Whether row n stands on line n + 2 of the file.
    """

    file: str
    table: Table
    rows: pa.Table
    lines: bool

    def place(self, row: int) -> str:
        """Names a row for messages."""
        return f"line {row + 2}" if self.lines else f"row {row + 1}"

    def wrong(self, problem: str, row: int | None = None) -> ContractError:
        """What is wrong with the file, or with one of its rows."""
        where = self.file if row is None else f"{self.file}, {self.place(row)}"
        return ContractError(f"Pinned rows of table '{self.table.name}' ({where}): {problem}")


def read_pins(path: Path, file: str, table: Table, schema: pa.Schema) -> Pins:
    """Read pinned rows from CSV (with a header, empty for null) or Parquet.

    Args:
        path: The file.
        file: Its name for messages.
        table: What the table means.
        schema: The table's Arrow schema.

    Raises:
        ContractError: There is no such file, or a column or value is none of the table's.
    """
    nothing = Pins(file, table, pa.table({}), lines=False)
    if not path.is_file():
        raise nothing.wrong("there is no such file. Its place is relative to the project file.")
    raw, lines = _read(path, nothing)
    found = Pins(file, table, raw, lines)
    _check_columns(found, schema)
    chosen = [f for f in schema if f.name in raw.column_names]
    columns = [_typed(found, f, raw[f.name].combine_chunks()) for f in chosen]
    return Pins(file, table, pa.Table.from_arrays(columns, schema=pa.schema(chosen)), lines)


def _read(path: Path, nothing: Pins) -> tuple[pa.Table, bool]:
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return _unmarked(pq.read_table(path), nothing), False
        text = path.read_text(encoding="utf-8-sig")
        raw = pv.read_csv(
            pa.BufferReader(text.encode()),
            parse_options=pv.ParseOptions(newlines_in_values=True),
            convert_options=_as_text(text),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError, OSError) as error:
        parquet = path.suffix.lower() in (".parquet", ".pq")
        kind = "Parquet" if parquet else "CSV in UTF-8 whose lines have as many values as the first"
        raise nothing.wrong(f"the file is no {kind} ({type(error).__name__}).") from None
    return raw, len(text.splitlines()) == raw.num_rows + 1


def _unmarked(raw: pa.Table, nothing: Pins) -> pa.Table:
    if is_marked(raw.schema):
        raise nothing.wrong(
            "its rows are laid between real ones (SMOTE or its like), and are real data: they "
            "cannot be pinned."
        )
    return raw


def _as_text(text: str) -> pv.ConvertOptions:
    """Every column as text: the table says what it is. Empty is null, `""` is an empty text."""
    header = pv.read_csv(pa.BufferReader((text.splitlines() or [""])[0].encode() + b"\n"))
    return pv.ConvertOptions(
        column_types=dict.fromkeys(header.column_names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )


def _check_columns(pins: Pins, schema: pa.Schema) -> None:
    names = pins.rows.column_names
    for name in names:
        if name not in schema.names:
            raise pins.wrong(
                f"the column '{name}' is none of the table's. Columns: {', '.join(schema.names)}."
            )
        if names.count(name) > 1:
            raise pins.wrong(f"the column '{name}' comes twice.")
    if not pins.rows.num_rows:
        raise pins.wrong("it has no row. Add one, or take the pin away.")
    if pins.rows.num_rows > MOST_ROWS:
        raise pins.wrong(
            f"it has {pins.rows.num_rows:,} rows; at most {MOST_ROWS:,} can be pinned."
        )
    for name in pins.table.primary_key:
        if name not in names:
            raise pins.wrong(
                f"it needs the column '{name}' of the primary key: pinned rows keep their keys."
            )


def _typed(pins: Pins, field: pa.Field, values: pa.Array) -> pa.Array:
    """The values in the column's type; names the row of the first that is none."""
    meaning = pins.table.columns[field.name]
    try:
        typed = _cast(values, field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError):
        row = _first_wrong(values, lambda one: _cast(one, field.type))
        raise pins.wrong(
            f"the value of '{field.name}' is no {field.type}{_hint(field.type)}.", row
        ) from None
    _check_finite(pins, field, values, typed)
    needed = not meaning.nullable or field.name in pins.table.primary_key or not field.nullable
    if needed and typed.null_count:
        row = _first(pc.is_null(typed))
        raise pins.wrong(f"'{field.name}' is empty, and it is declared NOT NULL.", row)
    _check_category(pins, meaning, typed)
    return typed


def _check_finite(pins: Pins, field: pa.Field, values: pa.Array, typed: pa.Array) -> None:
    """A text that is beyond every number, or none: what a Parquet file has is meant."""
    if not (pa.types.is_string(values.type) and pa.types.is_floating(typed.type)):
        return
    endless = pc.fill_null(pc.invert(pc.is_finite(typed)), False)
    if pc.any(endless).as_py():
        raise pins.wrong(
            f"the value of '{field.name}' is no finite {field.type}. Leave it empty for null, or "
            "give it in a Parquet file.",
            _first(endless),
        )


def _check_category(pins: Pins, meaning: Column, values: pa.Array) -> None:
    if meaning.categories is None:
        return
    plain = values.cast(pa.string())
    unknown = pc.and_(
        pc.is_valid(plain), pc.invert(pc.is_in(plain, pa.array(meaning.categories, pa.string())))
    )
    if pc.any(unknown).as_py():
        allowed = ", ".join(meaning.categories)
        raise pins.wrong(
            f"the value of '{meaning.name}' is none that the warehouse declares: {allowed}.",
            _first(unknown),
        )


def _cast(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if values.type == kind:
        return values
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_dictionary(kind):
        coded = _cast(values, kind.value_type).dictionary_encode()
        return pa.DictionaryArray.from_arrays(
            coded.indices.cast(kind.index_type), coded.dictionary, ordered=kind.ordered
        )
    if isinstance(kind, pa.UuidType) and pa.types.is_string(values.type):
        return pa.array(
            [None if v is None else uuid.UUID(v).bytes for v in values.to_pylist()], kind
        )
    if pa.types.is_time(kind) and pa.types.is_string(values.type):
        times = [None if v is None else time.fromisoformat(v) for v in values.to_pylist()]
        return pa.array(times, kind)
    if pa.types.is_timestamp(kind) and kind.tz and pa.types.is_string(values.type):
        return _zoned(values, kind)
    if pa.types.is_binary(kind) and pa.types.is_string(values.type):
        raise ValueError("text is no binary")
    return values.cast(kind)


def _zoned(values: pa.Array, kind: pa.TimestampType) -> pa.Array:
    """Moments with a zone of their own, or in the column's."""
    try:
        return values.cast(kind)
    except pa.ArrowInvalid:
        return pc.assume_timezone(values.cast(pa.timestamp(kind.unit)), kind.tz)


def _first_wrong(values: pa.Array, cast: Callable[[pa.Array], Any]) -> int:
    """The first value that cannot be cast, found by halves."""
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            cast(values.slice(low, middle - low))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError):
            high = middle
        else:
            low = middle
    return low


def _first(mask: pa.Array) -> int:
    return int(pc.index(mask, pa.scalar(True)).as_py())


def _hint(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return ", as 2026-01-31 08:00:00"
    if pa.types.is_date(kind):
        return ", as 2026-01-31"
    if pa.types.is_boolean(kind):
        return ", as true or false"
    return "; give it in a Parquet file" if pa.types.is_nested(kind) else ""
