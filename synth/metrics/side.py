"""One side of a comparison, real or synthetic: its tables, their links and the rows compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from prefect_synth.synth.metadata import Metadata, Relationship
from prefect_synth.synth.metrics.bound import choose_rows, chosen_parents
from prefect_synth.synth.metrics.compared import ComparedColumn, is_scored
from prefect_synth.synth.metrics.keys import NO_PARENT, parent_rows, read_references
from prefect_synth.synth.metrics.sources import (
    Ints,
    MetricsError,
    Source,
    check_columns,
    count_rows,
    read_columns,
    read_encoded,
    take_rows,
)


@dataclass(frozen=True)
class Side:
    """The tables of one side.

    Args:
        sources: Where each table's rows are.
        counts: Rows by table.
        parents: By relationship, the parent's position for each child row, over all rows.
        rows: The rows compared, by table; None for all.
    """

    sources: Mapping[str, Source]
    counts: Mapping[str, int]
    parents: Mapping[Relationship, Ints]
    rows: Mapping[str, Ints | None]

    @classmethod
    def open(
        cls,
        name: str,
        sources: Mapping[str, Source],
        metadata: Metadata,
        rows: int | None,
        seed: int,
    ) -> Side:
        """Follow the links of a side and choose the rows to compare.

        Raises:
            MetricsError: A table or a column is missing.
        """
        check_sources(name, sources, metadata)
        counts = {table: count_rows(sources[table]) for table in metadata.tables}
        parents = _Links(metadata.relationships, sources)
        return cls(sources, counts, parents, choose_rows(counts, metadata, parents, rows, seed))

    def read(self, table: str, column: str) -> pa.ChunkedArray:
        """Read a column of the chosen rows."""
        rows = self.rows[table]
        if rows is None:
            return read_encoded(self.sources[table], column)
        return take_rows(self.sources[table], [column], rows).column(0)

    def chosen(self, relationship: Relationship) -> Ints:
        """For each chosen child row, its parent's position among the chosen, or `NO_PARENT`."""
        return chosen_parents(
            self.parents[relationship],
            self.rows[relationship.child],
            self.rows[relationship.parent],
        )

    def joined(self, relationship: Relationship) -> tuple[Ints, Ints]:
        """Positions of children that have a parent, and of their parents, among the chosen rows."""
        parents = self.chosen(relationship)
        children = np.flatnonzero(parents != NO_PARENT)
        return children, parents[children]


class _Links(Mapping[Relationship, Ints]):
    """The parents' positions by relationship, each read when it is asked for."""

    def __init__(
        self, relationships: tuple[Relationship, ...], sources: Mapping[str, Source]
    ) -> None:
        self._relationships, self._sources = relationships, sources
        self._read: dict[Relationship, Ints] = {}

    def __getitem__(self, relationship: Relationship) -> Ints:
        if relationship not in self._read:
            self._read[relationship] = read_parents(relationship, self._sources)
        return self._read[relationship]

    def __iter__(self) -> Iterator[Relationship]:
        return iter(self._relationships)

    def __len__(self) -> int:
        return len(self._relationships)


def compared_columns(
    table: str, metadata: Metadata, real: Side, synthetic: Side
) -> Iterator[ComparedColumn]:
    """Read and encode the scored columns of a table, one after the other."""
    for column in metadata.tables[table].columns.values():
        if is_scored(column):
            left, right = (side.read(table, column.name) for side in (real, synthetic))
            yield ComparedColumn.encode(column, left, right)


def check_sources(name: str, sources: Mapping[str, Source], metadata: Metadata) -> None:
    """Check that a side has every table, with the columns that are compared.

    Raises:
        MetricsError: A table or a column is missing.
    """
    for table in metadata.tables.values():
        if table.name not in sources:
            raise MetricsError(
                f"Table '{table.name}' is missing in the {name} data, which has: "
                f"{', '.join(sources) or 'no table'}. Add it, or leave it out of the metadata."
            )
        keys = {c for r in metadata.parents(table.name) for c in r.child_columns}
        keys |= {c for r in metadata.children(table.name) for c in r.parent_columns}
        wanted = [c.name for c in table.columns.values() if c.name in keys or is_scored(c)]
        check_columns(table.name, name, sources[table.name], wanted)


def read_parents(relationship: Relationship, sources: Mapping[str, Source]) -> Ints:
    """Find the parent's position for each child row, `NO_PARENT` where there is none."""
    child = read_references(sources[relationship.child], relationship)
    parent = read_columns(sources[relationship.parent], relationship.parent_columns)
    positions, _ = parent_rows(
        child, relationship.child_columns, parent, relationship.parent_columns
    )
    return positions
