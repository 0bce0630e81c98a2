"""The language of conditions: what it reads, what it refuses, and on which rows it holds."""

from __future__ import annotations

import contextlib
import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_synth.synth.errors import ContractError
from prefect_synth.synth.metadata import Column, Metadata, Table
from prefect_synth.synth.scenarios.grammar import Comparison, parse_condition
from prefect_synth.synth.scenarios.matching import bind, matching
from prefect_synth.synth.scenarios.scenario import (
    ChildCount,
    Scenario,
    check_scenarios,
    parse_children,
)

DAY = dt.date(2024, 2, 1)
TABLE = pa.table(
    {
        "status": pa.array(["open", "it's", None, "paid"]).dictionary_encode(),
        "total": pa.array([Decimal("9.50"), Decimal("10.00"), None, Decimal("12.25")]),
        "count": pa.array([1, 2, None, 3], pa.int16()),
        "on": pa.array([DAY, None, DAY.replace(day=2), DAY.replace(day=3)]),
        "at": pa.array(
            [dt.datetime(2024, 2, d, 12) for d in (1, 2, 3, 4)], pa.timestamp("us", "UTC")
        ),
        "time": pa.array([dt.time(8), dt.time(9), None, dt.time(10)], pa.time64("us")),
        "rate": pa.array([0.5, float("nan"), None, 2.5]),
        "vip": pa.array([True, False, None, True]),
        "two words": pa.array(["a", "b", "c", None]),
        "tags": pa.array([[1], None, [2], [3]]),
    }
)


def rows_of(text):
    """The rows on which a condition holds."""
    matches = bind(parse_condition(text), TABLE.schema)
    columns = {name: TABLE[name].combine_chunks() for name in TABLE.column_names}
    return matching(matches, columns, len(TABLE)).nonzero()[0].tolist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("status = 'open'", [0]),
        ("status = 'it''s'", [1]),
        ("status <> 'open'", [1, 3]),
        ("status IN ('open', 'paid')", [0, 3]),
        ("status NOT IN ('open', 'paid')", [1]),
        ("status IS NULL", [2]),
        ("status is not null and total > 9.75", [1, 3]),
        ("total BETWEEN 9.5 AND 10", [0, 1]),
        ("total NOT BETWEEN 9.5 AND 10", [3]),
        ("count >= 1.5", [1, 3]),
        ("\"on\" = '2024-02-01'", [0]),
        ("at < '2024-02-02 12:00:00'", [0]),
        ("time <= '09:00:00'", [0, 1]),
        ("rate > 1", [3]),
        ("rate IS NULL", [1, 2]),
        ("vip = TRUE", [0, 3]),
        ("\"two words\" != 'a'", [1, 2]),
        ("tags IS NOT NULL", [0, 2, 3]),
    ],
)
def test_a_condition_holds_as_sql_has_it(text, rows):
    """Null satisfies nothing but IS NULL; a missing float is null."""
    assert rows_of(text) == rows


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "name of a column was expected.*at its end"),
        ("status == 'x'", "write '='.*position 8"),
        ("status = NULL", "write IS NULL.*position 10"),
        ("status = 'x' OR total > 1", "OR is not known.*position 14"),
        ("status = 'x", "a quote is not closed, at position 10"),
        ("status ; DROP", "a sign is not known, at position 8"),
        ("status IN ()", "a constant was expected.*position 12"),
        ("total BETWEEN 1", "AND was expected, at its end"),
        ("status NOT 'x'", "IN or BETWEEN was expected"),
        ("total > 1 total < 2", "AND or the end was expected.*position 11"),
        ("__import__('os')", "a comparison was expected.*position 11"),
    ],
)
def test_what_is_no_condition_is_refused_with_its_place(text, problem):
    """The message says where, and what is allowed."""
    with pytest.raises(ContractError, match=problem):
        parse_condition(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("status = 1", "'status' of type string with a number; it needs a text"),
        ("total = '1'", "needs a number"),
        ("vip = 1", "needs a truth value: TRUE or FALSE"),
        ("\"on\" = 'soon'", "no date32"),
        ("tags = 1", "cannot be compared"),
    ],
)
def test_constants_must_be_of_the_columns_type(text, problem):
    """The message names the column and what it needs, and never the constant."""
    with pytest.raises(ContractError, match=problem) as found:
        bind(parse_condition(text), TABLE.schema)
    assert "soon" not in str(found.value)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    """No text breaks the reader."""
    with contextlib.suppress(ContractError):
        assert all(isinstance(c, Comparison) for c in parse_condition(text))


@given(st.text(max_size=20), st.text(min_size=1, max_size=10))
def test_quotes_keep_any_text(constant, column):
    """What is quoted comes back as it was."""
    text = "\"{}\" = '{}'".format(column.replace('"', '""'), constant.replace("'", "''"))
    assert parse_condition(text) == (Comparison(column, "=", (constant,)),)


def test_numbers_of_children():
    """A number, or a number and more."""
    assert [parse_children(v) for v in (0, "3", ">= 3", "> 3")] == [
        ChildCount(0),
        ChildCount(3),
        ChildCount(3, or_more=True),
        ChildCount(4, or_more=True),
    ]
    for wrong in ("many", -1, "<= 3", True):
        with pytest.raises(ContractError, match="no number of children"):
            parse_children(wrong)


def test_a_scenario_asks_for_something():
    """Neither a condition nor children is no scenario, and no row is none."""
    with pytest.raises(ContractError, match="needs 'where'"):
        Scenario("nothing", 1)
    with pytest.raises(ContractError, match="at_least"):
        Scenario("none", 0, "a = 1")


def test_a_table_that_does_not_exist_is_named():
    """In one sentence, with those that do: a notebook has no project file to check it first."""
    metadata = Metadata({"orders": Table("orders", {"id": Column("id", "id")}, ("id",))})
    with pytest.raises(
        ContractError, match=r"table 'foo', which does not exist\. Tables: orders\."
    ):
        check_scenarios(metadata, {"foo": (Scenario("s", 1, "a = 1"),)})
