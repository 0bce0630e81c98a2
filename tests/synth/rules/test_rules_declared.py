"""Declared rules are read, refused where they contradict, and hold whatever the data say."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from prefect_synth.synth.errors import RuleError, SynthesisError
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.rules.check_digits import mended
from prefect_synth.synth.rules.contradictions import read_rules
from prefect_synth.synth.rules.inference import infer_rules
from prefect_synth.synth.rules.rule import Rows
from prefect_synth.synth.single import GaussianCopulaSynthesizer

N = 400
COLUMNS = ("a", "b", "c", "d")


def free(**more: pa.Array) -> pa.Table:
    """Columns that obey nothing by themselves."""
    rng = np.random.default_rng(0)
    return pa.table({**{c: rng.integers(0, 100, N) for c in COLUMNS}, **more})


def restored(table: pa.Table, *lines: str) -> pa.Table:
    """The table after a way through declared rules."""
    metadata = Metadata.from_tables({"t": table})
    rules = infer_rules(metadata, {"t": table}, {}, {"t": lines}, infer=False)
    left = rules.forward("t", table)
    columns = {c: left[c].combine_chunks() for c in left.column_names}
    back = rules.backward("t", columns, {}, np.random.default_rng(0))
    return pa.table(back).select(table.column_names)


@pytest.mark.parametrize(
    ("line", "truth"),
    [
        ("a = b + 2 * c", lambda t: pc.equal(t["a"], pc.add(t["b"], pc.multiply(t["c"], 2)))),
        ("a = b * c", lambda t: pc.equal(t["a"], pc.multiply(t["b"], t["c"]))),
        ("a <= b", lambda t: pc.less_equal(t["a"], t["b"])),
        ("a < b <= c", lambda t: pc.and_(pc.less(t["a"], t["b"]), pc.less_equal(t["b"], t["c"]))),
        ("10 <= a < 20", lambda t: pc.and_(pc.greater_equal(t["a"], 10), pc.less(t["a"], 20))),
        ("step(a, 25)", lambda t: pc.is_in(t["a"], pa.array([0, 25, 50, 75, 100]))),
        ("constant(a)", lambda t: pc.equal(t["a"], t["a"][0])),
        ("null(n) -> null(a)", lambda t: pc.or_(t["n"].is_valid(), t["a"].is_null())),
    ],
)  # fmt: skip
def test_declared_rules_hold_on_every_row(line, truth):
    """A declared rule is in force though hardly a real row obeys it."""
    missing = pa.array(np.arange(N), mask=np.arange(N) % 3 == 0)
    assert pc.all(truth(restored(free(n=missing), line))).as_py()


def test_ranges_follow_orders():
    """Where a is below b and b ends at 40, both hold after all."""
    found = restored(free(), "a <= b", "b <= 40", "a >= 30")
    assert pc.all(pc.less_equal(found["a"], found["b"])).as_py()
    assert (pc.max(found["b"]).as_py(), pc.min(found["a"]).as_py()) == (40, 30)


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (["a < b", "b < a"], ["a < b", "b < a"]),
        (["a <= b", "b <= c", "c < a"], ["a <= b", "c < a"]),
        (["a = b + c", "a = b * d"], ["a = b + c", "a = b * d"]),
        (["a = b + c", "b = a - c"], ["a = b + c", "b = a - c"]),
        (["a = b + c", "b = c * d", "c = a - d"], ["a = b + c", "c = a - d"]),
        (["a >= 10", "a <= 5"], ["a >= 10", "a <= 5"]),
        (["a > 5", "a <= 5"], ["a > 5", "a <= 5"]),
        (["a >= 10", "a <= b", "b <= 5"], ["a >= 10", "b <= 5"]),
        (["a = b + c", "a <= 9"], ["a = b + c", "a <= 9"]),
        (["b -> a", "constant(a)"], ["b -> a", "constant(a)"]),
    ],
)
def test_contradictions_are_refused_with_both_named(lines, named):
    """Rules that cannot all be true are refused before anything is trained."""
    metadata = Metadata.from_tables({"t": free()})
    with pytest.raises(RuleError) as error:
        HMASynthesizer(metadata, rules={"t": lines})
    assert all(f"'{rule}'" in str(error.value) for rule in named)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a <= bb", "Did you mean 'b'"),
        ("a = quater(b)", "Did you mean 'quarter'"),
        ("one_off(a, b)", "Did you mean 'one_of'"),
        ("a equals b", "is no rule"),
        ("a, b, c, d -> a", "4 determinants"),
        ("import os", "is no rule"),
    ],
)
def test_what_is_not_understood_is_refused_with_a_hint(line, message):
    """A line that is no rule, or names what is not there, says what to write."""
    with pytest.raises(RuleError, match=message):
        read_rules(Metadata.from_tables({"t": free()}), {"t": [line]})


def test_inferred_rules_can_be_declared():
    """What is found is written so that it can be read again, and comes to the same."""
    columns = free().to_pydict()
    table = pa.table(columns).append_column("total", pc.add(columns["a"], pa.array(columns["b"])))
    metadata = Metadata.from_tables({"t": table})
    found = infer_rules(metadata, {"t": table}).of("t").texts()
    again = infer_rules(metadata, {"t": table}, {}, {"t": found}, infer=False).of("t").texts()
    assert found == again == ["total = a + b"]


def test_bounds_without_an_order_of_their_own_are_written_apart():
    """A column above two others says nothing of which of them is larger."""
    low, other = free().to_pydict()["a"], free().to_pydict()["b"]
    above = [max(a, b) + i % 7 for i, (a, b) in enumerate(zip(low, other, strict=True))]
    table = pa.table({"low": low, "other": other, "above": above})
    metadata = Metadata.from_tables({"t": table})
    (found,) = infer_rules(metadata, {"t": table}).of("t").texts()
    again = infer_rules(metadata, {"t": table}, {}, {"t": [found]}, infer=False).of("t")
    assert found == "low <= above and other <= above"
    assert again.texts() == ["low <= above", "other <= above"]


def test_the_synthesizer_keeps_declared_rules():
    """Rules given to the synthesizer hold on its samples, and are in its model."""
    table = free()
    metadata = Metadata.from_tables({"t": table})
    model = HMASynthesizer(metadata, row_model="copula", rules={"t": ["a <= b", "c = a + d"]})
    sample = model.fit({"t": table}).sample()["t"]
    assert pc.all(pc.less_equal(sample["a"], sample["b"])).as_py()
    assert pc.all(pc.equal(sample["c"], pc.add(sample["a"], sample["d"]))).as_py()
    assert {t: set(lines) for t, lines in model.rules.items()} == {"t": {"a <= b", "c = a + d"}}


@pytest.mark.parametrize(
    ("check", "right"),
    [
        ("luhn", ["4111111111111111", "79927398713", "4111-1111-1111-1111"]),
        ("ean13", ["4006381333931", "5901234123457"]),
        ("isbn13", ["978-0-306-40615-7"]),
        ("isbn10", ["0-306-40615-2", "080442957X"]),
        ("iban", ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32"]),
    ],
)
def test_check_digits_are_mended(check, right):
    """Right ids stay, and wrong check digits become right."""
    assert mended(pa.array(right), check).to_pylist() == right
    place = slice(2, 4) if check == "iban" else slice(-1, None)
    wrong = [list(text) for text in right]
    for text in wrong:
        text[place] = "00" if check == "iban" else "0"
    assert mended(pa.array(["".join(t) for t in wrong]), check).to_pylist() == right


def test_one_table_takes_rules_too():
    """A synthesizer of one table holds lines, finds others, or does neither."""
    table = free().append_column("e", pc.add(free()["a"], free()["b"]))
    made = GaussianCopulaSynthesizer(rules=["c <= d"]).fit(table).sample(300)
    assert pc.all(pc.less_equal(made["c"], made["d"])).as_py()
    assert pc.all(pc.equal(made["e"], pc.add(made["a"], made["b"]))).as_py()
    apart = GaussianCopulaSynthesizer(rules="none").fit(table).sample(300)
    assert not pc.all(pc.equal(apart["e"], pc.add(apart["a"], apart["b"]))).as_py()


def test_a_computed_column_is_no_condition():
    """The error names the rule, and what to hold instead."""
    table = free().append_column("e", pc.add(free()["a"], free()["b"]))
    with pytest.raises(SynthesisError, match=r"the rule 'e = a \+ b' computes it from 'a', 'b'"):
        GaussianCopulaSynthesizer().fit(table).sample(3, conditions={"e": 5})


def test_a_declared_unique_key_is_made():
    """No pair of values comes twice in the sample, though it does in the data."""
    table = free()
    metadata = Metadata.from_tables({"t": table})
    model = HMASynthesizer(metadata, row_model="copula", rules={"t": ["unique(a, b)"]})
    made = model.fit({"t": table}).sample()["t"]
    assert len(made.group_by(["a", "b"]).aggregate([])) == N


def test_an_order_and_a_formula_in_a_circle_are_refused():
    """A sum that is to be below one of its terms would follow from itself."""
    table = free()
    rules = {"t": ["a = b + c", "a <= b"]}
    with pytest.raises(RuleError, match=r"'a = b \+ c' and 'a <= b'"):
        infer_rules(Metadata.from_tables({"t": table}), {"t": table}, {}, rules)


def test_rules_on_keys_are_refused():
    """Keys are made by the frame, so that no rule can hold them."""
    table = free(id=pa.array(range(N)))
    metadata = Metadata.from_tables({"t": table})
    with pytest.raises(RuleError, match="names 'id', which is a key"):
        read_rules(metadata, {"t": ["luhn(id)"]})


def test_a_sum_that_a_type_cannot_hold_ends_at_its_last_value():
    """An 8-bit sum never wraps around."""
    table = free(s=pa.array([0] * N, pa.int8()))
    assert pc.min(restored(table, "s = 2 * a + b")["s"]).as_py() >= 0


@pytest.mark.parametrize(
    "line", ["low <= whole", "low < whole", "moment < day", "nothing <= whole"]
)
def test_orders_hold_on_the_targets_own_grid(line):
    """A whole number above a fraction is the next one, and a day after a moment the next day."""
    rng = np.random.default_rng(3)
    columns = {
        "low": rng.integers(0, 400, 500) / 4,
        "whole": rng.integers(0, 100, 500),
        "moment": pa.array(rng.integers(0, 10**7, 500), pa.timestamp("s")),
        "day": pa.array(rng.integers(0, 115, 500).astype(np.int32), pa.date32()),
        "nothing": pa.nulls(500, pa.float64()),
    }
    table = pa.table(columns)
    metadata = Metadata.from_tables({"t": table})
    rules = infer_rules(metadata, {"t": table}, {}, {"t": [line]}, infer=False).of("t")
    arrays = {c: table[c].combine_chunks() for c in table.column_names}
    made = rules.backward(arrays, {}, rng, 500)
    assert rules.rules[0].holds(Rows(made, {}, 500)).all()
    assert pa.table(made).schema == table.schema
