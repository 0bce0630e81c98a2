"""Categories, texts and made-up columns come back in their exact type, with their nulls."""

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

from prefect_synth.synth.encoding.columns import fit_category
from prefect_synth.synth.encoding.layout import Encoded, from_uniform
from prefect_synth.synth.encoding.table import EncodingSettings, fit_codec
from prefect_synth.synth.inference import infer_sdtype
from prefect_synth.synth.metadata import Column

some = settings(max_examples=60, deadline=None)


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
TEXTS = pa.array(
    [f"{w} number {i} is on the list" for i, w in enumerate(["red", "blue", "green", "grey"] * 10)]
)


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
    pa.int8(), pa.uint64(), pa.float16(), pa.float64(), pa.decimal128(5, -2), pa.date64(),
    pa.time64("ns"), pa.timestamp("us", "UTC"), pa.duration("s"), pa.bool_(), pa.string(),
    pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.uuid(), pa.list_(pa.string()),
    pa.binary(), pa.binary(20), pa.null(), pa.string_view(), pa.list_view(pa.int8()),
    pa.struct([("a", pa.int8())]), pa.map_(pa.string(), pa.int8()), pa.month_day_nano_interval(),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("rows", [0, 1, 30])
def test_columns_without_a_value(kind, rows):
    """An empty and an all-null column of any type come back as they are."""
    values = pa.nulls(rows, kind)
    back = copied(values)
    assert back.type == kind
    assert len(back) == back.null_count == rows


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
