"""Nothing rare, extreme or personal gets through an encoder or into a model's files."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.encoding.columns import fit_category, fit_number
from prefect_synth.synth.encoding.layout import RARE, from_uniform
from prefect_synth.synth.encoding.quantile import fit_quantiles
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.single import GaussianCopulaSynthesizer

some = settings(max_examples=60, deadline=None)


def drawn(encoder, count=4000):
    """Values at evenly spread uniform numbers: every piece is met."""
    rng = np.random.default_rng(0)
    piece, place = from_uniform(encoder.layout, (np.arange(count) + 0.5) / count)
    return encoder.decode(piece, place, rng)


@some
@given(st.lists(st.integers(0, 30), min_size=1, max_size=200))
def test_no_rare_category_is_published(numbers):
    """A category of fewer than 5 rows is neither kept nor drawn; 5 rows are enough."""
    values = pa.array([f"v{n}" for n in numbers])
    counts = {v: numbers.count(int(v[1:])) for v in set(values.to_pylist())}
    enough = {v for v, n in counts.items() if n >= 5}
    encoder = fit_category(values)
    assert (encoder is None) == (not enough)
    if encoder is not None:
        assert set(encoder.values.to_pylist()) == enough
        assert set(drawn(encoder).to_pylist()) == enough
        pieces, places = encoder.encode(values, np.random.default_rng(0))
        assert set(encoder.decode(pieces, places, np.random.default_rng(0)).to_pylist()) <= enough


def test_values_of_the_catalogues_enum_are_public():
    """An enum's value is kept even where it is seen once; other rare values are not."""
    values = pa.array(["new"] * 50 + ["paid", "oops"])
    assert fit_category(values, ("new", "paid", "void")).values.to_pylist() == ["new", "paid"]


def test_rare_categories_count_as_frequent_ones():
    """Rows of a dropped category are spread over those that stay, by their shares."""
    values = pa.array(["a"] * 300 + ["b"] * 100 + [f"r{i}" for i in range(100)])
    encoder = fit_category(values)
    pieces, _ = encoder.encode(values, np.random.default_rng(0))
    assert np.bincount(pieces[400:])[1] == pytest.approx(25, abs=15)
    np.testing.assert_allclose(encoder.layout.probabilities, [0.75, 0.25])


EXTREMES = {
    "int": pa.array([-987_654, *range(300), 987_654]),
    "float": pa.array([-9876.54321, *np.random.default_rng(0).normal(size=300), 9876.54321]),
    "cents": pa.array([-9876.54, *np.round(np.random.default_rng(0).normal(size=300), 2), 9876.54]),
    "decimal": pa.array([decimal.Decimal(v) for v in (-98765, *range(300), 98765)]),
    "date": pa.array([dt.date(1901, 2, 3), *[dt.date(2020, 1, 1)] * 150,
                      *[dt.date(2021, 1, 1)] * 150, dt.date(2099, 9, 9)]),
    "timestamp": pa.array([dt.datetime(1901, 2, 3, 4), *[dt.datetime(2020, 1, 1)] * 150,
                           *[dt.datetime(2021, 1, 1)] * 150, dt.datetime(2099, 9, 9, 9)]),
    "duration": pa.array([-9_876_543, *range(300), 9_876_543], pa.duration("s")),
}  # fmt: skip


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("marginal", ["quantile", "norm", "student_t", "gaussian_kde", "uniform"])
def test_unique_extremes_are_never_published(name, marginal):
    """Draws stay strictly inside a smallest and a largest value that one row each has."""
    values = EXTREMES[name]
    out = drawn(fit_number(values, marginal))
    kind = pa.float64() if name == "decimal" else pa.int64() if name != "float" else pa.float64()
    plain = [v.cast(pa.int32()) if pa.types.is_date32(v.type) else v for v in (values, out)]
    real, made = (np.array(v.cast(pa.float64() if name == "cents" else kind)) for v in plain)
    assert made.min() > real.min()
    assert made.max() < real.max()


@some
@given(st.lists(st.integers(-50, 50), min_size=1, max_size=150))
def test_pieces_stand_for_many_rows(ticks):
    """Every piece of a quantile marginal is worth 10 rows, or the whole column is one stretch."""
    fitted = fit_quantiles(np.array(ticks, float), whole=True)
    assert fitted.weights.sum() == pytest.approx(1)
    assert np.all(fitted.lows <= fitted.highs)
    assert np.all(fitted.highs[:-1] < fitted.lows[1:])
    if len(fitted.lows) > 1:
        counts = [sum(lo <= t <= hi for t in ticks) for lo, hi in zip(*ends(fitted), strict=True)]
        assert min(counts) >= 5


def ends(fitted):
    """Lower and upper ticks of the pieces."""
    return fitted.lows, fitted.highs


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
@pytest.mark.parametrize("marginal", ["quantile", "norm", "uniform", "beta", "gamma"])
def test_a_handful_of_values_is_not_handed_out(rows, marginal):
    """Of one to four values no draw repeats one to the last digit, whatever the marginal."""
    values = pa.array(np.array([71_234.567, 71_999.125, 70_003.375, 72_001.625][:rows]))
    out = drawn(fit_number(values, marginal), 500)
    assert not set(out.to_pylist()) & set(values.to_pylist())


CANARY = "canary.f8a1"


@pytest.fixture(scope="module")
def guarded() -> pa.Table:
    """400 customers, one of whom stands out in every column."""
    rng = np.random.default_rng(3)
    n = 400
    columns = {
        "id": pa.array([*range(1, n), 77_654_321]),
        "email": [*(f"user{i}@mail.example" for i in range(n - 1)), f"{CANARY}@mail.example"],
        "plan": [*rng.choice(["free", "paid"], n - 1).tolist(), f"{CANARY}-plan"],
        "income": [*rng.integers(10_000, 90_000, n - 1).tolist(), 918_273_645],
        "score": [*np.round(rng.normal(size=n - 1), 3).tolist(), 123_456.789],
        "born": [dt.date(1970, 1, 1) + dt.timedelta(int(d)) for d in rng.integers(0, 9999, n - 1)]
        + [dt.date(1888, 8, 8)],
        "note": [*(f"called on day {i} again" for i in range(n - 1)), f"hears {CANARY} sing"],
        "code": [*(f"AB-{i:04d}" for i in range(n - 1)), "ZQ-9999"],
        "tags": [["x"], ["y", "z"]] * ((n - 1) // 2) + [["x"], [CANARY]],
        "blob": [bytes([1, i % 256, i // 256]) for i in range(n - 1)] + [CANARY.encode()],
    }
    return pa.table(columns)


def test_canaries_are_in_no_model_and_no_sample(guarded, tmp_path, stored_bytes):
    """One row's e-mail, category, numbers, texts and bytes are in no file and no sample."""
    model = GaussianCopulaSynthesizer().fit(guarded)
    sample = model.sample(5000, seed=1)
    model.save(tmp_path / "model")
    stored = stored_bytes(tmp_path / "model")
    assert CANARY.encode() not in stored
    for number in (918_273_645, 77_654_321):
        assert str(number).encode() not in stored
        assert np.array([number], "<f8").tobytes() not in stored
        assert np.array([number], "<i8").tobytes() not in stored
    assert np.array([123_456.789]).tobytes() not in stored
    assert np.array([123_456_789.0]).tobytes() not in stored
    assert not any(CANARY in str(v) for c in sample.columns for v in c.to_pylist())
    assert pc.max(sample["income"]).as_py() < 100_000
    assert pc.max(sample["score"]).as_py() < 100
    assert pc.min(sample["born"]).as_py() > dt.date(1960, 1, 1)


def test_no_real_text_is_in_the_model(guarded, tmp_path, stored_bytes):
    """Not one of the real e-mails, notes and codes is in the model's files."""
    GaussianCopulaSynthesizer().fit(guarded).save(tmp_path)
    stored = stored_bytes(tmp_path)
    for column in ("email", "note", "code"):
        assert not [v for v in guarded[column].to_pylist() if v.encode() in stored]


def test_models_are_json_and_safetensors(guarded, schema_of, tmp_path):
    """A saved hierarchy has no other files, and none that pickle has written."""
    metadata = schema_of({"t": "id"}, {"t": guarded}, [])
    HMASynthesizer(metadata).fit({"t": guarded}).save(tmp_path)
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert {p.suffix for p in files} == {".json", ".safetensors"}
    starts = {p.read_bytes()[8 * (p.suffix == ".safetensors") :][:1] for p in files}
    assert starts == {b"{"}


def test_kept_tables_are_the_only_real_rows(guarded, schema_of, tmp_path):
    """A table that is kept is in the model as it is: by the user's word, and only then."""
    metadata = schema_of({"t": "id"}, {"t": guarded}, [])
    model = HMASynthesizer(metadata, keep=["t"]).fit({"t": guarded})
    assert model.sample()["t"].equals(guarded)


def test_empty_columns_after_protection_stay_valid(rng):
    """Columns in which every value is rare still make rows."""
    table = pa.table({"word": [f"w{i}" for i in range(30)], "n": rng.integers(0, 10**9, 30)})
    sample = GaussianCopulaSynthesizer().fit(table).sample(30)
    assert sample.schema == table.schema
    assert not set(sample["word"].to_pylist()) & set(table["word"].to_pylist())


@pytest.mark.parametrize(("rows", "exact"), [(RARE - 1, False), (RARE, True)])
def test_a_few_values_are_kept_like_categories(rows, exact):
    """Below 20 values a number is kept exactly where as many rows share it as a category needs."""
    fitted = fit_quantiles(np.repeat([71.0, 94.0], rows), whole=True)
    assert (fitted.lows.tolist() == fitted.highs.tolist() == [71.0, 94.0]) == exact
    kept = fit_category(pa.array(np.repeat(["x", "y"], rows)))
    assert (kept is not None) == exact


def test_rules_keep_nothing_of_one_person(schema_of):
    """What a person's many rows have in common is no map of the domain, where people are known."""
    who = np.repeat(np.arange(60), 20)
    tables = {
        "people": pa.table({"id": np.arange(60)}),
        "orders": pa.table(
            {
                "people_id": who,
                "label": [f"L{v * 7_654_321:09d}" for v in who],
                "memo": [f"M{v * 9_876_543:09d}" for v in who],
            }
        ),
    }
    metadata = schema_of({"people": "id"}, tables, ["orders.people_id -> people.id"])
    model = HMASynthesizer(metadata, unit="people").fit(tables)
    made = model.sample(seed=1)["orders"]
    assert model.rules == {}
    assert not {*made["label"].to_pylist()} & {*tables["orders"]["label"].to_pylist()}
    assert not {*made["memo"].to_pylist()} & {*tables["orders"]["memo"].to_pylist()}
