"""Run a suite with Great Expectations: quietly, one batch a table, imported only when needed."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from prefect_synth.expectations.batch import Batch, numpy_frame
from prefect_synth.expectations.suite_binding import unbound_names
from prefect_synth.expectations.suite_form import Expectation, Suite
from prefect_synth.expectations.suite_results import Outcome, check_of, errors_of
from prefect_synth.expectations.verdict import Check
from prefect_synth.synth.metadata import Metadata, Table
from prefect_synth.synth.metrics.hashing import Hashes
from prefect_synth.synth.metrics.sources import read_columns

_FIELDS = frozenset({"type", "kwargs", "meta", "id", "severity", "notes", "description"})

RESULT_FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
"""Counts only, and no value."""

ENGINE = threading.Lock()
"""Held while Great Expectations runs, which keeps its context in one global place."""


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
    keys = parent_keys(metadata, table.name, parents)
    with ENGINE:
        outcomes = validate_rows(suite, table, batch.table, keys, copies)
    return [check_of(table.name, outcome, batch.note) for outcome in outcomes]


def validate_rows(
    suite: Suite, table: Table, rows: pa.Table, parents: Mapping[str, pa.Table], copies: Hashes
) -> list[Outcome]:
    """Run a bound suite, all expectations in one pass, on a frame over the rows.

    Returns:
        An outcome for each expectation, in the suite's order.
    """
    gx = great_expectations()
    from prefect_synth.expectations.custom import References, references

    started = runnable(suite, rows.schema)
    good = [s for s in started if not isinstance(s, str)]
    source = quiet_context(gx).data_sources.add_pandas("synthetic")
    batch = whole_frame(source, table.name).get_batch({"dataframe": numpy_frame(rows)})
    with references(References(rows, table.columns, parents, copies)):
        found = batch.validate(
            gx.ExpectationSuite(name=suite["name"], expectations=good),
            result_format=RESULT_FORMAT,
        )
    results = {result.expectation_config.id: result for result in found.results}
    return [
        Outcome(e, None, (s,)) if isinstance(s, str) else _outcome(e, results.get(str(place)))
        for place, (e, s) in enumerate(zip(suite["expectations"], started, strict=True))
    ]


def quiet_context(gx: ModuleType) -> Any:
    """A context in memory, without progress bars."""
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    context.variables.save()
    return context


def whole_frame(source: Any, table: str) -> Any:
    """The definition of a batch that is a whole frame."""
    return source.add_dataframe_asset(table).add_batch_definition_whole_dataframe("whole")


def runnable(suite: Suite, schema: pa.Schema) -> list[Expectation | str]:
    """The expectations as the engine takes them; of one that it cannot take, the error's kind.

    Args:
        suite: The bound suite.
        schema: The Arrow schema of the rows.

    Returns:
        One for each expectation of the suite; its id is its place.
    """
    great_expectations()
    import prefect_synth.expectations.custom  # noqa: F401  (registers ours)

    prepared = [_prepared(e, schema) for e in suite["expectations"]]
    return [_start(e, place) for place, e in enumerate(prepared)]


def _prepared(expectation: Expectation, schema: pa.Schema) -> Expectation:
    """Bounds of dates as moments: the engine cannot compare a column of moments with a date."""
    arguments = expectation["kwargs"]
    column = arguments.get("column")
    if column not in schema.names or not _is_moment(schema.field(column).type):
        return expectation
    zone = getattr(schema.field(column).type, "tz", None)
    moments = {
        key: _moment(value, zone)
        for key, value in arguments.items()
        if key in {"min_value", "max_value"} and isinstance(value, str)
    }
    return {**expectation, "kwargs": arguments | moments}


def _is_moment(kind: pa.DataType) -> bool:
    return bool(pt.is_date(kind) or pt.is_timestamp(kind))


def _moment(text: str, zone: str | None) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text  # the expectation itself will say that this is no moment
    if zone is not None and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.isoformat()


def _start(expectation: Expectation, place: int) -> Expectation | str:
    """The expectation, known by its place, or the kind of error that its arguments make."""
    if unbound_names(expectation):
        return "UnboundReferenceError"
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    known = {k: v for k, v in expectation.items() if k in _FIELDS} | {"id": str(place)}
    try:
        # an ExpectationSuite would write a broken one's arguments into the log
        ExpectationConfiguration(**known).to_domain_obj()
    except Exception as error:
        return type(error).__name__
    return known


def _outcome(expectation: Expectation, result: Any) -> Outcome:
    if result is None:
        return Outcome(expectation, None, ("MissingResultError",))
    return Outcome(expectation, result, tuple(errors_of(result.exception_info or {})))


def great_expectations() -> ModuleType:
    """Import Great Expectations, which takes seconds, only where a suite runs."""
    with warnings.catch_warnings():
        # It imports `sre_constants`, which Python 3.11 deprecates.
        warnings.filterwarnings("ignore", "module 'sre_", DeprecationWarning)
        import great_expectations as gx
    return gx


def parent_keys(metadata: Metadata, table: str, parents: Mapping[str, Path]) -> dict[str, pa.Table]:
    """Key columns of the tables that a table refers to, as far as they are there."""
    return {
        r.parent: read_columns(parents[r.parent], _referred(metadata, table, r.parent))
        for r in metadata.parents(table)
        if r.parent in parents
    }


def _referred(metadata: Metadata, child: str, parent: str) -> list[str]:
    return [c for r in metadata.parents(child) if r.parent == parent for c in r.parent_columns]
