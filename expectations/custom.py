"""Expectations of our own, for Great Expectations' pandas engine.

Importing this module imports Great Expectations (seconds) and registers the expectations by the
names that suites use: `expect_foreign_key_to_resolve`, `expect_copied_row_share_to_be_at_most`,
`expect_column_ks_complement_to_be_at_least`, `expect_column_tv_complement_to_be_at_least`.

Their arguments are JSON, as a suite is. Rows, parents and hashes come by `references`, and the
scores are computed by `prefect_synth.synth.metrics` on the batch's own Arrow columns, since a
pandas frame forgets types.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from great_expectations.core.suite_parameters import (  # noqa: F401  (named by inherited fields)
    SuiteParameterDict,
)
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import (
    BatchExpectation,
    ColumnAggregateExpectation,
)
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from prefect_synth.expectations.columns import share_complement
from prefect_synth.synth.metadata import Column
from prefect_synth.synth.metrics.hashing import Hashes
from prefect_synth.synth.metrics.privacy import copied_share
from prefect_synth.synth.metrics.shapes import ks_complement
from prefect_synth.synth.metrics.structure import orphans
from prefect_synth.synth.metrics.values import numbers


@dataclass(frozen=True)
class References:
    """What an expectation needs besides its JSON arguments.

    Args:
        batch: The rows that are judged.
        columns: What their columns mean.
        parents: Key columns of the tables that the rows refer to.
        copies: Sorted hashes of the unique real rows.
    """

    batch: pa.Table
    columns: Mapping[str, Column]
    parents: Mapping[str, pa.Table]
    copies: Hashes


_REFERENCES: ContextVar[References] = ContextVar("prefect_synth_references")


@contextmanager
def references(given: References) -> Iterator[None]:
    """Hand `given` to the expectations that run inside."""
    token = _REFERENCES.set(given)
    try:
        yield
    finally:
        _REFERENCES.reset(token)


class _Orphans(TableMetricProvider):
    metric_name = "table.synth.orphans"
    value_keys = ("column_list", "parent_table", "parent_columns")

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(cls, metric_value_kwargs: dict[str, Any], **_: Any) -> int:
        given, columns = _REFERENCES.get(), metric_value_kwargs["column_list"]
        parent = given.parents[metric_value_kwargs["parent_table"]]
        return orphans(given.batch, columns, parent, metric_value_kwargs["parent_columns"])


class _KsComplement(TableMetricProvider):
    metric_name = "table.synth.ks_complement"
    value_keys = ("column", "quantiles")

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(cls, metric_value_kwargs: dict[str, Any], **_: Any) -> float:
        given, column = _REFERENCES.get(), metric_value_kwargs["column"]
        values = numbers(given.batch[column], given.columns[column])
        score = ks_complement(np.asarray(metric_value_kwargs["quantiles"], np.float64), values)
        return 0.0 if np.isnan(score) else float(score)


class _TvComplement(TableMetricProvider):
    metric_name = "table.synth.tv_complement"
    value_keys = ("column", "shares")

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(cls, metric_value_kwargs: dict[str, Any], **_: Any) -> float:
        values = _REFERENCES.get().batch[metric_value_kwargs["column"]]
        return share_complement(metric_value_kwargs["shares"], values)


class _CopiedShare(TableMetricProvider):
    metric_name = "table.synth.copied_share"
    value_keys = ("column_list",)

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(cls, metric_value_kwargs: dict[str, Any], **_: Any) -> float:
        given = _REFERENCES.get()
        return copied_share(given.batch, metric_value_kwargs["column_list"], given.copies)


class ExpectForeignKeyToResolve(BatchExpectation):
    """Expect every key without a null in `column_list` to exist in the parent table."""

    column_list: list[str]
    parent_table: str
    parent_columns: list[str]

    metric_dependencies = (_Orphans.metric_name,)
    domain_keys: ClassVar[tuple[str, ...]] = ()
    success_keys = _Orphans.value_keys
    args_keys = _Orphans.value_keys

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        return _outcome(metrics[_Orphans.metric_name] == 0, int(metrics[_Orphans.metric_name]))


class ExpectColumnKsComplementToBeAtLeast(ColumnAggregateExpectation):
    """Expect the KS complement of a column against stored quantiles to be at least `min_value`."""

    quantiles: list[float]
    min_value: float

    metric_dependencies = (_KsComplement.metric_name,)
    success_keys = ("column", "quantiles", "min_value")
    args_keys = ("column", "quantiles", "min_value")

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        score = float(metrics[_KsComplement.metric_name])
        return _outcome(score >= self.min_value, score)


class ExpectColumnTvComplementToBeAtLeast(ColumnAggregateExpectation):
    """Expect the TV complement of a column against stored shares to be at least `min_value`."""

    shares: dict[str, float]
    min_value: float

    metric_dependencies = (_TvComplement.metric_name,)
    success_keys = ("column", "shares", "min_value")
    args_keys = ("column", "shares", "min_value")

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        score = float(metrics[_TvComplement.metric_name])
        return _outcome(score >= self.min_value, score)


class ExpectCopiedRowShareToBeAtMost(BatchExpectation):
    """Expect the share of rows that equal a unique real row to be at most `max_value`."""

    column_list: list[str]
    max_value: float

    metric_dependencies = (_CopiedShare.metric_name,)
    domain_keys: ClassVar[tuple[str, ...]] = ()
    success_keys = ("column_list", "max_value")
    args_keys = ("column_list", "max_value")

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        share = float(metrics[_CopiedShare.metric_name])
        return _outcome(share <= self.max_value, share)


def _outcome(success: bool, observed: float) -> dict[str, Any]:
    # Plain bool: a numpy.bool cannot be written as JSON.
    return {"success": bool(success), "result": {"observed_value": observed}}
