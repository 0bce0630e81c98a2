"""A table's own columns as encoded rows, and back (keys are the frame's matter)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.choice import AnyEncoder
from prefect_synth.synth.encoding.generated import GeneratedEncoder, Place
from prefect_synth.synth.encoding.layout import Encoded, Floats, Ints, Layout
from prefect_synth.synth.encoding.patterns import NullPatterns
from prefect_synth.synth.encoding.pieces import settle
from prefect_synth.synth.encoding.shapes import SEPARATOR, Shape
from prefect_synth.synth.encoding.sources import ColumnSource, whole
from prefect_synth.synth.randomness import stream
from prefect_synth.synth.storage import stored


@stored
@dataclass(frozen=True)
class TableCodec:
    """Encoders of a table's columns.

    A nested column is taken apart into leaves with names of their own that no column can have;
    `encoders` has the leaves in its place.

    Args:
        encoders: Encoder of each flat column, in the table's order.
        patterns: Groups of columns whose nulls go together.
        implied: Pairs of columns: where the first is null, the second is.
        shapes: How nested columns, and nested leaves, are put together.
        columns: Names of the table's own columns in order; those of `encoders` where empty.
    """

    encoders: dict[str, AnyEncoder]
    patterns: tuple[NullPatterns, ...] = ()
    implied: tuple[tuple[str, str], ...] = ()
    shapes: dict[str, Shape] = field(default_factory=dict)
    columns: tuple[str, ...] = ()

    @property
    def modelled(self) -> list[str]:
        """Names of what a row model sees: patterns of nulls first, then columns and leaves."""
        pseudo = [f"{SEPARATOR}nulls{i}" for i in range(len(self.patterns))]
        return pseudo + [name for name, e in self.encoders.items() if e.layout is not None]

    def encode(
        self, table: ColumnSource, rng: np.random.Generator, *, compact: bool = False
    ) -> Encoded:
        """The modelled columns of `table`, encoded.

        Args:
            table: The rows; columns are asked for one at a time.
            rng: Source of the places of what was not kept.
            compact: Use half the memory, at the precision of 32 bits.
        """
        at = {name: j for j, name in enumerate(self.modelled)}
        rows = Encoded(
            np.zeros((table.num_rows, len(at)), np.int32 if compact else np.int64),
            np.full((table.num_rows, len(at)), 0.5, np.float32 if compact else np.float64),
            self.layouts,
        )
        for name in self.columns or self.encoders:
            for leaf, values in self._leaves(name, whole(table.column(name))):
                if leaf in at:
                    j = at[leaf]
                    found = self.encoders[leaf].encode(values, rng)
                    rows.pieces[:, j], rows.places[:, j] = found
        for i, patterns in enumerate(self.patterns):
            members = [at[c] for c in patterns.columns]
            rows.pieces[:, i] = patterns.encode(rows.pieces[:, members] == 0)
            self._settle_group(i, rows, at, rng)
        return rows

    def decode(
        self,
        rows: Encoded,
        rng: np.random.Generator,
        held: Mapping[str, bool] | None = None,
        place: Place | None = None,
    ) -> dict[str, pa.Array]:
        """All columns of the table, by name; made-up ones are made here.

        Args:
            rows: The modelled columns.
            rng: Source of what is made up, and of values where nulls have to be mended.
            held: Columns that a condition holds at a value, and whether that value is null.
            place: Which rows of the table these are; where None they are all.
        """
        at = {name: j for j, name in enumerate(self.modelled)}
        rows = Encoded(rows.pieces.copy(), rows.places.copy(), self.layouts)
        known = {c: null for c, null in (held or {}).items() if c in at}
        for i, patterns in enumerate(self.patterns):
            rows.pieces[:, i] = patterns.redrawn(rows.pieces[:, i], known, rng)
            self._settle_group(i, rows, at, rng)
        self._settle_implied(rows, at, known, rng)
        return _Decoding(self, rows, at, rng, place).all_columns()

    def conditions(self, held: Mapping[str, tuple[int, float]]) -> dict[int, tuple[int, float]]:
        """Conditions of a row model, by its column numbers.

        Args:
            held: Piece and place that columns are held at, by name.

        Returns:
            The same by number, with the pattern of nulls where only one agrees.
        """
        at = {name: j for j, name in enumerate(self.modelled)}
        null = {c: self._is_null(c, piece) for c, (piece, _) in held.items()}
        found = {at[c]: condition for c, condition in held.items()}
        for i, patterns in enumerate(self.patterns):
            fits = np.flatnonzero(patterns.fitting(null))
            if len(fits) == 1 and set(patterns.columns) & set(held):
                found[i] = (int(fits[0]), 0.5)
        return found

    def _is_null(self, column: str, piece: int) -> bool:
        layout = self.encoders[column].layout
        return layout is not None and layout.has_null and piece == 0

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """The pieces of what a row model sees."""
        own = [e.layout for e in self.encoders.values() if e.layout is not None]
        return (*(p.layout for p in self.patterns), *own)

    def _leaves(self, name: str, values: pa.Array) -> list[tuple[str, pa.Array]]:
        """The flat columns of one column."""
        if name not in self.shapes:
            return [(name, values)]
        parts = self.shapes[name].flatten(name, values)
        return [leaf for part, inner in parts.items() for leaf in self._leaves(part, inner)]

    def _settle_group(
        self, group: int, rows: Encoded, at: Mapping[str, int], rng: np.random.Generator
    ) -> None:
        patterns, code = self.patterns[group], rows.pieces[:, group]
        for k, column in enumerate(patterns.columns):
            absent = patterns.absent[code, k]
            self._settle(rows, at[column], absent, ~absent, rng)

    def _settle_implied(
        self,
        rows: Encoded,
        at: Mapping[str, int],
        held: Mapping[str, bool],
        rng: np.random.Generator,
    ) -> None:
        nothing = np.zeros(len(rows), bool)
        for first, second in self.implied:
            if held.get(second) is False:
                self._settle(rows, at[first], nothing, ~nothing, rng)
        for first, second in self.implied:
            self._settle(rows, at[second], rows.pieces[:, at[first]] == 0, nothing, rng)

    def _settle(
        self,
        rows: Encoded,
        j: int,
        null: np.ndarray,
        present: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        rows.pieces[:, j], rows.places[:, j] = settle(
            rows.layouts[j], rows.pieces[:, j], rows.places[:, j], null, present, rng
        )


class _Decoding:
    """One decoding: columns as they are asked for, each once."""

    def __init__(
        self,
        codec: TableCodec,
        rows: Encoded,
        at: Mapping[str, int],
        rng: np.random.Generator,
        place: Place | None,
    ) -> None:
        self.codec, self.rows, self.at = codec, rows, at
        self.place = place or Place(0, int(rng.integers(2**31)))
        self.seed = int(rng.integers(2**62))

    def all_columns(self) -> dict[str, pa.Array]:
        """The table's columns."""
        names = self.codec.columns or tuple(self.codec.encoders)
        return {name: self.column(name, None) for name in names}

    def column(self, name: str, needed: np.ndarray | None) -> pa.Array:
        """The values of a column or leaf, not null where `needed`."""
        rng = stream(self.seed, name)  # none moves when another column comes or goes
        if name in self.codec.shapes:
            return self.codec.shapes[name].build(name, self.column, needed, len(self.rows), rng)
        encoder, (pieces, places) = self.codec.encoders[name], self._drawn(name, needed, rng)
        if isinstance(encoder, GeneratedEncoder):
            return encoder.decode(pieces, places, rng, self.place, name)
        return encoder.decode(pieces, places, rng)

    def _drawn(
        self, name: str, needed: np.ndarray | None, rng: np.random.Generator
    ) -> tuple[Ints, Floats]:
        if name not in self.at:
            return np.zeros(len(self.rows), np.int64), np.full(len(self.rows), 0.5)
        j = self.at[name]
        pieces, places = self.rows.pieces[:, j], self.rows.places[:, j]
        if needed is None:
            return pieces, places
        nowhere = np.zeros(len(pieces), bool)
        return settle(self.rows.layouts[j], pieces, places, nowhere, needed, rng)
