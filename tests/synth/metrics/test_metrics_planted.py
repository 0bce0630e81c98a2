"""Planted and personal values are found wherever they stand."""

import datetime as dt
import decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_synth.synth.metrics.canaries import find_values
from prefect_synth.synth.metrics.personal import (
    count_known,
    find_hashes,
    personal_hashes,
    text_hashes,
)

MAP = pa.map_(pa.string(), pa.string())
PLACES = {
    "text": pa.array(["CANARY-1", "a CANARY-1.", "xCANARY-1", "canary-1"]),
    "dictionary": pa.array(["CANARY-1", "b", None, "CANARY-1"]).dictionary_encode(),
    "list": pa.array([["q", "CANARY-1", "CANARY-1"], [], None, ["CANARY-1"]]),
    "fixed": pa.array([["CANARY-1"], ["a"], None, ["CANARY-1"]], pa.list_(pa.string(), 1)),
    "struct": pa.array([{"k": "CANARY-1"}, None, {"k": None}, {"k": "CANARY-1"}]),
    "map": pa.array([[("CANARY-1", "")], None, [], [("a", "CANARY-1")]], MAP),
    "raw": pa.array([b"CANARY-1", b"\xff", None, b"CANARY-1"]),
    "null": pa.nulls(4),
}
HELD = {
    "whole": ("17", pa.array([17, 1, None], pa.int16())),
    "real": ("12.50", pa.array([12.5, 125.0, None])),
    "exact": ("12.5", pa.array([decimal.Decimal("12.50"), decimal.Decimal("12.51"), None])),
    "day": ("2024-02-29", pa.array([dt.date(2024, 2, 29), dt.date(2024, 3, 1), None])),
    "moment": ("2024-02-29T12:00", pa.array([dt.datetime(2024, 2, 29, 12), dt.datetime.max, None])),
    "zoned": ("2024-02-29", pa.array([1709164800, 0, None], pa.timestamp("s", "UTC"))),
    "clock": ("12:30:00", pa.array([dt.time(12, 30), dt.time(12, 31), None])),
}
REAL = {
    "customer.email": ["Ann@Example.org", "bob@x.de"],
    "customer.phone": ["+49 (30) 1234-567", "0170 55555555"],
    "customer.iban": ["DE89 3704 0044 0532 0130 00"],
}


@pytest.fixture(scope="module")
def real():
    """Hashes of real personal values."""
    return {name: personal_hashes(pa.chunked_array([values])) for name, values in REAL.items()}


def notes(*texts):
    """A table with a column of text, and one that cannot hold text."""
    return pa.table({"note": list(texts), "number": range(len(texts))})


@pytest.mark.parametrize("place", PLACES)
def test_a_canary_is_found_in_a_column_of_any_type(place):
    """Cells that hold the value count once each, words that merely contain it do not."""
    expected = {} if place == "null" else {place: 2}
    assert find_values(pa.table({place: PLACES[place]}), ["CANARY-1"]) == expected


@pytest.mark.parametrize("place", HELD)
def test_numbers_and_dates_are_found_by_their_text(place):
    """A number, a date or a time is what the wanted text says."""
    wanted, values = HELD[place]
    assert find_values(pa.table({place: values}), [wanted]) == {place: 1}


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        (2**53 + 1, pa.int64()),
        (2**64 - 1, pa.uint64()),
        (2**53 + 1, pa.decimal128(20, 2)),
    ],
)
def test_large_integers_are_told_apart(wanted, kind):
    """Neighbours that are one float are two numbers: only the planted one counts."""
    cells = [decimal.Decimal(wanted - 1), decimal.Decimal(wanted), None]
    table = pa.table({"n": pa.array(cells, pa.decimal128(20, 0)).cast(kind)})
    assert find_values(table, [str(wanted), "1e400", "-1", "0.5", "nan"]) == {"n": 1}


def test_signs_are_taken_literally_and_blanks_alike():
    """A value full of signs is no pattern; several blanks are as good as one."""
    table = pa.table({"note": ["(a.b)*  c+", "(axb)* c+", ""]})
    assert find_values(table, ["(a.b)* c+", " "]) == {"note": 1}


def test_all_rows_of_a_file_are_searched(tmp_path):
    """A canary in the last of many batches is found."""
    table = pa.table({"note": [*["x"] * 200_000, "CANARY-1"]})
    pq.write_table(table, tmp_path / "t.parquet")
    wanted = [*(f"no {i}" for i in range(500)), "CANARY-1"]
    assert find_values(tmp_path / "t.parquet", wanted) == {"note": 1}


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("ANN@example.org ", "customer.email"),
        ("write to <bob@x.de>, please", "customer.email"),
        ("call +49 30 1234567.", "customer.phone"),
        ("0170/55555555 or 110", "customer.phone"),
        ("pay to DE89370400440532013000 now", "customer.iban"),
        ("DE89 3704 0044 0532 0130 00 is mine", "customer.iban"),
    ],
)
def test_personal_values_are_found_in_free_text(real, text, column):
    """Case, separators and the words around do not hide a real value."""
    assert find_hashes(notes("nothing", text, None), real) == {"note": {column: 1}}


@pytest.mark.parametrize(
    "text", ["ann@example.com", "2024-02-29 12:00:00", "+49 30 1234568", "nobody", ""]
)
def test_other_values_are_no_leak(real, text):
    """What only looks like a personal value is none."""
    assert find_hashes(notes(text), real) == {}


def test_a_cell_with_two_leaks_counts_once(real):
    """Cells are counted, in lists too, not finds."""
    texts = ["bob@x.de and ann@example.org", "bob@x.de"]
    table = pa.table({"tags": [texts, ["a"], None, [], ["bob@x.de"]]})
    assert find_hashes(table, real) == {"tags": {"customer.email": 2}}


def test_text_hashes_ignore_case_and_blanks():
    """Values that differ in case or outer blanks hash alike; empty ones are left out."""
    left, right = text_hashes(pa.chunked_array([["  A b", "a B ", "", None]]))
    assert left == right


WORDS = st.lists(st.sampled_from([f"word{i}@x.de" for i in range(6)]), max_size=6)


@given(st.lists(WORDS, max_size=3), WORDS)
def test_every_owner_is_counted(owners, words):
    """A value that several real columns have counts for each of them, and once for each cell."""
    real = {str(i): text_hashes(pa.chunked_array([pa.array(o, pa.string())])) for i, o in
            enumerate(owners)}  # fmt: skip
    expected = {str(i): n for i, o in enumerate(owners) if (n := sum(w in o for w in words))}
    table = pa.table({"note": pa.array(words, pa.string())})
    assert find_hashes(table, real) == ({"note": expected} if expected else {})


@given(st.lists(st.integers(0, 9)), st.sets(st.integers(0, 9)))
def test_known_hashes_are_counted(hashes, known):
    """As often as they occur, and no others."""
    ordered = np.array(sorted(known), dtype=np.uint64)
    expected = sum(one in known for one in hashes)
    assert count_known(np.array(hashes, dtype=np.uint64), ordered) == expected
