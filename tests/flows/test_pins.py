"""Pinned rows through the real flow: in every snapshot with their keys, or refused with reason."""

from __future__ import annotations

import json
import re
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from prefect_synth.flows.cli import app
from prefect_synth.synth.errors import ContractError
from prefect_synth.tasks.snapshots.store import open_store

pytestmark = pytest.mark.usefixtures("prefect_url")

TABLES = """
tables:
  customers: {pin: pins/customers.csv}
  orders: {pin: pins/orders.csv}
  order_items: {pin: pins/items.csv}
"""
FILES = {
    "customers": "customer_id,email,city,credit\n"
    "7001,demo@example.test,Bonn,12.50\n7002,odd@example.test,,999.99\n",
    "orders": "order_id,customer_id,status,ordered_at\n"
    "70001,7001,paid,2031-01-02 03:04:05\n70002,7002,sent,2031-01-02 03:04:06\n",
    "items": "order_id,line_no,sku,quantity\n70001,1,SKU-9001,3\n",
    "products": "sku,weight,price\nSKU-9001,1.25,9.75\n",
}


def write(shop: Any, **files: str) -> None:
    """Write the files of pinned rows; those that are not given as they are above."""
    (shop.folder / "pins").mkdir(exist_ok=True)
    for name, text in {**FILES, **files}.items():
        (shop.folder / "pins" / f"{name}.csv").write_text(text)
    shop.configure(TABLES + "  products: {pin: pins/products.csv}\n")


def table(shop: Any, name: str) -> Any:
    """A table of the latest snapshot."""
    return pq.read_table(shop.sandbox / "snapshots" / shop.latest()["snapshot_id"] / name)


def test_pinned_rows_are_in_every_snapshot_with_all_that_hangs_on_them(shop: Any) -> None:
    """Keys and given values are as written, missing ones are drawn, and stay from run to run."""
    write(shop)
    found = []
    for force in (False, True):
        name, outcome = shop.refresh(force=force)
        assert name == "Published", outcome
        customers = table(shop, "customers")
        pinned = customers.filter(pc.is_in(customers["customer_id"], value_set=_ids(7001, 7002)))
        found.append(pinned.to_pylist())
    first, second = found[0]
    assert found[0] == found[1]
    assert (first["email"], first["city"], str(first["credit"])) == (
        "demo@example.test",
        "Bonn",
        "12.50",
    )
    assert first["since"] is not None
    assert second["city"] is None
    assert str(second["credit"]) == "999.99"
    orders, items = table(shop, "orders"), table(shop, "order_items")
    assert pc.sum(pc.is_in(orders["customer_id"], value_set=_ids(7001, 7002))).as_py() == 2
    assert "SKU-9001" in items["sku"].to_pylist()
    assert (len(customers), len(orders)) == (122, 502)
    manifest = open_store(str(shop.sandbox)).show(shop.latest()["snapshot_id"])
    assert manifest["pinned"] == {"customers": 2, "orders": 2, "order_items": 1, "products": 1}
    assert manifest["tables"]["customers"]["files"][-1]["rows"] == 2


def _ids(*numbers: int) -> Any:
    return pa.array(numbers, pa.int32())


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"customers": "customer_id,colour\n7001,red\n"}, r"customers.csv.*'colour' is none of"),
        ({"customers": "email\na@b.test\n"}, "needs the column 'customer_id' of the primary key"),
        (
            {"customers": "customer_id,credit\n7001,1.00\n7002,much\n"},
            r"customers.csv, line 3.*'credit' is no decimal128\(10, 2\)",
        ),
        ({"customers": "customer_id,credit\n7001,1.234\n"}, "'credit' is no decimal"),
        ({"customers": "customer_id,credit\n7001,\n"}, "line 2.*'credit' is empty.*NOT NULL"),
        (
            {"customers": "customer_id,credit\n7001,1.00\n7001,2.00\n"},
            r"line 3\): the primary key \(customer_id\) is the same as in line 2",
        ),
        ({"customers": "customer_id,email\n7001,a@b.test\n7002,a@b.test\n"}, "unique key"),
        ({"orders": FILES["orders"].replace("7002", "1")}, "line 3.*'customer_id' refers to a row"),
        ({"orders": "order_id,status\n70001,paid\n"}, "needs the column 'customer_id'"),
        ({"orders": FILES["orders"].replace("sent", "lost")}, "declares: open, paid, sent"),
        ({"customers": "customer_id\n"}, "it has no row"),
        ({"customers": "customer_id\n7001,8\n"}, "is no CSV"),
    ],
)
def test_a_pinned_row_that_does_not_fit_is_refused_before_anything_is_pulled(
    shop: Any, files: dict[str, str], reason: str
) -> None:
    """The message of `check` names file, line, table and column."""
    write(shop, **files)
    result = CliRunner().invoke(app, ["check", "--project", str(shop.file), "--json"])
    assert result.exit_code == 2
    assert re.search(reason, json.loads(result.stdout)["error"]["message"])


def test_a_missing_file_is_named_before_anything_is_pulled(shop: Any) -> None:
    """With what its place is relative to; a refresh sees it too."""
    shop.configure("tables: {customers: {pin: nowhere.csv}}\n")
    with pytest.raises(ContractError, match=r"customers' \(nowhere.csv\): there is no such file"):
        shop.refresh()
    assert shop.latest() is None
    assert not list(shop.staging.glob("runs/*"))


def real(shop: Any, columns: str, table: str, row: int) -> tuple[Any, ...]:
    """A real row."""
    with duckdb.connect(str(shop.warehouse)) as warehouse:
        found = warehouse.execute(f"SELECT {columns} FROM {table}").fetchall()[row]
    return tuple(found)


def test_what_is_real_or_taken_is_refused_and_readers_keep_what_they_have(shop: Any) -> None:
    """A real row, a real e-mail address, a synthetic row's key, a broken rule: each by name."""
    shop.configure("defaults: {rules: none}\n")
    shop.refresh()
    before = shop.latest()
    taken = table(shop, "customers")["customer_id"][5].as_py()
    city, credit, since = real(shop, "city, credit, since", "customers", 3)
    for text, reason in {
        f"customer_id,city,credit,since\n7001,{city},{credit},{since}\n": "are those of a real row",
        f"customer_id,credit\n3,{credit}\n": "it is a real row, key and values",
        "customer_id,email\n7001,x@y.test\n7002, Person9@Example.com\n": "line 3.*real personal",
        f"customer_id,credit\n{taken},3.33\n": "is that of a synthetic row. Synthetic keys begin",
    }.items():
        write(shop, customers=text, orders=FILES["orders"].splitlines()[0] + "\n")
        shop.configure("defaults: {rules: none}\ntables: {customers: {pin: pins/customers.csv}}\n")
        with pytest.raises(ContractError, match=reason) as found:
            shop.refresh()
        assert not any(str(value) in str(found.value) for value in (credit, since, "Person9"))
    shop.execute("ALTER TABLE customers ADD COLUMN most DECIMAL(10, 2)")
    shop.execute("UPDATE customers SET most = credit + customer_id % 3")
    write(shop, customers="customer_id,credit,most\n7001,3.33,1.00\n")
    shop.configure("tables: {customers: {pin: pins/customers.csv, rules: ['credit <= most']}}\n")
    with pytest.raises(ContractError, match="1 of its rows break the rule 'credit <= most'"):
        shop.refresh()
    assert shop.latest() == before


def test_a_pinned_row_may_refer_to_a_stable_key(shop: Any) -> None:
    """With keys that stay, a pinned order hangs on a synthetic customer."""
    shop.configure("defaults: {keys: stable}\n")
    shop.refresh()
    customer = table(shop, "customers")["customer_id"][4].as_py()
    write(
        shop, orders=FILES["orders"].replace("7001", str(customer)).replace("7002", str(customer))
    )
    shop.configure("defaults: {keys: stable}\ntables: {orders: {pin: pins/orders.csv}}\n")
    name, outcome = shop.refresh()
    assert name == "Published", outcome
    orders = table(shop, "orders")
    assert orders["customer_id"].to_pylist()[-2:] == [customer, customer]
