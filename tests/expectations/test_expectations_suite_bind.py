"""A suite without real values, and what binding it to the real data makes of it."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.expectations.engine import great_expectations
from prefect_synth.expectations.profile import profile_table
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.suite import bind, build_suite, generate_suite
from prefect_synth.expectations.suite_form import REFERENCE
from prefect_synth.synth.metadata import Column, Metadata, Table


def template_of(shop, table: str, gates: Gates | None = None) -> dict:
    """The suite of a table of the shop, not yet bound."""
    schema = shop.table(table).schema
    return generate_suite(shop.metadata.tables[table], shop.metadata, schema, gates or Gates())


def bound(shop, *expectations: dict, table: str = "customers", rows: int | None = None) -> list:
    """Expectations bound to the real table."""
    suite = {"name": table, "expectations": list(expectations)}
    return bind(suite, shop.profiles[table], Gates(), rows)["expectations"]


def of(suite: dict, type_: str, column: str) -> dict:
    """The arguments of the one expectation of a type and a column."""
    found = [e["kwargs"] for e in suite["expectations"] if e["type"] == type_]
    (arguments,) = [a for a in found if a.get("column") == column]
    return arguments


def mean_between(high: object, **more: object) -> dict:
    """A user's own expectation of the mean income."""
    arguments = {"column": "income", "min_value": 0, "max_value": high}
    return {"type": "expect_column_mean_to_be_between", "kwargs": arguments, **more}


@pytest.mark.parametrize("table", ["customers", "orders", "reviews"])
def test_every_reference_of_a_generated_suite_is_known(shop, table: str) -> None:
    """Nothing is left to be filled in when a suite is bound."""
    template = template_of(shop, table)
    suite = bind(template, shop.profiles[table], Gates())
    assert REFERENCE in json.dumps(template)
    assert REFERENCE not in json.dumps(suite)


def test_great_expectations_itself_loads_a_generated_suite(shop) -> None:
    """The file is in its own form, references included."""
    gx, template = great_expectations(), template_of(shop, "customers")
    import prefect_synth.expectations.custom  # noqa: F401

    loaded = gx.ExpectationSuite(**template)
    assert len(loaded.expectations) == len(template["expectations"])


def test_a_suite_holds_the_gates_and_a_bound_one_allows_for_chance(shop) -> None:
    """The file shows the setting; the fewer rows are judged the more chance is allowed."""
    template, type_ = template_of(shop, "customers"), "expect_column_ks_complement_to_be_at_least"
    many, few = (bind(template, shop.profiles["customers"], Gates(), rows) for rows in (600, 60))
    least = [of(suite, type_, "income")["min_value"] for suite in (template, many, few)]
    assert least[0] == Gates().columns.ks
    assert least == sorted(least, reverse=True)
    assert len(set(least)) == 3


def test_a_value_that_a_person_wrote_is_left_as_it_is(shop) -> None:
    """Nothing is subtracted from what does not refer to the real data."""
    assert bound(shop, mean_between(7.5))[0]["kwargs"]["max_value"] == 7.5


def test_a_person_may_refer_to_the_real_data(shop) -> None:
    """References work in expectations of one's own."""
    (found,) = bound(shop, mean_between({REFERENCE: "income.mean"}))
    assert found["kwargs"]["max_value"] == shop.profiles["customers"].columns["income"].mean


def test_a_reference_that_nobody_knows_stays(shop) -> None:
    """A typing error is not taken for a value that tonight cannot tell."""
    unknown = {REFERENCE: "incoem.mean"}
    assert bound(shop, mean_between(unknown))[0]["kwargs"]["max_value"] == unknown


def test_what_tonight_cannot_tell_is_left_out(shop) -> None:
    """Addresses have no mean, so nothing is said of it."""
    there = mean_between({REFERENCE: "email.mean"})
    assert bound(shop, there) == []


def test_what_is_disabled_is_left_out(shop) -> None:
    """A person's word takes an expectation out of every run."""
    assert bound(shop, mean_between(7, meta={"prefect_synth": {"disabled": True}})) == []


def test_binding_twice_is_binding_once(shop) -> None:
    """A bound suite has no reference, so nothing is widened a second time."""
    profile = shop.profiles["customers"]
    once = bind(template_of(shop, "customers"), profile, Gates(), 100)
    assert bind(once, profile, Gates(), 100) == once


def test_a_column_of_nulls_has_nothing_to_be_compared_with(tmp_path) -> None:
    """Only its share of nulls is expected again."""
    table = Table("t", {"x": Column("x", "numerical"), "y": Column("y", "numerical")})
    path, metadata = tmp_path / "t.parquet", Metadata({"t": table})
    pq.write_table(pa.table({"x": pa.array([None] * 50, pa.int64()), "y": range(50)}), path)
    profile = profile_table(path, table, metadata)
    suite = build_suite(table, metadata, pq.read_schema(path), profile, Gates())
    of_x = [e["type"] for e in suite["expectations"] if e["kwargs"].get("column") == "x"]
    assert of_x == ["expect_column_null_share_to_be_near"]


def test_a_gate_that_only_warns_makes_warnings(shop) -> None:
    """`on_fail: warn` of the columns is the severity of what looks at their distributions."""
    gates = Gates.model_validate({"columns": {"on_fail": "warn"}})
    found = {
        (e["meta"]["prefect_synth"]["kind"], e["severity"])
        for e in template_of(shop, "orders", gates)["expectations"]
    }
    assert ("fidelity", "warning") in found
    assert ("fidelity", "critical") not in found
    assert ("privacy", "critical") in found


def test_without_a_gate_on_copies_none_are_looked_for(shop) -> None:
    """A gate that is None leaves its expectation out."""
    gates = Gates.model_validate({"privacy": {"copied_rows": None}})
    types = {e["type"] for e in template_of(shop, "orders", gates)["expectations"]}
    assert "expect_copied_row_share_to_be_at_most" not in types
