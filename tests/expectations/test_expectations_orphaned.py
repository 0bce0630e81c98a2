"""What a real table's profile is once orphans' keys are cleared."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.expectations.orphaned import with_cleared_orphans
from prefect_synth.expectations.profile import TableProfile, profile_table
from prefect_synth.expectations.sides import Sides
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table


@pytest.fixture
def before_and_after(tmp_path: Path) -> tuple[TableProfile, TableProfile]:
    """Ten visits by `who`, a customer and a member at once; `place` is of a key of two columns."""
    tables = {
        "customers": pa.table({"id": range(6)}),
        "members": pa.table({"id": range(8)}),
        "stays": pa.table({"who": range(10), "place": [0] * 9 + [1]}),
        "visits": pa.table({"who": [*range(9), None], "place": [0] * 8 + [5, None]}),
    }
    for name, table in tables.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    made = {
        name: Table(name, {c: Column(c, "id", nullable=c != "place") for c in t.column_names})
        for name, t in tables.items()
    }
    relations = (
        Relationship("visits", ("who",), "customers", ("id",)),
        Relationship("visits", ("who",), "members", ("id",)),
        Relationship("visits", ("who", "place"), "stays", ("who", "place")),
    )
    metadata = Metadata(made, relations)
    files = {name: tmp_path / f"{name}.parquet" for name in tables}
    profile = profile_table(files["visits"], metadata.tables["visits"], metadata)
    sides = Sides.without_holdout(metadata, files, files)
    return profile, with_cleared_orphans(profile, sides)


def test_a_row_is_cleared_once(before_and_after: tuple[TableProfile, TableProfile]) -> None:
    """Three rows are orphans of one key, and two of them of others: three are null, and one was."""
    before, after = (profile.columns["who"] for profile in before_and_after)
    assert (before.nulls, before.rows) == (pytest.approx(0.1), 9)
    assert (after.nulls, after.rows) == (pytest.approx(0.4), 6)


def test_what_may_not_be_null_is_not_cleared(
    before_and_after: tuple[TableProfile, TableProfile],
) -> None:
    """The other column of the key says that it is null."""
    before, after = (profile.columns["place"] for profile in before_and_after)
    assert before == after
