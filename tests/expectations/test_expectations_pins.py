"""Pinned rows beside real ones: what is real is refused, what is made up is not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.expectations.pins import check_not_real
from prefect_synth.synth.errors import ContractError
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.pins.reading import Pins

REAL = {
    "users": pa.table({"id": range(40), "kind": ["firm", "person"] * 20}),
    "members": pa.table({"u": range(40), "g": [n % 9 for n in range(40)]}),
    "visits": pa.table({"u": [1] * 6 + [2], "g": [1] * 6 + [5]}),
    "orders": pa.table({"id": range(40), "u": [n % 7 for n in range(40)], "paid": [True] * 40}),
}
"""`visits` has no primary key: users come to a group again and again."""


@pytest.fixture
def schema() -> Metadata:
    """Users, their groups as a table of keys alone, with a primary key and without, and orders."""
    keys = {"users": ("id",), "members": ("u", "g"), "visits": (), "orders": ("id",)}
    tables = {
        name: Table(
            name,
            {
                c: Column(c, "categorical" if c in ("kind", "paid") else "id")
                for c in t.schema.names
            },
            keys[name],
        )
        for name, t in REAL.items()
    }
    tables["groups"] = Table("groups", {"id": Column("id", "id")}, ("id",))
    relations = [
        Relationship(child, (column,), parent, ("id",))
        for child in ("members", "visits", "orders")
        for column, parent in (("u", "users"), ("g", "groups"))
        if column in REAL[child].schema.names
    ]
    return Metadata(tables, tuple(relations))


@pytest.mark.parametrize(
    ("table", "row", "reason"),
    [
        ("members", {"u": [2], "g": [2]}, r"for its keys \(u, g\) are of one row"),
        ("members", {"u": [2], "g": [8]}, None),
        ("visits", {"u": [2], "g": [5]}, r"for its keys \(u, g\)"),
        ("visits", {"u": [1], "g": [1]}, None),  # six have it: nobody's
        ("orders", {"id": [9], "u": [2]}, r"for its keys \(id, u\)"),
        ("orders", {"id": [9], "u": [3]}, None),
        ("orders", {"id": [9], "u": [2], "paid": [True]}, "key and values"),
        ("orders", {"id": [9], "u": [2], "paid": [False]}, None),
        ("users", {"id": [3]}, None),  # a key alone tells nothing
        ("users", {"id": [3], "kind": ["person"]}, "key and values"),
        ("users", {"id": [3], "kind": ["firm"]}, None),
    ],
)
def test_a_row_is_real_by_all_that_it_gives(
    schema: Metadata, tmp_path: Path, table: str, row: dict[str, list[object]], reason: str | None
) -> None:
    """Keys count among the values: a pair of keys is a fact, and a key of one column is none."""
    path = tmp_path / "real.parquet"
    pq.write_table(REAL[table], path)
    pins = {table: Pins("f.csv", schema.tables[table], pa.table(row), lines=True)}
    if reason is None:
        check_not_real(schema, pins, {table: path})
        return
    with pytest.raises(ContractError, match=rf"line 2\).*{reason}"):
        check_not_real(schema, pins, {table: path})
