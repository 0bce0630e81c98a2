"""The gate checks each rule in force on all rows."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.expectations.rules import check_rules
from prefect_synth.synth.metadata import Metadata
from prefect_synth.synth.rules.inference import infer_rules

LINES = ("total = a + b", "a <= b", "city -> country")


@pytest.fixture
def table() -> pa.Table:
    """Forty rows that obey three rules."""
    a = list(range(40))
    columns = {"a": a, "b": [v + 1 for v in a], "total": [2 * v + 1 for v in a]}
    return pa.table({**columns, "city": ["x", "y"] * 20, "country": ["k", "l"] * 20})


def statuses(table: pa.Table, written: pa.Table, tmp_path) -> dict[str, tuple[str, int]]:
    """Status and broken rows by what was required."""
    metadata = Metadata.from_tables({"t": table})
    rules = infer_rules(metadata, {"t": table}, {}, {"t": LINES}, infer=False)
    pq.write_table(written, tmp_path / "t.parquet")
    checks = check_rules(metadata, {"t": tmp_path / "t.parquet"}, {"t": rules.of("t")})
    return {c.required.removeprefix("0 rows break "): (c.status, c.observed) for c in checks}


def test_rules_that_hold_pass(table, tmp_path):
    """One check for each rule."""
    assert statuses(table, table, tmp_path) == dict.fromkeys(LINES, ("passed", 0))


def test_every_broken_row_is_counted(table, tmp_path):
    """A rule that one row breaks fails."""
    broken = table.to_pylist()
    broken[7] |= {"total": 0, "a": 99, "country": "m"}
    found = statuses(table, pa.Table.from_pylist(broken, table.schema), tmp_path)
    assert found == dict.fromkeys(LINES, ("failed", 1))
