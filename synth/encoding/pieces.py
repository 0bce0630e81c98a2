"""What encoders share: nulls as the first piece, and arrays with holes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding.layout import Floats, Ints, Layout, from_uniform


def layout_of(
    values: pa.Array,
    weights: Floats,
    ranges: np.ndarray,
    *,
    nominal: bool,
    line: Floats | None = None,
) -> Layout:
    """Pieces of the given weights, with one for null before them where `values` has nulls.

    Args:
        values: The column.
        weights: Of each piece, [P].
        ranges: Which pieces are ranges, [P] bool.
        nominal: Whether the pieces have no order.
        line: Edges of the pieces on the scale of the values, if they have one, [P + 1].
    """
    nulls = values.null_count / len(values) if len(values) and values.null_count else None
    return with_null_share(weights / weights.sum(), ranges, nulls, nominal=nominal, line=line)


def with_null_share(
    shares: Floats,
    ranges: np.ndarray,
    nulls: float | None,
    *,
    nominal: bool,
    line: Floats | None = None,
) -> Layout:
    """Pieces of the given shares, with one for null before them, of share `nulls`, unless None."""
    line = np.zeros(0) if line is None else line
    if nulls is None:
        return Layout(shares, ranges, nominal, has_null=False, values=line)
    return Layout(
        np.concatenate([[nulls], (1 - nulls) * shares]),
        np.concatenate([[False], ranges]),
        nominal,
        has_null=True,
        values=np.concatenate([line[:1], line]),
    )


def with_nulls(
    layout: Layout, values: pa.Array, locate: Callable[[pa.Array], tuple[Ints, Floats]]
) -> tuple[Ints, Floats]:
    """Pieces and places of `values`: those that are there as `locate` says."""
    valid = np.asarray(values.is_valid())
    pieces, places = np.zeros(len(values), np.int64), np.full(len(values), 0.5)
    found, where = locate(values.drop_null())
    pieces[valid], places[valid] = found + int(layout.has_null), where
    return pieces, places


def null_first(
    layout: Layout,
    pieces: Ints,
    build: Callable[[np.ndarray, int], pa.Array],
    kind: pa.DataType,
) -> pa.Array:
    """Values that `build` makes for the rows that are not null, given them and the null's shift."""
    if not layout.has_null:
        return build(np.arange(len(pieces)), 0)
    present = pieces > 0
    values = build(np.flatnonzero(present), 1)
    return scatter(values, present, kind)


def scatter(values: pa.Array, present: np.ndarray, kind: pa.DataType) -> pa.Array:
    """An array with `values` where `present`, and null elsewhere."""
    if present.all():
        return values
    at = np.where(present, np.cumsum(present) - 1, 0)
    return values.take(pa.array(at, mask=~present)) if len(values) else pa.nulls(len(at), kind)


def kind_of(schema: pa.Schema) -> pa.DataType:
    """The type of a schema's one field."""
    return schema.field(0).type


def settle(
    layout: Layout,
    pieces: Ints,
    places: Floats,
    null: np.ndarray,
    present: np.ndarray,
    rng: np.random.Generator,
) -> tuple[Ints, Floats]:
    """Make a column null, or not null, where that is known already.

    Args:
        layout: Its pieces.
        pieces: As drawn, [n].
        places: As drawn, [n].
        null: Rows that must be null, [n] bool.
        present: Rows that must not be; where null was drawn, a value is drawn by share, [n] bool.
        rng: Source of those values.

    Returns:
        Pieces and places, [n] each.
    """
    if not layout.has_null:
        return pieces, places
    pieces, places = np.where(null, 0, pieces), np.where(null, 0.5, places)
    lost = np.flatnonzero(present & (pieces == 0))
    if len(lost) and layout.probabilities[1:].sum() > 0:
        start = layout.edges[1]
        found, where = from_uniform(layout, start + (1 - start) * rng.random(len(lost)))
        pieces[lost], places[lost] = np.maximum(found, 1), where
    return pieces, places
