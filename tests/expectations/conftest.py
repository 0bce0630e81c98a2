"""A small shop, drawn twice from one population: the real tables and an honest synthetic copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.expectations.gate import judge_table
from prefect_synth.expectations.profile import TableProfile, profile_table
from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.sides import Sides
from prefect_synth.expectations.verdict import Check, Verdict
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table

CUSTOMERS, ORDERS = 600, 3_000

CUSTOMER_SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("email", pa.string(), nullable=False),
        pa.field("first_name", pa.string()),
        pa.field("city", pa.dictionary(pa.int32(), pa.string())),
        pa.field("age", pa.int16()),
        pa.field("income", pa.float64()),
        pa.field("joined", pa.timestamp("us", tz="UTC")),
    ]
)
ORDER_SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("customer_id", pa.int64()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("amount", pa.decimal128(9, 2)),
        pa.field("day", pa.date32()),
        pa.field("tags", pa.list_(pa.string())),
    ]
)
REVIEW_SCHEMA = pa.schema(
    [
        pa.field("order_id", pa.int64(), nullable=False),
        pa.field("line", pa.int32(), nullable=False),
        pa.field("reply_order_id", pa.int64()),
        pa.field("reply_line", pa.int32()),
    ]
)


def shop_metadata() -> Metadata:
    """Customers, their orders, and reviews that reply to reviews by a composite key."""
    customers = _table(
        "customers",
        {
            "id": Column("id", "id", nullable=False),
            "email": Column("email", "email", nullable=False, pii=True),
            "first_name": Column("first_name", "first_name", pii=True),
            "city": Column("city", "categorical"),
            "age": Column("age", "numerical"),
            "income": Column("income", "numerical"),
            "joined": Column("joined", "datetime"),
        },
        ("id",),
        (("email",),),
    )
    orders = _table(
        "orders",
        {
            "id": Column("id", "id", nullable=False),
            "customer_id": Column("customer_id", "id"),
            "status": Column("status", nullable=False, categories=("new", "paid", "sent")),
            "amount": Column("amount", "numerical"),
            "day": Column("day", "datetime"),
            "tags": Column("tags", "unknown"),
        },
        ("id",),
    )
    reviews = _table(
        "reviews",
        {
            "order_id": Column("order_id", "id", nullable=False),
            "line": Column("line", "id", nullable=False),
            "reply_order_id": Column("reply_order_id", "id"),
            "reply_line": Column("reply_line", "id"),
        },
        ("order_id", "line"),
    )
    return Metadata(
        {t.name: t for t in (customers, orders, reviews)},
        (
            Relationship("orders", ("customer_id",), "customers", ("id",)),
            Relationship("reviews", ("order_id",), "orders", ("id",)),
            Relationship(
                "reviews", ("reply_order_id", "reply_line"), "reviews", ("order_id", "line")
            ),
        ),
    )


def _table(
    name: str,
    columns: dict[str, Column],
    key: tuple[str, ...],
    unique: tuple[tuple[str, ...], ...] = (),
) -> Table:
    return Table(name, columns, key, unique)


def draw_shop(seed: int) -> dict[str, pa.Table]:
    """Draw the shop's tables from their population."""
    rng = np.random.default_rng(seed)
    first = seed * 1_000_000
    return {
        "customers": _customers(rng, first),
        "orders": _orders(rng, first),
        "reviews": _reviews(rng, first),
    }


def _customers(rng: np.random.Generator, first: int) -> pa.Table:
    names = rng.choice(["Ana", "Ben", "Chloe", "Dev"], CUSTOMERS)
    city = rng.choice(["Oslo", "Lima", "Pune"], CUSTOMERS, p=[0.6, 0.3, 0.1])
    age = rng.integers(18, 90, CUSTOMERS)
    seconds = rng.integers(0, 10**8, CUSTOMERS) * 1_000_000
    return pa.table(
        {
            "id": np.arange(first, first + CUSTOMERS),
            "email": [f"user{first + i}@example.org" for i in range(CUSTOMERS)],
            "first_name": names,
            "city": pa.array(city).dictionary_encode(),
            "age": pa.array(age, mask=rng.random(CUSTOMERS) < 0.1, type=pa.int16()),
            "income": rng.lognormal(10, 0.5, CUSTOMERS),
            "joined": pa.array(seconds).cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC")),
        }
    ).cast(CUSTOMER_SCHEMA)


def _orders(rng: np.random.Generator, first: int) -> pa.Table:
    cents = rng.integers(100, 100_000, ORDERS)
    return pa.table(
        {
            "id": np.arange(first, first + ORDERS),
            "customer_id": pa.array(
                rng.integers(first, first + CUSTOMERS, ORDERS), mask=rng.random(ORDERS) < 0.05
            ),
            "status": rng.choice(["new", "paid", "sent"], ORDERS, p=[0.2, 0.3, 0.5]),
            "amount": pa.array(cents / 100).cast(pa.decimal128(9, 2), safe=False),
            "day": pa.array(rng.integers(18_000, 19_000, ORDERS).astype("int32")).cast(pa.date32()),
            "tags": pa.array([["a", "b"], None, []] * (ORDERS // 3), pa.list_(pa.string())),
        }
    ).cast(ORDER_SCHEMA)


def _reviews(rng: np.random.Generator, first: int) -> pa.Table:
    orders = np.arange(first, first + 500)
    blank = rng.random(500) < 0.5
    return pa.table(
        {
            "order_id": orders,
            "line": pa.array(np.ones(500), pa.int32()),
            "reply_order_id": pa.array(rng.choice(orders, 500), mask=blank),
            "reply_line": pa.array(np.ones(500), pa.int32()),
        }
    ).cast(REVIEW_SCHEMA)


@dataclass(frozen=True)
class Shop:
    """The shop on disk, real and synthetic, with its profiles."""

    metadata: Metadata
    real: dict[str, Path]
    synthetic: dict[str, Path]
    profiles: dict[str, TableProfile]

    def table(self, name: str) -> pa.Table:
        """A synthetic table."""
        return pq.read_table(self.synthetic[name])

    def judge(self, name: str, gates: Gates | None = None, **options: object) -> Verdict:
        """Judge a synthetic table of the shop."""
        judged = judge_table(name, self.sides, self.profiles[name], gates or Gates(), **options)
        return judged.verdict

    @property
    def sides(self) -> Sides:
        """The shop's tables, without a holdout."""
        return Sides.without_holdout(self.metadata, self.real, self.synthetic)

    def judge_instead(
        self, name: str, table: pa.Table, gates: Gates | None = None, **options: object
    ) -> Verdict:
        """Judge another table in the place of a synthetic one."""
        path = self.synthetic[name].with_name(f"{name}.instead.parquet")
        pq.write_table(table, path)
        other = Shop(self.metadata, self.real, {**self.synthetic, name: path}, self.profiles)
        return other.judge(name, gates, **options)


@pytest.fixture(scope="session")
def shop_on_disk(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The shop, drawn and profiled once."""
    folder, metadata = tmp_path_factory.mktemp("shop"), shop_metadata()
    paths: dict[str, dict[str, Path]] = {}
    for side, seed in (("real", 1), ("synthetic", 2)):
        (folder / side).mkdir()
        paths[side] = {name: folder / side / f"{name}.parquet" for name in metadata.tables}
        for name, table in draw_shop(seed).items():
            pq.write_table(table, paths[side][name])
    profiles = {
        name: profile_table(paths["real"][name], metadata.tables[name], metadata)
        for name in metadata.tables
    }
    return Shop(metadata, paths["real"], paths["synthetic"], profiles)


@pytest.fixture
def shop(shop_on_disk: Shop, tmp_path: Path) -> Shop:
    """The shop, with a folder of the test's own for tables put in the place of others."""
    folder = tmp_path / "shop"
    folder.mkdir()
    synthetic = {name: folder / path.name for name, path in shop_on_disk.synthetic.items()}
    for name, path in synthetic.items():
        path.symlink_to(shop_on_disk.synthetic[name])
    return Shop(shop_on_disk.metadata, shop_on_disk.real, synthetic, shop_on_disk.profiles)


def replaced(table: pa.Table, column: str, values: object) -> pa.Table:
    """The table with another column of the same type in the place of one."""
    place = table.schema.get_field_index(column)
    field = table.schema.field(column)
    array = values if isinstance(values, pa.ChunkedArray) else pa.array(values, field.type)
    return table.set_column(place, field, array)


@pytest.fixture
def replace_column() -> Callable[[pa.Table, str, object], pa.Table]:
    """Put another column of the same type in the place of one."""
    return replaced


@pytest.fixture
def named() -> Callable[[Verdict, str, str | None], Check]:
    """The one check of a verdict with a name and a column."""

    def find(verdict: Verdict, name: str, column: str | None = None) -> Check:
        (check,) = [c for c in verdict.checks if c.name == name and c.column == column]
        return check

    return find


@pytest.fixture
def judge_alone() -> Callable[..., Verdict]:
    """The verdict on a table `t` without relations: real and synthetic."""

    def judge(
        metadata: Metadata, real: Path, synthetic: Path, gates: Gates | None = None
    ) -> Verdict:
        sides = Sides.without_holdout(metadata, {"t": real}, {"t": synthetic})
        profile = profile_table(real, metadata.tables["t"], metadata)
        return judge_table("t", sides, profile, gates or Gates()).verdict

    return judge
