"""The suite of a table as it can lie in version control: thresholds, and no value of the real data.

What is taken from the real data is a reference, such as `{"$PARAMETER": "income.quantiles"}`, that
`bind` resolves when the suite runs. So a suite changes with schema and gates only, not by night.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.types as pt

from prefect_synth.expectations.columns import ColumnKind, compared_columns, table_kinds
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.suite_form import (
    Expectation,
    Says,
    Suite,
    expectation,
    reference,
    stamped,
)
from prefect_synth.synth.metadata import Metadata, Table


def generate_suite(table: Table, metadata: Metadata, schema: pa.Schema, gates: Gates) -> Suite:
    """Generate the suite of a table, to be bound before it runs.

    Args:
        table: What the table means.
        metadata: The schema with the foreign keys.
        schema: The Arrow schema of the table.
        gates: Thresholds, before sampling error is allowed for.

    Returns:
        The suite as JSON values. Ids depend on table, type and columns only, so that diffs are
        small and edits by hand can be merged.
    """
    kinds = table_kinds(table, schema, metadata)
    found = [*_structure(table, schema)]
    if gates.keys:
        found += _keys(table, metadata)
    for name, kind in kinds.items():
        found += _column(name, kind, gates)
        found += _declared(name, table, schema.field(name).type)
    if len(compared_columns(kinds)) > 1:
        found += _copies(gates)
    return {"name": table.name, "expectations": [stamped(table.name, e) for e in found]}


def _structure(table: Table, schema: pa.Schema) -> Iterator[Expectation]:
    yield expectation(
        "expect_table_columns_to_match_set",
        {"column_set": list(schema.names), "exact_match": True},
        ("columns", "expectation", f"the {len(schema.names)} columns of the warehouse"),
    )
    for name in schema.names:
        # pandas takes NaN for null, a warehouse does not; the structure check knows.
        if not (table.columns[name].nullable or pt.is_floating(schema.field(name).type)):
            says: Says = ("no null", "expectation", "no null")
            yield expectation("expect_column_values_to_not_be_null", {"column": name}, says)


def _keys(table: Table, metadata: Metadata) -> Iterator[Expectation]:
    for key in (table.primary_key, *table.unique):
        yield from _unique(key)
    for relationship in metadata.parents(table.name):
        if relationship.when is not None:  # the structure check reads the condition as well
            continue
        arguments = {
            "column_list": list(relationship.child_columns),
            "parent_table": relationship.parent,
            "parent_columns": list(relationship.parent_columns),
        }
        required = f"every key is found in {relationship.parent}"
        resolves: Says = ("foreign key resolves", "expectation", required)
        yield expectation("expect_foreign_key_to_resolve", arguments, resolves)


def _unique(key: tuple[str, ...]) -> Iterator[Expectation]:
    says: Says = ("unique", "expectation", "no duplicate")
    if len(key) == 1:
        yield expectation("expect_column_values_to_be_unique", {"column": key[0]}, says)
    elif key:
        arguments = {"column_list": list(key), "ignore_row_if": "any_value_is_missing"}
        yield expectation("expect_compound_columns_to_be_unique", arguments, says)


def _column(name: str, kind: ColumnKind, gates: Gates) -> Iterator[Expectation]:
    limits, severity = gates.columns, _severity(gates.columns.on_fail)
    yield expectation(
        "expect_column_null_share_to_be_near",
        {"column": name, "tolerance": limits.nulls, "share": _of(name, "nulls")},
        ("share of values", "fidelity", ""),
        severity,
    )
    if kind in {"number", "category"}:
        yield expectation(
            "expect_column_unique_value_count_to_be_between",
            {"column": name, "min_value": _of(name, "least_distinct")},
            ("varies", "fidelity", "more than one distinct value"),
            severity,
        )
    if kind == "number":
        yield from _number(name, gates, severity)
    if kind == "category":
        yield from _category(name, gates, severity)


def _number(name: str, gates: Gates, severity: str) -> Iterator[Expectation]:
    limits = gates.columns
    ends = {"lowest": _of(name, "lowest"), "highest": _of(name, "highest")}
    yield expectation(
        "expect_column_ks_complement_to_be_at_least",
        {"column": name, "min_value": limits.ks, "quantiles": _of(name, "quantiles")},
        ("KS complement", "fidelity", ""),
        severity,
    )
    moments = {"mean": _of(name, "mean"), "std": _of(name, "std")}
    yield expectation(
        "expect_column_mean_to_be_near",
        {"column": name, "tolerance": limits.mean, **moments, **ends},
        ("mean", "fidelity", ""),
        severity,
    )
    yield expectation(
        "expect_column_values_to_be_in_real_range",
        {"column": name, "min_value": limits.in_range, **ends},
        ("values in range", "expectation", ""),
        severity,
    )


def _category(name: str, gates: Gates, severity: str) -> Iterator[Expectation]:
    limits, shares = gates.columns, _of(name, "shares")
    yield expectation(
        "expect_column_tv_complement_to_be_at_least",
        {"column": name, "min_value": limits.tv, "shares": shares},
        ("TV complement", "fidelity", ""),
        severity,
    )
    yield expectation(
        "expect_column_category_coverage_to_be_at_least",
        {
            "column": name,
            "min_value": limits.coverage,
            "shares": shares,
            "must_occur": _of(name, "must_occur"),
        },
        ("category coverage", "fidelity", ""),
        severity,
    )


def _declared(name: str, table: Table, kind: pa.DataType) -> Iterator[Expectation]:
    categories = table.columns[name].categories
    if pt.is_dictionary(kind):
        kind = kind.value_type
    if categories is not None and (pt.is_string(kind) or pt.is_large_string(kind)):
        # the catalogue declares them: they are schema, not data
        yield expectation(
            "expect_column_values_to_be_in_set",
            {"column": name, "value_set": list(categories)},
            ("declared categories", "expectation", "only values that the catalogue declares"),
        )


def _copies(gates: Gates) -> Iterator[Expectation]:
    gate = gates.privacy.copied_rows
    if gate is None or gate.max is None:
        return
    yield expectation(
        "expect_copied_row_share_to_be_at_most",
        {
            "max_value": gate.max,
            "column_list": reference("learned_columns"),
            "natural": reference("natural_copies"),
        },
        ("copied rows", "privacy", ""),
        _severity(gate.on_fail),
    )


def _of(column: str, what: str) -> dict[str, str]:
    return reference(f"{column}.{what}")


def _severity(on_fail: str) -> str:
    return "warning" if on_fail == "warn" else "critical"
