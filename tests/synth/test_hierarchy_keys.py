"""Keys across tables: stable between runs, and shared by parents that one column refers to."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.errors import SynthesisError
from prefect_synth.synth.hierarchy.hma import HMASynthesizer


def shop(not_null, rows):
    """Customers with text keys, and their orders."""
    return {
        "customers": not_null(pa.table({"id": [f"C-{i:06d}" for i in range(rows)]})),
        "orders": not_null(
            pa.table(
                {
                    "id": np.arange(3 * rows),
                    "customer": [f"C-{i % rows:06d}" for i in range(3 * rows)],
                }
            )
        ),
    }


def keys(tables):
    """All keys of a copy."""
    return {n: tables[n]["id"].to_pylist() for n in tables}


def described(schema_of, tables):
    """The schema of the shop."""
    return schema_of(
        {"customers": "id", "orders": "id"}, tables, ["orders.customer -> customers.id"]
    )


def test_stable_keys_are_the_same_in_every_run(schema_of, not_null, tmp_path):
    """Another seed, scale, training set or process: the first rows keep their keys."""
    tables = shop(not_null, 40)
    metadata = described(schema_of, tables)
    model = HMASynthesizer(metadata, keys="stable").fit(tables)
    model.save(tmp_path)
    first, grown = keys(model.sample(seed=1)), keys(model.sample(3.0, seed=2))
    again = HMASynthesizer(metadata, seed=9, keys="stable").fit(shop(not_null, 70)).sample()
    for other in (grown, keys(again), keys(HMASynthesizer.load(tmp_path).sample(seed=3))):
        assert {n: other[n][: len(first[n])] for n in first} == first


def test_fresh_keys_differ_with_the_seed(schema_of, not_null):
    """Random keys of one seed say nothing of those of another."""
    real = np.random.default_rng(5).choice(10**9, 200, replace=False)
    tables = {"t": not_null(pa.table({"id": real, "x": np.arange(200)}))}
    model = HMASynthesizer(schema_of({"t": "id"}, tables, [])).fit(tables)
    assert not set(keys(model.sample(seed=1))["t"]) & set(keys(model.sample(seed=2))["t"])


def test_keys_are_fresh_or_stable(schema_of, not_null):
    """Anything else is refused."""
    metadata = described(schema_of, shop(not_null, 4))
    with pytest.raises(SynthesisError, match="keys must be one of fresh, stable, got 'old'"):
        HMASynthesizer(metadata, keys="old")


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_one_column_refers_to_two_unrelated_parents(copy, schema_of, not_null, scale):
    """Both parents get the same keys, however different their sizes and the keys of their rows."""
    a, b = [f"K{i:05d}" for i in range(20)], [f"K{i:05d}" for i in range(3000)]
    tables = {
        "a": not_null(pa.table({"id": a})),
        "b": not_null(pa.table({"id": b})),
        "c": not_null(pa.table({"id": np.arange(90), "both": [a[i % 20] for i in range(90)]})),
    }
    relations = ["c.both -> a.id", "c.both -> b.id"]
    metadata = schema_of({"a": "id", "b": "id", "c": "id"}, tables, relations)
    copy(metadata, tables, scale)
