"""The diagnostic score: SDMetrics' figures, and planted faults."""

import json

import pyarrow as pa
import pytest

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.metrics.diagnostic import diagnostic, key_uniqueness
from prefect_synth.synth.metrics.sources import MetricsError

METADATA = Metadata(
    {
        "shops": Table("shops", {"id": Column("id", "id"), "city": Column("city")}, ("id",)),
        "sales": Table(
            "sales",
            {"shop": Column("shop", "id"), "day": Column("day", "numerical")},
            sequence_index="day",
        ),
    },
    (Relationship("sales", ("shop",), "shops", ("id",)),),
)
REAL = {
    "shops": pa.table({"id": [1, 2, 3, 4], "city": ["a", "b", "a", "b"]}),
    "sales": pa.table({"shop": [1, 1, 2, 3, 4], "day": [1, 2, 1, 1, 1]}),
}


def diagnose(**changed):
    """The diagnosis of the real tables, some of them changed."""
    return diagnostic(REAL, {**REAL, **changed}, METADATA)


@pytest.mark.parametrize(
    "name", ["overall", "data_validity", "data_structure", "relationship_validity"]
)
def test_diagnosis_agrees_with_sdmetrics(oracle_case, name):
    """The overall score and each property are those that SDMetrics 0.32 gives."""
    score = diagnostic(oracle_case.real, oracle_case.synthetic, oracle_case.metadata)
    expected = oracle_case.recorded["diagnostic"].get(name)
    assert expected == pytest.approx(getattr(score, name), abs=1e-6)


@pytest.mark.parametrize("part", ["per_column", "per_table", "per_relationship"])
def test_diagnosed_parts_agree_with_sdmetrics(oracle_case, part):
    """Every column's, table's and relationship's score is SDMetrics'."""
    score = diagnostic(oracle_case.real, oracle_case.synthetic, oracle_case.metadata)
    expected = {n: pytest.approx(s, abs=1e-6) for n, s in getattr(score, part).items()}
    assert oracle_case.recorded["diagnostic"][part] == expected


def test_real_tables_are_valid():
    """Real tables diagnosed as their own copy score 1."""
    assert diagnose().overall == 1.0


def test_a_repeated_key_is_found():
    """One of four keys that is another's scores three quarters."""
    shops = REAL["shops"].set_column(0, "id", pa.array([1, 2, 3, 3]))
    assert diagnose(shops=shops).per_column["shops.id"] == 0.75


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"a": [1, 1, None, None]}, 0.25),
        ({"a": [1, 1, None, None], "b": [1, 2, 3, None]}, 0.75),
        ({"a": [1, 1, 1, None], "b": [None, None, 3, 3]}, 0.75),
    ],
)
def test_null_keys_are_no_keys(keys, expected):
    """A key that is null in all columns is invalid; in some columns, null is a value."""
    assert key_uniqueness(pa.table(keys)) == expected


def test_orphans_are_found():
    """One of five children without a parent scores four fifths."""
    sales = REAL["sales"].set_column(0, "shop", pa.array([1, 1, 2, 3, 9]))
    found = diagnose(sales=sales).per_relationship["sales.shop"]
    assert found["referential_integrity"] == 0.8


def test_parents_with_too_many_children_are_found():
    """A parent with more children than any real one is out of bounds."""
    sales = pa.table({"shop": [1, 1, 1, 2, 3, 4], "day": [1, 2, 3, 1, 1, 1]})
    found = diagnose(sales=sales).per_relationship["sales.shop"]
    assert found["cardinality_boundary_adherence"] == 0.75


def test_a_changed_type_is_found():
    """One of two columns with another type leaves one shared field of three."""
    shops = REAL["shops"].set_column(0, "id", REAL["shops"]["id"].cast(pa.int32()))
    assert diagnose(shops=shops).per_table["shops"] == pytest.approx(1 / 3)


def test_a_sequence_may_go_on():
    """The sequence index may leave the real bounds."""
    assert "sales.day" not in diagnose().per_column


def test_a_missing_key_is_said():
    """A table without its key is an error that names the column."""
    with pytest.raises(MetricsError, match="no column 'id'"):
        diagnose(shops=REAL["shops"].drop_columns(["id"]))


def test_diagnosis_is_plain_json():
    """A diagnosis survives a round trip through strict JSON."""
    document = diagnose().to_dict()
    assert document == json.loads(json.dumps(document, allow_nan=False))
