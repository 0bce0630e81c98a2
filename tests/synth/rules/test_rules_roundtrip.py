"""What rules take out they restore exactly, and whatever is drawn, they hold on every row."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.rules.inference import infer_rules
from prefect_synth.synth.rules.rule import Rows
from prefect_synth.synth.rules.ruleset import TableRules

some = settings(max_examples=25, deadline=None)
N = 300


def planted(seed: int) -> pa.Table:
    """Every kind of rule of one table, with nulls, in different types."""
    rng = np.random.default_rng(seed)
    hour, minute, late = rng.integers(0, 24, N), rng.integers(0, 60, N), rng.integers(-20, 2000, N)
    quantity, price = rng.integers(1, 9, N), rng.integers(1, 9999, N)
    discount = rng.integers(0, 500, N)
    city = rng.integers(0, 9, N)
    start = [dt.date(2020, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 700, N)]
    lasted = rng.integers(1, 30, N)
    end = [s + dt.timedelta(int(d)) for s, d in zip(start, lasted, strict=True)]
    open_end = rng.random(N) < 0.2
    moved = (hour * 60 + minute + late) % 1440
    unknown = rng.random(N) < 0.1
    arrived = pa.array(moved // 60 * 100 + moved % 60, pa.float64(), mask=unknown)
    return pa.table(
        {
            "hour": pa.array(hour, pa.int8()),
            "minute": pa.array(minute, pa.uint8()),
            "due": pa.array(hour * 100 + minute, pa.int16()),
            "late": pa.array(late, pa.float32(), mask=unknown),
            "arrived": arrived,
            "quantity": pa.array(quantity),
            "price": pa.array(price / 100),
            "total": [Decimal(int(v)).scaleb(-2) for v in quantity * price],
            "discount": pa.array(discount / 100, mask=rng.random(N) < 0.3),
            "paid": pa.array((quantity * price + discount) / 100),
            "city": pa.array([f"c{v}" for v in city]).dictionary_encode(),
            "country": pa.array([None if v % 4 == 0 else f"k{v % 4}" for v in city]),
            "start": start,
            "end": pa.array(end, pa.date32(), mask=open_end),
            "day_name": pa.array([s.weekday() for s in start], pa.int32()),
            **{f"is_{k}": pa.array(city % 3 == k) for k in range(3)},
        }
    )


def rules_of(table: pa.Table) -> TableRules:
    """The inferred rules of a table alone."""
    metadata = Metadata.from_tables({"t": table})
    return infer_rules(metadata, {"t": table}).of("t")


def arrays(table: pa.Table) -> dict[str, pa.Array]:
    """The columns of a table as whole arrays."""
    return {c: table[c].combine_chunks() for c in table.column_names}


@some
@given(st.integers(0, 10**6))
def test_forward_and_backward_is_the_same_table(seed):
    """Types, values and nulls come back exactly as they were."""
    table = planted(seed)
    rules = rules_of(table)
    back = rules.backward(arrays(rules.forward(table, {})), {}, np.random.default_rng(0))
    assert pa.table(back).select(table.column_names).equals(table)


@some
@given(st.integers(0, 10**6))
def test_rules_hold_on_whatever_is_drawn(seed):
    """Columns that are drawn without regard to each other obey every rule in the end."""
    table, rng = planted(seed), np.random.default_rng(seed)
    rules = rules_of(table)
    left = arrays(rules.forward(table, {}))
    drawn = {c: v.take(pa.array(rng.integers(0, N, 2 * N))) for c, v in left.items()}
    back = rules.backward(drawn, {}, rng)
    rows = Rows({c: _plain(v) for c, v in back.items()}, {}, 2 * N)
    assert {r.text(): float(r.holds(rows).mean()) for r in rules.rules} == dict.fromkeys(
        rules.texts(), 1.0
    )
    assert {c: back[c].type for c in table.column_names} == {f.name: f.type for f in table.schema}


def test_the_planted_rules_are_found():
    """The property tests above speak of every kind."""
    assert set(rules_of(planted(0)).texts()) >= {
        "due = 100 * hour + minute",
        "arrived = clock(due + late)",
        "total = quantity * price",
        "city -> country",
        "start < end",
        "day_name = weekday(start)",
        "one_of(is_0, is_1, is_2)",
    }


def test_blocks_are_restored_alone():
    """A block of rows gives what the same rows give among all others."""
    table = planted(1)
    rules = rules_of(table)
    left, rng = arrays(rules.forward(table, {})), np.random.default_rng(0)
    whole = rules.backward(left, {}, rng)
    for start in (0, 100, 250):
        block = rules.backward({c: v.slice(start, 50) for c, v in left.items()}, {}, rng)
        assert all(block[c].equals(whole[c].slice(start, 50)) for c in table.column_names)


def test_unknown_keys_have_one_value():
    """A pair that was never seen gets the same value in every row and block, of a part of it."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 4, 4000), rng.integers(0, 20, 4000)
    seen = (a + b) % 5 > 0
    far = 100 * b + rng.integers(0, 100, (4, 20))[a, b]
    names = {"a": [f"a{v}" for v in a], "b": [f"b{v}" for v in b], "far": far}
    table = pa.table(names).filter(pa.array(seen))
    rules = rules_of(table)
    assert rules.texts() == ["a, b -> far"]
    drawn = {c: pa.array(names[c]) for c in "ab"}
    found = np.asarray(rules.backward(drawn, {}, rng)["far"])
    pairs = {(x, y): {*found[(a == x) & (b == y)].tolist()} for x in range(4) for y in range(20)}
    assert {len(values) for values in pairs.values()} == {1}
    assert (found // 100 == b).all()


@pytest.mark.parametrize("count", [4, 5])
def test_rare_keys_are_not_stored(count):
    """What fewer than five rows tell of is in no map."""
    keys = ["x"] * 500 + ["y"] * 500 + ["rare"] * count
    values = [1] * 500 + [2] * 500 + [777] * count
    rules = rules_of(pa.table({"city": keys, "zone": pa.array(values)}))
    (lookup,) = rules.rules
    assert (777 in lookup.values.to_pylist()) == (count == 5)


def _plain(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if isinstance(values, pa.DictionaryArray) else values


LETTERS = pa.array([["a", "b", None][v % 3] for v in range(N)])
KINDS = {
    "null": pa.nulls(N),
    "interval": pa.array([pa.MonthDayNano([1, 0, 0])] * N),
    "decimal32": pa.array([Decimal(v % 5) for v in range(N)], pa.decimal32(5, 0)),
    "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([bytes(16)] * N, pa.binary(16))),
    "string view": LETTERS.cast(pa.string_view()),
    "binary view": LETTERS.cast(pa.binary()).cast(pa.binary_view()),
    "run ends": pc.run_end_encode(LETTERS),
    "dictionary": LETTERS.dictionary_encode().cast(pa.dictionary(pa.int8(), pa.large_string())),
    "numbers": pa.array(np.arange(N) % 5).dictionary_encode(),
}


@pytest.mark.parametrize("name", KINDS)
def test_columns_of_any_type_come_back_in_it(name):
    """Rules are looked for in every table, and what they restore has the type it had."""
    table = pa.table({"a": KINDS[name], "b": KINDS[name], "one": ["x"] * N})
    rules = rules_of(table)
    left = rules.forward(table, {})
    columns = {c: left[c].combine_chunks() for c in left.column_names}
    restored = rules.backward(columns, {}, np.random.default_rng(0), N)
    assert {c: v.type for c, v in restored.items()} == {f.name: f.type for f in table.schema}
