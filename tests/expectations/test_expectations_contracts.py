"""Scenarios and balanced tables in the gate: counted on all rows, failed where they are short."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
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
        (orders([1, 2, 3, 4], ["open"] * 4, 50), {"class balance"}),  # a class is not there at all
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


def test_classes_of_pinned_rows_do_not_count(files: dict[str, Path], tmp_path: Path) -> None:
    """A class that only a pinned row has was never to be drawn."""
    path = tmp_path / "balanced.parquet"
    pq.write_table(orders([1, 2], ["open", "back"], 50), path)
    pinned = orders([3], ["new"], 90)
    pq.write_table(pa.concat_tables([pq.read_table(files["orders"]), pinned]), files["orders"])
    sides = Sides.without_holdout(METADATA, files, files)
    profile = profile_table(files["orders"], ORDERS, METADATA)
    balance = Balance("balanced", "orders", "status")
    for pins, status in ((1, "passed"), (0, "failed")):
        table = BalancedTable(balance, path, 2, profile, TableRules(), pins)
        (check,) = (c for c in check_balanced(table, sides, Gates(), {}) if "balance" in c.name)
        assert check.status == status


@pytest.mark.parametrize(
    ("rows", "copied", "status"),
    [(5000, False, "passed"), (5000, True, "failed"), (90, 0, "warned")],
)
def test_chance_hits_more_rows_of_a_rare_class(
    tmp_path: Path, rows: int, copied: bool, status: str
) -> None:
    """Rows drawn anew of a class of one in twenty pass, their copies do not, and few tell nothing.

    By the rate of the whole table honest rows would fail: 0.12 of them are real ones that occur
    once, and 0.10 were allowed.
    """
    rng = np.random.default_rng(0)

    def drawn(count: int, share: float) -> pa.Table:
        classes = rng.choice(["a", "b"], count, p=[1 - share, share])
        return pa.table({"c": classes, **{n: rng.integers(0, 31, count) for n in "uv"}})

    real, honest = drawn(rows, 0.05), drawn(2000, 0.5)
    rare = real.filter(pc.equal(real["c"], "b"))
    copies = pa.concat_tables([real.slice(0, 1000), *[rare] * 4])
    files = {"real": real, "balanced": copies if copied else honest}
    for name, table in files.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    meaning = Table("t", {c: Column(c) for c in real.column_names})
    balanced = BalancedTable(
        Balance("balanced", "t", "c", 0.5),
        tmp_path / "balanced.parquet",
        len(files["balanced"]),
        profile_table(tmp_path / "real.parquet", meaning),
        TableRules(),
    )
    sides = Sides.without_holdout(Metadata({"t": meaning}), *[{"t": tmp_path / "real.parquet"}] * 2)
    checks = check_balanced(balanced, sides, Gates(), {})
    assert [c.status for c in checks if c.name == "copied rows"] == [status]
