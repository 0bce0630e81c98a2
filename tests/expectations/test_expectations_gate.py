"""The gate: an honest table passes, a broken one fails by name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from prefect_synth.expectations.gate import TableJudgement, judge_snapshot, judge_table
from prefect_synth.expectations.profile import profile_table
from prefect_synth.expectations.settings import Gates, QualityGates
from prefect_synth.expectations.sides import Sides
from prefect_synth.expectations.structure import ExpectedRows
from prefect_synth.expectations.suite import build_suite
from prefect_synth.synth.metadata import Column, Metadata, Table

TABLES = ["customers", "orders", "reviews"]


def failures(verdict) -> set[tuple[str, str | None]]:
    """Name and column of what failed."""
    return {(check.name, check.column) for check in verdict.failures}


def whole(shop, tables=TABLES) -> dict[str, TableJudgement]:
    """What was said of the shop's tables."""
    return {table: TableJudgement(shop.judge(table)) for table in tables}


@pytest.mark.parametrize("table", TABLES)
def test_an_honest_table_passes(shop, table: str) -> None:
    """Another draw from the same population passes every default gate."""
    assert shop.judge(table).failures == ()


def test_an_honest_snapshot_passes(shop) -> None:
    """All tables together pass, and the scores come with the verdict."""
    judged = judge_snapshot(shop.sides, Gates(), whole(shop))
    assert judged.verdict.failures == ()
    assert judged.quality.overall > 0.8
    names = {c.name for c in judged.verdict.of(None).checks}
    assert names == {"quality", "children per parent", "data validity"}


def test_orphans_fail(shop, replace_column) -> None:
    """References to parents that do not exist fail, and are counted on all rows."""
    orders = shop.table("orders")
    keys = orders["customer_id"].to_pylist()
    verdict = shop.judge_instead("orders", replace_column(orders, "customer_id", [7, *keys[1:]]))
    assert failures(verdict) == {
        ("foreign key", "customer_id"),
        ("foreign key resolves", "customer_id"),
    }


def test_orphans_of_a_composite_self_reference_fail(shop, replace_column, named) -> None:
    """A reply to a line that does not exist fails; half a null key is no reference."""
    reviews = shop.table("reviews")
    lines = [9 if key is not None else 1 for key in reviews["reply_order_id"].to_pylist()]
    verdict = shop.judge_instead("reviews", replace_column(reviews, "reply_line", lines))
    check = named(verdict, "foreign key", "reply_order_id, reply_line")
    assert check.observed == len(reviews) - reviews["reply_order_id"].null_count


def test_a_duplicated_key_fails(shop) -> None:
    """A primary key that occurs twice fails, here and in the suite."""
    customers = shop.table("customers")
    twice = pa.concat_tables([customers.slice(0, 599), customers.slice(0, 1)])
    verdict = shop.judge_instead("customers", twice)
    assert failures(verdict) == {
        ("primary key", "id"),
        ("unique key", "email"),
        ("unique", "id"),
        ("unique", "email"),
    }


def test_not_a_number_is_no_null(judge_alone, tmp_path: Path) -> None:
    """A NOT NULL column of floats may hold NaN, in the warehouse and here."""
    metadata = Metadata({"t": Table("t", {"x": Column("x", "numerical", nullable=False)})})
    schema, path = pa.schema([pa.field("x", pa.float64(), nullable=False)]), tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": [float("nan"), *np.arange(99.0)]}, schema), path)
    assert judge_alone(metadata, path, path).failures == ()


def test_broken_keys_only_warn_where_the_gate_is_open(shop, replace_column) -> None:
    """With `keys: false` an orphan is told and does not block."""
    orders = replace_column(shop.table("orders"), "customer_id", [7] * 3_000)
    verdict = shop.judge_instead("orders", orders, Gates(keys=False))
    assert verdict.passed
    assert [c.name for c in verdict.warnings if c.kind == "structure"] == ["foreign key"]


def test_nulls_where_none_may_be_fail(shop, named) -> None:
    """A null in a NOT NULL column fails, whatever the file's schema says."""
    orders = shop.table("orders")
    status = pc.if_else(pc.equal(orders["status"], "new"), None, orders["status"])
    place = orders.schema.get_field_index("status")
    verdict = shop.judge_instead("orders", orders.set_column(place, "status", status))
    assert named(verdict, "not null", "status").status == "failed"
    assert named(verdict, "schema").status == "failed"


def test_another_type_fails(shop) -> None:
    """A wider integer is another schema; the message names column and both types."""
    customers = shop.table("customers")
    place = customers.schema.get_field_index("age")
    wider = customers.set_column(place, "age", customers["age"].cast(pa.int64()))
    (check,) = shop.judge_instead("customers", wider).failures
    assert check.detail == "Column 'age' is int64, not int16."


def test_a_missing_column_fails_once(shop) -> None:
    """What is not there fails the schema; nothing else is said of it."""
    verdict = shop.judge_instead("orders", shop.table("orders").drop_columns("amount"))
    assert {(c.name, c.status) for c in verdict.failures} == {
        ("schema", "failed"),
        ("columns", "failed"),
    }


def test_missing_rows_fail(shop) -> None:
    """A third of the rows gone is more than tolerance and chance explain."""
    verdict = shop.judge_instead("orders", shop.table("orders").slice(0, 2_000))
    assert failures(verdict) == {("row count", None)}


def test_the_rows_asked_for_are_the_measure(shop) -> None:
    """A table of half the size passes where half was asked for."""
    half = shop.table("orders").slice(0, 1_500)
    assert shop.judge_instead("orders", half, expected_rows=1_500).passed


@pytest.mark.parametrize(
    ("rows", "error", "expected"), [(1, 0.0, 1), (3, 0.0, 2), (3, 2.0, 0), (0, 0.0, 0)]
)
def test_no_row_is_less_than_was_asked_for(rows: int, error: float, expected: int) -> None:
    """An empty table passes where none was asked for, or where chance explains it."""
    assert ExpectedRows(rows, error).bounds(0.02)[0] == expected


def test_a_sampler_that_was_asked_for_a_row_draws_one() -> None:
    """Of 50 real rows in large families chance may take many, and of one asked for none."""
    expected = ExpectedRows.scaled(50, 30.0, 1)
    assert expected.bounds(0.1)[0] == 1


def test_a_constant_column_fails(shop, replace_column) -> None:
    """One value for all: it does not vary, its distribution is another, categories are lost."""
    orders = replace_column(shop.table("orders"), "status", ["sent"] * 3_000)
    assert failures(shop.judge_instead("orders", orders)) == {
        ("varies", "status"),
        ("TV complement", "status"),
        ("category coverage", "status"),
    }


def test_a_shifted_column_fails(shop, replace_column, named) -> None:
    """A mean moved by two deviations fails KS."""
    customers = shop.table("customers")
    richer = replace_column(customers, "income", pc.multiply(customers["income"], 3.0))
    assert named(shop.judge_instead("customers", richer), "KS complement", "income").status == (
        "failed"
    )


def test_too_many_nulls_fail(shop, replace_column) -> None:
    """A column of half nulls fails where a tenth was null."""
    customers = shop.table("customers")
    ages = customers["age"].to_pylist()
    emptier = replace_column(customers, "age", [None] * 300 + ages[300:])
    assert failures(shop.judge_instead("customers", emptier)) == {("share of values", "age")}


def test_an_undeclared_category_fails(shop, replace_column) -> None:
    """A value that the catalogue's enum does not know fails."""
    orders = shop.table("orders")
    statuses = ["lost", *orders["status"].to_pylist()[1:]]
    verdict = shop.judge_instead("orders", replace_column(orders, "status", statuses))
    assert failures(verdict) == {("declared categories", "status")}


def test_values_out_of_range_fail(shop, replace_column, named) -> None:
    """Dates beyond the real ones fail, although a suite has to write dates as text."""
    orders = shop.table("orders")
    days = (orders["day"].cast(pa.int32()).to_numpy() + 400).astype("int32")
    later = replace_column(orders, "day", pa.chunked_array([days]).cast(pa.date32()))
    check = named(shop.judge_instead("orders", later), "values in range", "day")
    assert check.status == "failed"


def test_a_broken_check_is_crashed_and_blocks(shop, named) -> None:
    """An expectation that cannot be computed is no verdict on the data, and blocks."""
    table, profile = shop.metadata.tables["orders"], shop.profiles["orders"]
    schema = shop.table("orders").schema
    suite = build_suite(table, shop.metadata, schema, profile, Gates())
    nonsense = {"column": "status", "min_value": 0, "max_value": 1}
    suite["expectations"] += [
        {"type": "expect_column_values_to_be_between", "kwargs": nonsense, "meta": {}}
    ]
    (check,) = shop.judge("orders", suite=suite).failures
    assert (check.status, check.observed, check.column) == ("crashed", None, "status")
    assert check.detail == "the check itself broke (TypeError); the data may be good"


def test_a_missing_parent_is_a_crashed_check(shop) -> None:
    """Where the parent was not handed over nothing is said about orphans."""
    sides = replace(shop.sides, synthetic={"orders": shop.synthetic["orders"]})
    verdict = judge_table("orders", sides, shop.profiles["orders"], Gates()).verdict
    assert {(c.name, c.status) for c in verdict.failures} == {
        ("foreign key", "crashed"),
        ("foreign key resolves", "crashed"),
    }


def test_a_large_table_is_sampled_and_says_so(shop, replace_column, named) -> None:
    """Above the memory setting the suite sees a sample; keys are still checked on all rows."""
    orders = shop.table("orders")
    keys = orders["customer_id"].to_pylist()
    broken = replace_column(orders, "customer_id", [*keys[:-1], 7])
    verdict = shop.judge_instead("orders", broken, Gates(max_rows=500))
    assert named(verdict, "foreign key", "customer_id").observed == 1
    assert named(verdict, "KS complement", "amount").detail == "a sample of 500 of 3,000 rows"


@pytest.mark.parametrize("rows", [1, 2, 8])
def test_a_tiny_table_does_not_fail_by_chance(judge_alone, tmp_path: Path, rows: int) -> None:
    """Honest tables of a handful of rows pass for twenty draws."""
    columns = {"x": Column("x", "numerical"), "kind": Column("kind", "categorical")}
    metadata = Metadata({"t": Table("t", columns)})
    rng, paths = np.random.default_rng(rows), (tmp_path / "a.parquet", tmp_path / "b.parquet")
    for _ in range(20):
        for path in paths:
            kinds = rng.choice(["a", "b", "c"], rows)
            pq.write_table(pa.table({"x": rng.normal(size=rows), "kind": kinds}), path)
        assert judge_alone(metadata, *paths).failures == ()


def test_an_empty_table_passes_as_empty(shop, tmp_path: Path) -> None:
    """No rows where none were asked for is right."""
    path = tmp_path / "empty.parquet"
    pq.write_table(shop.table("orders").slice(0, 0), path)
    profile = profile_table(path, shop.metadata.tables["orders"], shop.metadata)
    empty = {**shop.real, "orders": path}
    sides = Sides.without_holdout(shop.metadata, empty, {**shop.synthetic, "orders": path})
    assert judge_table("orders", sides, profile, Gates()).verdict.failures == ()


def test_low_quality_fails_with_found_and_required(shop) -> None:
    """The snapshot's quality is a gate of its own."""
    gates = Gates(quality=QualityGates(min=1.0, cardinality=None))
    judged = judge_snapshot(shop.sides, gates, whole(shop))
    (check,) = judged.verdict.failures
    assert (check.name, check.observed) == ("quality", judged.quality.overall)
    assert check.required == "at least 1"


def test_a_table_that_nobody_judged_fails(shop) -> None:
    """A snapshot passes only if every table of the schema was judged."""
    judged = judge_snapshot(shop.sides, Gates(), whole(shop, ["customers", "orders"]))
    assert [(c.name, c.table) for c in judged.verdict.failures] == [("verdict", "reviews")]


def test_scores_that_crash_block(shop, tmp_path: Path) -> None:
    """Where quality cannot be computed the gate stays shut, and nobody blames the data."""
    gone = {**shop.synthetic, "orders": tmp_path / "gone.parquet"}
    judged = judge_snapshot(replace(shop.sides, synthetic=gone), Gates(), whole(shop))
    assert judged.quality is None
    assert ("quality", "crashed") in {(c.name, c.status) for c in judged.verdict.failures}
    assert {c.status for c in judged.verdict.failures} == {"crashed"}


def test_classifiers_see_relatives_only_where_it_is_asked_for(shop) -> None:
    """It takes as long as all the rest; a table's own gate asks for it as well."""
    asked = Gates.model_validate({"quality": {"c2st_relations": 1.0}})
    names = [
        {s.name for s in judge_snapshot(shop.sides, Gates(), whole(shop), by_table=own).scores}
        for own in ({}, {"orders": asked})
    ]
    assert ["c2st_relations" in found for found in names] == [False, True]
