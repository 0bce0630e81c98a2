"""What can be told of a schema from its data."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.inference import infer_metadata, infer_sdtype, refine_metadata
from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.synth.sdv import metadata_from_sdv

SHARED = Path(
    os.environ.get("PREFECT_SYNTH_SHARED", Path(__file__).resolve().parents[3] / "shared")
)


def many(values, times=30):
    """A column of repeating values."""
    return pa.chunked_array([pa.array(list(values) * times)])


def relations(metadata):
    """The relations as texts."""
    return {str(r) for r in metadata.relationships}


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("price", many([1.5, 2.5]), "numerical"),
        ("store_id", many([1, 2]), "id"),
        ("vip", many([True, None]), "boolean"),
        ("born", many([dt.date(2000, 1, 1)]), "datetime"),
        ("took", many([dt.timedelta(1)]), "numerical"),
        ("colour", many(["red", "blue"]), "categorical"),
        ("colour", pa.chunked_array([many(["red"]).combine_chunks().dictionary_encode()]),
         "categorical"),
        ("sku", many([f"X{i}" for i in range(200)], 1), "id"),
        ("review", many([f"I liked {i} very much" for i in range(200)], 1), "text"),
        ("row", pa.chunked_array([pa.array([b"x"])]), "unknown"),
    ],
)  # fmt: skip
def test_sdtypes(name, values, expected):
    """The sdtype follows type, name and repetition."""
    assert infer_sdtype(name, values) == (expected, False)


@pytest.mark.parametrize(
    ("name", "table", "expected"),
    [
        ("email", "", "email"),
        ("EMailAddress", "", "email"),
        ("first_name", "", "first_name"),
        ("LastName", "", "last_name"),
        ("phone", "", "phone_number"),
        ("billing_address", "", "street_address"),
        ("postal_code", "", "postcode"),
        ("zip", "", "postcode"),
        ("customer_name", "", "name"),
        ("name", "customers", "name"),
        ("username", "", "user_name"),
    ],
)
def test_people_are_known_by_the_columns_name(name, table, expected):
    """Names of personal columns are understood in any case."""
    assert infer_sdtype(name, many(["abc", "def"]), table) == (expected, True)


@pytest.mark.parametrize(("name", "table"), [("name", "genre"), ("file_name", ""), ("state", "")])
def test_things_are_no_people(name, table):
    """A genre's name is no person's."""
    assert infer_sdtype(name, many(["abc", "def"]), table) == ("categorical", False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a.b@c.org", "email"), ("10.0.0.1", "ipv4_address"), ("123-45-6789", "ssn")],
)
def test_people_are_known_by_values(value, expected):
    """A column of no telling name is personal by what most of its values look like."""
    assert infer_sdtype("col7", many([value] * 9 + ["?"])) == (expected, True)


def test_keys_and_relations(rng):
    """Own keys, foreign keys of several spellings, pairs and one-to-one keys are found."""
    ids = pa.array(range(1, 51))
    pairs = rng.permutation([(i, j) for i in range(1, 51) for j in range(1, 5)])[:80]
    found = infer_metadata(
        {
            "customers": pa.table({"customer_id": ids}),
            "categories": pa.table({"category_id": pa.array(range(1, 5))}),
            "customer_details": pa.table({"customer_id": ids, "x": rng.normal(size=50)}),
            "likes": pa.table({"customer_id": pairs[:, 0], "category_id": pairs[:, 1]}),
        }
    )
    assert {n: t.primary_key for n, t in found.tables.items()} == {
        "customers": ("customer_id",),
        "categories": ("category_id",),
        "customer_details": ("customer_id",),
        "likes": ("customer_id", "category_id"),
    }
    assert relations(found) == {
        "customer_details.customer_id -> customers.customer_id",
        "likes.customer_id -> customers.customer_id",
        "likes.category_id -> categories.category_id",
    }


def test_uuids_are_keys():
    """Arrow's uuid, which it cannot group by, makes keys and relations as any id."""
    ids = [bytes([v]) * 16 for v in range(30)]
    uuids = [
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array(v, pa.binary(16)))
        for v in (ids, ids * 3)
    ]
    tables = {"shops": pa.table({"id": uuids[0]}), "sales": pa.table({"shop_id": uuids[1]})}
    found = infer_metadata(tables)
    assert found.tables["shops"].primary_key == ("id",)
    assert relations(found) == {"sales.shop_id -> shops.id"}


def test_another_tables_key_is_no_own_key_by_chance():
    """`film_category.film_id` happens to be unique, and is a foreign key all the same."""
    films, groups = pa.array(range(1, 41)), pa.array([1, 2, 3, 4] * 10)
    found = infer_metadata(
        {
            "film_category": pa.table({"film_id": films, "category_id": groups}),
            "category": pa.table({"category_id": pa.array([1, 2, 3, 4])}),
            "film": pa.table({"film_id": films, "length": films}),
        }
    )
    assert found.tables["film_category"].primary_key == ("film_id", "category_id")
    assert relations(found) == {
        "film_category.film_id -> film.film_id",
        "film_category.category_id -> category.category_id",
    }


def test_a_key_that_misses_values_is_no_relation():
    """An orphan is evidence against a relation."""
    found = infer_metadata(
        {
            "store": pa.table({"id": pa.array([1, 2, 3])}),
            "sale": pa.table({"sale_no": pa.array([5, 5, 6]), "store_id": pa.array([1, 2, 9])}),
        }
    )
    assert not found.relationships
    assert not found.tables["sale"].primary_key


def test_integer_keys_of_other_width_relate():
    """A smallint refers to a bigint."""
    found = infer_metadata(
        {
            "store": pa.table({"id": pa.array([1, 2, 3])}),
            "sale": pa.table({"store_id": pa.array([1, 1, None], pa.int16())}),
        }
    )
    assert relations(found) == {"sale.store_id -> store.id"}


def test_empty_tables_have_no_keys():
    """Nothing is claimed of tables without rows."""
    empty = pa.table({"id": pa.array([], pa.int64()), "t": pa.array([], pa.string())})
    found = infer_metadata({"a": empty, "b": empty})
    assert [t.primary_key for t in found.tables.values()] == [(), ()]
    assert not found.relationships


def test_refinement_speaks_only_where_the_catalogue_was_silent(tmp_path):
    """Texts are told apart; enums, keys and other sdtypes stay."""
    columns = {
        "id": Column("id", "categorical", False),
        "mail": Column("mail", "categorical"),
        "mood": Column("mood", "categorical", categories=("good", "bad")),
        "note": Column("note", "categorical"),
        "age": Column("age", "numerical"),
    }
    metadata = Metadata({"t": Table("t", columns, ("id",))})
    rows = [f"note {i} says so" for i in range(100)]
    data = pa.table({"id": rows, "mail": ["a@b.org"] * 100, "mood": ["good"] * 100, "note": rows})
    pq.write_table(data.append_column("age", pa.array(np.arange(100))), tmp_path / "t.parquet")
    refined = refine_metadata(metadata, {"t": tmp_path / "t.parquet"}).tables["t"].columns
    assert {n: (c.sdtype, c.pii) for n, c in refined.items()} == {
        "id": ("categorical", False),
        "mail": ("email", True),
        "mood": ("categorical", False),
        "note": ("text", False),
        "age": ("numerical", False),
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ssn", "ssn"),
        ("customer_ssn", "ssn"),
        ("TaxId", "ssn"),
        ("phone", "phone_number"),
        ("fax_number", "phone_number"),
        ("zip_code", "postcode"),
        ("credit_card_number", "credit_card_number"),
        ("has_phone", "numerical"),
        ("num_fax", "numerical"),
        ("battery_cell", "numerical"),
        ("customer_name", "numerical"),
        ("tax_rate", "numerical"),
    ],
)
@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.decimal128(19, 0)])
def test_personal_numbers_are_known_by_name(name, kind, expected):
    """A number is personal where its name is clear, in data and behind a catalogue."""
    data = pa.table({name: pa.array(range(60)).cast(kind)})
    known = Metadata({"t": Table("t", {name: Column(name, "numerical")})})
    refined = refine_metadata(known, {"t": data}).tables["t"].columns[name]
    assert refined.sdtype == infer_sdtype(name, data[name])[0] == expected
    assert refined.pii == (expected != "numerical")


def test_personal_numbers_of_keys_stay_keys():
    """A key is minted, whatever it is called."""
    known = Metadata({"t": Table("t", {"ssn": Column("ssn", "numerical", False)}, ("ssn",))})
    assert refine_metadata(known, {"t": pa.table({"ssn": [1, 2]})}) == known


@pytest.mark.skipif(not (SHARED / "data" / "sakila").exists(), reason="needs ../shared/data")
@pytest.mark.parametrize("name", ["sakila", "chinook"])
def test_real_schemas_have_no_false_relation(name):
    """Everything inferred from real data is in its published schema; most of that is found."""
    folder = SHARED / "data" / name
    truth = metadata_from_sdv(folder / "metadata.json")
    found = infer_metadata({p.stem: p for p in sorted(folder.glob("*.parquet"))})
    assert relations(found) <= relations(truth)
    assert len(found.relationships) >= 0.8 * len(truth.relationships)
    assert all(t.primary_key in ((), truth.tables[n].primary_key) for n, t in found.tables.items())
