"""The Parquet files of a snapshot: small, the same on every run, and telling what they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.metadata import Column, Table
from prefect_synth.tasks.parquet_form import FileFacts, PublishedForm, describe, write_published
from prefect_synth.tasks.snapshots.manifest import schema_fingerprint

FACTS = FileFacts(table="orders", project="shop", model="abc", seed=7)
ROWS = 300_000


def orders() -> pa.Table:
    """Keys, floats, and a few kinds as text and as a dictionary; some are null."""
    rng = np.random.default_rng(0)
    kinds = pa.array(["open", "paid", None, "sent"]).take(pa.array(rng.integers(0, 4, ROWS)))
    columns = {
        "id": pa.array(range(ROWS)),
        "amount": pa.array(rng.random(ROWS)),
        "cents": pa.array(rng.integers(0, 500, ROWS) / 100),
        "kind": kinds,
        "state": kinds.dictionary_encode(),
        "tags": pa.array([["a", "b"], [], None] * (ROWS // 3)),
        "note": pa.array([f"note {i}" if i % 3 else None for i in range(ROWS)]),
    }
    return pa.table(columns)


def cut(table: pa.Table, *sizes: int) -> Iterator[pa.RecordBatch]:
    """The rows in batches of these sizes, and the rest; each batch with its own dictionary."""
    start = 0
    for size in (*sizes, table.num_rows):
        piece = table.slice(start, size)
        state = piece["state"].cast(pa.string()).dictionary_encode()
        yield from piece.set_column(4, "state", state).combine_chunks().to_batches()
        start += size


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    """However the rows come in batches, and whichever dictionaries they bring."""
    table = orders()
    written = set()
    for number, sizes in enumerate([(), (1, 131_071, 5), (99_999,) * 3, (7,) * 50]):
        path = tmp_path / f"{number}.parquet"
        assert write_published(path, table.schema, cut(table, *sizes), FACTS) == ROWS
        written.add(path.read_bytes())
    assert len(written) == 1
    assert pq.read_table(path).cast(table.schema) == table


def test_what_repeats_has_a_dictionary(tmp_path: Path) -> None:
    """Keys and other values that seldom come again are written as they are."""
    table = orders()
    write_published(tmp_path / "t.parquet", table.schema, cut(table), FACTS)
    group = pq.ParquetFile(tmp_path / "t.parquet").metadata.row_group(0)
    found = {
        group.column(i).path_in_schema.split(".")[0]: group.column(i).has_dictionary_page
        for i in range(group.num_columns)
    }
    assert found == {
        "id": False, "amount": False, "cents": True, "kind": True, "state": True, "tags": True,
        "note": False,
    }  # fmt: skip
    assert group.column(0).has_offset_index
    assert group.column(0).has_column_index


def test_long_rows_make_small_groups() -> None:
    """A row group is held in memory: 32 MB of values, or a million rows, and no more."""
    short = pa.table({"a": np.arange(2_500_000, dtype="int8")})
    groups = PublishedForm().groups(short.to_batches(100_000), short.schema)
    assert [g.num_rows for g in groups] == [1 << 20, 1 << 20, 2_500_000 - (1 << 21)]
    long = pa.table({"a": ["x" * 300] * 400_000})
    groups = PublishedForm().groups(long.to_batches(10_000), long.schema)
    assert [g.num_rows for g in groups] == [131_072, 131_072, 131_072, 400_000 - 3 * 131_072]


def test_an_empty_table_is_a_file_that_says_what_it_is(tmp_path: Path) -> None:
    """Without rows there is still a schema."""
    write_published(tmp_path / "t.parquet", orders().schema, [], FACTS)
    assert pq.read_metadata(tmp_path / "t.parquet").num_rows == 0
    assert b"prefect_synth.synthetic" in pq.read_schema(tmp_path / "t.parquet").metadata


@pytest.mark.parametrize(
    "kind",
    [
        pa.string_view(),
        pa.float16(),
        pa.duration("us"),
        pa.time64("ns"),
        pa.decimal256(60, 2),
        pa.null(),
        pa.map_(pa.string(), pa.list_(pa.int8())),
        pa.list_(pa.string(), 2),
    ],
    ids=str,
)
def test_rare_types_are_written_too(kind: pa.DataType, tmp_path: Path) -> None:
    """Whether Arrow can count their values or not."""
    schema = pa.schema([("x", kind)])
    batch = pa.RecordBatch.from_arrays([pa.nulls(3, kind)], schema=schema)
    write_published(tmp_path / "t.parquet", schema, [batch, batch], FACTS)
    read = pq.read_table(tmp_path / "t.parquet")
    assert (read.schema, read.num_rows) == (schema, 6)


MEANING = Table(
    "orders",
    {"id": Column("id", "id", source_type="BIGINT", comment="Its number"), "kind": Column("kind")},
    comment="What was ordered",
)


def test_comments_and_source_types_reach_every_reader(tmp_path: Path) -> None:
    """PyArrow reads them from the fields, DuckDB and others from the file's own metadata."""
    table = pa.table({"id": [1], "kind": ["open"]})
    path = tmp_path / "orders.parquet"
    write_published(path, table.schema, table.to_batches(), FACTS, MEANING)
    schema = pq.read_schema(path)
    assert schema.field("id").metadata == {b"comment": b"Its number", b"source_type": b"BIGINT"}
    sql = f"SELECT decode(key), decode(value) FROM parquet_kv_metadata('{path}')"
    said = dict(duckdb.sql(sql).fetchall())
    columns = json.loads(said.pop("prefect_synth.columns"))
    assert columns == {"id": {"comment": "Its number", "source_type": "BIGINT"}}
    said.pop("ARROW:schema")
    assert said == {
        "prefect_synth.form": "1",
        "prefect_synth.synthetic": "true",
        "prefect_synth.copied": "false",
        "prefect_synth.project": "shop",
        "prefect_synth.table": "orders",
        "prefect_synth.model": "abc",
        "prefect_synth.seed": "7",
        "prefect_synth.comment": "What was ordered",
    }


def test_a_copied_table_does_not_claim_to_be_synthetic() -> None:
    """Real rows say that they are copied, and name no model and no seed."""
    said = FACTS.model_copy(update={"copied": True}).entries()
    assert (said["prefect_synth.synthetic"], said["prefect_synth.copied"]) == ("false", "true")
    assert not {"prefect_synth.model", "prefect_synth.seed"} & said.keys()


def test_what_the_schema_says_already_stays(tmp_path: Path) -> None:
    """Pandas finds its own metadata, and the fingerprint of the schema knows no comment."""
    frame = pd.DataFrame({"id": [1, 2], "kind": ["a", "b"]}, index=pd.Index([5, 6], name="row"))
    table = pa.Table.from_pandas(frame)
    write_published(tmp_path / "t.parquet", table.schema, table.to_batches(), FACTS, MEANING)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), frame)
    described = describe(table.schema, FACTS, MEANING)
    assert schema_fingerprint(described) == schema_fingerprint(table.schema)
    assert describe(described, FACTS, MEANING).equals(described, check_metadata=True)
    assert described == table.schema  # promise 3 asks for names, types and nullability


CELLS: dict[str, tuple[pa.DataType, Any]] = {
    "ints": (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    "decimals": (pa.decimal128(9, 2), st.decimals(-9999, 9999, places=2)),
    "moments": (
        pa.timestamp("us", "UTC"),
        st.datetimes(timezones=st.just(UTC)),
    ),
    "days": (pa.date32(), st.dates()),
    "floats": (pa.float64(), st.floats(allow_nan=False)),
    "flags": (pa.bool_(), st.booleans()),
    "texts": (pa.string(), st.text(max_size=5)),
    "bytes": (pa.binary(), st.binary(max_size=5)),
    "ids": (pa.uuid(), st.uuids().map(lambda value: value.bytes)),
    "documents": (pa.json_(), st.sampled_from(["{}", '{"a": 1}', "[1]"])),
    "lists": (pa.list_(pa.int32()), st.lists(st.none() | st.integers(0, 9), max_size=3)),
    "kinds": (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["a", "b", "c"])),
    "pairs": (
        pa.struct([("x", pa.float32()), ("y", pa.string())]),
        st.fixed_dictionaries({"x": st.just(0.5), "y": st.none() | st.text(max_size=2)}),
    ),
}


def array(name: str, values: list[Any]) -> pa.Array:
    """An array of the type of these cells."""
    kind = CELLS[name][0]
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type))
    return pa.array(values, kind)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """A table of all types, nulls everywhere."""
    rows = draw(st.integers(0, 12))
    columns = {
        name: array(name, draw(st.lists(st.none() | cells, min_size=rows, max_size=rows)))
        for name, (_, cells) in CELLS.items()
    }
    return pa.table(columns)


@settings(max_examples=30, deadline=None)
@given(table=tables(), size=st.integers(1, 5))
def test_every_type_is_read_back_exactly(
    table: pa.Table, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What is published is what a reader gets: values, types and nulls; twice the same bytes."""
    from prefect_synth.tasks.snapshots.reading import snapshots_in
    from prefect_synth.tasks.snapshots.store import open_store

    folder = tmp_path_factory.mktemp("snapshot")
    for name, batches in (("t", table.to_batches(size)), ("again", table.to_batches())):
        write_published(folder / f"{name}.parquet", table.schema, batches, FACTS)
    assert (folder / "t.parquet").read_bytes() == (folder / "again.parquet").read_bytes()
    store = open_store(str(folder / "sandbox"))
    store.publish("run", {"t": folder / "t.parquet"}, {})
    snapshot = snapshots_in(store).latest()
    read = snapshot.table("t")
    assert read.schema == table.schema
    assert read.to_pylist() == table.to_pylist()
    assert pa.Table.from_batches(snapshot.batches("t"), read.schema).to_pylist() == read.to_pylist()
