"""Samples drawn in blocks: the same bytes by shards, workers and processes, at any scale."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy import contexts
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.hierarchy.sampling import Sampler
from prefect_synth.synth.hierarchy.spill import parse_size
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.storage import StorageError

RNG = np.random.default_rng(8)


def table(name, columns, key, unique=()):
    """A table's metadata in shorthand."""
    kinds = {"id": "id", "mail": "email", "line": "id"}
    made = {
        c: Column(
            c, "id" if c.endswith("_id") else kinds.get(c, "numerical"), c in ("note", "up_id")
        )
        for c in columns
    }
    return Table(name, made, key, unique)


def data():
    """People, their orders and lines, goods, and who knows whom."""
    people, orders, lines, goods = 60, 240, 700, 20
    ids = np.arange
    of = RNG.integers(0, orders, lines)
    number = np.array([(of[:i] == of[i]).sum() for i in range(lines)])
    up = [None if i < 10 else int(RNG.integers(0, i)) for i in range(people)]
    pairs = RNG.permutation(people * people)[:300]
    return {
        "people": pa.table(
            {
                "id": [f"P-{i:05d}" for i in range(people)],
                "mail": [f"m{i}@corp.example" for i in range(people)],
                "age": RNG.integers(18, 80, people),
                "up_id": [None if u is None else f"P-{u:05d}" for u in up],
            }
        ),
        "orders": pa.table(
            {
                "id": ids(orders),
                "people_id": [f"P-{i:05d}" for i in RNG.integers(0, people, orders)],
                "total": RNG.gamma(2, 10, orders),
            }
        ),
        "goods": pa.table({"id": ids(goods), "price": RNG.gamma(2, 10, goods)}),
        "lines": pa.table(
            {
                "orders_id": of,
                "line": number,
                "goods_id": RNG.integers(0, goods, lines),
                "note": pa.array(RNG.normal(size=lines), mask=RNG.random(lines) < 0.2),
            }
        ),
        "knows": pa.table(
            {
                "one_id": [f"P-{i:05d}" for i in pairs // people],
                "two_id": [f"P-{i:05d}" for i in pairs % people],
            }
        ),
    }


def schema(tables):
    """How they hang together: keys of one and of two columns, a tree, pairs."""
    return Metadata(
        {
            "people": table("people", tables["people"].column_names, ("id",), (("mail",),)),
            "orders": table("orders", tables["orders"].column_names, ("id",)),
            "goods": table("goods", tables["goods"].column_names, ("id",)),
            "lines": table("lines", tables["lines"].column_names, ("orders_id", "line")),
            "knows": table("knows", tables["knows"].column_names, ("one_id", "two_id")),
        },
        (
            Relationship("people", ("up_id",), "people", ("id",)),
            Relationship("orders", ("people_id",), "people", ("id",)),
            Relationship("lines", ("orders_id",), "orders", ("id",)),
            Relationship("lines", ("goods_id",), "goods", ("id",)),
            Relationship("knows", ("one_id",), "people", ("id",)),
            Relationship("knows", ("two_id",), "people", ("id",)),
        ),
    )


@pytest.fixture(scope="module")
def model():
    """A model of them, and what it was fitted to."""
    tables = data()
    return HMASynthesizer(schema(tables)).fit(tables), tables


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of 64 rows, so that small tables have many."""
    monkeypatch.setattr(contexts, "BLOCK_ROWS", 64)
    monkeypatch.setattr(contexts, "_SMALLEST", 64)


def digest(batches):
    """A hash of the rows of each table, however they were cut."""
    found = defaultdict(list)
    for name, batch in batches:
        found[name].append(batch)
    return {
        name: hashlib.sha256(pa.Table.from_batches(b).to_pandas().to_json().encode()).hexdigest()
        for name, b in found.items()
    }


def drawn(model, shards, workers=1, **options):
    """All batches of a sample, drawn shard by shard."""
    with ThreadPoolExecutor(workers) as pool:
        parts = pool.map(
            lambda at: list(model.sample_batches(shard=(at, shards), **options)), range(shards)
        )
        return [batch for part in parts for batch in part]


@pytest.mark.parametrize(("shards", "workers"), [(2, 1), (4, 4), (16, 1)])
@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_shards_make_up_the_sample(model, shards, workers, scale):
    """Any number of shards, by any number of workers, gives the bytes of one."""
    whole = digest(model[0].sample_batches(scale, 3))
    assert digest(drawn(model[0], shards, workers, scale=scale, seed=3)) == whole
    assert (
        digest((n, b) for n, t in model[0].sample(scale, 3).items() for b in t.to_batches())
        == whole
    )


def test_another_process_draws_the_same(model, tmp_path):
    """A shard that a second process draws of a saved model is the one drawn here."""
    model[0].save(tmp_path / "model")
    script = (
        "import sys, pyarrow as pa; from pathlib import Path\n"
        "from prefect_synth.synth.hierarchy import contexts\n"
        "from prefect_synth.synth.hierarchy.hma import HMASynthesizer\n"
        "contexts.BLOCK_ROWS = contexts._SMALLEST = 64\n"
        "model = HMASynthesizer.load(Path(sys.argv[1]) / 'model')\n"
        "rows = [b for n, b in model.sample_batches(2.0, 5, shard=(1, 3)) if n == 'lines']\n"
        "with pa.ipc.new_file(sys.argv[1] + '/lines', rows[0].schema) as file:\n"
        "    [file.write(batch) for batch in rows]\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    there = pa.ipc.open_file(tmp_path / "lines").read_all()
    here = [b for n, b in model[0].sample_batches(2.0, 5, shard=(1, 3)) if n == "lines"]
    assert there.equals(pa.Table.from_batches(here))


@pytest.mark.parametrize(("scale", "size"), [(0.01, 64), (0.1, 64), (1.0, 64), (100.0, 5000)])
def test_blocks_pass_the_audit_at_any_scale(audit, model, monkeypatch, scale, size):
    """Keys are unique and resolved across blocks, personal values unique, rows as asked."""
    monkeypatch.setattr(contexts, "BLOCK_ROWS", size)
    monkeypatch.setattr(contexts, "_SMALLEST", size)
    made, (fitted, real) = model[0].sample(scale), model
    audit(fitted.metadata, real, made)
    assert len(made["orders"]) == max(round(240 * scale), 1)


def test_files_hold_the_plan_where_memory_is_short(model, monkeypatch):
    """A small memory setting moves arrays into files, and changes no byte."""
    from prefect_synth.synth.hierarchy import spill

    monkeypatch.setattr(spill, "_SMALL", 1)
    assert digest(model[0].sample_batches(3.0, memory="1KB")) == digest(
        model[0].sample_batches(3.0)
    )


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 400), st.integers(0, 900), st.integers(1, 5), st.integers(0, 50), st.booleans()
)
def test_shards_of_any_small_schema(parents, children, shards, seed, nullable):
    """Two tables of any sizes: the shards make up the sample."""
    rng = np.random.default_rng(seed)
    link = pa.array(rng.integers(0, parents, children), mask=rng.random(children) < 0.3 * nullable)
    tables = {
        "a": pa.table({"id": np.arange(parents), "x": rng.normal(size=parents)}),
        "b": pa.table({"a_id": link, "y": rng.normal(size=children)}),
    }
    described = {"a": table("a", ["id", "x"], ("id",)), "b": table("b", ["a_id", "y"], ())}
    described["b"] = Table("b", {"a_id": Column("a_id", "id"), "y": Column("y", "numerical")})
    metadata = Metadata(described, (Relationship("b", ("a_id",), "a", ("id",)),))
    model = HMASynthesizer(metadata, row_model="fast").fit(tables)
    assert digest(drawn(model, shards)) == digest(model.sample_batches())


@pytest.mark.parametrize("shard", [(1, 1), (-1, 2), (0, 0)])
def test_shards_that_are_none(model, shard):
    """A shard that does not exist is refused."""
    with pytest.raises(SynthesisError, match=r"shard must be \(i, k\)"):
        next(model[0].sample_batches(shard=shard))


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 * 2**30), ("512 mb", 2**29), ("1.5GiB", 3 * 2**29), (4096, 4096)]
)
def test_sizes(text, size):
    """Memory is given as people write it."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1GB", "0", "2XB"])
def test_sizes_that_are_none(text):
    """Anything else is refused with an example."""
    with pytest.raises(SynthesisError, match="memory must be a size such as 2GB"):
        parse_size(text)


def test_a_stored_plan_draws_the_same(model, tmp_path):
    """Shards that read the plan from a folder draw what those with the model draw."""
    fitted, _ = model
    fitted.sampler(2.0, 5).save(tmp_path)
    stored = Sampler.load(tmp_path, fitted.metadata, fitted.parts_)
    assert digest(stored.batches()) == digest(fitted.sample_batches(2.0, 5))
    (tmp_path / "sample.json").unlink()
    with pytest.raises(StorageError, match=r"'sample\.json' is missing"):
        Sampler.load(tmp_path, fitted.metadata, fitted.parts_)
