"""The single-table synthesizer's promises."""

from __future__ import annotations

import datetime as dt
import doctest

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth import single, single_networks
from prefect_synth.synth.errors import NotFittedError, SynthesisError, UniquenessError
from prefect_synth.synth.marginal_names import FAMILIES
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.single import GaussianCopulaSynthesizer
from prefect_synth.synth.storage import StorageError


@pytest.fixture(scope="module")
def people() -> pa.Table:
    """600 people with columns of many kinds."""
    rng = np.random.default_rng(5)
    n = 600
    age = rng.integers(18, 90, n)
    return pa.table(
        {
            "id": pa.array(np.arange(1, n + 1), pa.int32()),
            "first_name": [f"Real{i}" for i in range(n)],
            "age": pa.array(age, pa.int8()),
            "income": np.round(rng.gamma(4, 5000, n) + 300 * age, 2),
            "vip": pa.array(rng.random(n) < age / 200),
            "city": pa.array(rng.choice(["Rome", "Oslo", "Bern"], n)).dictionary_encode(),
            "seen": pa.array(
                np.datetime64("2024-01-01", "us") + np.timedelta64(1, "h") * np.arange(n),
                pa.timestamp("us", "UTC"),
            ),
            "note": pa.array(["x"] * n, mask=rng.random(n) < 0.4),
        }
    ).cast(
        pa.schema(
            [
                pa.field("id", pa.int32(), False, {"comment": "key"}),
                pa.field("first_name", pa.string()),
                pa.field("age", pa.int8()),
                pa.field("income", pa.float64()),
                pa.field("vip", pa.bool_(), False),
                pa.field("city", pa.dictionary(pa.int32(), pa.string())),
                pa.field("seen", pa.timestamp("us", "UTC")),
                pa.field("note", pa.string()),
            ],
            {"source": "crm"},
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def model(people) -> GaussianCopulaSynthesizer:
    """A synthesizer fitted on the people."""
    return GaussianCopulaSynthesizer(seed=3).fit(people)


def test_the_docstrings_example_runs():
    """What the documentation shows is true."""
    for module in (single, single_networks):
        found = doctest.testmod(module)
        assert (found.failed, found.attempted > 0) == (0, True)


def test_the_schema_is_exact(people, model):
    """Types, nullability and metadata of fields and schema are the input's."""
    made = model.sample(100)
    assert made.schema.equals(people.schema, check_metadata=True)
    assert len(made) == 100
    made.validate(full=True)
    assert len(set(made["id"].to_pylist())) == 100
    assert not set(made["first_name"].to_pylist()) & set(people["first_name"].to_pylist())


def test_seeds_decide(model):
    """The same seed draws the same table, another seed another; the default is the own seed."""
    assert model.sample(50, seed=1).equals(model.sample(50, seed=1))
    assert not model.sample(50, seed=1).equals(model.sample(50, seed=2))
    assert model.sample(50).equals(model.sample(50, seed=3))


def test_saved_models_draw_the_same(model, tmp_path):
    """A model read from disk draws the same rows."""
    model.save(tmp_path / "m")
    loaded = GaussianCopulaSynthesizer.load(tmp_path / "m")
    assert loaded.sample(80, seed=9).equals(model.sample(80, seed=9))
    assert loaded.sample(80, conditions={"vip": True}).equals(
        model.sample(80, conditions={"vip": True})
    )


def test_a_parquet_file_is_as_good_as_a_table(people, model, tmp_path):
    """Fitting a path equals fitting its table."""
    pq.write_table(people, tmp_path / "p.parquet")
    from_path = GaussianCopulaSynthesizer(seed=3).fit(tmp_path / "p.parquet")
    assert from_path.sample(40).equals(model.sample(40))


@pytest.mark.parametrize(
    "conditions",
    [
        {"vip": True},
        {"city": "Oslo"},
        {"age": 80},
        {"note": None},
        {"note": "x"},
        {"seen": dt.datetime(2024, 6, 1, 12, tzinfo=dt.UTC)},
        {"vip": False, "city": "Bern", "age": 19, "note": None},
    ],
)
def test_conditions_hold_on_every_row(people, model, conditions):
    """All rows have exactly what was asked for, and the schema stays."""
    made = model.sample(60, conditions=conditions)
    assert made.schema.equals(people.schema, check_metadata=True)
    for column, value in conditions.items():
        assert made[column].to_pylist() == [value] * 60


def test_conditions_shift_the_rest(model):
    """The old earn more than the young, and are more often VIPs."""
    old, young = (model.sample(2000, conditions={"age": a}) for a in (85, 20))
    assert np.mean(np.array(old["income"])) > np.mean(np.array(young["income"])) + 8000
    assert np.mean(np.array(old["vip"])) > np.mean(np.array(young["vip"])) + 0.1


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"shoe": 1}, "'shoe' cannot be a condition.*Modelled columns: age, income"),
        ({"id": 1}, "'id' cannot be a condition"),
        ({"first_name": "Ann"}, "'first_name' cannot be a condition"),
        ({"age": None}, "'age' is never null"),
        ({"age": "old"}, "age='old' is no int8"),
        ({"age": 1.5}, "age=1.5 is no int8"),
        ({"age": 1000}, "age=1000 is no int8"),
        ({"age": 10**30}, "is no int8"),
        ({"income": float("nan")}, "income=nan is no finite number"),
        ({"income": float("inf")}, "income=inf is no finite number"),
        ({"city": "Paris"}, "city='Paris' cannot be met: the value is too rare"),
    ],
)
def test_impossible_conditions_are_refused(model, conditions, message):
    """A condition that cannot hold is refused with column, value and reason."""
    with pytest.raises(SynthesisError, match=message):
        model.sample(5, conditions=conditions)


def test_texts_that_are_no_datetimes_are_no_condition():
    """A text column of datetimes takes only datetimes of its format."""
    days = [f"{d:02d}.0{m}.2020" for d in range(1, 29) for m in range(1, 5)]
    column = Column("day", "datetime", datetime_format="%d.%m.%Y")
    model = GaussianCopulaSynthesizer(Metadata({"t": Table("t", {"day": column})}))
    model.fit(pa.table({"day": days}))
    assert (
        model.sample(3, conditions={"day": "05.03.2020"})["day"].to_pylist() == ["05.03.2020"] * 3
    )
    with pytest.raises(SynthesisError, match=r"no datetime of the form '%d\.%m\.%Y'"):
        model.sample(3, conditions={"day": "soon"})


@pytest.mark.parametrize("rows", [0, -3])
def test_too_few_rows_are_refused(model, rows):
    """At least one row must be asked for."""
    with pytest.raises(SynthesisError, match=rf"num_rows must be at least 1, got {rows}."):
        model.sample(rows)


def test_one_row_and_many_rows(model):
    """One row, and more rows than were seen."""
    assert len(model.sample(1)) == 1
    assert len(set(model.sample(5000)["id"].to_pylist())) == 5000


def test_unfitted_use_is_refused(tmp_path):
    """Sampling, saving and asking for the table need a fit first."""
    empty = GaussianCopulaSynthesizer()
    for use in (lambda: empty.sample(1), lambda: empty.save(tmp_path), lambda: empty.table):
        with pytest.raises(NotFittedError, match=r"is not fitted yet. Call fit"):
            use()


def test_wrong_settings_are_refused_at_once(people):
    """Several tables, relations, unknown marginals and columns, and empty tables."""
    one = Table("t", {"a": Column("a", "id")}, ("a",))
    itself = Relationship("t", ("a",), "t", ("a",))
    with pytest.raises(SynthesisError, match=r"the metadata has 2. Use HMASynthesizer"):
        GaussianCopulaSynthesizer(Metadata({"t": one, "u": one}))
    with pytest.raises(SynthesisError, match=r"takes no relations.*'t.a -> t.a'"):
        GaussianCopulaSynthesizer(Metadata({"t": one}, (itself,)))
    with pytest.raises(SynthesisError, match=r"'cauchy' is not known. Use quantile, norm"):
        GaussianCopulaSynthesizer(default_marginal="cauchy")
    with pytest.raises(SynthesisError, match=r"given for 'size', but table 'table' has no such"):
        GaussianCopulaSynthesizer(marginals={"size": "beta"}).fit(people)
    with pytest.raises(SynthesisError, match=r"Table 'table' has no rows to learn from."):
        GaussianCopulaSynthesizer().fit(people.slice(0, 0))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_marginal_makes_a_table(people, family):
    """Each family fits every numeric type and keeps the schema."""
    made = GaussianCopulaSynthesizer(default_marginal=family).fit(people).sample(200)
    assert made.schema.equals(people.schema, check_metadata=True)
    assert np.mean(np.array(made["age"])) == pytest.approx(
        np.mean(np.array(people["age"])), rel=0.1
    )


def test_marginals_are_chosen_by_column(people):
    """A uniform income has no peak; the others keep theirs."""
    made = GaussianCopulaSynthesizer(marginals={"income": "uniform"}).fit(people).sample(4000)
    counts = np.histogram(np.array(made["income"]), 5)[0]
    assert counts.max() < 1.15 * counts.min()


def test_keys_of_several_columns_stay_unique():
    """A key of two columns does not repeat, at the size of the data and at twice it."""
    days = [dt.date(2024, 1, 1) + dt.timedelta(d) for d in range(60)]
    rates = pa.table(
        {
            "currency": ["EUR", "USD", "GBP"] * 60,
            "day": [d for d in days for _ in range(3)],
            "rate": np.random.default_rng(0).normal(size=180),
        }
    )
    columns = {c: Column(c, s) for c, s in (("currency", "categorical"), ("day", "datetime"),
                                            ("rate", "numerical"))}  # fmt: skip
    model = GaussianCopulaSynthesizer(
        Metadata({"rates": Table("rates", columns, ("currency", "day"))})
    ).fit(rates)
    for rows in (10, 180, 360):
        made = model.sample(rows).select(["currency", "day"]).to_pandas()
        assert not made.duplicated().any()
    euros = model.sample(20, conditions={"currency": "EUR"})
    assert len(set(euros["day"].to_pylist())) == 20
    with pytest.raises(UniquenessError, match=r"'rates' cannot hold 5 rows with unique \(currency"):
        model.sample(5, conditions={"currency": "EUR", "day": days[30]})


def test_missing_models_are_refused(tmp_path):
    """There is nothing to load in an empty folder."""
    with pytest.raises(StorageError, match=r"There is no model at"):
        GaussianCopulaSynthesizer.load(tmp_path)


def test_a_pandas_frame_is_taken_at_the_edge() -> None:
    """A frame counts as the table of its columns; its index is not one of them."""
    frame = pd.DataFrame({"x": np.arange(60) % 7, "y": ["a", "b", "c"] * 20}, index=range(5, 65))
    sampled = GaussianCopulaSynthesizer().fit(frame).sample(10)
    assert sampled.column_names == ["x", "y"]
