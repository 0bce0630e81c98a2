"""Encoders: one column's values as pieces and places, and back to its exact Arrow type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prefect_synth.synth.encoding.categories import CategoryEncoder, fit_category
from prefect_synth.synth.encoding.layout import RARE, Floats, Ints, Layout
from prefect_synth.synth.encoding.parametric import ParametricMarginal, fit_parametric
from prefect_synth.synth.encoding.pieces import kind_of, layout_of, null_first, with_nulls
from prefect_synth.synth.encoding.quantile import QuantileMarginal, fit_quantiles
from prefect_synth.synth.encoding.ticks import TickScale, fit_ticks
from prefect_synth.synth.storage import stored

__all__ = [
    "CategoryEncoder",
    "ColumnEncoder",
    "NumberEncoder",
    "fit_category",
    "fit_number",
    "fit_presence",
]

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


def fit_number(
    values: pa.Array, marginal: str = "quantile", units: Ints | None = None
) -> NumberEncoder:
    """An encoder for a column of numbers, dates or times.

    Args:
        values: The column, nulls included.
        marginal: `quantile`, or one of `marginal_names.FAMILIES`.
        units: The unit of each row, if known.
    """
    clean = _finite(values)
    present = clean.drop_null()
    scale = fit_ticks(present)
    ticks, whole = scale.to_ticks(present), not scale.is_continuous
    owners = None if units is None else units[np.asarray(clean.is_valid())]
    fitted: QuantileMarginal | ParametricMarginal = (
        fit_quantiles(
            ticks,
            whole,
            blur=scale.blur(ticks, values.type),
            units=owners,
            rhythms=scale.rhythms(values.type),
        )
        if marginal == "quantile" or len(ticks) < _FEWEST  # a family would tell about single rows
        else fit_parametric(marginal, ticks, whole, units=owners)
    )
    layout = layout_of(clean, fitted.weights, fitted.ranges, nominal=False, line=fitted.edges)
    nan = not values.null_count and clean.null_count > 0
    return NumberEncoder(layout, scale, fitted, pa.schema([("v", values.type)]), nan)


def fit_presence(values: pa.Array) -> Layout | None:
    """The layout of null against not null, for a column whose values are made up."""
    if not 0 < values.null_count < len(values):
        return None
    return layout_of(values, np.ones(1), np.zeros(1, bool), nominal=False)


def _finite(values: pa.Array) -> pa.Array:
    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_finite(values), values, pa.scalar(None, values.type))
