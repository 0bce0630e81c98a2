"""What every synthesizer of the registry promises, whatever its row model."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_synth.synth.errors import NotFittedError, SynthesisError
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.registry import SYNTHESIZERS, resolve
from prefect_synth.synth.single import (
    ARGNSynthesizer,
    AutoSynthesizer,
    GaussianCopulaSynthesizer,
    TreesSynthesizer,
    TVAESynthesizer,
)
from prefect_synth.synth.single_drawing import BLOCK
from prefect_synth.synth.single_gan import (
    PLAIN,
    CopulaGANSynthesizer,
    CTGANSynthesizer,
    GANSynthesizer,
)
from prefect_synth.synth.single_sequences import (
    DoppelGANgerSynthesizer,
    PARSynthesizer,
    TimeGANSynthesizer,
)
from prefect_synth.synth.single_table import SingleTableSynthesizer
from prefect_synth.synth.storage import StorageError

Maker = Callable[..., SingleTableSynthesizer]


class IndependentSynthesizer(SingleTableSynthesizer):
    """Columns are drawn alone."""

    row_model = "independent"


class FlexibleSynthesizer(ARGNSynthesizer):
    """Columns in any order."""

    row_model = "argn-flexible"

    def __init__(self, metadata: Metadata | None = None, **settings: Any) -> None:
        super().__init__(metadata, **{"flexible": True, "epochs": 2, **settings})


MAKERS: dict[str, Maker] = {
    "auto": AutoSynthesizer,
    "fast": GaussianCopulaSynthesizer,
    "copula": GaussianCopulaSynthesizer,
    "trees": TreesSynthesizer,
    "argn": partial(ARGNSynthesizer, epochs=2),
    "argn-flexible": FlexibleSynthesizer,
    "par": partial(PARSynthesizer, epochs=2),
    "tvae": partial(TVAESynthesizer, epochs=2),
    "timegan": partial(TimeGANSynthesizer, epochs=2),
    "doppelganger": partial(DoppelGANgerSynthesizer, epochs=2),
    "independent": IndependentSynthesizer,
    **{name: partial(GANSynthesizer, objective=name, epochs=1) for name in PLAIN},
    "ctgan": partial(CTGANSynthesizer, epochs=1),
    "copula-gan": partial(CopulaGANSynthesizer, epochs=1),
}
VARIANTS = {"gan", "wgan", "dragan", "cramer-gan", "cwgan-gp", "copula-gan"}
"""Of whose code others have every line but their row of the table of objectives."""
every_one = pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow if n in VARIANTS else ())
        for n in SYNTHESIZERS
        if n != "fast"
    ],
)


@pytest.fixture(scope="module")
def shop() -> pa.Table:
    """400 sales with columns of many kinds and nulls, one of them always null."""
    rng, n = np.random.default_rng(5), 400
    size = rng.integers(0, 3, n)
    columns = {
        "id": pa.array(np.arange(1, n + 1), pa.int32()),
        "size": pa.array(np.array(["S", "M", "L"])[size]).dictionary_encode(),
        "price": pa.array(np.round(rng.gamma(4, 5, n) + 20 * size, 2)),
        "pieces": pa.array(rng.integers(1, 90, n), pa.int8()),
        "paid": pa.array(rng.random(n) < 0.3 + 0.3 * size),
        "at": pa.array(np.datetime64("2024-01-01", "us") + np.timedelta64(1, "h") * np.arange(n)),
        "day": pa.array(
            [dt.date(2024, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 50, n)]
        ),
        "note": pa.array(rng.choice(["x", "y"], n), mask=rng.random(n) < 0.4),
        "same": pa.array(["always"] * n),
        "never": pa.nulls(n, pa.float64()),
    }
    fields = [pa.field(c, a.type, c in ("note", "never")) for c, a in columns.items()]
    return pa.table(list(columns.values()), pa.schema(fields, {"source": "till"}))


class Fitted(dict[str, SingleTableSynthesizer]):
    """Synthesizers by name."""

    def __init__(self, table: pa.Table) -> None:
        super().__init__()
        self.table = table

    def __missing__(self, name: str) -> SingleTableSynthesizer:
        self[name] = MAKERS[name](seed=3).fit(self.table)
        return self[name]


@pytest.fixture(scope="module")
def fitted(shop) -> Fitted:
    """Each synthesizer, fitted on the shop when it is first asked for."""
    return Fitted(shop)


def test_all_names_are_under_contract():
    """No synthesizer of the registry is left out."""
    assert set(MAKERS) == set(SYNTHESIZERS)
    assert all(resolve(name) == _row_model(make) for name, make in MAKERS.items())


def _row_model(make: Maker) -> str:
    return make().row_model


@every_one
def test_unfitted_use_is_refused(name, tmp_path):
    """Sampling, saving and asking for the table need a fit first."""
    empty = MAKERS[name]()
    for use in (
        lambda: empty.sample(1),
        lambda: empty.sample_batches(1),
        lambda: empty.save(tmp_path),
        lambda: empty.table,
    ):
        with pytest.raises(NotFittedError, match=rf"^{type(empty).__name__} is not fitted yet"):
            use()


@every_one
def test_the_schema_is_exact(name, shop, fitted):
    """Types, nullability and metadata are the input's, keys unique, nulls where there were some."""
    made = fitted[name].sample(130)
    made.validate(full=True)
    assert made.schema.equals(shop.schema, check_metadata=True)
    assert len(made) == len(set(made["id"].to_pylist())) == 130
    assert set(made["same"].to_pylist()) == {"always"}
    assert {c: made[c].null_count for c in ("id", "price", "never")} == {
        "id": 0,
        "price": 0,
        "never": 130,
    }
    assert 20 < made["note"].null_count < 90


@every_one
def test_seeds_decide(name, shop, fitted):
    """The same data and seed give the same rows, in a second fit too; another seed others."""
    model = fitted[name]
    assert model.sample(50, seed=1).equals(model.sample(50, seed=1))
    assert not model.sample(50, seed=1).equals(model.sample(50, seed=2))
    assert MAKERS[name](seed=3).fit(shop).sample(50).equals(model.sample(50, seed=3))


@every_one
def test_a_saved_model_draws_the_same(name, fitted, tmp_path):
    """Read from disk, by its own class or the general one, it draws the same rows."""
    model = fitted[name]
    model.save(tmp_path)
    for cls in (type(model), SingleTableSynthesizer):
        loaded = cls.load(tmp_path)
        assert type(loaded) is type(model)
        assert loaded.sample(60, seed=9).equals(model.sample(60, seed=9))
    assert loaded._settings() == model._settings()


def test_a_model_of_another_class_is_refused(fitted, tmp_path):
    """Trees cannot be read as a copula."""
    fitted["trees"].save(tmp_path)
    with pytest.raises(StorageError, match=r"is no GaussianCopulaSynthesizer, but a TreesSynth"):
        GaussianCopulaSynthesizer.load(tmp_path)


@every_one
@pytest.mark.parametrize(
    "conditions",
    [
        {"paid": True},
        {"size": "L", "note": None},
        {"price": 41.25},
        {"pieces": 80, "note": "x"},
        {"at": dt.datetime(2024, 1, 9, 12)},
        {"never": None},
    ],
)
def test_conditions_hold_on_every_row(name, shop, fitted, conditions):
    """All rows asked for come, with exactly what was asked for."""
    made = fitted[name].sample(40, conditions=conditions)
    assert made.schema.equals(shop.schema, check_metadata=True)
    for column, value in conditions.items():
        assert made[column].to_pylist() == [value] * 40


@every_one
def test_impossible_conditions_are_refused(name, fitted):
    """Unknown columns, keys, nulls where there are none, and values never seen."""
    for conditions, message in (
        ({"shoe": 1}, "'shoe' cannot be a condition"),
        ({"id": 1}, "'id' cannot be a condition"),
        ({"price": None}, "'price' is never null"),
        ({"size": "XXL"}, "too rare, or was never seen"),
    ):
        with pytest.raises(SynthesisError, match=message):
            fitted[name].sample(5, conditions=conditions)


@every_one
def test_numbers_asked_for_are_checked(name, fitted):
    """At least one row, and one row a batch."""
    for use in (fitted[name].sample, fitted[name].sample_batches):
        with pytest.raises(SynthesisError, match=r"num_rows must be at least 1, got 0\."):
            use(0)
    with pytest.raises(SynthesisError, match=r"rows_per_batch must be at least 1, got 0\."):
        fitted[name].sample_batches(3, rows_per_batch=0)


@every_one
@pytest.mark.parametrize("rows_per_batch", [1, 7, 30, 100])
def test_batches_are_the_sample_in_parts(name, fitted, rows_per_batch):
    """One below the other they are what `sample` gives, conditions and all."""
    asked = {"seed": 4, "conditions": {"paid": True}}
    batches = list(fitted[name].sample_batches(30, **asked, rows_per_batch=rows_per_batch))
    assert {len(b) for b in batches[:-1]} <= {rows_per_batch}
    assert pa.concat_tables(batches).equals(fitted[name].sample(30, **asked))


@pytest.mark.parametrize("name", ["copula", "trees"])
def test_blocks_do_not_show(name, fitted):
    """More rows than a block: keys stay unique, and no batch size changes a row."""
    rows = BLOCK + 10
    whole = fitted[name].sample(rows)
    batches = list(fitted[name].sample_batches(rows, rows_per_batch=BLOCK - 1))
    assert [len(b) for b in batches] == [BLOCK - 1, 11]
    assert pa.concat_tables(batches).unify_dictionaries().equals(whole.unify_dictionaries())
    assert len(set(whole["id"].to_pylist())) == rows


@every_one
def test_odd_tables_are_fitted(name):
    """One row; only constants; only nulls; only unique values; one column; a key alone."""
    for columns in (
        {"x": [1.5], "k": ["a"]},
        {"x": [1.0] * 40, "k": ["a"] * 40},
        {"x": pa.nulls(40, pa.int64()), "k": pa.nulls(40, pa.string())},
        {"x": np.arange(40.0), "k": [f"name {i}" for i in range(40)]},
        {"x": [0.5, None] * 20},
        {"id": list(range(40))},
    ):
        table = pa.table(columns)
        made = MAKERS[name]().fit(table).sample(9)
        assert made.schema.equals(table.schema)
        assert len(made) == 9


@every_one
def test_empty_tables_and_wrong_columns_are_refused(name, shop, fitted):
    """There must be a row to learn from, and the columns that the metadata describes."""
    with pytest.raises(SynthesisError, match=r"Table 'table' has no rows to learn from\."):
        MAKERS[name]().fit(shop.slice(0, 0))
    metadata = fitted[name].metadata
    with pytest.raises(SynthesisError, match=r"'table\.colour' is in the table, but not in"):
        MAKERS[name](metadata).fit(shop.append_column("colour", pa.array(["red"] * len(shop))))
    with pytest.raises(SynthesisError, match=r"'table\.size' is in the metadata, but not in"):
        MAKERS[name](metadata).fit(shop.drop_columns(["size"]))


columns_of_any_kind = st.lists(
    st.sampled_from(["int", "float", "text", "bool", "date"]), min_size=1, max_size=4
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["auto", "trees", "argn"]), columns_of_any_kind, st.data())
def test_any_table_is_copied(name, kinds, data):
    """Whatever a column holds, its copy has its type, and nulls only where it had some."""
    values = {
        "int": st.integers(-(2**40), 2**40),
        "float": st.floats(-1e9, 1e9),
        "text": st.text(max_size=3),
        "bool": st.booleans(),
        "date": st.dates(dt.date(1950, 1, 1), dt.date(2090, 1, 1)),
    }
    types = {
        "int": pa.int64(), "float": pa.float64(), "text": pa.string(),
        "bool": pa.bool_(), "date": pa.date32(),
    }  # fmt: skip
    n = data.draw(st.integers(1, 60))
    table = pa.table(
        {
            f"c{i}": pa.array(
                data.draw(st.lists(st.none() | values[k], min_size=n, max_size=n)), types[k]
            )
            for i, k in enumerate(kinds)
        }
    )
    made = MAKERS[name]().fit(table).sample(17)
    assert made.schema.equals(table.schema)
    for column in table.column_names:
        assert made[column].null_count == 0 or table[column].null_count > 0
