"""Hashes of rows, and copies found by them."""

import datetime as dt
import decimal
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.metrics.hashing import hash_values
from prefect_synth.synth.metrics.privacy import copied_share, learned_columns, row_hashes

ROWS = {
    "whole": pa.array([1, 2, None, 2**40]),
    "real": pa.array([0.1, float("nan"), None, -1e300]),
    "exact": pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("-2.25"), None]),
    "text": pa.array(["a", "", None, "Zoë"]),
    "raw": pa.array([b"a", b"\xff", None, b""]),
    "day": pa.array([dt.date(2024, 2, 29), None, dt.date(1970, 1, 1), None]),
    "moment": pa.array([dt.datetime(2024, 2, 29, 12), None, None, dt.datetime(1, 1, 1)]),
    "tags": pa.array([["a", None], [], None, ["b"]]),
    "truth": pa.array([True, False, None, True]),
}


@pytest.mark.parametrize(
    ("values", "other"),
    [
        (pa.array([1, None], pa.int8()), pa.array([1, None], pa.int64())),
        (pa.array([1, 2]), pa.array([1.0, 2.0])),
        (pa.array([0.0, None]), pa.array([-0.0, float("nan")])),
        (pa.array([0.3]), pa.array([0.1 + 0.2])),
        (
            pa.array([decimal.Decimal("1.50")], pa.decimal128(8, 2)),
            pa.array([decimal.Decimal("1.5")], pa.decimal128(12, 4)),
        ),
        (pa.array(["a", None, "a"]), pa.array(["a", None, "a"]).dictionary_encode()),
        (pa.array(["a", "b"]), pa.array(["a", "b"], pa.large_string())),
        (pa.array([5], pa.timestamp("ms")), pa.array([5_000_000], pa.timestamp("ns", "UTC"))),
        (pa.array([[1, 2]]), pa.array([[1, 2]], pa.list_(pa.int8(), 2))),
        (pa.array([9, 8, 7])[1:], pa.array([8, 7])),
        (pa.array([["x"], ["a", "b"]])[1:], pa.array([["a", "b"]])),
    ],
)
def test_hashes_ignore_how_values_are_stored(values, other):
    """Equal values hash alike whatever type, scale, unit or offset they are stored with."""
    assert hash_values(values).tolist() == hash_values(other).tolist()


@pytest.mark.parametrize(
    "values",
    [
        pa.array([None, 0, 1, -1, 2**62]),
        pa.array([None, 0.5, 0.25, 1e-9, float("inf"), -float("inf")]),
        pa.array([None, "", "a", "b", "ab"]),
        pa.array([None, [], [None], ["a"], ["a", "b"], ["b", "a"], ["ab"]]),
        pa.array([None, {"a": 1, "b": 2}, {"a": 2, "b": 1}, {"a": None, "b": 2}]),
        pa.array([None, [("a", 1)], [("a", 2)]], pa.map_(pa.string(), pa.int64())),
        pa.array([None, dt.time(1), dt.time(2)]),
    ],
)
def test_different_values_hash_apart(values):
    """Null, empty, order and nesting all count."""
    assert len(set(hash_values(values).tolist())) == len(values)


def test_row_hashes_ignore_the_order_of_rows():
    """Rows in another order have the same hashes."""
    table = pa.table(ROWS)
    turned = table.take(pa.array([3, 1, 0, 2]))
    assert (
        row_hashes(table, table.column_names).tolist()
        == row_hashes(turned, table.column_names).tolist()
    )


def test_row_hashes_depend_on_the_column():
    """The same values in other columns are another row."""
    table = pa.table({"a": [1, 2], "b": [2, 1]})
    assert len(set(row_hashes(table, ["a", "b"]).tolist())) == 2


def test_row_hashes_are_the_same_in_every_process():
    """A process with another hash seed finds the same hashes, so they can be kept."""
    code = (
        "import pyarrow as pa; from prefect_synth.synth.metrics.privacy import row_hashes;"
        "print(row_hashes(pa.table({'a': ['x', None], 'b': [1.5, 2]}), ['a', 'b']).tolist())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    table = pa.table({"a": ["x", None], "b": [1.5, 2]})
    assert str(row_hashes(table, ["a", "b"]).tolist()) == done.stdout.strip()


def test_row_hashes_do_not_change_between_releases():
    """Kept hashes stay good: these two were recorded once."""
    hashes = row_hashes(pa.table({"a": ["x", None], "b": [1.5, 2]}), ["a", "b"])
    assert hashes.tolist() == [10513943551164157614, 15381949321548460285]


def test_rows_of_every_type_survive_a_file(tmp_path):
    """A row written to Parquet and read back is found as a copy."""
    table = pa.table(ROWS)
    pq.write_table(table, tmp_path / "t.parquet")
    known = row_hashes(table, table.column_names)
    assert copied_share(tmp_path / "t.parquet", table.column_names, known) == 1.0


def test_copied_share_counts_rows_that_equal_a_real_one():
    """One planted copy among four rows is a quarter."""
    real = pa.table({"a": np.arange(100), "b": np.arange(100) / 7})
    synthetic = pa.table({"a": [5, 6, 7, 8], "b": [5 / 7, 0.0, 0.5, 1.0]})
    assert copied_share(synthetic, ["a", "b"], row_hashes(real, ["a", "b"])) == 0.25


@pytest.mark.parametrize("side", ["real", "synthetic"])
def test_empty_sides_copy_nothing(side):
    """Without rows on a side nothing is copied."""
    full = pa.table({"a": [1]})
    sides = {"real": full, "synthetic": full} | {side: full.slice(1)}
    assert copied_share(sides["synthetic"], ["a"], row_hashes(sides["real"], ["a"])) == 0.0


def test_learned_columns_leave_out_what_is_generated():
    """Keys, ids and personal data are not learned, so they cannot tell a copy."""
    sdtypes = {"id": "id", "parent": "categorical", "email": "email", "age": "numerical"}
    table = Table("t", {c: Column(c, sdtype) for c, sdtype in sdtypes.items()}, ("id",))
    metadata = Metadata({"t": table}, (Relationship("t", ("parent",), "t", ("id",)),))
    assert learned_columns(metadata, "t") == ["age"]
