"""What rules read of other tables while blocks are finished: parents' columns, children's sums.

Each is made once, by finishing the blocks of the other table, and held as one array: a few bytes
a row of that table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.hierarchy.contexts import blocks_of
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.sample import Sample
from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.rules.outside import Outside, as_numbers, child_sums, parent_values


class _Span(Protocol):
    """Rows `start` to `stop` of a table."""

    @property
    def start(self) -> int:
        """Number of the first row."""

    @property
    def stop(self) -> int:
        """End of the rows."""


class Around:
    """Columns of other tables, for the rules of a table.

    Args:
        metadata: The schema.
        parts: A part for each table.
        drawn: The plan.
        finish: Makes a block of a table, complete.
    """

    def __init__(
        self,
        metadata: Metadata,
        parts: Mapping[str, TablePart],
        drawn: Sample,
        finish: Callable[[str, int], pa.RecordBatch],
    ) -> None:
        self.relations = {r.name: r for r in metadata.relationships}
        self.parts, self.drawn, self.finish = parts, drawn, finish
        self._held: dict[tuple[str, str], pa.Array] = {}
        self._summed: set[str] = set()

    def values(self, outside: Outside, links: Mapping[str, Ints], rows: _Span) -> pa.Array:
        """What some rows see of another table.

        Args:
            outside: What is read.
            links: Parent row of each of the rows, by relation.
            rows: Which rows they are.
        """
        relation = self.relations[outside.relation]
        if not outside.of_children:
            column = self._column(relation.parent, outside.columns[0])
            return parent_values(column, links[relation.name])
        unknown = not self.drawn.is_linked(relation)  # the children are not yet planned
        if unknown or relation.name in self._summed:  # or are asking for a column of this parent
            return pa.nulls(rows.stop - rows.start, pa.decimal128(18, sum(outside.digits)))
        held = (relation.name, outside.name)
        if held not in self._held:
            self._summed.add(relation.name)
            self._held[held] = as_numbers(outside, self._sums(outside, relation))
            self._summed.remove(relation.name)
        return self._held[held].slice(rows.start, rows.stop - rows.start)

    def _column(self, name: str, column: str) -> pa.Array:
        if (name, column) not in self._held:
            blocks = [batch.column(column) for batch in self._blocks(name)]
            kind = self.parts[name].schema.field(column).type
            self._held[name, column] = pa.chunked_array(blocks, kind).combine_chunks()
        return self._held[name, column]

    def _sums(self, outside: Outside, relation: Relationship) -> Ints:
        total = np.zeros(self.drawn.rows[relation.parent], np.int64)
        start = 0
        for batch in self._blocks(relation.child):
            link = self.drawn.links[relation.name][start : start + len(batch)]
            columns = {c: batch.column(c) for c in outside.columns}
            total += child_sums(outside, columns, link, len(total))
            start += len(batch)
        return total

    def _blocks(self, name: str) -> Iterator[pa.RecordBatch]:
        """The blocks of a table, one at a time."""
        count = len(blocks_of(self.parts[name], self.drawn))
        return (self.finish(name, block) for block in range(count))
