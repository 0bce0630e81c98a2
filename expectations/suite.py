"""A Great Expectations suite for a table, generated from metadata and profile.

A suite is a plain dictionary, ready for JSON. It holds quantiles, ranges and declared categories
of the real data: it stays in private staging.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from prefect_synth.expectations.columns import OTHER
from prefect_synth.expectations.margins import at_least, category_margin, two_sample_margin
from prefect_synth.expectations.profile import QUANTILES, ColumnProfile, TableProfile
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.verdict import CheckKind
from prefect_synth.synth.metadata import Metadata, Table

Suite = dict[str, Any]
Expectation = dict[str, Any]

_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
_SLOT = ("column", "column_list", "parent_table", "parent_columns")
_SURE = 1e-6

Says = tuple[str, CheckKind, str]
"""A check's name and kind, and what is required, in words."""


def build_suite(
    table: Table,
    metadata: Metadata,
    schema: pa.Schema,
    profile: TableProfile,
    gates: Gates,
    *,
    rows: int | None = None,
) -> Suite:
    """Generate the suite of a table.

    Args:
        table: What the table means.
        metadata: The schema with the foreign keys.
        schema: The Arrow schema of the table.
        profile: What is remembered of the real table.
        gates: Thresholds, before sampling error is allowed for.
        rows: How many synthetic rows will be judged; as many as the real ones by default.

    Returns:
        The suite as JSON values. Each expectation has an id that survives changed thresholds, and
        in `meta.prefect_synth` the digest of its arguments, so that an edit by hand is seen.
    """
    rows = profile.rows if rows is None else rows
    found = [*_structure(table, schema)]
    if gates.keys:
        found += _keys(table, metadata)
    for name, column in profile.columns.items():
        kind = schema.field(name).type
        found += [*_column(name, column, rows, gates), *_range(name, column, kind, rows, gates)]
        found += _declared(name, table, kind)
    found += _copies(profile, rows, gates)
    return {"name": table.name, "expectations": [_stamped(table.name, e) for e in found]}


def _structure(table: Table, schema: pa.Schema) -> Iterator[Expectation]:
    yield _expectation(
        "expect_table_columns_to_match_set",
        {"column_set": list(schema.names), "exact_match": True},
        ("columns", "expectation", f"the {len(schema.names)} columns of the warehouse"),
    )
    for name in schema.names:
        # pandas takes NaN for null, a warehouse does not; the structure check knows.
        if not (table.columns[name].nullable or pt.is_floating(schema.field(name).type)):
            says: Says = ("no null", "expectation", "no null")
            yield _expectation("expect_column_values_to_not_be_null", {"column": name}, says)


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
        yield _expectation("expect_foreign_key_to_resolve", arguments, resolves)


def _unique(key: tuple[str, ...]) -> Iterator[Expectation]:
    says: Says = ("unique", "expectation", "no duplicate")
    if len(key) == 1:
        yield _expectation("expect_column_values_to_be_unique", {"column": key[0]}, says)
    elif key:
        arguments = {"column_list": list(key), "ignore_row_if": "any_value_is_missing"}
        yield _expectation("expect_compound_columns_to_be_unique", arguments, says)


def _column(name: str, profile: ColumnProfile, rows: int, gates: Gates) -> Iterator[Expectation]:
    share, effect = 1 - profile.nulls, profile.design_effect
    real = round(profile.independent_rows / share) if share else rows
    margin = two_sample_margin(real, _independent(rows, effect), gates.false_alarm)
    tolerance = gates.columns.nulls + margin
    yield _expectation(
        "expect_column_proportion_of_non_null_values_to_be_between",
        {
            "column": name,
            "min_value": max(0.0, share - tolerance),
            "max_value": min(1.0, share + tolerance),
        },
        ("share of values", "fidelity", f"within {tolerance:.3g} of the real {share:.3g}"),
    )
    values = _independent(rows * share, effect)
    if profile.distinct > 1 and values and profile.top_share**values < _SURE:
        says: Says = ("varies", "fidelity", "more than one distinct value")
        arguments = {"column": name, "min_value": 2}
        yield _expectation("expect_column_unique_value_count_to_be_between", arguments, says)
    yield from _distribution(name, profile, values, gates)


def _distribution(
    name: str, profile: ColumnProfile, values: int, gates: Gates
) -> Iterator[Expectation]:
    alpha, shares = gates.false_alarm, profile.shares.values()
    if profile.quantiles and values:
        margin = two_sample_margin(profile.independent_rows, values, alpha) + 1 / QUANTILES
        least = max(0.0, gates.columns.ks - margin)
        yield _expectation(
            "expect_column_ks_complement_to_be_at_least",
            {"column": name, "quantiles": list(profile.quantiles), "min_value": least},
            ("KS complement", "fidelity", at_least(gates.columns.ks, least)),
        )
    if set(profile.shares) - {OTHER} and values:
        margin = category_margin(shares, profile.independent_rows, values, alpha)
        least = max(0.0, gates.columns.tv - margin)
        yield _expectation(
            "expect_column_tv_complement_to_be_at_least",
            {"column": name, "shares": dict(profile.shares), "min_value": least},
            ("TV complement", "fidelity", at_least(gates.columns.tv, least)),
        )


def _range(
    name: str, profile: ColumnProfile, kind: pa.DataType, rows: int, gates: Gates
) -> Iterator[Expectation]:
    if profile.bounds is None or pt.is_dictionary(kind):
        return
    values = _independent(rows * (1 - profile.nulls), profile.design_effect)
    margin = two_sample_margin(profile.independent_rows, values, gates.false_alarm)
    mostly = max(0.0, gates.columns.in_range - margin)
    yield _expectation(
        "expect_column_values_to_be_between",
        {
            "column": name,
            "min_value": profile.bounds[0],
            "max_value": profile.bounds[1],
            "mostly": mostly,
        },
        ("values in range", "expectation", f"at least {mostly:.3g} in the real range"),
    )


def _declared(name: str, table: Table, kind: pa.DataType) -> Iterator[Expectation]:
    categories = table.columns[name].categories
    if pt.is_dictionary(kind):
        kind = kind.value_type
    if categories is not None and (pt.is_string(kind) or pt.is_large_string(kind)):
        yield _expectation(
            "expect_column_values_to_be_in_set",
            {"column": name, "value_set": list(categories)},
            ("declared categories", "expectation", "only values that the catalogue declares"),
        )


def _copies(profile: TableProfile, rows: int, gates: Gates) -> Iterator[Expectation]:
    copies, above = profile.copies, gates.privacy.copied_rows
    if not copies.can_tell(rows, above):
        return
    allowed = copies.allowed(rows, above)
    required = (
        f"at most {allowed:.3g} of the rows equal a real row that occurs once "
        f"(natural rate {copies.natural:.3g})"
    )
    yield _expectation(
        "expect_copied_row_share_to_be_at_most",
        {"column_list": list(copies.columns), "max_value": allowed},
        ("copied rows", "privacy", required),
    )


def _independent(rows: float, effect: float) -> int:
    return max(1, round(rows / effect)) if rows else 0


def _expectation(type_: str, arguments: Mapping[str, Any], says: Says) -> Expectation:
    name, kind, required = says
    ours = {"check": name, "kind": kind, "required": required}
    return {"type": type_, "kwargs": dict(arguments), "meta": {"prefect_synth": ours}}


def _stamped(table: str, expectation: Expectation) -> Expectation:
    slot = {k: v for k, v in expectation["kwargs"].items() if k in _SLOT}
    name = f"{table}|{expectation['type']}|{json.dumps(slot, sort_keys=True)}"
    arguments = json.dumps(expectation["kwargs"], sort_keys=True)
    digest = hashlib.sha256(arguments.encode()).hexdigest()[:12]
    expectation["id"] = str(uuid.uuid5(_NAMESPACE, name))
    expectation["meta"]["prefect_synth"] |= {"origin": "generated", "digest": digest}
    return expectation
