"""Categories: from two to a million values, of which a row model sees a thousand pieces at most.

Where there are more values, the commonest have a piece each, and the others share pieces with those
that sort beside them (codes and postcodes beside one another are alike); inside such a piece a
value is drawn by its share.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import RARE, Floats, Ints, Layout
from prefect_synth.synth.encoding.pieces import kind_of, layout_of, null_first, with_nulls
from prefect_synth.synth.encoding.units import holders
from prefect_synth.synth.storage import stored

MOST_PIECES = 1000
_HEADS = 800


@stored
@dataclass(frozen=True)
class CategoryEncoder:
    """Texts, booleans, and any type whose values repeat; lists and JSON as wholes.

    Args:
        layout: The pieces: first of values that have one each, then of those that share one.
        values: The categories that are kept, in the order of their pieces.
        kind: Schema with one field of the column's type.
        covered: Share of the non-null rows that had one of them.
        starts: First value of each piece, and the number of values, [P + 1]; None where every
            value has a piece of its own.
        mass: Running sum of the values' shares, [K + 1]; None likewise.
    """

    layout: Layout
    values: pa.Array
    kind: pa.Schema
    covered: float
    starts: Ints | None = None
    mass: Floats | None = None

    def encode(self, values: pa.Array, rng: np.random.Generator) -> tuple[Ints, Floats]:
        """Pieces of `values`; a value that is not kept counts as a frequent one, drawn by share."""

        def locate(present: pa.Array) -> tuple[Ints, Floats]:
            found = pc.index_in(_comparable(present), _comparable(self.values))
            known = np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False)).astype(np.int64)
            if self.starts is not None:
                known = np.where(
                    known < 0, -1, np.searchsorted(self.starts, known, side="right") - 1
                )
            lost = np.flatnonzero(known < 0)
            known[lost] = rng.choice(len(self._shares), len(lost), p=self._shares)
            return known, np.full(len(known), 0.5)

        return with_nulls(self.layout, _undictionary(values), locate)

    def decode(self, pieces: Ints, places: Floats, rng: np.random.Generator) -> pa.Array:
        """The category of each piece; of a shared piece one of its categories."""
        return null_first(
            self.layout,
            pieces,
            lambda at, shift: _restore(
                self.values.take(pa.array(self._chosen(pieces[at] - shift, rng))),
                kind_of(self.kind),
            ),
            kind_of(self.kind),
        )

    def every_value(self) -> pa.Array:
        """All categories that are kept, in the column's own type."""
        return _restore(self.values, kind_of(self.kind))

    def _chosen(self, piece: Ints, rng: np.random.Generator) -> Ints:
        if self.starts is None or self.mass is None:
            return piece
        chosen = self.starts[piece]
        shared = np.flatnonzero(self.starts[piece + 1] - chosen > 1)
        low, high = (self.mass[self.starts[piece[shared] + i]] for i in (0, 1))
        at = low + rng.random(len(shared)) * (high - low)
        found = np.searchsorted(self.mass, at, side="right") - 1
        chosen[shared] = np.clip(found, chosen[shared], self.starts[piece[shared] + 1] - 1)
        return chosen

    @property
    def _shares(self) -> Floats:
        shares = self.layout.probabilities[int(self.layout.has_null) :]
        total = shares.sum()
        return shares / total if total > 0 else np.full(len(shares), 1 / len(shares))


def fit_category(
    values: pa.Array,
    declared: tuple[str, ...] | None = None,
    rare: int = RARE,
    units: Ints | None = None,
) -> CategoryEncoder | None:
    """An encoder for a column of categories, or None where every value is rare.

    Args:
        values: The column, nulls included.
        declared: Categories that the catalogue itself names (an enum): public, never rare.
        rare: Values in fewer rows, or of fewer units, than this are not kept.
        units: The unit of each row, if known.
    """
    schema = pa.schema([("v", values.type)])
    values = _undictionary(values)
    present = values.drop_null()
    coded = _comparable(present).dictionary_encode()
    codes, names = np.asarray(coded.indices), coded.dictionary
    counts, public = np.bincount(codes, minlength=len(names)), np.zeros(len(names), bool)
    owners = None if units is None else units[np.asarray(values.is_valid())]
    common = counts if owners is None else holders(codes, len(names), owners)
    if declared is not None:
        public = np.asarray(pc.is_in(names.cast(pa.string()), pa.array(declared, pa.string())))
    frequent = np.flatnonzero((common >= rare) | public)
    if not len(frequent):
        return None
    # sorted: the order of first appearance would tell about rows
    frequent = frequent[np.asarray(pc.sort_indices(names.take(pa.array(frequent))))]
    first = np.zeros(len(names), np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    order, starts = _pieces(counts[frequent])
    frequent = frequent[order]
    kept, counts = present.take(pa.array(first[frequent])), counts[frequent].astype(float)
    covered = float(counts.sum() / max(len(present), 1))
    mass = np.concatenate([[0.0], np.cumsum(counts / counts.sum())])
    weights = counts if starts is None else np.diff(mass[starts])
    layout = layout_of(values, weights, np.zeros(len(weights), bool), nominal=len(weights) > 2)
    return CategoryEncoder(layout, kept, schema, covered, starts, None if starts is None else mass)


def _pieces(counts: Ints) -> tuple[Ints, Ints | None]:
    """The order of values, and where the pieces begin if some are shared.

    Args:
        counts: Rows of each value, in the sort order of the values, [K].
    """
    if len(counts) <= MOST_PIECES:
        return np.arange(len(counts)), None
    head = np.zeros(len(counts), bool)
    head[np.argsort(-counts, kind="stable")[:_HEADS]] = True
    order = np.concatenate([np.flatnonzero(head), np.flatnonzero(~head)])
    tail = np.cumsum(counts[~head])
    cuts = np.searchsorted(
        tail, tail[-1] * np.arange(1, MOST_PIECES - _HEADS) / (MOST_PIECES - _HEADS)
    )
    starts = np.unique(np.concatenate([[0], cuts + 1])) + _HEADS
    starts = starts[starts < len(counts)]
    return order, np.concatenate([np.arange(_HEADS), starts, [len(counts)]])


def _comparable(values: pa.Array) -> pa.Array:
    """Values in a form that can be counted and sorted: lists as text, extensions plain."""
    if isinstance(values, pa.ExtensionArray):
        return values.storage
    if pa.types.is_nested(values.type):
        return pa.array([json.dumps(v, default=str) for v in values.to_pylist()], pa.string())
    return values


def _undictionary(values: pa.Array) -> pa.Array:
    """Dictionaries as plain values; a null in the dictionary is a null of the rows."""
    if pa.types.is_dictionary(values.type):
        return values.dictionary.take(values.indices)
    return values


def _restore(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return values.dictionary_encode().cast(kind)
    return values
