"""Kept tables, orphans, and requests that are refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.errors import NotFittedError, OrphanError, SynthesisError
from prefect_synth.synth.hierarchy.hma import HMASynthesizer

RNG = np.random.default_rng(12)


@pytest.fixture
def shop(not_null):
    """Countries, customers of countries, orders of customers, and lines of orders."""
    n, m, k = 60, 200, 400
    countries = pa.table({"code": ["IT", "NO", "CH", "FR"], "name": ["Italy", "Norway", "X", "Y"]})
    return {
        "country": not_null(countries),
        "customer": not_null(
            pa.table({"id": np.arange(1, n + 1), "country": RNG.choice(["IT", "NO", "CH"], n)})
        ),
        "orders": not_null(
            pa.table(
                {
                    "id": np.arange(1, m + 1),
                    "customer": pa.array(RNG.integers(1, n + 1, m), mask=RNG.random(m) < 0.1),
                    "amount": RNG.normal(size=m),
                }
            ),
            "customer",
        ),
        "line": not_null(pa.table({"id": np.arange(1, k + 1), "order": RNG.integers(1, m + 1, k)})),
    }


KEYS = {"country": "code", "customer": "id", "orders": "id", "line": "id"}
RELATIONS = [
    "customer.country -> country.code",
    "orders.customer -> customer.id",
    "line.order -> orders.id",
]


@pytest.fixture
def schema(schema_of, shop):
    """The shop's metadata."""
    return schema_of(KEYS, shop, RELATIONS)


def test_kept_tables_are_published_as_they_are(copy, schema, shop):
    """A kept table comes out unchanged at any scale, and its keys keep their shares."""
    for scale in (0.1, 1.0, 3.0):
        made = copy(schema, shop, scale, keep=["country"])
        assert made["country"].equals(shop["country"])
        assert len(made["customer"]) == round(60 * scale)
    real, drawn = (t["customer"]["country"].to_pylist() for t in (shop, made))
    for code in ("IT", "NO", "CH", "FR"):
        share = real.count(code) / 60
        assert drawn.count(code) / 180 == pytest.approx(share, abs=0.01)


def test_large_kept_tables_are_parents_like_any_other(copy, schema, shop):
    """Keeping customers and countries leaves both as they are, and orders join them."""
    made = copy(schema, shop, 2.0, keep=["country", "customer"])
    assert made["customer"].equals(shop["customer"])
    assert len(made["orders"]) == 400


def test_nothing_is_kept_unasked(copy, schema, shop):
    """Without a word, not even a country is published."""
    made = copy(schema, shop)
    assert not set(made["country"]["name"].to_pylist()) & set(shop["country"]["name"].to_pylist())


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (
            ["customer"],
            "'customer' is to be kept, but 'customer.country -> country.code' refers to a",
        ),
        (["land"], "The table 'land' is to be kept, but there is no such table. Tables: country"),
    ],
)
def test_what_cannot_be_kept_is_refused(schema, shop, keep, message):
    """A kept table may not refer to a generated one, and must exist."""
    with pytest.raises(SynthesisError, match=message):
        HMASynthesizer(schema, keep=keep).fit(shop)


@pytest.fixture
def broken(shop):
    """The shop after 13 customers were deleted: their orders are orphans."""
    gone = set(range(1, 14))
    customer = shop["customer"].filter(
        pa.array([i not in gone for i in shop["customer"]["id"].to_pylist()])
    )
    return {**shop, "customer": customer}


def orphans(tables):
    """Orders whose customer does not exist."""
    there = set(tables["customer"]["id"].to_pylist())
    return [c not in there and c is not None for c in tables["orders"]["customer"].to_pylist()]


def test_orphans_are_an_error_with_their_number(schema, broken):
    """The error names the relation, the exact count, and the settings that help."""
    count = sum(orphans(broken))
    message = (
        rf"'orders.customer -> customer.id' has {count} orphan rows out of 200.*'null'.*'drop'"
    )
    with pytest.raises(OrphanError, match=message):
        HMASynthesizer(schema).fit(broken)


def test_orphans_can_be_cleared(copy, schema, broken):
    """With `null` the orphans count as orders without a customer."""
    made = copy(schema, broken, on_orphan="null")
    expected = broken["orders"]["customer"].null_count + sum(orphans(broken))
    assert made["orders"]["customer"].null_count == expected
    assert len(made["orders"]) == 200


def test_orphans_can_be_dropped_with_their_children(copy, schema, broken):
    """With `drop` the orders go, and the lines of those orders with them."""
    made = copy(schema, broken, on_orphan="drop")
    lost = orphans(broken)
    gone = {i for i, out in zip(broken["orders"]["id"].to_pylist(), lost, strict=True) if out}
    lines = [o for o in broken["line"]["order"].to_pylist() if o not in gone]
    assert {n: len(made[n]) for n in ("orders", "line")} == {
        "orders": 200 - sum(lost),
        "line": len(lines),
    }


def test_orphans_that_may_not_be_null_are_refused(schema_of, shop):
    """A NOT NULL key cannot be cleared, and the error says what can be done."""
    broken = {**shop, "orders": shop["orders"].slice(0, 150)}
    metadata = schema_of(KEYS, broken, RELATIONS)
    with pytest.raises(
        SynthesisError,
        match=r"orphan rows, and may not be null\. Set on_orphan to 'drop'",
    ):
        HMASynthesizer(metadata, on_orphan="null").fit(broken)


def test_an_orphan_wider_than_its_parents_key_is_an_orphan(schema_of):
    """A bigint that no smallint can equal is counted, not an Arrow error."""
    tables = {
        "base": pa.table({"id": pa.array([1, 2, 3], pa.int16())}),
        "leaf": pa.table({"base": pa.array([1, 2, 10**12, None])}),
    }
    metadata = schema_of({"base": "id"}, tables, ["leaf.base -> base.id"])
    with pytest.raises(OrphanError, match=r"has 1 orphan rows out of 4"):
        HMASynthesizer(metadata).fit(tables)


def test_keys_that_cannot_be_compared_are_refused(schema_of):
    """A text that refers to a UUID is an error with both types."""
    uuids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16], pa.binary(16)))
    tables = {"base": pa.table({"id": uuids}), "leaf": pa.table({"base": pa.array(["x"])})}
    metadata = schema_of({"base": "id"}, tables, ["leaf.base -> base.id"])
    with pytest.raises(SynthesisError, match=r"compares string with extension.*Cast one of them"):
        HMASynthesizer(metadata).fit(tables)


def test_tables_and_metadata_must_fit(schema, shop):
    """A missing table, a missing column and an undescribed column are named."""
    with pytest.raises(SynthesisError, match=r"'line' is in the metadata, but not among"):
        HMASynthesizer(schema).fit({n: t for n, t in shop.items() if n != "line"})
    with pytest.raises(
        SynthesisError, match=r"'orders\.amount' is in the metadata, but not in the"
    ):
        HMASynthesizer(schema).fit({**shop, "orders": shop["orders"].drop_columns("amount")})
    extra = shop["orders"].append_column("note", pa.nulls(200))
    with pytest.raises(
        SynthesisError, match=r"'orders\.note' is in the table, but not in the meta"
    ):
        HMASynthesizer(schema).fit({**shop, "orders": extra})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"row_model": "magic"}, "'magic' is not known. Use one of: auto, fast"),
        ({"on_orphan": "ignore"}, "on_orphan must be one of error, null, drop, got 'ignore'"),
        ({"marginal": "cauchy"}, "'cauchy' is not known. Use quantile, norm"),
        ({"marginals": {"orders.amount": "x"}}, "'x' is not known"),
        ({"marginals": {"orders.amuont": "norm"}}, "given for 'orders.amuont', but there is no"),
    ],
)
def test_wrong_settings_are_refused_at_once(schema, settings, message):
    """A wrong name is refused before any work, with the right ones."""
    with pytest.raises(ValueError, match=message):
        HMASynthesizer(schema, **settings)


@pytest.mark.parametrize("scale", [0, -1.0])
def test_scales_must_be_positive(schema, shop, scale):
    """No rows cannot be asked for."""
    with pytest.raises(SynthesisError, match=rf"scale must be above 0, got {scale}"):
        HMASynthesizer(schema).fit(shop).sample(scale)


def test_unfitted_use_is_refused(schema, tmp_path):
    """Sampling and saving need a fit first."""
    for use in (HMASynthesizer(schema).sample, lambda: HMASynthesizer(schema).save(tmp_path)):
        with pytest.raises(NotFittedError, match=r"HMASynthesizer is not fitted yet"):
            use()


def test_primary_keys_must_be_makeable(schema_of):
    """A key of a type that cannot be made is refused with table and column."""
    tables = {"t": pa.table({"id": pa.array([True, False])})}
    with pytest.raises(SynthesisError, match=r"'t\.id' is a primary key, but keys of type bool"):
        HMASynthesizer(schema_of({"t": "id"}, tables, [])).fit(tables)


def test_paths_are_as_good_as_tables(schema, shop, tmp_path):
    """Parquet files give the same copy as tables in memory."""
    for name, table in shop.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    paths = {name: tmp_path / f"{name}.parquet" for name in shop}
    from_paths, from_tables = (HMASynthesizer(schema).fit(t).sample() for t in (paths, shop))
    assert all(from_paths[name].equals(from_tables[name]) for name in shop)
