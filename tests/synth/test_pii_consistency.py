"""Where two columns had a person's value they have it again, and nobody can tell whose it was."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.hierarchy.sampling import Sampler
from prefect_synth.synth.hierarchy.shared import Shared
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table

SHARED = Path(
    os.environ.get("PREFECT_SYNTH_SHARED", Path(__file__).resolve().parents[3] / "shared")
)
PEOPLE, ORDERS, LINES, EVENTS = 500, 1_500, 2_000, 1_200
KEY = b"k" * 32


def schema() -> Metadata:
    """Customers, their orders, their lines, and two tables that no foreign key leads from."""
    pii = {"email": "email", "contact_email": "email", "mail_copy": "email", "buyer": "email",
           "actor_email": "email", "full_name": "name", "actor_name": "name"}  # fmt: skip
    tables = {
        "customers": ("id", "email", "full_name", "age"),
        "orders": ("id", "customer_id", "contact_email", "mail_copy"),
        "lines": ("id", "order_id", "buyer"),
        "events": ("id", "actor_email", "actor_name"),
        "newsletter": ("id", "email"),
    }
    made = {}
    for name, columns in tables.items():
        known = {c: Column(c, pii.get(c, "id"), pii=c in pii) for c in columns}
        known |= {"age": Column("age", "numerical")} if "age" in columns else {}
        unique = (("email",),) if "email" in columns else ()
        made[name] = Table(name, known, ("id",), unique)
    return Metadata(
        made,
        (
            Relationship("orders", ("customer_id",), "customers", ("id",)),
            Relationship("lines", ("order_id",), "orders", ("id",)),
        ),
    )


@pytest.fixture(scope="module")
def real() -> dict[str, pa.Table]:
    """Their rows: 7 in 10 events are of customers, 4 in 10 subscribers are some."""
    rng = np.random.default_rng(7)
    mail = np.array([f"person{i}@corp.example" for i in range(PEOPLE)], object)
    name = np.array([f"Nobody{i} Known{i}" for i in range(PEOPLE)], object)
    owner, order = rng.integers(0, PEOPLE, ORDERS), rng.integers(0, ORDERS, LINES)
    actor, ours = rng.integers(0, PEOPLE, EVENTS), rng.random(EVENTS) < 0.7
    others = np.array([f"x{i}@else.example" for i in range(EVENTS)], object)
    return {
        "customers": pa.table(
            {"id": range(PEOPLE), "email": mail, "full_name": name,
             "age": rng.integers(18, 90, PEOPLE)}
        ),
        "orders": pa.table(
            {"id": range(ORDERS), "customer_id": owner, "contact_email": mail[owner],
             "mail_copy": np.where(rng.random(ORDERS) < 0.2, None, mail[owner])}
        ),
        "lines": pa.table({"id": range(LINES), "order_id": order, "buyer": mail[owner[order]]}),
        "events": pa.table(
            {"id": range(EVENTS), "actor_email": np.where(ours, mail[actor], others),
             "actor_name": np.where(ours, name[actor], np.char.add("S", others.astype(str)))}
        ),
        "newsletter": pa.table(
            {"id": range(400), "email": [*mail[:160], *others[:240]]}
        ),
    }  # fmt: skip


@pytest.fixture(scope="module")
def model(real) -> HMASynthesizer:
    """A model of them, without the rules that would hold exact equalities too."""
    fitted = HMASynthesizer(schema(), row_model="copula", pseudonym_key=KEY, rules="none")
    return fitted.fit(real)


@pytest.fixture(scope="module")
def made(model) -> dict[str, pa.Table]:
    """A sample."""
    return model.sample(seed=3)


def column(tables, table, name):
    """A column as an array of objects."""
    return np.asarray(tables[table][name].to_pylist(), object)


def by_id(tables, table, name):
    """A column by the table's key."""
    return dict(zip(column(tables, table, "id"), column(tables, table, name), strict=True))


def test_only_the_way_is_stored(model, real, stored_bytes, tmp_path):
    """The model knows owner, way and share, and neither a value nor the secret."""
    model.save(tmp_path)
    found = stored_bytes(tmp_path)
    assert model.parts_["orders"].shared["contact_email"] == Shared(
        "customers", "email", ("orders.customer_id",), 1.0
    )
    assert [v for v in column(real, "customers", "email") if v.encode() in found] == []
    assert KEY not in found


def test_exceptions_and_rules_change_nothing(real):
    """One address in a hundred that is another's breaks no consistency; rules hold with it."""
    mails = column(real, "orders", "contact_email")
    mails[::150] = [f"gift{i}@else.example" for i in range(len(mails[::150]))]
    orders = real["orders"].set_column(2, "contact_email", pa.array(mails))
    made = HMASynthesizer(schema(), row_model="copula").fit(real | {"orders": orders}).sample()
    of = by_id(made, "customers", "email")
    for table, name in (("orders", "contact_email"), ("orders", "mail_copy")):
        pairs = zip(column(made, table, "customer_id"), column(made, table, name), strict=True)
        assert {value == of[owner] for owner, value in pairs if value is not None} == {True}


@pytest.mark.parametrize("name", ["contact_email", "mail_copy"])
def test_a_child_has_its_parents_value(made, name):
    """An order's addresses are its customer's, where they are not null."""
    of = by_id(made, "customers", "email")
    pairs = zip(column(made, "orders", "customer_id"), column(made, "orders", name), strict=True)
    assert {value == of[owner] for owner, value in pairs if value is not None} == {True}


def test_nulls_stay_nulls(made, real):
    """What is null is the column's own matter."""
    shares = [t["orders"]["mail_copy"].null_count / ORDERS for t in (made, real)]
    assert shares[0] == pytest.approx(shares[1], abs=0.05)


def test_a_way_of_two_foreign_keys(made):
    """A line's buyer is the customer of its order."""
    mail, owner = by_id(made, "customers", "email"), by_id(made, "orders", "customer_id")
    pairs = zip(column(made, "lines", "order_id"), column(made, "lines", "buyer"), strict=True)
    assert {buyer == mail[owner[order]] for order, buyer in pairs} == {True}


def test_without_a_way_the_share_is_kept(made, real):
    """Seven in ten events are of customers, each with address and name of the same one."""
    who = dict(zip(column(made, "customers", "email"), column(made, "customers", "full_name"),
                   strict=True))  # fmt: skip
    events = zip(column(made, "events", "actor_email"), column(made, "events", "actor_name"),
                 strict=True)  # fmt: skip
    same = [who[mail].upper() == name.upper() for mail, name in events if mail in who]
    assert len(same) / EVENTS == pytest.approx(0.7, abs=0.05)
    assert all(same)


def test_unique_values_stay_unique(made, audit, real):
    """Subscribers who are customers are each another one."""
    mails = column(made, "newsletter", "email")
    share = np.isin(mails, column(made, "customers", "email")).mean()
    assert (len(set(mails)), share) == (400, pytest.approx(0.4, abs=0.08))
    audit(schema(), real, made)


def test_no_real_value_is_in_it(made, real):
    """Not one personal text of the source is in the sample."""
    texts = {t: [c for c in made[t].column_names if pa.types.is_string(made[t][c].type)]
             for t in made}  # fmt: skip
    known = {v for t in texts for c in texts[t] for v in column(real, t, c)} - {None}
    assert [v for t in texts for c in texts[t] for v in column(made, t, c) if v in known] == []


def test_the_same_key_makes_the_same_people(model):
    """With another seed row 17 is the same person still; with another key nobody is."""
    first, again = (column(model.sample(seed=s), "customers", "email") for s in (1, 2))
    model.pseudonym_key = b"other"
    other = column(model.sample(seed=1), "customers", "email")
    model.pseudonym_key = KEY
    assert ((first == again).all(), np.isin(first, other).mean() < 0.01) == (True, True)


def test_shards_and_stored_plans_agree(model, made, tmp_path):
    """Shards drawn in any order, from a plan on disk, make the same rows."""
    sampler = model.sampler(seed=3)
    sampler.save(tmp_path)
    loaded = Sampler.load(tmp_path, model.metadata, model.parts_, KEY)
    for table in ("orders", "lines", "events", "newsletter"):
        shards = [b for i in (2, 0, 1) for b in loaded.table_batches(table, (i, 3))]
        rows = pa.Table.from_batches(shards).sort_by("id")
        assert rows.equals(made[table].sort_by("id").cast(rows.schema))


def test_the_seed_stands_in_for_a_key(real):
    """Without a key the people follow from the seed."""
    model = HMASynthesizer(schema(), row_model="copula").fit(real)
    first, same, other = (column(model.sample(seed=s), "customers", "email") for s in (1, 1, 2))
    assert ((first == same).all(), np.isin(first, other).mean() < 0.05) == (True, True)


def test_same_first_names_are_chance():
    """Who is called the same is not the same: only what tells one person is taken for shared."""
    rng = np.random.default_rng(1)
    names = np.array([f"Name{i}" for i in range(40)], object)
    tables = {t: pa.table({"id": range(300), "first_name": names[rng.integers(0, 40, 300)]})
              for t in ("staff", "clients")}  # fmt: skip
    columns = {"id": Column("id", "id"), "first_name": Column("first_name", "first_name", pii=True)}
    metadata = Metadata({t: Table(t, columns, ("id",)) for t in tables})
    fitted = HMASynthesizer(metadata, row_model="copula").fit(tables)
    assert [part.shared for part in fitted.parts_.values()] == [{}, {}]


@pytest.mark.skipif(not (SHARED / "data" / "chinook").is_dir(), reason="the data are not here")
def test_invoices_go_where_customers_live():
    """Chinook's invoices repeat their customer's address: so do the synthetic ones."""
    from prefect_synth.flows.evaluation import find_tables, read_metadata
    from prefect_synth.synth.inference import refine_metadata

    folder = SHARED / "data" / "chinook"
    tables = find_tables(folder)
    metadata = refine_metadata(read_metadata(None, folder), tables)
    made = HMASynthesizer(metadata, row_model="copula").fit(tables).sample()
    keys = {r.child: r for r in metadata.relationships if r.child == "invoice"}
    [key] = keys["invoice"].child_columns
    [parent] = keys["invoice"].parent_columns
    lives = dict(zip(column(made, "customer", parent), column(made, "customer", "address"),
                     strict=True))  # fmt: skip
    pairs = zip(column(made, "invoice", key), column(made, "invoice", "billing_address"),
                strict=True)  # fmt: skip
    assert np.mean([lives[c] == a for c, a in pairs]) > 0.99
