"""Tables in files are read when they are needed, and let go."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.hierarchy import loading
from prefect_synth.synth.hierarchy.hma import HMASynthesizer


@pytest.fixture
def tables():
    """Customers and their orders."""
    rng = np.random.default_rng(6)
    return {
        "customers": pa.table({"id": np.arange(50), "age": rng.integers(18, 80, 50)}),
        "orders": pa.table({"customer": rng.integers(0, 50, 400), "x": rng.normal(size=400)}),
    }


@pytest.fixture
def metadata(schema_of, tables):
    """Their schema."""
    return schema_of({"customers": "id"}, tables, ["orders.customer -> customers.id"])


@pytest.fixture
def files(tables, tmp_path):
    """The same tables in Parquet files."""
    for name, table in tables.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    return {name: tmp_path / f"{name}.parquet" for name in tables}


def test_files_and_tables_fit_the_same(metadata, tables, files, monkeypatch):
    """Whether tables come from memory or from files that do not fit there, the model is one."""
    monkeypatch.setattr(loading, "HELD_BYTES", 1)
    here, there = (HMASynthesizer(metadata).fit(source).sample() for source in (tables, files))
    assert all(here[name].equals(there[name]) for name in tables)


def test_one_table_is_held_at_a_time(metadata, files, monkeypatch):
    """A table of a file is let go when another one is asked for and both are too much."""
    monkeypatch.setattr(loading, "HELD_BYTES", 1)
    loaded = loading.LoadedTables(metadata, files)
    for name in ("customers", "orders", "customers"):
        assert loaded[name].num_rows
        assert list(loaded._held) == [name]
