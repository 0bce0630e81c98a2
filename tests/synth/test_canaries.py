"""What one row alone has is in no sample and in no model, whatever the column's type."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import uuid

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.encoding.codec import TableCodec
from prefect_synth.synth.encoding.layout import Encoded, from_uniform
from prefect_synth.synth.encoding.table import EncodingSettings, fit_codec
from prefect_synth.synth.inference import infer_sdtype
from prefect_synth.synth.metadata import Column
from prefect_synth.synth.storage import save_state

WORD = "canary7f3a"
SENTENCE = f"the {WORD} sings at dawn for all of us"
ADDRESS = f"{WORD}@corp.example"
DAY = dt.date(1871, 3, 14)
RNG = np.random.default_rng(9)
ROWS = 300


def some(*choices: object) -> list[object]:
    """Values that repeat."""
    return [choices[i % len(choices)] for i in range(ROWS)]


def with_one(values: list[object], canary: object, kind: pa.DataType | None = None) -> pa.Array:
    """A column in which one row has what no other has."""
    return pa.array([*values[:150], canary, *values[150:]], kind)


NUMBERS = [int(v) for v in RNG.integers(0, 10_000, ROWS)]
DAYS = [dt.date(2020, 1, 1) + dt.timedelta(v % 900) for v in NUMBERS]
COLUMNS = {
    "category": with_one(some("a", "b"), WORD),
    "dictionary": with_one(some("a", "b"), WORD).dictionary_encode(),
    "string view": with_one(some("a", "b"), WORD, pa.string_view()),
    "sentence": with_one([f"row {v} of the long list is here" for v in range(ROWS)], SENTENCE),
    "e-mail": with_one([f"u{v}@mail.example" for v in range(ROWS)], ADDRESS),
    "code": with_one([f"AB-{v:04d}" for v in range(ROWS)], WORD),
    "binary": with_one(some(b"a", b"b"), WORD.encode()),
    "rare binary": with_one([bytes([v % 256, v // 256]) for v in range(ROWS)], WORD.encode()),
    "list": with_one([["x", str(v % 7)] * (v % 4) for v in range(ROWS)], [WORD, "x"]),
    "long list": with_one([NUMBERS[v : v + v % 5] for v in range(ROWS)], [987_654_321]),
    "vector": with_one([[v / 7, v / 3] for v in NUMBERS], [9.87654321e8, 0.5]),
    "struct": with_one([{"a": v, "b": "x"} for v in NUMBERS], {"a": 987_654_321, "b": WORD}),
    "map": with_one([[("k", v)] for v in NUMBERS], [(WORD, 1)], pa.map_(pa.string(), pa.int64())),
    "json": with_one(
        [json.dumps({"a": v, "b": ["x"] * (v % 3), "c": {"d": "y"}}) for v in NUMBERS],
        json.dumps({"a": 987_654_321, "b": [WORD], "c": {"d": WORD}, WORD: WORD, "e": SENTENCE}),
    ),
    "int64": with_one(NUMBERS, 987_654_321),
    "uint64": with_one([2**63 + v for v in NUMBERS], 2**64 - 1, pa.uint64()),
    "float32": with_one([v / 7 for v in NUMBERS], 9.87654321e8, pa.float32()),
    "float64": with_one([v / 7 for v in NUMBERS], -987_654_321.123),
    "decimal": with_one([decimal.Decimal(v) / 4 for v in NUMBERS], decimal.Decimal("987654321.25")),
    "wide decimal": with_one(
        [decimal.Decimal(v) * 10**30 + v for v in NUMBERS],
        decimal.Decimal(9) * 10**36,
        pa.decimal128(38, 0),
    ),
    "date": with_one(DAYS, DAY),
    "date64": with_one(DAYS, DAY, pa.date64()),
    "timestamp": with_one(DAYS, DAY)
    .cast(pa.timestamp("us"))
    .cast(pa.timestamp("us", "Europe/Oslo")),
    "text date": with_one([d.strftime("%d.%m.%Y") for d in DAYS], DAY.strftime("%d.%m.%Y")),
    "time": with_one([v % 3600 for v in NUMBERS], 86_399, pa.time32("s")),
    "duration": with_one(NUMBERS, 987_654_321, pa.duration("ms")),
    "interval": with_one(
        [pa.MonthDayNano([0, v % 9, v]) for v in NUMBERS], pa.MonthDayNano([871, 3, 9])
    ),
    "uuid": pa.ExtensionArray.from_storage(
        pa.uuid(), pa.array([uuid.UUID(int=v**9).bytes for v in range(ROWS + 1)], pa.binary(16))
    ),
}


def drawn(codec: TableCodec, rows: int) -> pa.Array:
    """Values of which every leaf is drawn alone."""
    rng = np.random.default_rng(4)
    parts = [from_uniform(layout, rng.random(rows)) for layout in codec.layouts]
    one = [Encoded(p[:, None], w[:, None], (layout,))
           for (p, w), layout in zip(parts, codec.layouts, strict=True)]  # fmt: skip
    return codec.decode(Encoded.beside(one, rows), rng)["c"]


@pytest.mark.parametrize("name", COLUMNS)
def test_what_one_row_has_is_nowhere(name, tmp_path, stored_bytes):
    """A category, extreme, key, item, address or sentence of one row is neither drawn nor kept."""
    table = pa.table({"c": COLUMNS[name]})
    sdtype, personal = infer_sdtype("c", table["c"])
    column = Column("c", sdtype, pii=personal)
    if name == "text date":
        column = Column("c", "datetime", datetime_format="%d.%m.%Y")
    codec = fit_codec("t", table, [column], (), EncodingSettings())
    sample = drawn(codec, 3000)
    save_state(tmp_path, "codec", codec)
    kept = stored_bytes(tmp_path)
    canary = str(COLUMNS[name][150].as_py())
    values = [str(v) for v in sample.to_pylist()]
    assert sample.type == COLUMNS[name].type
    assert canary not in values
    assert not any(WORD in v or "987654321" in v for v in values)
    assert WORD.encode() not in kept
    assert b"987654321" not in kept
    assert np.array([987_654_321], "<i8").tobytes() not in kept
    assert np.array([987_654_321.0]).tobytes() not in kept
