"""A table of sequences as two related tables: one row for each sequence, and its steps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table


@dataclass(frozen=True)
class SequenceTables:
    """How a table of sequences is taken apart, and put together again.

    Args:
        table: The table's metadata; it has a sequence key.
        static: Columns that are constant in every sequence, the key not among them.
        schema: Exact Arrow schema of the table.
        sequences: Name of the table with a row for each sequence.
        index: The column that orders a sequence; a number of the step where the table has none.
    """

    table: Table
    static: tuple[str, ...]
    schema: pa.Schema
    sequences: str
    index: str

    @property
    def key(self) -> str:
        """The column that names a sequence."""
        assert self.table.sequence_key is not None  # noqa: S101 - asked of such tables only
        return self.table.sequence_key

    @property
    def counts_steps(self) -> bool:
        """Whether the table has no index of its own."""
        return self.index not in self.table.columns

    def metadata(self) -> Metadata:
        """The two tables."""
        columns = self.table.columns
        key = replace(columns[self.key], sdtype="id", pii=False, nullable=False)
        whole = {self.key: key, **{c: columns[c] for c in self.static}}
        steps = {c: key if c == self.key else columns[c] for c in columns if c not in self.static}
        primary = self.table.primary_key
        if self.counts_steps:
            steps[self.index] = Column(self.index, "numerical", nullable=False)
        kept = [k for k in (primary, *self.table.unique) if k and set(k) <= set(steps)]
        own = replace(
            self.table,
            columns=steps,
            primary_key=primary if primary in kept else (),
            unique=tuple(k for k in kept if k != primary),
            sequence_index=self.index,
        )
        parent = Table(self.sequences, whole, (self.key,))
        link = Relationship(own.name, (self.key,), self.sequences, (self.key,))
        return Metadata({self.sequences: parent, own.name: own}, (link,))

    def split(self, data: pa.Table) -> dict[str, pa.Table]:
        """The rows of both tables."""
        family, first = _families(data[self.key])
        whole = data.select([self.key, *self.static]).take(pa.array(first))
        steps = data.drop_columns(list(self.static))
        if self.counts_steps:
            steps = steps.append_column(self.index, pa.array(_steps(family)))
        return {self.sequences: whole, self.table.name: steps}

    def joined(self, whole: pa.Table, steps: pa.RecordBatch) -> pa.Table:
        """Rows of the table: steps with what their sequences have.

        Args:
            whole: All sequences.
            steps: Some steps of them.
        """
        row = pc.index_in(_plain(steps[self.key]), _plain(whole[self.key]).combine_chunks())
        columns = [
            whole[f.name].combine_chunks().take(row) if f.name in self.static else steps[f.name]
            for f in self.schema
        ]
        return pa.Table.from_arrays(columns, schema=self.schema)


def sequence_tables(metadata: Metadata, data: pa.Table) -> SequenceTables:
    """How the one table of `metadata` is taken apart.

    Raises:
        SynthesisError: A row names no sequence.
    """
    (table,) = metadata.tables.values()
    key = str(table.sequence_key)
    if data[key].null_count:
        raise SynthesisError(
            f"The column '{table.name}.{key}' names sequences and has {data[key].null_count:,} "
            "nulls. Give these rows a sequence of their own, or leave them out."
        )
    family, first = _families(data[key])
    fixed = {key, table.sequence_index, *table.primary_key}
    static = tuple(
        c for c in table.columns if c not in fixed and _is_static(data[c], family, first)
    )
    if len(first) == len(data):  # sequences of one row: nothing is told apart
        static = ()
    return tables_of(table, static, data.schema)


def tables_of(table: Table, static: tuple[str, ...], schema: pa.Schema) -> SequenceTables:
    """The same where it is known which columns are constant in every sequence."""
    names = ["step", *(f"step_{i}" for i in range(len(table.columns)))]
    free = next(c for c in names if c not in table.columns)
    name = f"{table.name} by {table.sequence_key}"
    return SequenceTables(table, static, schema, name, table.sequence_index or free)


def _families(values: pa.ChunkedArray) -> tuple[Ints, Ints]:
    """The sequence of each row by first appearance [n], and the first row of each [f]."""
    codes = np.asarray(pc.dictionary_encode(_plain(values)).combine_chunks().indices)
    family = codes.astype(np.int64)
    return family, np.unique(family, return_index=True)[1]


def _plain(values: Any) -> Any:
    """An array, in chunks or not, without a dictionary."""
    kind = values.type
    return values.cast(kind.value_type) if pa.types.is_dictionary(kind) else values


def _is_static(values: pa.ChunkedArray, family: Ints, first: Ints) -> bool:
    """Whether a column has one value in each sequence, null counting as one."""
    if pa.types.is_nested(values.type):
        return False
    encoded = pc.dictionary_encode(_plain(values), null_encoding="encode").combine_chunks()
    codes = np.asarray(encoded.indices)
    return bool((codes == codes[first][family]).all())


def _steps(family: Ints) -> Ints:
    """The number of each row in its sequence, in the order of the rows, [n]."""
    order = np.argsort(family, kind="stable")
    lengths = np.bincount(family)
    steps = np.empty(len(family), np.int64)
    steps[order] = np.arange(len(family)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return steps
