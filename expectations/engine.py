"""Run a suite with Great Expectations: quietly, one batch a table, imported only when needed."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from prefect_synth.expectations.batch import Batch, numpy_frame
from prefect_synth.expectations.suite import Suite
from prefect_synth.expectations.verdict import Check, CheckStatus
from prefect_synth.synth.metadata import Metadata, Table
from prefect_synth.synth.metrics.hashing import Hashes
from prefect_synth.synth.metrics.sources import read_columns

_KIND_OF_ERROR = re.compile(r"^(?:\w+\.)*(\w+(?:Error|Exception))\b", re.MULTILINE)
_ENGINE = threading.Lock()  # Great Expectations keeps its context in one global place


def run_suite(
    suite: Suite,
    table: Table,
    metadata: Metadata,
    batch: Batch,
    parents: Mapping[str, Path],
    copies: Hashes,
) -> list[Check]:
    """Run a suite on a batch of synthetic rows.

    Args:
        suite: What `build_suite` made, edited by hand or not.
        table: What the table means.
        metadata: The schema with the foreign keys.
        batch: The rows to judge.
        parents: Synthetic tables that the rows refer to, itself included where it does.
        copies: Sorted hashes of the unique real rows.

    Returns:
        One check for each expectation, in the suite's order. They hold counts and shares, never a
        value. An expectation that broke is `crashed`.
    """
    keys = {
        r.parent: read_columns(parents[r.parent], _referred(metadata, table.name, r.parent))
        for r in metadata.parents(table.name)
        if r.parent in parents
    }
    with _ENGINE:
        results = _validate(suite, table, batch.table, keys, copies)
    order = {e.get("id"): place for place, e in enumerate(suite["expectations"])}
    results.sort(key=lambda r: order.get(r["expectation_config"].get("id"), len(order)))
    return [_check(table.name, result, batch.note) for result in results]


def _validate(
    suite: Suite, table: Table, rows: pa.Table, parents: Mapping[str, pa.Table], copies: Hashes
) -> list[dict[str, Any]]:
    gx = _great_expectations()
    from great_expectations.data_context.types.base import ProgressBarsConfig

    from prefect_synth.expectations.custom import References, references

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    context.variables.save()
    asset = context.data_sources.add_pandas("synthetic").add_dataframe_asset(table.name)
    definition = asset.add_batch_definition_whole_dataframe("whole")
    batch = definition.get_batch(batch_parameters={"dataframe": numpy_frame(rows)})
    expectations = gx.ExpectationSuite(**suite)
    with references(References(rows, table.columns, parents, copies)):
        outcome = batch.validate(
            expectations,
            result_format={"result_format": "SUMMARY", "partial_unexpected_count": 0},
        )
    return [result.to_json_dict() for result in outcome.results]


def _great_expectations() -> ModuleType:
    """Import Great Expectations, which takes seconds, only where a suite runs."""
    with warnings.catch_warnings():
        # It imports `sre_constants`, which Python 3.11 deprecates.
        warnings.filterwarnings("ignore", "module 'sre_", DeprecationWarning)
        import great_expectations as gx
    return gx


def _check(table: str, result: Mapping[str, Any], note: str) -> Check:
    config = result["expectation_config"]
    ours = config.get("meta", {}).get("prefect_synth", {})
    arguments = config["kwargs"]
    column = arguments.get("column") or ", ".join(arguments.get("column_list", ())) or None
    if ours.get("check") == "copied rows":
        column = None
    errors = _errors(result.get("exception_info") or {})
    status: CheckStatus = "passed" if result["success"] else "failed"
    if errors:
        status = "crashed"
        note = f"the check itself broke ({', '.join(errors)}); the data may be good"
    return Check(
        ours.get("check", config["type"]),
        table,
        column,
        ours.get("kind", "expectation"),
        None if errors else _observed(result["result"]),
        ours.get("required", "as the suite says"),
        status,
        note,
    )


def _observed(result: Mapping[str, Any]) -> float | int | str | None:
    """The aggregate of a result; what is not a number may be a value, so it is only counted."""
    if "observed_value" in result:
        value = result["observed_value"]
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{len(value)} values" if isinstance(value, list | dict) else None
        return value
    if "unexpected_count" in result:
        count, total = result["unexpected_count"], result.get("element_count", 0)
        return f"{count:,} of {total:,} rows against it"
    return None


def _errors(info: Mapping[str, Any]) -> list[str]:
    """The kinds of errors that a check met first; their texts may quote values, so they stay."""
    nested: Iterable[Any] = info.values() if "raised_exception" not in info else [info]
    raised = [e for e in nested if isinstance(e, Mapping) and e.get("raised_exception")]
    kinds = (_KIND_OF_ERROR.search(str(e.get("exception_traceback"))) for e in raised)
    return sorted({kind[1] if kind else "error" for kind in kinds})


def _referred(metadata: Metadata, child: str, parent: str) -> list[str]:
    return [c for r in metadata.parents(child) if r.parent == parent for c in r.parent_columns]
