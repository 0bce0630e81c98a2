"""Distributions of the columns of a table, read one column at a time, for the private report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from prefect_synth.expectations.columns import table_kinds
from prefect_synth.expectations.report_content import ColumnView
from prefect_synth.expectations.shapes import Shape
from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.synth.metrics.sources import Floats, Ints, read_columns, read_schema
from prefect_synth.synth.metrics.values import codes, numbers

BINS = 24
CATEGORIES = 12

_TAIL = 0.005  # of the real values at each end, which the outermost bins take in
_DAY = 86_400_000_000  # microseconds

_Values: TypeAlias = "list[pa.ChunkedArray]"


def column_views(
    table: Table,
    metadata: Metadata,
    real: Path,
    synthetic: Path,
    holdout: Path | None = None,
    scores: Mapping[str, float] | None = None,
) -> tuple[ColumnView, ...]:
    """Look at the distribution of each learned column of a table.

    Args:
        table: What the table means.
        metadata: The schema, whose keys are left out.
        real: The real table.
        synthetic: The synthetic table.
        holdout: Rows that were never seen.
        scores: Score by `table.column`.

    Returns:
        One view for each column that has a value on the real side. They hold real values: for
        private staging only.
    """
    kinds = table_kinds(table, read_schema(real), metadata)
    sides = [side for side in (real, synthetic, holdout) if side is not None]
    present = set.intersection(*(set(read_schema(side).names) for side in sides))
    views = []
    for name, kind in kinds.items():
        if name in present and kind in {"number", "category"}:
            values = [read_columns(side, [name])[name] for side in sides]
            score = (scores or {}).get(f"{table.name}.{name}")
            views.append(_view(table.columns[name], kind == "number", values, score))
    return tuple(view for view in views if view is not None)


def view_of_shape(shape: Shape, rows: int, score: float | None = None) -> ColumnView:
    """The view of a column of which only a coarse shape is remembered: without labels.

    Args:
        shape: The shape.
        rows: Real values that are not null.
        score: How alike the two sides are.
    """
    is_number = shape.kind == "number"
    return ColumnView(
        shape.column,
        "number" if is_number else "category",
        rows,
        shape.real,
        shape.synthetic,
        widths=shape.widths if is_number else (),
        others=shape.others,
        score=score,
    )


def _view(
    column: Column, is_number: bool, sides: _Values, score: float | None
) -> ColumnView | None:
    nulls = tuple(side.null_count / max(len(side), 1) for side in sides[:2])
    if not is_number:
        return _categories(column, sides, (nulls[0], nulls[1]), score)
    points = [_finite(numbers(side, column)) for side in sides]
    if len(points[0]) == 0:
        return None
    edges = _edges(points[0])
    shares = [_histogram(side, edges) for side in points]
    write = _writer(sides[0].type, column, edges)
    middle = float(edges[0] + edges[-1]) / 2
    return ColumnView(
        column.name,
        "datetime" if column.sdtype == "datetime" else "number",
        len(points[0]),
        shares[0],
        shares[1],
        shares[2] if len(shares) > 2 else None,
        len(points[2]) if len(points) > 2 else 0,
        widths=tuple((np.diff(edges) / (edges[-1] - edges[0])).tolist()),
        labels=_bin_labels(edges, write),
        axis=(write(float(edges[0])), write(middle), write(float(edges[-1]))),
        nulls=(nulls[0], nulls[1]),
        score=score,
    )


def _finite(values: Floats) -> Floats:
    return values[np.isfinite(values)]


def _edges(real: Floats) -> Floats:
    """Even bins over all but the outermost real values; one each where they are few and whole."""
    low, high = np.quantile(real, (_TAIL, 1 - _TAIL), method="inverted_cdf")
    if low == high:
        low, high = real.min(), real.max()
    if high - low < BINS and np.array_equal(real, np.round(real)):
        return np.arange(low, high + 2) - 0.5
    return np.linspace(low, high, BINS + 1) if low < high else np.array([low - 0.5, low + 0.5])


def _histogram(points: Floats, edges: Floats) -> tuple[float, ...]:
    counts, _ = np.histogram(np.clip(points, edges[0], edges[-1]), edges)
    return tuple((counts / max(len(points), 1)).tolist())


def _bin_labels(edges: Floats, write: Callable[[float], str]) -> tuple[str, ...]:
    if _is_one_a_value(edges):
        return tuple(write(float(edge) + 0.5) for edge in edges[:-1])
    texts = [write(float(edge)) for edge in edges]
    return tuple(f"{a} to {b}" for a, b in pairwise(texts))


def _is_one_a_value(edges: Floats) -> bool:
    return bool(np.all(np.diff(edges) == 1) and np.all(edges % 1 == 0.5))


def _writer(type_: pa.DataType, column: Column, edges: Floats) -> Callable[[float], str]:
    """How a value on the axis is written: a date, a time of day, or a number."""
    if pt.is_time(type_):
        return lambda value: str(np.datetime64(int(value), "us"))[11:16]
    if pt.is_duration(type_) or column.sdtype != "datetime":
        shift = 0.5 if _is_one_a_value(edges) else 0.0
        return lambda value: _number(value, shift, float(edges[0]))
    unit = "D" if edges[-1] - edges[0] > 3 * _DAY else "m"
    return lambda value: str(
        np.datetime64(round(value), "us").astype(f"datetime64[{unit}]")
    ).replace("T", " ")


def _number(value: float, shift: float, first: float) -> str:
    # the ends of an axis of whole numbers lie half a step outside
    if shift and value % 1 == 0.5:
        value += shift if value == first else -shift
    if value == round(value) and abs(value) < 1e12:
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.0f}"  # a year has no comma
    return f"{value:,.4g}"


def _categories(
    column: Column, sides: _Values, nulls: tuple[float, float], score: float | None
) -> ColumnView | None:
    coded, size = codes(*sides)
    counts = [np.bincount(side[side >= 0], minlength=size) for side in coded]
    rows = [int(count.sum()) for count in counts]
    if rows[0] == 0:
        return None
    top = np.argsort(-counts[0], kind="stable")[:CATEGORIES]
    top = top[counts[0][top] > 0]
    shares = [
        tuple((count[top] / max(total, 1)).tolist())
        for count, total in zip(counts, rows, strict=True)
    ]
    others = (max(0.0, 1 - sum(shares[0])), max(0.0, (1 - sum(shares[1])) if rows[1] else 0.0))
    return ColumnView(
        column.name,
        "category",
        rows[0],
        shares[0],
        shares[1],
        shares[2] if len(shares) > 2 else None,
        rows[2] if len(rows) > 2 else 0,
        labels=_names(sides[0], coded[0], top),
        others=others if max(others) > 1e-9 else (0.0, 0.0),
        nulls=nulls,
        score=score,
    )


def _names(real: pa.ChunkedArray, coded: Ints, top: Ints) -> tuple[str, ...]:
    seen, first = np.unique(coded, return_index=True)
    places = first[np.searchsorted(seen, top)]
    found: Sequence[object] = real.take(pa.array(places)).to_pylist()
    return tuple(str(value) for value in found)
