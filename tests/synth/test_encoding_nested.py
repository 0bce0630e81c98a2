"""Structs, lists, maps and JSON keep their structure; their leaves are learned and protected."""

from __future__ import annotations

import datetime as dt
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.encoding.table import EncodingSettings, fit_codec
from prefect_synth.synth.errors import UnsupportedTypeError
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.inference import infer_metadata
from prefect_synth.synth.metadata import Column
from prefect_synth.synth.single import GaussianCopulaSynthesizer

some = settings(max_examples=30, deadline=None)


def copied(values: pa.Array, sdtype: str = "unknown") -> pa.Array:
    """The column after encoding and decoding."""
    table = pa.table({"c": values})
    codec = fit_codec("t", table, [Column("c", sdtype)], (), EncodingSettings())
    rows = codec.encode(table, np.random.default_rng(0))
    back = codec.decode(rows, np.random.default_rng(1))["c"]
    back.validate(full=True)
    assert back.type == values.type
    return back


def outline(document: object) -> object:
    """A document without leaves and without what is in its lists."""
    if isinstance(document, dict):
        return {k: outline(v) for k, v in document.items()}
    return [len(document)] if isinstance(document, list) else type(document)


ADDRESS = pa.struct([("city", pa.string()), ("geo", pa.struct([("x", pa.float32())]))])
leaf = st.sampled_from(["a", "b", None])
places = st.fixed_dictionaries({"city": leaf, "geo": st.one_of(
    st.none(), st.fixed_dictionaries({"x": st.sampled_from([0.5, 1.5, None])}))})  # fmt: skip


@some
@given(st.lists(st.one_of(st.none(), places), min_size=1, max_size=8))
def test_structs_come_back(rows):
    """Values that repeat come back exactly, at every depth, with nulls of structs and fields."""
    values = pa.array(rows * 12, ADDRESS)
    assert copied(values).to_pylist() == values.to_pylist()


LISTS = [pa.list_, pa.large_list, pa.list_view, pa.large_list_view, lambda k: pa.list_(k, 2)]


@pytest.mark.parametrize("make", LISTS)
@pytest.mark.parametrize("kind", [pa.int16(), pa.float64(), pa.string(), pa.date32()], ids=str)
def test_lists_of_many_values_keep_type_and_lengths(make, kind, rng):
    """Lists of which no two are equal keep nulls, lengths and item types; rare items go."""
    kind = make(kind)
    sizes = np.full(300, 2) if pa.types.is_fixed_size_list(kind) else rng.integers(0, 6, 300)
    items = [rng.integers(0, 3000, n).tolist() if i % 7 else None for i, n in enumerate(sizes)]
    if kind.value_type == pa.string():
        items = [v and [f"w{i % 20}" for i in v] for v in items]
    if kind.value_type == pa.date32():
        items = [v and [dt.date(2000, 1, 1) + dt.timedelta(i) for i in v] for v in items]
    values = pa.array(items, kind)
    back = copied(values)
    got, real = ([None if v is None else len(v) for v in c.to_pylist()] for c in (back, values))
    assert got == real


def test_lists_are_no_longer_empty(rng):
    """Rare lists are made of the items that are common, in their shares."""
    tags = np.array(["red", "blue", "green"])
    rows = [[*tags[rng.integers(0, 3, 4 + i % 3)].tolist(), f"own{i}"] for i in range(400)]
    back = copied(pa.array(rows))
    items = pc.value_counts(back.flatten()).to_pylist()
    assert {i["values"] for i in items} == {"red", "blue", "green"}
    assert all(i["counts"] == pytest.approx(800, rel=0.15) for i in items)


def test_lists_of_different_items_stay_so(rng):
    """Where no real list has an item twice, no synthetic one has."""
    rows = [rng.permutation(12)[: rng.integers(1, 9)].tolist() for _ in range(500)]
    back = copied(pa.array(rows)).to_pylist()
    assert all(len(set(row)) == len(row) for row in back)


def test_items_of_lists_keep_their_relations(rng):
    """Fields of structs in a list go together as they did."""
    rows = [
        [{"size": int(s), "price": float(s * 10 + rng.normal())} for s in rng.integers(1, 9, 3)]
        for _ in range(400)
    ]
    back = [item for row in copied(pa.array(rows)).to_pylist() for item in row]
    sizes, prices = ([item[k] for item in back] for k in ("size", "price"))
    assert np.corrcoef(sizes, prices)[0, 1] > 0.9


def test_maps_of_few_keys_keep_which_keys_they_have(rng):
    """The keys of a map are those of the row, and rare keys are left out."""
    rows = [[("a", i)] + [("b", 1)] * (i % 2) + [("own", 1)] * (i == 7) for i in range(90)]
    kind = pa.map_(pa.string(), pa.int64())
    back = copied(pa.array(rows, kind)).to_pylist()
    wanted = [["a", "b"] if i % 2 else ["a"] for i in range(90)]
    assert [[k for k, _ in row] for row in back] == wanted


def test_maps_of_many_keys_have_each_key_once(rng):
    """Maps of many keys keep their sizes, and no key comes twice."""
    rows = [[(int(k), "v") for k in rng.permutation(500)[: i % 5]] for i in range(300)]
    back = copied(pa.array(rows, pa.map_(pa.int32(), pa.string()))).to_pylist()
    assert [len(row) for row in back] == [len(row) for row in rows]
    assert all(len({k for k, _ in row}) == len(row) for row in back)


def nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Arrays and objects of other values."""
    keys = st.sampled_from("abc")
    return st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)


scalars = st.sampled_from([None, True, False, 1, 2, 0.5, 1.5, "a", 'q"\\é\n'])
documents = nested(scalars | nested(scalars | nested(scalars)))


@some
@given(st.lists(documents, min_size=1, max_size=5), st.sampled_from([None, 2]), st.booleans())
def test_json_keeps_its_structure(kinds, indent, ascii_only):
    """Documents come back with their keys, nesting, types and formatting."""
    rows = [json.dumps(d, indent=indent, ensure_ascii=ascii_only) for d in kinds] * 12
    unique = [
        json.dumps({"z": i}, indent=indent) for i in range(10)
    ]  # so that they are no category
    back = copied(pa.array(rows + unique))
    for made, real in zip(back.to_pylist(), rows + unique, strict=True):
        document = json.loads(made)
        assert outline(document) == outline(json.loads(real))
        assert json.dumps(document, indent=indent, ensure_ascii=ascii_only) == made


@pytest.fixture(scope="module")
def orders() -> pa.Array:
    """Documents with an optional key, a list, a nested object, and what one person alone has."""
    rng = np.random.default_rng(5)
    rows = [
        {
            "id": i,
            "status": str(rng.choice(["new", "paid"])),
            "total": round(float(rng.gamma(2, 30)), 2),
            "at": f"2024-{rng.integers(1, 13):02d}-03T{i % 24:02d}:{i % 60:02d}:{i % 59:02d}Z",
            "when": f"2024-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}",
            "email": f"person{i}@corp.example",
            "tags": rng.choice(["x", "y", "z"], rng.integers(0, 4)).tolist(),
            "ship": {"express": bool(i % 3), "note": f"ring the bell {i} times please and wait"},
        }
        | ({"coupon": None} if i % 2 else {})
        for i in range(600)
    ]
    rows[17]["canary_key"] = "canary"
    rows[18]["status"] = "canary-status"
    rows[19]["tags"] = ["canary-tag"]
    rows[20]["total"] = 987654.25
    return pa.array([json.dumps(row, separators=(",", ":")) for row in rows])


def test_json_documents_look_like_the_real_ones(orders):
    """Keys, types and formatting are those of the real documents, row by row."""
    back = copied(orders, "text").to_pylist()
    made, real = ([json.loads(t) for t in c] for c in (back, orders.to_pylist()))
    real[17].pop("canary_key")
    assert [outline(d) for d in made] == [outline(d) for d in real]
    assert [json.dumps(d, separators=(",", ":")) for d in made] == back
    assert [list(d) for d in made] == [list(d) for d in real]
    assert {d["status"] for d in made} == {"new", "paid"}
    assert all(dt.date.fromisoformat(d["when"]).year in (2023, 2024) for d in made)
    assert all(dt.datetime.fromisoformat(d["at"]).year in (2023, 2024) for d in made)


def test_leaves_mean_what_their_keys_say(orders):
    """An id is numbered anew, and an address is made up, inside a document as elsewhere."""
    made = [json.loads(t) for t in copied(orders, "text").to_pylist()]
    assert all(re.fullmatch(r".+@example\.(com|org|net)", d["email"]) for d in made)
    assert not {d["id"] for d in made} & set(range(600))


def test_rare_leaves_of_json_are_in_no_model_and_no_sample(orders, tmp_path, stored_bytes):
    """A key, category, item, extreme, text or address of one document never appears."""
    model = GaussianCopulaSynthesizer().fit(pa.table({"payload": orders}))
    sample = "".join(model.sample(2000, seed=1)["payload"].to_pylist())
    model.save(tmp_path)
    stored = stored_bytes(tmp_path)
    assert "canary" not in sample
    assert b"canary" not in stored
    assert "987654" not in sample
    for text in ("corp.example", "ring the bell 33 times please and wait"):
        assert text not in sample
        assert text.encode() not in stored


def test_json_that_repeats_stays_a_category():
    """A few documents that come often are kept as they are, spaces and all."""
    values = pa.array(['{"a" : 1}', "{ }"] * 10)
    assert copied(values).to_pylist() == values.to_pylist()


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["a", None, "b"] * 10, pa.string_view()),
        pa.array([b"a", None, b"b"] * 10, pa.binary_view()),
        pc.run_end_encode(pa.array(["a", "a", None] * 10)),
        pa.array([pa.MonthDayNano([1, 2, 3]), None, pa.MonthDayNano([0, -2, 10**9])] * 10),
        pa.array([[1.5, 2.5], [3.5, 2.5], None] * 10, pa.list_(pa.float32(), 2)),
        pa.array([{}, None] * 10, pa.struct([])),
    ],
    ids=lambda v: str(v.type),
)
def test_types_inside_of_which_is_another_come_back(values):
    """Views, run ends, intervals and vectors that repeat come back exactly."""
    assert copied(values).to_pylist() == values.to_pylist()


def test_unions_are_refused_by_name():
    """A type that no encoder takes is refused with table, column and cure."""
    union = pa.UnionArray.from_sparse(
        pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]
    )
    with pytest.raises(UnsupportedTypeError, match=r"Column 't\.c' has the type .*Exclude"):
        copied(union)


def test_nested_columns_are_sampled_in_blocks_by_a_loaded_model(orders, tmp_path):
    """A hierarchy with documents, structs and lists is stored, and samples the same tables."""
    rows = len(orders)
    table = pa.table(
        {
            "id": np.arange(rows),
            "doc": orders,
            "place": pa.array([{"city": "ab"[i % 2], "geo": {"x": i / 8}} for i in range(rows)]),
            "sizes": pa.array([[*range(i % 5), i] for i in range(rows)]),
            "note": [f"order {i} came home late again, sorry" for i in range(rows)],
        }
    )
    model = HMASynthesizer(infer_metadata({"order": table}), row_model="trees")
    made = model.fit({"order": table}).sample(2.0)["order"]
    model.save(tmp_path)
    assert HMASynthesizer.load(tmp_path).sample(2.0)["order"].equals(made)
    assert made.schema.equals(table.schema)
    assert len(made) == 2 * rows
    cities = {(json.loads(d)["ship"]["express"], p["city"]) for d, p in
              zip(made["doc"].to_pylist(), made["place"].to_pylist(), strict=True)}  # fmt: skip
    assert cities == {(e, c) for e in (True, False) for c in "ab"}
