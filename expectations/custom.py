"""Expectations of our own, for Great Expectations' pandas engine.

Importing this module imports Great Expectations (seconds) and registers the expectations by the
names that suites use, such as `expect_foreign_key_to_resolve`.

Their arguments are JSON, as a suite is. Rows, parents and hashes come by `references`, and the
scores are computed by `prefect_synth.synth.metrics` on the batch's own Arrow columns, since a
pandas frame forgets types.
"""

from __future__ import annotations

from prefect_synth.expectations.custom_columns import (
    ExpectColumnCategoryCoverageToBeAtLeast,
    ExpectColumnKsComplementToBeAtLeast,
    ExpectColumnMeanToBeNear,
    ExpectColumnNullShareToBeNear,
    ExpectColumnTvComplementToBeAtLeast,
    ExpectColumnValuesToBeInRealRange,
)
from prefect_synth.expectations.custom_quantiles import ExpectColumnQuantileValuesToBeBetween
from prefect_synth.expectations.custom_references import References, references
from prefect_synth.expectations.custom_tables import (
    ExpectCopiedRowShareToBeAtMost,
    ExpectForeignKeyToResolve,
)

__all__ = [
    "ExpectColumnCategoryCoverageToBeAtLeast",
    "ExpectColumnKsComplementToBeAtLeast",
    "ExpectColumnMeanToBeNear",
    "ExpectColumnNullShareToBeNear",
    "ExpectColumnQuantileValuesToBeBetween",
    "ExpectColumnTvComplementToBeAtLeast",
    "ExpectColumnValuesToBeInRealRange",
    "ExpectCopiedRowShareToBeAtMost",
    "ExpectForeignKeyToResolve",
    "References",
    "references",
]
