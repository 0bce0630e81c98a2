"""Personal columns of sampled tables that have the values of another column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.choice import personal_of
from prefect_synth.synth.encoding.generated import GeneratedEncoder, Place
from prefect_synth.synth.encoding.layout import Ints
from prefect_synth.synth.encoding.pieces import scatter
from prefect_synth.synth.generation.pseudonyms import one_to_one, shares
from prefect_synth.synth.generation.text_lengths import declared_length
from prefect_synth.synth.hierarchy.part import TablePart
from prefect_synth.synth.hierarchy.shared import Shared
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.randomness import stream

if TYPE_CHECKING:
    from prefect_synth.synth.hierarchy.sample import Sample


class Pseudonyms:
    """Values of personal columns at any row, from row numbers and a secret alone.

    Args:
        metadata: The schema.
        parts: A part for each table.
        drawn: Rows, links, and columns that are held whole.
        seed: Of every draw.
        secret: What personal data are made with.
    """

    def __init__(
        self,
        metadata: Metadata,
        parts: Mapping[str, TablePart],
        drawn: Sample,
        seed: int,
        secret: bytes,
    ) -> None:
        self.metadata, self.parts, self.drawn = metadata, parts, drawn
        self.seed, self.secret = seed, secret

    def place(self, table: str, first: int = 0) -> Place:
        """Where rows of a table are made, from row `first` on."""
        salt = int(stream(self.seed, "made up", table).integers(2**31))
        return Place(first, salt, self.secret, table)

    def shared(
        self, part: TablePart, columns: Mapping[str, pa.Array], first: int
    ) -> dict[str, pa.Array]:
        """The columns of a block that have an owner's values, where they are not null.

        Args:
            part: Their table.
            columns: The block's columns as they were decoded.
            first: Number of the block's first row.
        """
        found = {}
        for name in part.shared:
            present = np.asarray(columns[name].is_valid())
            values = self.values(part.name, name, first + np.flatnonzero(present))
            found[name] = scatter(values, present, columns[name].type)
        return found

    def values(self, table: str, column: str, rows: Ints) -> pa.Array:
        """The values of a personal column at rows of a table, whether they are null or not, [n]."""
        part = self.parts[table]
        encoder = part.codec.encoders[column]
        assert isinstance(encoder, GeneratedEncoder)  # noqa: S101 - personal columns are made up
        own = encoder.personal(rows, self.place(table), column)
        held = self.drawn.columns.get(table, {}).get(column)
        if held is not None:
            return pc.coalesce(held.take(pa.array(rows)), own)
        way = part.shared.get(column)
        if way is None or not len(rows):
            return own
        at = self._owner_rows(table, column, way, rows)
        mask = at >= 0
        theirs = self._fitting(table, column, self.values(way.table, way.column, at[mask]))
        return pc.replace_with_mask(own, pa.array(mask), theirs.cast(own.type))

    def _owner_rows(self, table: str, column: str, way: Shared, rows: Ints) -> Ints:
        """The owner's row whose value each row has, negative for a value of its own, [n]."""
        key = self.place(table).key("owner", way.pick or column)
        has = shares(rows, key) < way.share
        if way.pick:
            return self._picked(table, column, way, rows, has, key)
        at = np.where(has, rows, -1)
        for relation in way.path:
            link, known = self.drawn.links[relation], at >= 0
            at[known] = link[at[known]]
        return np.maximum(at, -1)

    def _picked(
        self, table: str, column: str, way: Shared, rows: Ints, has: np.ndarray, key: int
    ) -> Ints:
        """Rows of the owner, dealt out in turn; numbers beyond its rows are nobody's there.

        Rows that were appended to others know the owner's rows of their time. Where values are
        unique they have nobody's: which of the owner's are left would depend on all rows.
        """
        had = self.drawn.cohorts.parents(table, rows, way.table, self.drawn.rows[way.table])
        generator = personal_of(self.parts[table].codec.encoders[column])
        at = np.full(len(rows), -1, np.int64)
        for owners in np.unique(had[had > 0]):
            some = had == owners
            at[some] = one_to_one(rows[some], int(owners), key)
        if generator is not None and generator.unique:
            first = self.drawn.cohorts.base(table, self.drawn.rows[table])
            has = has & (rows < had) & (rows < first)
        return np.where(had > 0, np.where(has, at, had + rows), -1)

    def _fitting(self, table: str, column: str, values: pa.Array) -> pa.Array:
        longest = declared_length(self.metadata.tables[table].columns[column].source_type)
        if longest is None or not pa.types.is_string(values.type):
            return values
        return pc.utf8_slice_codeunits(values, 0, longest)
