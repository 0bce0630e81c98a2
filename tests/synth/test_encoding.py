"""Columns come back from their encoding in their exact type, with their nulls and values."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.encoding.columns import NumberEncoder, fit_category, fit_number
from prefect_synth.synth.encoding.layout import Encoded, from_uniform
from prefect_synth.synth.encoding.table import EncodingSettings, fit_codec
from prefect_synth.synth.encoding.ticks import fit_ticks
from prefect_synth.synth.errors import SynthesisError, UnsupportedTypeError
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
    for end in {info.min, min(info.max, 2**63 - 1)}:
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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pa.array([decimal.Decimal(10) ** 37] * 9, pa.decimal128(38, 0)), "more than 18 digits"),
        (pa.array([decimal.Decimal(10) ** 60] * 9, pa.decimal256(70, 0)), "more than 38 digits"),
        (
            pa.array([2**64 - 1] * 9, pa.uint64()),
            "value 18446744073709551615; the largest.* is 9223372036854775807",
        ),
    ],
)
def test_numbers_too_large_are_refused_by_name(values, message):
    """What cannot be held exactly is refused with table, column and cure."""
    with pytest.raises(
        SynthesisError, match=rf"'t\.c' is .*{message}.*Exclude the column, or cast"
    ):
        fit(values, "numerical")


@pytest.mark.parametrize(
    "values",
    [
        pa.array([{"a": 1}]),
        pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32())),
        pa.array(["a"], pa.string_view()),
        pa.array([pa.MonthDayNano([1, 2, 3])]),
    ],
)
def test_unsupported_types_are_refused_by_name(values):
    """A type that no encoder takes is refused with table, column and cure."""
    with pytest.raises(UnsupportedTypeError, match=r"Column 't\.c' has the type .*Exclude"):
        fit(values)


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


UUIDS = pa.ExtensionArray.from_storage(
    pa.uuid(), pa.array([uuid.UUID(int=i**9).bytes for i in range(40)], pa.binary(16))
)
TEXTS = pa.array([f"{w} number {i}" for i, w in enumerate(["red", "blue", "green", "grey"] * 10)])
REPEATING = {
    "bool": pa.array([True, False, None] * 10),
    "string": pa.array(["a", None, "b"] * 10),
    "large_string": pa.array(["a", None, "b"] * 10, pa.large_string()),
    "dictionary": pa.array(["a", None, "b"] * 10).dictionary_encode(),
    "small dictionary": pa.array(["a", "b"] * 10).cast(pa.dictionary(pa.int8(), pa.large_string())),
    "null in dictionary": pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 2] * 10, pa.int8()), pa.array(["a", None, "b"])
    ),
    "uuid": UUIDS.take(pa.array([0, 1, None] * 10)),
    "list<string>": pa.array([["a", None], [], None] * 10),
    "list<date>": pa.array([[dt.date(2020, 1, 2)], []] * 10),
    "list<decimal>": pa.array([[decimal.Decimal("1.20")], []] * 10),
    "list<binary>": pa.array([[b"\xff\x00"], []] * 10),
    "large_list<int>": pa.array([[1, 2], [3]] * 10, pa.large_list(pa.int16())),
    "json text": pa.array(['{"a": 1}', "{}"] * 10),
    "binary": pa.array([b"\x00\xff", b""] * 10),
    "fixed binary": pa.array([b"ab", None] * 10, pa.binary(2)),
}
RARE = {
    "string": TEXTS,
    "large_string": TEXTS.cast(pa.large_string()),
    "dictionary": TEXTS.dictionary_encode(),
    "some null": pc.if_else(pc.match_substring(TEXTS, "7"), None, TEXTS),
    "uuid": UUIDS,
    "list<string>": pa.array([[f"v{i}"] if i % 3 else None for i in range(40)]),
    "json text": pa.array([f'{{"a": {i}}}' for i in range(40)]),
    "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array([f"[{i}]" for i in range(40)])),
    "binary": pa.array([bytes([i + 1] * i) for i in range(40)]),
    "large_binary": pa.array([bytes([i + 1] * i) for i in range(40)], pa.large_binary()),
    "fixed binary": pa.array([bytes([i + 1] * 20) for i in range(40)], pa.binary(20)),
}


@pytest.mark.parametrize("name", REPEATING)
def test_categories_of_any_type_come_back(name):
    """Values that repeat come back exactly, with their type and nulls."""
    back = copied(REPEATING[name])
    assert back.type == REPEATING[name].type
    assert back.to_pylist() == REPEATING[name].to_pylist()


@pytest.mark.parametrize("name", RARE)
def test_rare_values_are_made_up_in_their_type(name):
    """Of values seen once only type, nulls and length come back."""
    values = RARE[name]
    back = copied(values)
    assert back.type == values.type
    back.validate(full=True)
    assert back.is_valid().equals(values.is_valid())
    real = {str(v) for v in values.to_pylist() if v not in (None, b"")}
    assert not real & {str(v) for v in back.to_pylist()}


KINDS = [
    *INTEGERS, pa.float32(), pa.float64(), *DECIMALS, *TIMES, pa.bool_(), pa.string(),
    pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.uuid(), pa.list_(pa.string()),
    pa.binary(), pa.binary(20), pa.null(),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("rows", [0, 1, 30])
def test_columns_without_a_value(kind, rows):
    """An empty and an all-null column of any type come back as they are."""
    values = pa.nulls(rows, kind)
    back = copied(values)
    assert back.type == kind
    assert len(back) == back.null_count == rows


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()])
def test_nan_and_infinity(kind):
    """In a float column without nulls what is not finite becomes NaN; with nulls, null."""
    numpy_type = kind.to_pandas_dtype()
    odd = [numpy_type(v) for v in [np.nan, np.inf, -np.inf, *np.linspace(0, 9, 60)]]
    without, with_null = copied(pa.array(odd, kind)), copied(pa.array([*odd, None], kind))
    assert without.null_count == 0
    assert [bool(np.isnan(v)) for v in without.to_pylist()] == [True] * 3 + [False] * 60
    assert [v is None for v in with_null.to_pylist()] == [True] * 3 + [False] * 60 + [True]


def test_datetimes_in_text_keep_their_format(rng):
    """A text column with a datetime format is learned as datetimes and written in the format."""
    days = [dt.date(2020, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 900, 300)]
    values = pa.array([d.strftime("%d/%m/%Y") for d in days])
    back = copied(values, "datetime", datetime_format="%d/%m/%Y")
    assert back.type == pa.string()
    parsed = [dt.datetime.strptime(v, "%d/%m/%Y").date() for v in back.to_pylist()]
    away = [abs((a - b).days) for a, b in zip(days, parsed, strict=True)]
    assert np.median(away) == 0


@pytest.mark.parametrize(
    "values",
    [
        pa.array([True, False] * 20),
        pa.array([dt.date(2020, 1, 1) + dt.timedelta(i) for i in range(40)]),
        pa.array([1.5 * i for i in range(40)]),
        pa.array([decimal.Decimal("1.5")] * 40, pa.decimal128(2, 1)),
        pa.array([["a"]] * 40),
        pa.array([b"ab"] * 40),
        pa.array(["secret"] * 40),
    ],
)
def test_personal_columns_of_any_type_are_made_up(values):
    """A column marked personal keeps its type, and none of its texts."""
    back = copied(values, "unknown", pii=True)
    assert back.type == values.type
    assert back.null_count == 0
    if pa.types.is_string(values.type):
        assert "secret" not in back.to_pylist()


@pytest.mark.parametrize("kind", [pa.int32(), pa.int64(), pa.float64(), pa.decimal128(12, 0)])
def test_phone_numbers_in_numeric_columns(kind):
    """Personal data stored as numbers are numbers."""
    values = pa.array([555_123_456] * 30).cast(pa.float64()).cast(kind)
    back = copied(values, "phone_number")
    assert back.type == kind
    assert pc.min(back.cast(pa.float64())).as_py() > 0


def test_spikes_and_ranges_keep_their_shares(rng):
    """A zero-inflated column keeps the share of zeros and the quantiles of the rest."""
    real = np.where(rng.random(5000) < 0.4, 0, np.round(rng.gamma(2, 50, 5000), 2))
    encoder = fit_number(pa.array(real))
    piece, place = from_uniform(encoder.layout, (np.arange(5000) + 0.5) / 5000)
    drawn = np.array(encoder.decode(piece, place, rng))
    assert (drawn == 0).mean() == pytest.approx((real == 0).mean(), abs=1e-3)
    cuts = [0.5, 0.7, 0.9, 0.99]
    np.testing.assert_allclose(np.quantile(drawn, cuts), np.quantile(real, cuts), rtol=0.02)


@some
@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=8), st.integers(0, 99))
def test_uniform_numbers_are_the_inverse_of_intervals(weights, seed):
    """A uniform number lies in the interval of the piece and place that it decodes to."""
    shares = np.array(weights) / sum(weights)
    values = pa.array(np.repeat(np.arange(len(weights)).astype(str), 5))
    layout = fit_category(values).layout
    layout = type(layout)(shares, np.arange(len(shares)) % 2 == 0, True, False)
    u = np.random.default_rng(seed).random(40)
    piece, place = from_uniform(layout, u)
    low, high = Encoded(piece[:, None], place[:, None], (layout,)).intervals()
    assert np.all(low[:, 0] <= u + 1e-9)
    assert np.all(u <= high[:, 0] + 1e-9)


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
