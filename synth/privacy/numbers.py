"""Number, date and time columns, learned by noised histograms over bins that everybody knows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import time

import numpy as np
import pyarrow as pa

from prefect_synth.synth.encoding import integer_units
from prefect_synth.synth.encoding.columns import NumberEncoder
from prefect_synth.synth.encoding.layout import Floats, Layout
from prefect_synth.synth.encoding.quantile import QuantileMarginal
from prefect_synth.synth.encoding.ticks import TickScale
from prefect_synth.synth.errors import RequestError
from prefect_synth.synth.privacy.counting import Counting, null_share, shares
from prefect_synth.synth.privacy.settings import Bound

_EACH = 128
"""Whole numbers within bounds that each have a bin of their own."""
_EVEN, _PER_OCTAVE = 64, 8
_BOUNDS, _SPIKES = 0.2, 0.2
_OCTAVES = np.concatenate([[0.0], 2.0 ** np.arange(-20, 64)])


@dataclass(frozen=True)
class Costs:
    """What one column may cost."""

    rho: float
    delta: float


def fit_number(
    values: pa.Array,
    nullable: bool,
    bounds: tuple[Bound, Bound] | None,
    counting: Counting,
    costs: Costs,
) -> NumberEncoder:
    """Learn a column of numbers, dates or times.

    Args:
        values: The column.
        nullable: Whether the schema allows nulls.
        bounds: Smallest and largest value, if they are known; values beyond them count as these.
        counting: Counts its rows.
        costs: What it may cost.
    """
    kind, scale = values.type, natural_scale(values.type)
    present = np.asarray(values.is_valid())
    if pa.types.is_floating(kind):
        present = present & np.isfinite(np.asarray(values.fill_null(0).cast(pa.float64())))
    ticks = np.zeros(len(values))
    ticks[present] = scale.to_ticks(values.filter(pa.array(present)))
    rho, whole = costs.rho, not scale.is_continuous
    if bounds is None:
        low, high = _found_bounds(ticks, present, counting, _BOUNDS * rho)
        low, high = _inside_type(low, high, scale, kind)
        rho -= _BOUNDS * rho
    else:
        low, high = _as_ticks(bounds, scale, kind)
    ticks = np.clip(ticks, low, high)
    spikes = np.zeros(0)
    if not (whole and high - low < _EACH):
        spent = _SPIKES * rho
        spikes = _found_spikes(ticks, present, counting, Costs(spent, costs.delta))
        rho -= spent
    bins = _bins(low, high, spikes, whole)
    marginal, null = _histogram(ticks, present, bins, counting, rho)
    layout = _with_null(marginal, null if nullable else None)
    nan = not nullable and pa.types.is_floating(kind)
    return NumberEncoder(layout, scale, marginal, pa.schema([("v", kind)]), nan)


def natural_scale(kind: pa.DataType) -> TickScale:
    """Ticks that follow from a type alone: its units, seconds of times, no step of floats."""
    if pa.types.is_floating(kind):
        return TickScale(0, 0)
    if pa.types.is_date64(kind):
        return TickScale(0, 86_400_000)
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind) or pa.types.is_duration(kind):
        return TickScale(0, integer_units.SECOND[kind.unit])
    return TickScale(0, 1)


def _as_ticks(
    bounds: tuple[Bound, Bound], scale: TickScale, kind: pa.DataType
) -> tuple[float, float]:
    low, high = scale.to_ticks(_values(bounds, kind))
    return float(low), float(high)


def _values(bounds: tuple[Bound, Bound], kind: pa.DataType) -> pa.Array:
    """Bounds as values of a type; a number is cut to what the type holds.

    Raises:
        RequestError: They are no values of it.
    """
    plain = pa.timestamp(kind.unit) if pa.types.is_timestamp(kind) else kind  # dates have no zone
    try:
        if pa.types.is_time(kind):  # for which Arrow has no cast from text
            return pa.array([time.fromisoformat(str(b)) for b in bounds], kind)
        if isinstance(bounds[0], str):
            return pa.array(list(bounds), pa.string()).cast(plain)
        return pa.array([float(b) for b in bounds], pa.float64()).cast(plain, safe=False)
    except (ValueError, pa.ArrowNotImplementedError) as error:  # Arrow's own is a ValueError
        raise RequestError(
            f"The bounds {bounds[0]!r} and {bounds[1]!r} of a column are no values of its type "
            f"({kind}). Give two numbers, or two dates or times as text."
        ) from error


def _found_bounds(
    ticks: Floats, present: np.ndarray, counting: Counting, rho: float
) -> tuple[float, float]:
    """Bounds from a noised histogram over powers of two: the outermost ones that stand out.

    Octave k holds magnitudes of `_OCTAVES[k]` and more; negative numbers have the codes below.
    """
    size = len(_OCTAVES)
    octave = np.searchsorted(_OCTAVES, np.abs(ticks), side="right") - 1
    codes = size - 1 + np.where(ticks < 0, -octave, octave)
    counts = counting.histogram(np.where(present, codes, 2 * size - 1), 2 * size, rho)[:-1]
    there = np.flatnonzero(counts > counting.clear(rho, 2 * size))
    first, last = (there[0], there[-1]) if len(there) else (counts.argmax(),) * 2
    return _octave_end(int(first) - size + 1, -1), _octave_end(int(last) - size + 1, 1)


def _octave_end(octave: int, side: int) -> float:
    """The lower (-1) or upper (1) end of an octave; negative ones hold negative numbers."""
    if octave == 0:
        return 0.0
    outer = (octave > 0) == (side > 0)
    edges = np.append(_OCTAVES, 2.0**64)
    return float(np.sign(octave) * edges[abs(octave) + int(outer)])


def _inside_type(
    low: float, high: float, scale: TickScale, kind: pa.DataType
) -> tuple[float, float]:
    """Found bounds, cut to what the type holds."""
    if scale.is_continuous:
        return low, max(high, low)
    least, most = (v / scale.step for v in integer_units.unit_range(kind))
    low, high = (float(np.clip(np.rint(v), np.ceil(least), np.floor(most))) for v in (low, high))
    return low, max(high, low)


def _found_spikes(ticks: Floats, present: np.ndarray, counting: Counting, costs: Costs) -> Floats:
    """Values that many units have, in order."""
    values, codes = np.unique(ticks, return_inverse=True)
    codes = np.where(present, codes, -1)
    return np.asarray(values[counting.popular(codes, len(values), costs.rho, costs.delta)])


def _histogram(
    ticks: Floats,
    present: np.ndarray,
    bins: QuantileMarginal,
    counting: Counting,
    rho: float,
) -> tuple[QuantileMarginal, float]:
    """The marginal, and the share of nulls."""
    size = len(bins.lows)
    codes = np.searchsorted(bins.lows, ticks, side="right") - 1
    codes = np.where(present, np.maximum(codes, 0), size)
    counts = counting.histogram(codes, size + 1, rho)
    merged = _merged(bins, counts[:size], counting.clear(rho, size))
    null = null_share(float(counts[size]), float(merged.weights.sum()), counting.clear(rho, 1))
    return replace(merged, weights=shares(merged.weights)), null


def _bins(low: float, high: float, spikes: Floats, whole: bool) -> QuantileMarginal:
    """Pieces between bounds: spikes alone, and stretches that widen away from 0."""
    wide = 2.0 ** (np.arange(0 if whole else -20 * _PER_OCTAVE, 64 * _PER_OCTAVE) / _PER_OCTAVE)
    edges = np.concatenate([np.linspace(low, high, _EVEN + 1), [0.0], wide, -wide])
    edges = np.floor(edges) if whole else edges
    if whole and high - low < _EACH:
        edges = np.arange(low, high + 1)
    after = spikes + 1 if whole else np.nextafter(spikes, np.inf)
    inside = edges[(edges > low) & (edges < high)]
    starts = np.unique(np.concatenate([[low], inside, spikes, after[after <= high]]))
    ends = np.append(starts[1:], high + 1 if whole else high)
    ends = ends - 1 if whole else ends
    ends = np.where(np.isin(starts, spikes), starts, np.maximum(ends, starts))
    return QuantileMarginal(starts, ends, np.ones(len(starts)), whole)


def _merged(bins: QuantileMarginal, counts: Floats, clear: float) -> QuantileMarginal:
    """The same where neighbouring stretches without a clear count are one; weights are counts."""
    found: list[list[float]] = []
    open_, pieces = False, 0
    for low, high, count in zip(bins.lows, bins.highs, counts, strict=True):
        if low == high and count > clear:
            found.append([low, high, count])
            open_ = False
            continue
        if not open_:
            found.append([low, high, 0.0])
            open_, pieces = True, 0
        found[-1][1], found[-1][2], pieces = high, found[-1][2] + count, pieces + 1
        open_ = found[-1][2] <= clear * np.sqrt(pieces)
    table = np.array(found)
    return QuantileMarginal(table[:, 0], table[:, 1], np.maximum(table[:, 2], 0.0), bins.whole)


def _with_null(marginal: QuantileMarginal, null: float | None) -> Layout:
    """The pieces of a marginal, after one for null where there may be nulls."""
    if null is None:
        return Layout(marginal.weights, marginal.ranges, nominal=False, has_null=False)
    return Layout(
        np.concatenate([[null], (1 - null) * marginal.weights]),
        np.concatenate([[False], marginal.ranges]),
        nominal=False,
        has_null=True,
    )
