"""Faults planted into honest data, and the check that must find each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from judged import Divided

from prefect_synth.expectations.settings import Gates

Rng = np.random.Generator
Plant = Callable[[Divided, Rng], Divided]


@dataclass(frozen=True)
class Fault:
    """A fault.

    Args:
        data: The data set that it is planted into.
        plant: Plants it.
        check: Name of the check that must find it.
        place: `table.column` that the check must name.
        gates: What is asked for besides the defaults.
        rules: Declared rules by table.
        hours: Age of the data when they are judged.
    """

    data: str
    plant: Plant
    check: str
    place: str
    gates: Mapping[str, object] | None = None
    rules: Mapping[str, tuple[str, ...]] | None = None
    hours: float = 1.0

    def read_gates(self) -> Gates:
        """The gates that judge."""
        return Gates.model_validate(self.gates or {})


def replaced(table: pa.Table, column: str, values: object) -> pa.Table:
    """A table with another column in the place of one."""
    at = table.schema.get_field_index(column)
    field = table.schema.field(column)
    array = values if isinstance(values, pa.ChunkedArray) else pa.array(values, field.type)
    return table.set_column(at, field, array)


def orphans(divided: Divided, rng: Rng) -> Divided:
    """One payment in twenty is of a rental that does not exist."""
    table = divided.table("payment")
    keys = table["rental_id"].to_numpy(zero_copy_only=False).astype(np.int64)
    keys[rng.choice(len(keys), len(keys) // 20, replace=False)] = 2**30
    return divided.with_table("payment", replaced(table, "rental_id", keys))


def duplicated_key(divided: Divided, rng: Rng) -> Divided:
    """Two rentals have one number."""
    table = divided.table("rental")
    keys = table["rental_id"].to_numpy(zero_copy_only=False).copy()
    keys[1] = keys[0]
    return divided.with_table("rental", replaced(table, "rental_id", keys))


def shifted_mean(divided: Divided, rng: Rng) -> Divided:
    """Everybody works half a standard deviation longer."""
    table = divided.table("adult")
    hours = table["hours_per_week"].to_numpy().astype(float)
    return divided.with_table(
        "adult", replaced(table, "hours_per_week", np.rint(hours + hours.std() / 2).astype(int))
    )


def lost_category(divided: Divided, rng: Rng) -> Divided:
    """Nobody is widowed any more."""
    table = divided.table("adult")
    status = pc.if_else(
        pc.equal(table["marital_status"], "Widowed"), "Divorced", table["marital_status"]
    )
    return divided.with_table("adult", replaced(table, "marital_status", status))


def swapped_dependence(divided: Divided, rng: Rng) -> Divided:
    """Ages are dealt out anew: each column looks right, and no row does."""
    table = divided.table("adult")
    return divided.with_table(
        "adult", replaced(table, "age", table["age"].take(pa.array(rng.permutation(len(table)))))
    )


def copied_table(divided: Divided, rng: Rng) -> Divided:
    """The table is the training data."""
    rows = divided.table("adult").num_rows
    return divided.with_table("adult", divided.table("adult", "training").slice(0, rows))


def copied_rows(divided: Divided, rng: Rng) -> Divided:
    """One row in a hundred is somebody's."""
    table, real = divided.table("adult"), divided.table("adult", "training")
    few = len(table) // 100
    chosen = real.take(pa.array(rng.choice(len(real), few, replace=False)))
    return divided.with_table("adult", pa.concat_tables([table.slice(few), chosen]))


def canary(divided: Divided, rng: Rng) -> Divided:
    """A city that was planted in the warehouse turns up."""
    table = divided.table("customer")
    cities = [*table["city"].to_pylist()[:-1], "Zyzzyva-4711"]
    return divided.with_table("customer", replaced(table, "city", cities))


def leaked_email(divided: Divided, rng: Rng) -> Divided:
    """A real customer's address, in capitals, among the made-up ones."""
    table = divided.table("customer")
    real = divided.table("customer", "training")["email"][3].as_py()
    emails = [real.upper(), *table["email"].to_pylist()[1:]]
    return divided.with_table("customer", replaced(table, "email", emails))


def email_in_text(divided: Divided, rng: Rng) -> Divided:
    """A real customer's address inside a text of another column."""
    table = divided.table("invoice")
    real = divided.table("customer", "training")["email"][3].as_py()
    texts = [f"to {real}, urgent", *table["billing_address"].to_pylist()[1:]]
    return divided.with_table("invoice", replaced(table, "billing_address", texts))


def rare_category(divided: Divided, rng: Rng) -> Divided:
    """A country that one person in the training data comes from, in many rows."""
    real, table = divided.table("adult", "training"), divided.table("adult")
    counts = pc.value_counts(real["native_country"].drop_null())
    [rare] = [c["values"].as_py() for c in counts if c["counts"].as_py() == 1][:1] or ["none"]
    values = [rare] * 40 + table["native_country"].to_pylist()[40:]
    return divided.with_table("adult", replaced(table, "native_country", values))


def resampled_child(divided: Divided, rng: Rng) -> Divided:
    """Payments keep their columns, and belong to rentals of which they know nothing."""
    table = divided.table("payment")
    order = pa.array(rng.permutation(len(table)))
    for column in ("amount", "payment_date"):
        table = replaced(table, column, table[column].take(order))
    return divided.with_table("payment", table)


def untouched(divided: Divided, rng: Rng) -> Divided:
    """Nothing but time has passed."""
    return divided


def broken_rule(divided: Divided, rng: Rng) -> Divided:
    """A film comes back before it was rented."""
    table = divided.table("rental")
    back = table["return_date"].to_pylist()
    back[7] = table["rental_date"][7].as_py().replace(year=1999)
    return divided.with_table("rental", replaced(table, "return_date", back))


FAULTS = {
    "5 % orphans": Fault("sakila", orphans, "foreign key", "payment.rental_id"),
    "duplicated key": Fault("sakila", duplicated_key, "primary key", "rental.rental_id"),
    "shifted mean": Fault("adult", shifted_mean, "mean", "adult.hours_per_week"),
    "lost category": Fault("adult", lost_category, "category coverage", "adult.marital_status"),
    "swapped dependence": Fault(
        "adult", swapped_dependence, "dependence on other columns kept", "adult.age"
    ),
    "copied table": Fault("adult", copied_table, "copied rows", "adult"),
    "1 % of rows copied": Fault("adult", copied_rows, "copied rows", "adult"),
    "canary": Fault(
        "chinook", canary, "canaries", "customer.city", {"privacy": {"canaries": ["Zyzzyva-4711"]}}
    ),
    "leaked e-mail": Fault("chinook", leaked_email, "real personal values", "customer.email"),
    "e-mail inside a text": Fault(
        "chinook", email_in_text, "real personal values elsewhere", "invoice.billing_address"
    ),
    "rare category": Fault("adult", rare_category, "rare values", "adult.native_country"),
    "stale snapshot": Fault("chinook", untouched, "fresh data", "snapshot", hours=30),
    "broken rule": Fault(
        "sakila", broken_rule, "rule", "rental", rules={"rental": ("rental_date <= return_date",)}
    ),
    "child resampled independently": Fault(
        "sakila", resampled_child, "dependence on the parent kept", "payment.rental_id"
    ),
}
