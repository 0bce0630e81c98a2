"""Rows of one table, in blocks that depend on nothing but the seed and their number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from prefect_synth.synth.conditions import held_columns, hold_exactly
from prefect_synth.synth.encoding.layout import Encoded
from prefect_synth.synth.hierarchy.keys import KeyColumns
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.repairs import fill_keys
from prefect_synth.synth.hierarchy.sample import Sample
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.randomness import stream

BLOCK = 50_000
"""Rows that are drawn together; fixed, so that the size of batches changes no row."""


class Drawing:
    """One sample of a table.

    Args:
        metadata: Of the one table.
        part: The fitted table.
        num_rows: Rows to draw.
        seed: Of every draw.
        conditions: Values that columns are held at.

    Raises:
        SynthesisError: A condition cannot be met.
    """

    def __init__(
        self,
        metadata: Metadata,
        part: TablePart,
        num_rows: int,
        seed: int,
        conditions: Mapping[str, Any],
    ) -> None:
        self.metadata, self.part, self.num_rows = metadata, part, num_rows
        self.seed, self.conditions = seed, conditions
        self.held = held_columns(part, conditions)

    def tables(self) -> Iterator[pa.Table]:
        """Tables of the exact schema, one after the other all rows."""
        name = self.part.name
        drawn = Sample(rows={name: self.num_rows}, held=tuple(self.conditions))
        keys = KeyColumns(self.metadata, {name: self.part}, drawn, self.seed)
        self.pseudonyms = keys.pseudonyms
        if self.part.unique or self.part.counters:  # they need all rows at once
            drawn.columns[name] = _whole(self._columns(start) for start in self._starts())
            fill_keys(keys, (name,))
            yield self._table(drawn.columns[name])
            return
        for start in self._starts():
            columns, rows = self._columns(start), np.arange(start, self._stop(start))
            columns |= {column: keys.values(name, column, rows) for column in keys.names(name)}
            yield self._table(columns)

    def _starts(self) -> range:
        return range(0, self.num_rows, BLOCK)

    def _stop(self, start: int) -> int:
        return min(start + BLOCK, self.num_rows)

    def _columns(self, start: int) -> dict[str, pa.Array]:
        """The columns of one block that are in no key."""
        part, block, rows = self.part, str(start // BLOCK), self._stop(start) - start
        rng = stream(self.seed, "sample", part.name, block)
        encoded = part.row_model.sample(Encoded.empty(rows), rng, self.held)
        null = {column: value is None for column, value in self.conditions.items()}
        rng = stream(self.seed, "values", part.name, block)
        place = self.pseudonyms.place(part.name, start)
        columns = part.codec.decode(encoded, rng, null, place=place)
        columns |= self.pseudonyms.shared(part, columns, start)
        hold_exactly(part, columns, self.conditions, rows)
        rng = stream(self.seed, "rules", part.name, block)
        return part.rules.backward(columns, {}, rng, rows)

    def _table(self, columns: Mapping[str, pa.Array]) -> pa.Table:
        schema = self.part.schema
        return pa.Table.from_arrays([columns[f.name] for f in schema], schema=schema)


def rebatched(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of `rows` rows; the last one has what is left."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= rows:
            whole = pa.concat_tables(waiting)
            full = len(whole) // rows * rows
            yield from (whole.slice(start, rows) for start in range(0, full, rows))
            waiting = [whole.slice(full)] if full < len(whole) else []
    if waiting:
        yield pa.concat_tables(waiting)


def _whole(blocks: Iterable[dict[str, pa.Array]]) -> dict[str, pa.Array]:
    """The columns of all blocks, one below the other."""
    tables = [pa.table(columns) for columns in blocks]
    whole = pa.concat_tables(tables).unify_dictionaries()
    return {name: whole[name].combine_chunks() for name in whole.column_names}
