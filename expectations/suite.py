"""A Great Expectations suite for a table: generated from the schema, bound to the real data.

A suite is a plain dictionary, ready for JSON. Before it is bound it holds thresholds only and may
lie in version control; bound it holds quantiles and shares of the real data and stays private.
"""

from __future__ import annotations

import pyarrow as pa

from prefect_synth.expectations.profile import TableProfile
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.suite_binding import bind
from prefect_synth.expectations.suite_form import Expectation, Suite
from prefect_synth.expectations.suite_generate import generate_suite
from prefect_synth.synth.metadata import Metadata, Table

__all__ = ["Expectation", "Suite", "bind", "build_suite", "generate_suite"]


def build_suite(
    table: Table,
    metadata: Metadata,
    schema: pa.Schema,
    profile: TableProfile,
    gates: Gates,
    *,
    rows: int | None = None,
) -> Suite:
    """Generate the suite of a table and bind it.

    Args:
        table: What the table means.
        metadata: The schema with the foreign keys.
        schema: The Arrow schema of the table.
        profile: What is remembered of the real table.
        gates: Thresholds, before sampling error is allowed for.
        rows: How many synthetic rows will be judged; as many as the real ones by default.

    Returns:
        The suite as JSON values, for private staging only.
    """
    return bind(generate_suite(table, metadata, schema, gates), profile, gates, rows)
