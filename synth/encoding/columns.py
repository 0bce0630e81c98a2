"""Encoders: one column's values as pieces and places, and back to its exact Arrow type."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.layout import RARE, Floats, Ints, Layout
from prefect_synth.synth.encoding.parametric import ParametricMarginal, fit_parametric
from prefect_synth.synth.encoding.pieces import kind_of, layout_of, null_first, with_nulls
from prefect_synth.synth.encoding.quantile import QuantileMarginal, fit_quantiles
from prefect_synth.synth.encoding.ticks import TickScale, fit_ticks
from prefect_synth.synth.storage import stored

_FEWEST = 2 * RARE


class ColumnEncoder(Protocol):
    """What the frame needs of a column."""

    layout: Layout

    def encode(self, values: pa.Array, rng: np.random.Generator) -> tuple[Ints, Floats]:
        """Pieces and places of `values`, [n] each."""

    def decode(self, pieces: Ints, places: Floats, rng: np.random.Generator) -> pa.Array:
        """Values of the column's own type for pieces and places."""


@stored
@dataclass(frozen=True)
class NumberEncoder:
    """Integers, floats, decimals, dates, times, timestamps and durations.

    Args:
        layout: The column's pieces.
        scale: Its ticks.
        marginal: The distribution of its ticks.
        kind: Schema with one field of the column's type.
        nan: Whether what is missing is NaN rather than null: a float column without nulls.
    """

    layout: Layout
    scale: TickScale
    marginal: QuantileMarginal | ParametricMarginal
    kind: pa.Schema
    nan: bool = False

    def encode(self, values: pa.Array, rng: np.random.Generator) -> tuple[Ints, Floats]:
        """Pieces and places of `values`; a non-finite float counts as null."""
        values = _finite(values)
        return with_nulls(
            self.layout, values, lambda v: self.marginal.locate(self.scale.to_ticks(v))
        )

    def decode(self, pieces: Ints, places: Floats, rng: np.random.Generator) -> pa.Array:
        """Values at the given places."""
        kind = kind_of(self.kind)
        values = null_first(
            self.layout,
            pieces,
            lambda at, shift: self.scale.from_ticks(
                self.marginal.value(pieces[at] - shift, places[at]), kind
            ),
            kind,
        )
        return pc.fill_null(values, pa.scalar(np.nan, kind)) if self.nan else values


@stored
@dataclass(frozen=True)
class CategoryEncoder:
    """Texts, booleans, and any type whose values repeat; lists and JSON as wholes.

    Args:
        layout: The pieces.
        values: The categories that are kept.
        kind: Schema with one field of the column's type.
        covered: Share of the non-null rows that had one of them.
    """

    layout: Layout
    values: pa.Array
    kind: pa.Schema
    covered: float

    def encode(self, values: pa.Array, rng: np.random.Generator) -> tuple[Ints, Floats]:
        """Pieces of `values`; a value that is not kept counts as a frequent one, drawn by share."""

        def locate(present: pa.Array) -> tuple[Ints, Floats]:
            found = pc.index_in(_comparable(present), _comparable(self.values))
            known = np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False)).astype(np.int64)
            lost = np.flatnonzero(known < 0)
            known[lost] = rng.choice(len(self.values), len(lost), p=self._shares)
            return known, np.full(len(known), 0.5)

        return with_nulls(self.layout, _undictionary(values), locate)

    def decode(self, pieces: Ints, places: Floats, rng: np.random.Generator) -> pa.Array:
        """The category of each piece."""
        return null_first(
            self.layout,
            pieces,
            lambda at, shift: _restore(
                self.values.take(pa.array(pieces[at] - shift)), kind_of(self.kind)
            ),
            kind_of(self.kind),
        )

    @property
    def _shares(self) -> Floats:
        shares = self.layout.probabilities[int(self.layout.has_null) :]
        total = shares.sum()
        return shares / total if total > 0 else np.full(len(shares), 1 / len(shares))


def fit_number(values: pa.Array, marginal: str = "quantile") -> NumberEncoder:
    """An encoder for a column of numbers, dates or times.

    Args:
        values: The column, nulls included.
        marginal: `quantile`, or one of `marginal_names.FAMILIES`.
    """
    clean = _finite(values)
    present = clean.drop_null()
    scale = fit_ticks(present)
    ticks, whole = scale.to_ticks(present), not scale.is_continuous
    fitted: QuantileMarginal | ParametricMarginal = (
        fit_quantiles(ticks, whole, blur=scale.blur(ticks, values.type))
        if marginal == "quantile" or len(ticks) < _FEWEST  # a family would tell about single rows
        else fit_parametric(marginal, ticks, whole)
    )
    layout = layout_of(clean, fitted.weights, fitted.ranges, nominal=False)
    nan = not values.null_count and clean.null_count > 0
    return NumberEncoder(layout, scale, fitted, pa.schema([("v", values.type)]), nan)


def fit_category(
    values: pa.Array, declared: tuple[str, ...] | None = None, rare: int = RARE
) -> CategoryEncoder | None:
    """An encoder for a column of categories, or None where every value is rare.

    Args:
        values: The column, nulls included.
        declared: Categories that the catalogue itself names (an enum): public, never rare.
        rare: Values in fewer rows than this are not kept.
    """
    schema = pa.schema([("v", values.type)])
    values = _undictionary(values)
    present = values.drop_null()
    coded = _comparable(present).dictionary_encode()
    codes, names = np.asarray(coded.indices), coded.dictionary
    counts, public = np.bincount(codes, minlength=len(names)), np.zeros(len(names), bool)
    if declared is not None:
        public = np.asarray(pc.is_in(names.cast(pa.string()), pa.array(declared, pa.string())))
    frequent = np.flatnonzero((counts >= rare) | public)
    if not len(frequent):
        return None
    # sorted: the order of first appearance would tell about rows
    frequent = frequent[np.asarray(pc.sort_indices(names.take(pa.array(frequent))))]
    first = np.unique(codes, return_index=True)[1][frequent]
    kept, counts = present.take(pa.array(first)), counts[frequent]
    layout = layout_of(
        values, counts / counts.sum(), np.zeros(len(kept), bool), nominal=len(kept) > 2
    )
    return CategoryEncoder(layout, kept, schema, float(counts.sum() / max(len(present), 1)))


def fit_presence(values: pa.Array) -> Layout | None:
    """The layout of null against not null, for a column whose values are made up."""
    if not 0 < values.null_count < len(values):
        return None
    return layout_of(values, np.ones(1), np.zeros(1, bool), nominal=False)


def _finite(values: pa.Array) -> pa.Array:
    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_finite(values), values, pa.scalar(None, values.type))


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
