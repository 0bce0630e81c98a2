"""What suites catch, and how a person's own expectations end."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from prefect_synth.expectations.profile import profile_table
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.suite_parameters import parameters
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table


def judged(shop, *expectations: dict, table: str = "orders") -> list:
    """The suite's checks, expectations of one's own only."""
    suite = {"name": table, "expectations": list(expectations)}
    names = {e["type"] for e in expectations}
    return [c for c in shop.judge(table, suite=suite).checks if c.name in names]


def on(column: str, type_: str, **arguments: object) -> dict:
    """An expectation on a column."""
    return {"type": type_, "kwargs": {"column": column, **arguments}}


def test_a_shifted_mean_is_told_in_standard_deviations(shop, replace_column, named) -> None:
    """Half a deviation more income fails by name, without a word about anybody's income."""
    customers = shop.table("customers")
    std = shop.profiles["customers"].columns["income"].std
    richer = replace_column(customers, "income", pc.add(customers["income"], std))
    check = named(shop.judge_instead("customers", richer), "mean", "income")
    assert check.status == "failed"
    assert check.observed == pytest.approx(0.9, abs=0.2)
    assert "standard deviations" in check.required


def test_one_wild_value_does_not_move_the_mean(shop, replace_column, named) -> None:
    """What is out of range counts as the end of the range."""
    customers = shop.table("customers")
    wild = replace_column(customers, "income", [1e15, *customers["income"].to_pylist()[1:]])
    assert named(shop.judge_instead("customers", wild), "mean", "income").status == "passed"


def test_a_lost_category_is_counted_and_not_named(shop, replace_column, named) -> None:
    """A tenth of the customers lived in a city that is gone; coverage alone would accept that."""
    customers = shop.table("customers")
    cities = ["Oslo" if city == "Pune" else city for city in customers["city"].to_pylist()]
    fewer = replace_column(customers, "city", pa.chunked_array([cities]).dictionary_encode())
    gates = Gates.model_validate({"columns": {"coverage": 0.5}})
    check = named(shop.judge_instead("customers", fewer, gates), "category coverage", "city")
    assert check.status == "failed"
    assert check.detail.startswith("1 category is missing that hold")
    assert "Pune" not in str(check)


def test_categories_that_chance_leaves_out_are_not_missed(tmp_path: Path) -> None:
    """Of a hundred families each brings its own word: honest families bring other words."""
    table = Table("t", {"f": Column("f", "id"), "word": Column("word", "categorical")})
    parent = Table("p", {"f": Column("f", "id", nullable=False)}, ("f",))
    metadata = Metadata({"t": table, "p": parent}, (Relationship("t", ("f",), "p", ("f",)),))
    path, words = tmp_path / "t.parquet", [f"word {i}" for i in np.repeat(np.arange(100), 50)]
    found = []
    for families in (np.repeat(np.arange(100), 50), np.arange(5_000)):
        pq.write_table(pa.table({"f": families, "word": words}), path)
        profile = profile_table(path, table, metadata)
        found.append(len(parameters(profile, Gates(), 5_000)["word.must_occur"]))
    assert found == [0, 100]


@pytest.mark.parametrize(("severity", "status"), [("critical", "failed"), ("info", "warned")])
def test_severity_decides_whether_a_failure_blocks(shop, severity: str, status: str) -> None:
    """Only what is critical blocks."""
    broken = on("amount", "expect_column_max_to_be_between", max_value=1) | {"severity": severity}
    assert [c.status for c in judged(shop, broken)] == [status]


@pytest.mark.parametrize(
    ("expectation", "error"),
    [
        (on("day", "expect_column_mean_to_be_between", min_value="s3cret"), "Error"),
        (on("amount", "expect_nothing_that_exists"), "ExpectationNotFoundError"),
        (on("status", "expect_column_values_to_match_regex", regex="s3cret("), "Error"),
        (on("amount", "expect_column_max_to_be_between", max_value={"s3cret": 1}), "Error"),
        (
            on("amount", "expect_column_max_to_be_between", max_value={"$PARAMETER": "a.b"}),
            "UnboundReferenceError",
        ),
    ],
)
def test_an_expectation_that_breaks_is_crashed(
    shop, expectation: dict, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no statement about the data, it takes no other with it, and only its kind is told."""
    good = on("amount", "expect_column_min_to_be_between", min_value=0)
    crashed, passed = judged(shop, expectation, good)
    assert (crashed.status, passed.status) == ("crashed", "passed")
    assert error in crashed.detail
    assert "s3cret" not in f"{crashed} {caplog.text}"


@pytest.mark.parametrize("column", ["day", "joined"])
@pytest.mark.parametrize(
    "type_",
    [
        "expect_column_values_to_be_between",
        "expect_column_min_to_be_between",
        "expect_column_max_to_be_between",
    ],
)
def test_dates_are_written_as_text(shop, column: str, type_: str) -> None:
    """A date, with or without a time, bounds a column of moments, with or without a zone."""
    table = "orders" if column == "day" else "customers"
    wide = on(column, type_, min_value="1960-01-01", max_value="2100-01-01T12:00:00")
    narrow = on(column, type_, min_value="2099-01-01")
    found = judged(shop, wide, narrow, table=table)
    assert [check.status for check in found] == ["passed", "failed"]


def test_quantiles_of_great_expectations_pass(shop) -> None:
    """Its answer is a numpy.bool, which is no reason to crash."""
    ranges = {"quantiles": [0.5], "value_ranges": [[0, 1000]]}
    quantiles = on("amount", "expect_column_quantile_values_to_be_between", quantile_ranges=ranges)
    assert [c.status for c in judged(shop, quantiles)] == ["passed"]


def test_two_expectations_of_one_kind_are_told_apart(shop) -> None:
    """A person may bound one column twice; each has its own result, in the suite's order."""
    type_ = "expect_column_values_to_be_between"
    found = judged(shop, on("amount", type_, max_value=1), on("amount", type_, max_value=10**6))
    assert [check.status for check in found] == ["failed", "passed"]


def test_a_description_says_what_is_required(shop) -> None:
    """What a person wrote of an expectation stands in the report."""
    said = on("amount", "expect_column_min_to_be_between", min_value=0)
    (check,) = judged(shop, said | {"description": "no negative amount"})
    assert check.required == "no negative amount"
