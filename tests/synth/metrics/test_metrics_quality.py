"""The quality score: SDMetrics' figures, and laws that hold for all data."""

import json
import runpy
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.metrics.quality import quality
from prefect_synth.synth.metrics.sources import MetricsError

ORACLE = Path(__file__).parents[2] / "oracle" / "sdmetrics_scores.py"
RECORDED = json.loads(ORACLE.with_suffix(".json").read_text())
SDTYPES = {"amount": "numerical", "city": "categorical", "active": "boolean", "day": "datetime"}


@pytest.fixture(scope="module")
def cases():
    """The oracle's tables, made anew."""
    return runpy.run_path(str(ORACLE))["cases"]()


def as_arrow(tables):
    """Tables from lists."""
    return {name: pa.table(columns) for name, columns in tables.items()}


def as_metadata(sdtypes, relationships):
    """Metadata from sdtypes by table and column."""
    tables = {
        name: Table(name, {c: Column(c, sdtype) for c, sdtype in columns.items()})
        for name, columns in sdtypes.items()
    }
    links = (Relationship(c, tuple(cc), p, tuple(pc)) for c, cc, p, pc in relationships)
    return Metadata(tables, tuple(links))


@pytest.fixture(params=RECORDED)
def scored(request, cases):
    """Our score of a case, and SDMetrics' recorded one."""
    real, synthetic, sdtypes, relationships = cases[request.param]
    metadata = as_metadata(sdtypes, relationships)
    score = quality(as_arrow(real), as_arrow(synthetic), metadata)
    return score, RECORDED[request.param]


@pytest.mark.parametrize(
    "name",
    ["overall", "column_shapes", "column_pair_trends", "cardinality", "intertable_trends"],
)
def test_properties_agree_with_sdmetrics(scored, name):
    """The overall score and each property are those that SDMetrics 0.32 gives."""
    score, recorded = scored
    assert recorded.get(name) == pytest.approx(getattr(score, name), abs=1e-6)


@pytest.mark.parametrize("part", ["per_column", "per_relationship"])
def test_parts_agree_with_sdmetrics(scored, part):
    """Every column's and relationship's score is SDMetrics', and the same ones have a score."""
    score, recorded = scored
    assert pytest.approx(recorded.get(part, {}), abs=1e-6) == dict(getattr(score, part))


def test_pairs_agree_with_sdmetrics(scored):
    """Every pair's score is SDMetrics', within and across tables, and the same pairs count."""
    score, recorded = scored
    expected = recorded["per_pair"] | recorded.get("intertable", {})
    assert pytest.approx(expected, abs=1e-6) == dict(score.per_pair)


def test_columns_without_values_are_named(cases):
    """A column that is null on one side has no score, as in SDMetrics, but is not passed over."""
    real, synthetic, sdtypes, relationships = cases["flat"]
    score = quality(as_arrow(real), as_arrow(synthetic), as_metadata(sdtypes, relationships))
    assert score.unscored == ("people.city",)


def test_score_is_plain_json(scored):
    """A score survives a round trip through strict JSON."""
    score, _ = scored
    document = score.to_dict()
    assert document == json.loads(json.dumps(document, allow_nan=False))


@st.composite
def tables(draw, max_rows=40):
    """Small tables with nulls in every column."""
    rows = draw(st.integers(2, max_rows))

    def column(values):
        return draw(st.lists(st.none() | values, min_size=rows, max_size=rows))

    return pa.table(
        {
            "amount": pa.array(column(st.floats(-1e6, 1e6)), pa.float64()),
            "city": pa.array(column(st.sampled_from("abc")), pa.string()),
            "active": pa.array(column(st.booleans()), pa.bool_()),
            "day": pa.array(column(st.integers(0, 20_000)), pa.int32()).cast(pa.date32()),
        }
    )


METADATA = as_metadata({"t": SDTYPES}, [])


def score_values(score):
    """Every figure of a score."""
    parts = (score.per_column, score.per_pair, score.per_relationship, score.per_table)
    overall = [] if score.overall is None else [score.overall]
    return [*overall, *(value for part in parts for value in part.values())]


@settings(deadline=None, max_examples=60)
@given(tables())
def test_identical_tables_score_one(table):
    """A table compared with itself scores 1 in everything that has a score."""
    assert {1.0} >= set(score_values(quality({"t": table}, {"t": table}, METADATA)))


@settings(deadline=None, max_examples=60)
@given(tables(), tables())
def test_scores_lie_between_zero_and_one(real, synthetic):
    """Whatever the data, no score leaves [0, 1]."""
    values = score_values(quality({"t": real}, {"t": synthetic}, METADATA))
    assert [value for value in values if not 0 <= value <= 1] == []


@settings(deadline=None, max_examples=60)
@given(tables(), tables(), st.integers(0, 2**32 - 1))
def test_order_of_rows_does_not_matter(real, synthetic, seed):
    """Permuting the synthetic rows changes no score."""
    order = np.random.default_rng(seed).permutation(synthetic.num_rows)
    score = quality({"t": real}, {"t": synthetic}, METADATA)
    permuted = quality({"t": real}, {"t": synthetic.take(pa.array(order))}, METADATA)
    assert pytest.approx(dict(score.per_column)) == dict(permuted.per_column)
    assert pytest.approx(dict(score.per_pair)) == dict(permuted.per_pair)


def test_self_reference_is_scored():
    """A table that refers to itself has a cardinality and trends between boss and subordinate."""
    rng = np.random.default_rng(0)
    level = rng.integers(0, 3, 90)
    staff = pa.table({"id": range(90), "boss": [None, *rng.integers(0, 90, 89)], "level": level})
    metadata = as_metadata(
        {"staff": {"id": "id", "boss": "id", "level": "categorical"}},
        [("staff", ["boss"], "staff", ["id"])],
    )
    score = quality({"staff": staff}, {"staff": staff}, metadata)
    assert score.cardinality == 1.0


def test_generated_columns_are_not_scored():
    """Personal data are made up, so their likeness to the real ones says nothing."""
    columns = {"email": Column("email", "categorical", pii=True), "age": Column("age", "numerical")}
    table = pa.table({"email": ["a", "b"], "age": [1, 2]})
    score = quality({"t": table}, {"t": table}, Metadata({"t": Table("t", columns)}))
    assert list(score.per_column) == ["t.age"]


def test_storage_types_do_not_matter():
    """Dictionaries, decimals, small integers and dates score like the plain values they hold."""
    plain = pa.table({"amount": [1.0, 2.0, 2.0, None], "city": ["a", "b", "b", None]})
    other = pa.table(
        {
            "amount": plain["amount"].cast(pa.decimal128(8, 2)),
            "city": plain["city"].dictionary_encode(),
        }
    )
    metadata = as_metadata({"t": {"amount": "numerical", "city": "categorical"}}, [])
    assert set(score_values(quality({"t": plain}, {"t": other}, metadata))) == {1.0}


def test_dates_in_text_are_parsed():
    """Datetimes stored as text are compared as datetimes, by the format that the metadata give."""
    columns = {"day": Column("day", "datetime", datetime_format="%d.%m.%Y")}
    real = pa.table({"day": ["01.02.2024", "03.02.2024", None, "05.02.2024"]})
    synthetic = pa.table({"day": ["01.02.2024", "03.02.2024", "09.03.2024", "no date"]})
    score = quality({"t": real}, {"t": synthetic}, Metadata({"t": Table("t", columns)}))
    assert score.per_column["t.day"] == pytest.approx(2 / 3)


def test_missing_column_is_said():
    """A column that the synthetic table lacks is an error that names table, column and side."""
    real = pa.table({"amount": [1.0]})
    with pytest.raises(MetricsError, match=r"Table 't' has no column 'amount' in the synthetic"):
        quality(
            {"t": real},
            {"t": pa.table({"x": [1]})},
            as_metadata({"t": {"amount": "numerical"}}, []),
        )


def test_missing_table_is_said():
    """A table that the synthetic data lack is an error that names it."""
    table = pa.table({"amount": [1.0]})
    with pytest.raises(MetricsError, match=r"Table 't' is missing in the synthetic data"):
        quality({"t": table}, {}, as_metadata({"t": {"amount": "numerical"}}, []))


def test_empty_tables_have_no_score():
    """Tables without rows are compared without a warning, and score nothing."""
    empty = pa.table({"amount": pa.array([], pa.float64())})
    metadata = as_metadata({"t": {"amount": "numerical"}}, [])
    assert quality({"t": empty}, {"t": empty}, metadata).overall is None


def test_cardinality_may_compare_with_the_whole_data():
    """Where half of the real children were held out, the whole data's degrees are the measure."""
    links = [("orders", ["who"], "people", ["id"])]
    metadata = as_metadata({"people": {"id": "id"}, "orders": {"who": "id"}}, links)
    people = pa.table({"id": [1, 2]})
    whole, half = (
        {"people": people, "orders": pa.table({"who": w})} for w in ([1, 1, 2, 2], [1, 2])
    )
    assert quality(half, whole, metadata).cardinality == 0.0
    assert quality(half, whole, metadata, degrees=whole).cardinality == 1.0


def test_cardinality_may_cover_some_relationships():
    """A relationship that is not covered has no cardinality."""
    links = [("orders", ["who"], "people", ["id"]), ("orders", ["by"], "people", ["id"])]
    metadata = as_metadata({"people": {"id": "id"}, "orders": {"who": "id", "by": "id"}}, links)
    tables = {"people": pa.table({"id": [1, 2]}), "orders": pa.table({"who": [1], "by": [2]})}
    score = quality(tables, tables, metadata, cardinality_of=metadata.relationships[:1])
    assert list(score.per_relationship) == ["orders.who"]
