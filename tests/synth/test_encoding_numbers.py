"""Numbers, dates and times come back from their encoding within their resolution."""

from __future__ import annotations

import decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.encoding.columns import NumberEncoder, fit_number
from prefect_synth.synth.encoding.layout import from_uniform
from prefect_synth.synth.encoding.table import EncodingSettings, fit_codec
from prefect_synth.synth.encoding.ticks import fit_ticks
from prefect_synth.synth.inference import infer_sdtype
from prefect_synth.synth.metadata import Column

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
INTEGERS = [
    *(getattr(pa, f"{sign}int{bits}")() for sign in ("", "u") for bits in (8, 16, 32, 64)),
]
TIMES = [
    pa.date32(),
    pa.date64(),
    *(pa.timestamp(u, tz) for u in UNITS for tz in (None, "UTC", "America/New_York")),
    pa.time32("s"),
    pa.time32("ms"),
    pa.time64("us"),
    pa.time64("ns"),
    *(pa.duration(u) for u in UNITS),
]
DECIMALS = [pa.decimal128(18, 2), pa.decimal128(5, -2), pa.decimal128(38, 10), pa.decimal128(3, 3)]
some = settings(max_examples=60, deadline=None)


def bounds(kind):
    """Smallest and largest value, in the type's own integer unit, that is surely exact."""
    if pa.types.is_integer(kind):
        info = np.iinfo(kind.to_pandas_dtype())
        return max(info.min, -(2**53)), min(info.max, 2**53)
    if pa.types.is_decimal(kind):
        most = min(10**kind.precision - 1, 10**15)
        return -most, most
    if pa.types.is_time(kind):
        return 0, 86_400 * UNITS[kind.unit] - 1
    if pa.types.is_date(kind):
        return -30_000, 30_000
    return -(2**51), 2**51


def array_of(kind, units):
    """An array of `kind` from values in its integer unit."""
    if pa.types.is_decimal(kind):
        exact = decimal.Context(prec=40)
        shift = [None if u is None else exact.scaleb(u, -kind.scale) for u in units]
        return pa.array(shift, kind)
    if kind == pa.date64():
        units = [None if u is None else u * 86_400_000 for u in units]
    plain = pa.int32() if kind in (pa.date32(), pa.time32("s"), pa.time32("ms")) else pa.int64()
    return pa.array(units, plain if not pa.types.is_integer(kind) else kind).cast(kind)


@st.composite
def columns(draw, kinds):
    """A column of numbers or times: spread out or repeating, with or without nulls."""
    kind = draw(st.sampled_from(kinds))
    low, high = bounds(kind)
    near = st.integers(max(low, -20), min(high, 20))
    values = draw(st.lists(st.one_of(near, st.integers(low, high), st.none()), max_size=60))
    return array_of(kind, values * draw(st.sampled_from([1, 1, 3, 12])))


def round_trip(values, encoder):
    """Encode and decode."""
    pieces, places = encoder.encode(values, np.random.default_rng(0))
    return encoder.decode(pieces, places, np.random.default_rng(1))


def nearest_published(encoder: NumberEncoder, values: pa.Array) -> np.ndarray:
    """The specification: inside a published piece exact, elsewhere the nearest end of one."""
    ticks, marginal = encoder.scale.to_ticks(values.drop_null()), encoder.marginal
    ends = np.stack([np.clip(ticks, lo, hi) for lo, hi in zip(marginal.lows, marginal.highs)])  # noqa: B905
    return np.abs(ends - ticks).min(axis=0)


@some
@given(columns(INTEGERS + TIMES + DECIMALS))
def test_ordered_values_come_back(values):
    """Type and nulls are exact, and a value is exact unless protection moved it to an end."""
    encoder = fit_number(values)
    back = round_trip(values, encoder)
    assert back.type == values.type
    back.validate(full=True)
    assert back.is_valid().equals(values.is_valid())
    moved = encoder.scale.to_ticks(back.drop_null()) - encoder.scale.to_ticks(values.drop_null())
    span = encoder.marginal.highs.max() - encoder.marginal.lows.min()
    rounding = max(0.5, 2e-15 * span)  # a place in a wide range is a float
    np.testing.assert_allclose(np.abs(moved), nearest_published(encoder, values), atol=rounding)


@some
@given(columns(INTEGERS + TIMES + DECIMALS), st.integers(0, 99))
def test_any_place_is_a_value_of_the_type(values, seed):
    """Whatever a row model draws decodes to a valid value inside the published range."""
    encoder = fit_number(values)
    rng = np.random.default_rng(seed)
    piece, place = from_uniform(encoder.layout, rng.random(50))
    drawn = encoder.decode(piece, place, rng)
    drawn.validate(full=True)
    assert drawn.type == values.type
    ticks = encoder.scale.to_ticks(drawn.drop_null())
    assert np.all(ticks <= encoder.marginal.highs.max())
    assert np.all(ticks >= encoder.marginal.lows.min())


@some
@given(
    st.sampled_from([pa.float16(), pa.float32(), pa.float64()]),
    st.lists(st.one_of(st.floats(-6e4, 6e4, width=16), st.none()), max_size=60),
    st.sampled_from([None, 0, 2]),
    st.sampled_from([1, 12]),
)
def test_floats_come_back(kind, values, decimals, times):
    """Floats with and without a decimal step keep type, nulls and precision."""
    made = [v if v is None or decimals is None else round(v, decimals) for v in values * times]
    numpy_type = kind.to_pandas_dtype()
    column = pa.array([None if v is None else numpy_type(v) for v in made], kind)
    encoder = fit_number(column)
    back = round_trip(column, encoder)
    assert back.type == kind
    assert back.is_valid().equals(column.is_valid())
    before, after = (encoder.scale.to_ticks(c.drop_null()) for c in (column, back))
    largest = np.abs(before).max(initial=1.0)
    rounding = 5 * np.finfo(numpy_type).eps * largest + (0.5 if encoder.scale.step else 0)
    near = nearest_published(encoder, column)
    np.testing.assert_allclose(np.abs(after - before), near, atol=rounding)


@pytest.mark.parametrize("kind", INTEGERS)
def test_values_at_the_ends_of_a_type_do_not_wrap(kind):
    """A few rows at the type's end are blurred inwards, never around."""
    info = np.iinfo(kind.to_pandas_dtype())
    for end in {info.min, info.max}:
        encoder = fit_number(pa.array([end] * 3, kind))
        drawn = encoder.decode(np.zeros(99, int), np.linspace(0, 1, 99), np.random.default_rng(0))
        distance = max(abs(int(v) - int(end)) for v in drawn.to_pylist())
        assert distance <= max(0.06 * abs(int(end)), 3)


@pytest.mark.parametrize("value", [7, -3, 2**40])
def test_a_constant_of_few_rows_stays_near_itself(value):
    """The blur of a single value is some percent, not a power of ten."""
    encoder = fit_number(pa.array([value]))
    drawn = encoder.decode(np.zeros(50, int), np.linspace(0, 1, 50), np.random.default_rng(0))
    assert np.abs(np.array(drawn) - value).max() <= max(2, 0.05 * abs(value)) + 1


WIDE = [
    pa.array([decimal.Decimal(10) ** 37] * 9, pa.decimal128(38, 0)),
    pa.array([decimal.Decimal(10) ** 60 * (1 + i % 2) for i in range(40)], pa.decimal256(70, 0)),
    pa.array([decimal.Decimal(i % 9) * 25 / 2 for i in range(90)], pa.decimal128(38, 18)),
    pa.array([2**64 - 1] * 9, pa.uint64()),
    pa.array([2**64 - 1 - i % 3 for i in range(90)], pa.uint64()),
]


@pytest.mark.parametrize("values", WIDE, ids=lambda v: f"{v.type} {v[0]}")
def test_wide_numbers_are_exact_where_their_digits_are_few(values):
    """Unsigned numbers beyond 2^63, and decimals that end in zeros, lose nothing."""
    assert copied(values, "numerical").to_pylist() == values.to_pylist()


@pytest.mark.parametrize("kind", [pa.decimal128(38, 10), pa.decimal256(60, 20)], ids=str)
def test_decimals_of_many_digits_keep_those_of_a_float(kind, rng):
    """Decimals of more digits than 64 bits hold come back to the precision of a float."""
    exact = decimal.Context(prec=60)
    values = pa.array([exact.create_decimal(float(v)) for v in rng.normal(size=300) * 1e20], kind)
    back = copied(values, "numerical")
    back.validate(full=True)
    real, made = (np.array(c.cast(pa.float64())) for c in (values, back))
    inside = np.argsort(np.argsort(real))
    inside = (inside > 5) & (inside < 294)
    np.testing.assert_allclose(made[inside], real[inside], rtol=1e-9)


def fit(values, sdtype=None, **keys):
    """A codec for one column, by its inferred sdtype unless told."""
    table = pa.table({"c": values})
    sdtype = sdtype or infer_sdtype("c", table["c"])[0]
    return fit_codec("t", table, [Column("c", sdtype, **keys)], (), EncodingSettings())


def copied(values, sdtype=None, **keys):
    """The column after encoding and decoding."""
    table, codec = pa.table({"c": values}), fit(values, sdtype, **keys)
    return codec.decode(codec.encode(table, np.random.default_rng(0)), np.random.default_rng(1))[
        "c"
    ]


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()])
def test_nan_and_infinity(kind):
    """In a float column without nulls what is not finite becomes NaN; with nulls, null."""
    numpy_type = kind.to_pandas_dtype()
    odd = [numpy_type(v) for v in [np.nan, np.inf, -np.inf, *np.linspace(0, 9, 60)]]
    without, with_null = copied(pa.array(odd, kind)), copied(pa.array([*odd, None], kind))
    assert without.null_count == 0
    assert [bool(np.isnan(v)) for v in without.to_pylist()] == [True] * 3 + [False] * 60
    assert [v is None for v in with_null.to_pylist()] == [True] * 3 + [False] * 60 + [True]


def test_spikes_and_ranges_keep_their_shares(rng):
    """A zero-inflated column keeps the share of zeros and the quantiles of the rest."""
    real = np.where(rng.random(5000) < 0.4, 0, np.round(rng.gamma(2, 50, 5000), 2))
    encoder = fit_number(pa.array(real))
    piece, place = from_uniform(encoder.layout, (np.arange(5000) + 0.5) / 5000)
    drawn = np.array(encoder.decode(piece, place, rng))
    assert (drawn == 0).mean() == pytest.approx((real == 0).mean(), abs=1e-3)
    cuts = [0.5, 0.7, 0.9, 0.99]
    np.testing.assert_allclose(np.quantile(drawn, cuts), np.quantile(real, cuts), rtol=0.02)


BIG = 2**53 + 1


@pytest.mark.parametrize(
    "values",
    [
        pa.array([BIG] * 40),
        pa.array([BIG + 2 * i for i in range(4)] * 40),
        pa.array([-BIG - i for i in range(4)] * 40),
        pa.array([2**63 - 1 - i for i in range(3)] * 40),
        pa.array([-(2**63) + i for i in range(3)] * 40),
        pa.array([10**17 + i for i in range(3)] * 40).cast(pa.decimal128(20, 0)),
        pa.array([1_700_000_000_000_000_000 + i for i in range(3)] * 40, pa.timestamp("ns")),
    ],
)
def test_numbers_beyond_the_floats_are_exact(values):
    """Where values lie close together, however far from 0, none is rounded."""
    assert set(copied(values, "numerical").to_pylist()) == set(values.to_pylist())


@pytest.mark.parametrize("values", [[BIG] * 3, [2**62 + 5], [-(2**60)] * 4])
def test_a_few_numbers_beyond_the_floats_stay_hidden(values):
    """What few rows share is blurred by some percent of the number, not of its distance."""
    encoder = fit_number(pa.array(values))
    drawn = encoder.decode(np.zeros(50, int), np.linspace(0, 1, 50), np.random.default_rng(0))
    assert np.ptp(np.array(drawn).astype(float)) >= 0.04 * abs(values[0])


def test_the_base_of_large_numbers_tells_none():
    """Tick 0 is a round number far from the smallest value."""
    assert fit_ticks(pa.array([2**60 + 12_345, 2**60 + 99_998])).base == 2**60
