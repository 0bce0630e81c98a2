"""A little shop to publish: customers who recommend each other, orders, lines, notes on both."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.tasks.snapshots.store import SnapshotStore, open_store

KEYS = {
    "customers": ("id",),
    "orders": ("id",),
    "lines": ("order_id", "line_no"),
    "notes": ("id",),
}

RELATIONS = (
    Relationship("customers", ("friend_id",), "customers", ("id",)),
    Relationship("orders", ("customer_id",), "customers", ("id",)),
    Relationship("lines", ("order_id",), "orders", ("id",)),
    Relationship("notes", ("about_id",), "orders", ("id",), ("about", "order")),
    Relationship("notes", ("about_id",), "customers", ("id",), ("about", "customer")),
)


def shop_tables(customers: int = 60) -> dict[str, pa.Table]:
    """The rows: three orders a customer, two lines an order, a note on every other one."""
    who, what = np.arange(customers), np.arange(3 * customers)
    lines = np.arange(6 * customers)
    about = np.where(who % 2, "order", "customer")
    day = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return {
        "customers": pa.table(
            {
                "id": pa.array(who + 1, pa.int32()),
                "name": [f"customer {i}" for i in who],
                "friend_id": pa.array(who // 2, pa.int32(), mask=who < 2),
            },
            schema=pa.schema(
                [
                    pa.field("id", pa.int32(), False),
                    ("name", pa.string()),
                    ("friend_id", pa.int32()),
                ]
            ),
        ),
        "orders": pa.table(
            {
                "id": pa.array(what + 1, pa.int32()),
                "customer_id": pa.array(what // 3 + 1, pa.int32()),
                "placed_at": pa.array(
                    [day + dt.timedelta(hours=int(i)) for i in what], pa.timestamp("us", "UTC")
                ),
                "status": pa.array([["open", "paid", "sent"][i % 3] for i in what]),
            }
        ),
        "lines": pa.table(
            {
                "order_id": pa.array(lines // 2 + 1, pa.int32()),
                "line_no": pa.array(lines % 2 + 1, pa.int16()),
                "price": pa.array([Decimal(int(i) % 97) / 4 for i in lines], pa.decimal128(9, 2)),
            }
        ),
        "notes": pa.table(
            {
                "id": pa.array(who + 1, pa.int32()),
                "about": pa.array(about),
                "about_id": pa.array(who + 1, pa.int32()),
                "text": pa.array([f"so, {i}" for i in who]),
            }
        ),
    }


def shop_metadata() -> Metadata:
    """Names, keys and relations of the shop."""
    ids = {c for r in RELATIONS for c in (*r.child_columns, *r.parent_columns)} | {"line_no"}
    kinds = {"price": "numerical", "placed_at": "datetime", "text": "text", "name": "name"}
    return Metadata(
        {
            name: Table(
                name,
                {
                    c: Column(
                        c, "id" if c in ids else kinds.get(c, "categorical"), c == "friend_id"
                    )
                    for c in table.column_names
                },
                KEYS[name],
            )
            for name, table in shop_tables(2).items()
        },
        RELATIONS,
    )


def publish_shop(
    store: SnapshotStore | Path, folder: Path, run: str = "run-1", customers: int = 60
) -> str:
    """Publish the shop.

    Args:
        store: A sandbox, or the folder that is to be one.
        folder: Where its files are written first.
        run: Name of the run.
        customers: How many there are.

    Returns:
        The name of the snapshot.
    """
    sandbox = open_store(str(store)) if isinstance(store, Path) else store
    files = {}
    for name, table in shop_tables(customers).items():
        files[name] = folder / run / f"{name}.parquet"
        files[name].parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, files[name])
    facts = {"project": "shop", "seed": 0, "metadata": shop_metadata().to_dict()}
    return sandbox.publish(run, files, facts).snapshot_id
