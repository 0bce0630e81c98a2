"""Planted and personal values are found wherever they stand."""

import datetime as dt
import decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.metrics.canaries import find_values
from prefect_synth.synth.metrics.personal import find_hashes, personal_hashes, text_hashes

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
