"""Scenarios and balanced tables in the gate: counted on all rows, failed where they are short."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.expectations.balanced import BalancedTable, check_balanced
from prefect_synth.expectations.profile import profile_table
from prefect_synth.expectations.scenarios import check_scenarios_hold
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.sides import Sides
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.synth.rules.ruleset import TableRules
from prefect_synth.synth.scenarios.balance import Balance
from prefect_synth.synth.scenarios.scenario import ChildCount, Scenario

RELATION = Relationship("orders", ("customer_id",), "customers", ("id",))
CUSTOMERS = Table(
    "customers",
    {"id": Column("id", "id", nullable=False), "email": Column("email", "email", pii=True)},
    ("id",),
)
ORDERS = Table(
    "orders",
    {
        "id": Column("id", "id", nullable=False),
        "customer_id": Column("customer_id", "id"),
        "status": Column("status"),
        "email": Column("email", "email", pii=True),
    },
    ("id",),
)
METADATA = Metadata({"customers": CUSTOMERS, "orders": ORDERS}, (RELATION,))


def orders(customers: list[int | None], statuses: list[str], first: int = 0) -> pa.Table:
    """Orders of customers, each with an address of its own."""
    ids = range(first, first + len(customers))
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "customer_id": pa.array(customers, pa.int64()),
            "status": statuses,
            "email": [f"o{n}@made.test" for n in ids],
        }
    )


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Four customers with 3, 1, 0 and 0 orders."""
    made = {
        "customers": pa.table({"id": [1, 2, 3, 4], "email": [f"c{n}@made.test" for n in range(4)]}),
        "orders": orders([1, 1, 1, 2, None], ["open", "open", "back", "open", "back"]),
    }
    for name, table in made.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    return {name: tmp_path / f"{name}.parquet" for name in made}


@pytest.mark.parametrize(
    ("table", "scenario", "found", "status"),
    [
        ("orders", Scenario("s", 2, "status = 'back'"), 2, "passed"),
        ("orders", Scenario("s", 3, "status = 'back'"), 2, "failed"),
        ("orders", Scenario("s", 1, "status = 'back' AND customer_id IS NULL"), 1, "passed"),
        ("customers", Scenario("s", 2, children={"orders": ChildCount(0)}), 2, "passed"),
        ("customers", Scenario("s", 3, children={"orders": ChildCount(0)}), 2, "failed"),
        ("customers", Scenario("s", 1, children={"orders": ChildCount(3)}), 1, "passed"),
        ("customers", Scenario("s", 2, children={"orders": ChildCount(1, True)}), 2, "passed"),
        ("customers", Scenario("s", 1, "id = 2", {"orders": ChildCount(3)}), 0, "failed"),
        ("orders", Scenario("s", 1, "nowhere = 1"), None, "crashed"),
    ],
)
def test_scenarios_are_counted(
    files: dict[str, Path], table: str, scenario: Scenario, found: int | None, status: str
) -> None:
    """What is short fails, what cannot be counted crashes, and no condition is told."""
    (check,) = check_scenarios_hold(METADATA, files, {table: (scenario,)})
    assert (check.observed, check.status, check.table) == (found, status, table)
    assert "back" not in str(check)


@pytest.mark.parametrize(
    ("rows", "failed"),
    [
        (orders([1, 2, 3, 4], ["open", "back"] * 2, 50), set()),
        (orders([1, 2, 3, 4], ["open", "open", "open", "back"], 50), {"class balance"}),
        (orders([1, 2, 3, 9], ["open", "back"] * 2, 50), {"foreign key"}),
        (orders([1, 2, 3], ["open", "back", "back"], 50), {"row count"}),
        (
            pa.concat_tables([orders([1, 2], ["open", "back"], 50)] * 2),
            {"primary key"},
        ),
    ],
)
def test_a_balanced_table_is_judged(
    files: dict[str, Path], tmp_path: Path, rows: pa.Table, failed: set[str]
) -> None:
    """Keys, references, rows and classes, each by its own check."""
    path = tmp_path / "balanced.parquet"
    pq.write_table(rows, path)
    sides = Sides.without_holdout(METADATA, files, files)
    profile = profile_table(files["orders"], ORDERS, METADATA)
    balance = Balance("balanced", "orders", "status", 1.0)
    table = BalancedTable(balance, path, 4, profile, TableRules())
    checks = check_balanced(table, sides, Gates(), {})
    assert {c.name for c in checks if c.status in ("failed", "crashed")} == failed
    assert {c.table for c in checks} == {"balanced"}


def test_a_real_address_in_a_balanced_table_is_found(
    files: dict[str, Path], tmp_path: Path
) -> None:
    """Personal values are looked for as in every table."""
    path = tmp_path / "balanced.parquet"
    pq.write_table(orders([1, 2, 3, 4], ["open", "back"] * 2), path)  # the real ones' addresses
    sides = Sides.without_holdout(METADATA, files, files)
    profile = profile_table(files["orders"], ORDERS, METADATA)
    table = BalancedTable(Balance("balanced", "orders", "status"), path, 4, profile, TableRules())
    failed = {c.name for c in check_balanced(table, sides, Gates(), {}) if c.status == "failed"}
    assert "real personal values" in failed
