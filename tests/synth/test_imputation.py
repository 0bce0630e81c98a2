"""The network whose columns come in any order: conditions that all follow, and missing values."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_synth.synth.encoding.columns import fit_category, fit_number
from prefect_synth.synth.encoding.layout import Encoded
from prefect_synth.synth.errors import NotFittedError, SynthesisError
from prefect_synth.synth.row_models.argn_any_order import AnyOrderRowModel
from prefect_synth.synth.row_models.base import Among
from prefect_synth.synth.single import ARGNSynthesizer, TreesSynthesizer
from prefect_synth.synth.single_table import SingleTableSynthesizer

ROWS = 1500
NAMES = np.array(["no", "yes"])


def encoded(*columns):
    """Columns of numbers or texts, encoded side by side."""
    parts = []
    for values in columns:
        array = pa.array(values)
        encoder = fit_category(array) if pa.types.is_string(array.type) else fit_number(array)
        pieces, places = encoder.encode(array, np.random.default_rng(0))
        parts.append(Encoded(pieces[:, None], places[:, None], (encoder.layout,)))
    return Encoded.beside(parts, len(columns[0]))


@pytest.fixture(scope="module")
def coins():
    """Two coins, and whether they differ."""
    a, b = np.random.default_rng(0).integers(0, 2, (2, ROWS))
    return encoded(NAMES[a], NAMES[b], NAMES[a ^ b])


@pytest.fixture(scope="module")
def model(coins):
    """A network fitted on them."""
    return AnyOrderRowModel().fit(coins, Encoded.empty(ROWS), np.random.default_rng(1))


def test_any_column_follows_the_others(model, rng):
    """Whichever two are known, the third is decided; drawn from nothing all three agree."""
    pieces = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]).repeat(50, axis=0)
    for hidden in range(3):
        others = [j for j in range(3) if j != hidden]
        rows = Encoded(np.zeros((200, 3), int), np.full((200, 3), 0.5), model.layouts)
        rows.pieces[:, others] = pieces
        missing = np.zeros((200, 3), bool)
        missing[:, hidden] = True
        made = model.complete(rows, missing, Encoded.empty(200), rng)
        assert np.array_equal(made.pieces[:, others], pieces)
        assert np.mean(made.pieces[:, hidden] == pieces[:, 0] ^ pieces[:, 1]) > 0.97
    a, b, c = model.sample(Encoded.empty(ROWS), rng).pieces.T
    assert np.mean(a ^ b == c) > 0.97
    assert a.mean() == pytest.approx(0.5, abs=0.03)


def test_conditions_on_the_last_columns_are_exact(model, rng):
    """What comes before a held column follows it, each row on its own: no row is drawn twice."""
    held = {2: (1, 0.5), 1: (0, 0.5)}
    made = model.sample(Encoded.empty(400), rng, held)
    assert np.mean(made.pieces == [1, 0, 1]) > 0.98
    among = Among(np.array([1]), np.array([0.5]), np.array([0.5]), np.array([1.0]))
    made = model.sample(Encoded.empty(400), rng, {2: among, 0: (1, 0.5)})
    assert np.mean(made.pieces == [1, 0, 1]) > 0.98


def test_odds_are_those_of_the_network(rng):
    """With a context the odds of a condition are its probability there."""
    x = rng.integers(0, 2, 4000)
    y = np.where(rng.random(4000) < 0.9, x, 1 - x)
    context = encoded(NAMES[x], rng.normal(size=4000))
    rows = encoded(rng.normal(size=4000), NAMES[y])
    model = AnyOrderRowModel(epochs=10).fit(rows, context, rng)
    _, odds = model.sample_held(context.take(np.arange(500)), rng, {1: (1, 0.5)})
    assert odds[x[:500] == 1].mean() == pytest.approx(0.9, abs=0.1)
    assert odds[x[:500] == 0].mean() == pytest.approx(0.1, abs=0.1)


@pytest.fixture(scope="module")
def shop():
    """Sales: price by size, a total by a rule, and a note; some of each missing."""
    rng, n = np.random.default_rng(5), 1200
    size = rng.integers(0, 3, n)
    price = 10 * size + rng.integers(1, 5, n)
    fee = rng.integers(1, 9, n)
    days = [dt.date(2026, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 50, n)]
    holes = rng.random((5, n)) < 0.2
    return pa.table(
        {
            "id": pa.array(range(n)),
            "size": pa.array(np.array(["S", "M", "L"])[size], mask=holes[0]).dictionary_encode(),
            "price": pa.array(price, pa.int32(), mask=holes[1]),
            "fee": pa.array(fee),
            "total": pa.array(price + fee, pa.int64(), mask=holes[2]),
            "day": pa.array(days, pa.date32(), mask=holes[3]),
            "weight": pa.array(np.where(holes[4], np.nan, price * 1.5 + rng.normal(size=n))),
            "ever": pa.array(["x"] * n),
            "label": pa.array(np.array(["small", "middle", "large"])[size]),
        }
    )


@pytest.fixture(scope="module")
def fitted(shop):
    """A flexible network fitted on them."""
    return ARGNSynthesizer(flexible=True, seed=3).fit(shop)


def test_missing_values_are_filled_by_what_is_there(shop, fitted):
    """No null is left, what was there is as it was, and what is filled fits its row."""
    made = fitted.impute(shop)
    made.validate(full=True)
    assert made.schema.equals(shop.schema)
    assert all(made[c].null_count == 0 for c in made.column_names)
    assert not np.isnan(made["weight"].to_numpy()).any()
    for name in shop.column_names:
        old, new = shop[name].combine_chunks(), made[name].combine_chunks()
        there = old.is_valid() if name != "weight" else pc.invert(pc.is_nan(old))
        assert new.filter(there).to_pylist() == old.filter(there).to_pylist()
    price, size = made["price"].to_numpy(), np.array(made["size"].to_pylist())
    right = np.array(["S", "M", "L"])[np.clip(price // 10, 0, 2)] == size
    assert right[np.asarray(shop["size"].is_null())].mean() > 0.9
    assert right[np.asarray(shop["price"].is_null())].mean() > 0.9
    labels = dict(zip(["small", "middle", "large"], "SML", strict=True))
    named = np.array([labels[x] for x in made["label"].to_pylist()]) == size
    assert named.mean() > 0.99
    assert "total = price + fee" in fitted.part_.rules.texts()
    sums = np.asarray(pc.equal(made["total"], pc.add(made["price"], made["fee"])))
    assert np.all(sums[np.asarray(shop["total"].is_null())])
    assert sums.mean() > 0.99  # a missing price is drawn until it agrees with the total


def test_only_the_columns_asked_for_are_filled(shop, fitted):
    """Others keep their nulls; seeds decide; a model from disk fills alike."""
    made = fitted.impute(shop, columns=["size"])
    assert made["size"].null_count == 0
    assert made.drop_columns(["size", "weight"]).equals(shop.drop_columns(["size", "weight"]))
    assert (
        fitted.impute(shop, seed=1)
        .drop_columns(["weight"])
        .equals(fitted.impute(shop, seed=1).drop_columns(["weight"]))
    )
    assert not fitted.impute(shop, seed=1)["day"].equals(fitted.impute(shop, seed=2)["day"])


def test_a_model_from_disk_fills_alike(shop, fitted, tmp_path):
    """Saved, and read as any synthesizer, it is flexible still."""
    fitted.save(tmp_path)
    again = SingleTableSynthesizer.load(tmp_path)
    assert isinstance(again, ARGNSynthesizer)
    assert again.impute(shop)["price"].equals(fitted.impute(shop)["price"])


def test_rows_never_seen_are_filled(shop, fitted):
    """Nulls where training had none, and rows of nothing but nulls."""
    nothing = pa.table([pa.nulls(5, f.type) for f in shop.schema], shop.schema)
    made = fitted.impute(nothing)
    assert made["fee"].null_count == made["day"].null_count == 0
    assert made["id"].null_count == 5
    assert set(made["label"].to_pylist()) <= {"small", "middle", "large"}
    assert len(fitted.impute(shop.slice(0, 0))) == 0


def test_what_cannot_be_filled_is_refused(shop, fitted):
    """Keys, unknown columns, other schemas, other models, and models that are not fitted."""
    with pytest.raises(SynthesisError, match=r"'id' cannot be filled: it is no modelled column"):
        fitted.impute(shop, columns=["id"])
    with pytest.raises(SynthesisError, match=r"has not the columns and types that 'table' was"):
        fitted.impute(shop.drop_columns(["fee"]))
    with pytest.raises(SynthesisError, match=r"fills no missing values\. Use ARGNSynthesizer\("):
        ARGNSynthesizer(epochs=1).fit(shop).impute(shop)
    with pytest.raises(NotFittedError):
        ARGNSynthesizer(flexible=True).impute(shop)
    assert not hasattr(TreesSynthesizer, "impute")


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(holes=st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=40))
def test_any_pattern_of_holes_is_filled(holes, model):
    """What is known stays, whatever is missing is drawn, and nothing else is touched."""
    missing, rng = np.array(holes), np.random.default_rng(0)
    rows = Encoded(rng.integers(0, 2, missing.shape), np.full(missing.shape, 0.5), model.layouts)
    made = model.complete(rows, missing, Encoded.empty(len(rows)), rng)
    assert np.array_equal(made.pieces[~missing], rows.pieces[~missing])
    assert np.all((made.pieces >= 0) & (made.pieces < 2))
