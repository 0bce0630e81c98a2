"""Columns are read one at a time, and protected by unit where units are known."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.encoding.sources import ParquetColumns, whole
from prefect_synth.synth.encoding.table import EncodingSettings, TableCodec, fit_codec
from prefect_synth.synth.metadata import Column
from prefect_synth.synth.storage import fingerprint_of

COLUMNS = [Column("n", "numerical"), Column("word", "categorical"), Column("note", "text"),
           Column("tags", "unknown"), Column("doc", "text")]  # fmt: skip


@pytest.fixture(scope="module")
def people() -> pa.Table:
    """60 people of ten rows each; one of them has words, tags, keys and numbers of her own."""
    rng = np.random.default_rng(6)
    own = np.repeat(np.arange(60), 10) == 7
    pick = ["own" if o else f"w{i % 4}" for i, o in enumerate(own)]
    return pa.table(
        {
            "n": pa.array(np.where(own, 10**6, 0) + rng.integers(0, 500, 600)),
            "word": pick,
            "note": [f"{w} goes home after {i} days" for i, w in enumerate(pick)],
            "tags": [[w] * (i % 3) + [f"t{i}"] for i, w in enumerate(pick)],
            "doc": [f'{{"{w[:1]}": {i}, "k": "{w}"}}' for i, w in enumerate(pick)],
        }
    )  # fmt: skip


def fitted(source: object, units: np.ndarray | None = None) -> TableCodec:
    """A codec of all columns."""
    return fit_codec("t", source, COLUMNS, (), EncodingSettings(), units)


def test_a_file_is_as_good_as_a_table(people, tmp_path):
    """A codec of a Parquet file, or of a folder of parts, is that of the table."""
    pq.write_table(people, tmp_path / "one.parquet")
    parts = tmp_path / "parts"
    parts.mkdir()
    for i in range(3):
        pq.write_table(people.slice(200 * i, 200), parts / f"{i}.parquet")
    expected = fingerprint_of(fitted(pq.read_table(tmp_path / "one.parquet")))
    assert fingerprint_of(fitted(ParquetColumns(tmp_path / "one.parquet"))) == expected
    assert fingerprint_of(fitted(ParquetColumns(parts))) == expected


def test_encoding_can_be_compact(people):
    """Half the memory, and the same pieces."""
    codec = fitted(people)
    wide, narrow = (
        codec.encode(people, np.random.default_rng(0), compact=small) for small in (False, True)
    )
    assert np.array_equal(wide.pieces, narrow.pieces)
    assert narrow.pieces.nbytes + narrow.places.nbytes == wide.pieces.nbytes
    np.testing.assert_allclose(wide.places, narrow.places, atol=1e-6)


def test_what_one_unit_has_is_rare_in_every_kind_of_column(people):
    """Ten rows of one person teach nothing that no other person has."""
    units = np.repeat(np.arange(60), 10)
    loose, strict = fitted(people), fitted(people, units)
    rows = [c.decode(c.encode(people, np.random.default_rng(0)), np.random.default_rng(1))
            for c in (loose, strict)]  # fmt: skip
    for column in ("word", "note", "tags", "doc"):
        with_her, without = (str(r[column].to_pylist()) for r in rows)
        assert "own" in with_her, column
        assert "own" not in without, column
    assert max(rows[0]["n"].to_pylist()) >= 10**6
    assert max(rows[1]["n"].to_pylist()) < 1000


def test_long_columns_are_one_array():
    """Chunks of any type become one array."""
    for kind in (pa.string(), pa.string_view(), pa.uuid(), pa.list_(pa.int8())):
        chunks = pa.chunked_array([pa.nulls(2, kind), pa.nulls(3, kind)])
        assert len(whole(chunks)) == 5
    assert len(whole(pa.chunked_array([], pa.int8()))) == 0
