"""Every ordinary schema can be copied: rows as asked, keys unique, references resolved.

Each schema is audited at several scales: Arrow schema field by field, NOT NULL, unique keys,
foreign keys.
"""

from __future__ import annotations

import datetime as dt
import uuid

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.hierarchy.levels import levels
from prefect_synth.synth.hierarchy.links import parent_rows
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table

RNG = np.random.default_rng(11)


def ids(count, kind=None):
    """1, 2, 3 ..."""
    return pa.array(np.arange(1, count + 1), kind or pa.int64())


def to(parents, rows, kind=None, null=0.0):
    """References to keys 1 to `parents`."""
    chosen = RNG.integers(1, parents + 1, rows)
    return pa.array(chosen, kind or pa.int64(), mask=RNG.random(rows) < null)


def numbers(rows):
    """An own column."""
    return RNG.normal(size=rows)


def pairs(left, right, share):
    """A share of all pairs, shuffled: [n, 2]."""
    grid = np.array([(i, j) for i in range(1, left + 1) for j in range(1, right + 1)])
    return grid[RNG.permutation(len(grid))[: round(share * len(grid))]]


@pytest.fixture
def customers(not_null):
    """A hundred parents."""
    return not_null(pa.table({"id": ids(100), "age": RNG.integers(18, 90, 100)}))


@pytest.mark.parametrize("scale", [0.01, 0.1, 0.37, 1.0, 3.0, 10.0])
def test_one_to_many(copy, schema_of, not_null, customers, scale):
    """Parents and children in exactly the numbers asked for."""
    orders = not_null(pa.table({"id": ids(500), "customer": to(100, 500), "amount": numbers(500)}))
    tables = {"customers": customers, "orders": orders}
    metadata = schema_of(
        {"customers": "id", "orders": "id"}, tables, ["orders.customer -> customers.id"]
    )
    made = copy(metadata, tables, scale)
    assert {n: len(t) for n, t in made.items()} == {
        "customers": round(100 * scale),
        "orders": round(500 * scale),
    }


def test_nullable_key_keeps_its_share_of_nulls(copy, schema_of, not_null, customers):
    """Three of ten orders have no customer, as before."""
    orders = pa.table({"id": ids(500), "customer": to(100, 500, null=0.3), "amount": numbers(500)})
    tables = {"customers": customers, "orders": not_null(orders, "customer")}
    metadata = schema_of(
        {"customers": "id", "orders": "id"}, tables, ["orders.customer -> customers.id"]
    )
    for scale in (1.0, 3.0):
        made = copy(metadata, tables, scale)["orders"]["customer"]
        assert made.null_count == round(scale * orders["customer"].null_count)


def test_two_keys_into_one_parent(copy, schema_of, not_null, customers):
    """Home and away refer to the same table; the nullable one keeps its nulls."""
    games = {"id": ids(300), "home": to(100, 300), "away": to(100, 300, null=0.2)}
    tables = {"customers": customers, "games": not_null(pa.table(games), "away")}
    metadata = schema_of(
        {"customers": "id", "games": "id"},
        tables,
        ["games.home -> customers.id", "games.away -> customers.id"],
    )
    for scale in (0.1, 1.0, 3.0):
        made = copy(metadata, tables, scale)["games"]
        assert len(made) == round(300 * scale)
        assert made["away"].null_count / len(made) == pytest.approx(0.2, abs=0.1)


@pytest.mark.parametrize("share", [0.2, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("scale", [0.1, 0.35, 1.0, 3.0])
def test_many_to_many(copy, schema_of, not_null, share, scale):
    """Pairs are unique, sparse or nearly complete, at any scale, with as many rows as fit."""
    grid = pairs(30, 25, share)
    tables = {
        "a": not_null(pa.table({"id": ids(30), "x": numbers(30)})),
        "b": not_null(pa.table({"id": ids(25)})),
        "link": not_null(pa.table({"a": grid[:, 0], "b": grid[:, 1], "w": numbers(len(grid))})),
    }
    metadata = schema_of(
        {"a": "id", "b": "id", "link": "a, b"}, tables, ["link.a -> a.id", "link.b -> b.id"]
    )
    made = copy(metadata, tables, scale)
    room = len(made["a"]) * len(made["b"])
    assert len(made["link"]) == min(round(len(grid) * scale), room)


def test_three_parents_in_one_key(copy, schema_of, not_null):
    """A key of three foreign keys, at a scale at which few combinations are left."""
    grid = np.array([(i, j, k) for i in range(1, 13) for j in range(1, 11) for k in range(1, 9)])
    grid = grid[RNG.permutation(len(grid))[:700]]
    tables = {name: not_null(pa.table({"id": ids(n)})) for name, n in zip("abc", (12, 10, 8))}  # noqa: B905
    tables["t"] = not_null(pa.table({name: grid[:, j] for j, name in enumerate("abc")}))
    metadata = schema_of(
        {"a": "id", "b": "id", "c": "id", "t": "a, b, c"},
        tables,
        ["t.a -> a.id", "t.b -> b.id", "t.c -> c.id"],
    )
    for scale in (0.1, 1.0, 2.0):
        made = copy(metadata, tables, scale)
        room = len(made["a"]) * len(made["b"]) * len(made["c"])
        assert len(made["t"]) == min(round(700 * scale), room)


@pytest.mark.parametrize("stores", [8, 30])
@pytest.mark.parametrize("share", [0.8, 1.0])
def test_key_of_a_parent_and_a_category(copy, schema_of, not_null, stores, share):
    """Opening hours by store and weekday: each day at most once, even if all seven are there."""
    names = np.array(["mo", "tu", "we", "th", "fr", "sa", "su"])
    grid = pairs(stores, 7, share)
    hours = pa.table(
        {"store": grid[:, 0], "day": names[grid[:, 1] - 1], "open": numbers(len(grid))}
    )
    tables = {"store": not_null(pa.table({"id": ids(stores)})), "hours": not_null(hours)}
    metadata = schema_of(
        {"store": "id", "hours": "store, day"}, tables, ["hours.store -> store.id"]
    )
    for scale in (0.1, 0.35, 1.0, 3.0):
        made = copy(metadata, tables, scale)
        assert len(made["hours"]) == min(round(len(grid) * scale), 7 * len(made["store"]))


@pytest.mark.parametrize("currencies", [3, 12])
def test_key_of_own_columns(copy, schema_of, not_null, currencies):
    """Exchange rates by currency and day: complete, and at twice the size with further days."""
    days = [dt.date(2024, 1, 1) + dt.timedelta(d) for d in range(120)]
    rates = pa.table(
        {
            "currency": [f"C{i:02d}" for i in range(currencies)] * 120,
            "day": [d for d in days for _ in range(currencies)],
            "rate": numbers(120 * currencies),
        }
    )
    metadata = schema_of({"rates": "currency, day"}, {"rates": rates}, [])
    for scale in (0.2, 1.0, 2.0):
        made = copy(metadata, {"rates": not_null(rates)}, scale)
        assert len(made["rates"]) == round(120 * currencies * scale)


def test_nulls_may_repeat_in_a_unique_key(copy, schema_of, not_null):
    """As in SQL, rows with a null in a unique key do not meet each other."""
    mails = [f"m{i}@corp.example" if i % 10 == 0 else None for i in range(300)]
    users = pa.table({"id": ids(300), "tenant": to(20, 300), "mail": mails})
    tables = {"tenant": not_null(pa.table({"id": ids(20)})), "users": not_null(users, "mail")}
    metadata = schema_of(
        {"tenant": "id", "users": "id"}, tables, ["users.tenant -> tenant.id"],
        {"users": ["tenant, mail"]},
    )  # fmt: skip
    made = copy(metadata, tables)["users"]
    assert made["mail"].null_count == pytest.approx(270, abs=5)


@pytest.fixture
def orders(not_null):
    """Orders, their lines counted 1, 2, 3, and parcels that refer to lines."""
    sizes = RNG.integers(1, 6, 100)
    order = np.repeat(np.arange(1, 101), sizes)
    line = np.concatenate([np.arange(1, n + 1) for n in sizes])
    at = RNG.integers(0, len(order), 200)
    return {
        "orders": not_null(pa.table({"order_id": ids(100), "total": numbers(100)})),
        "lines": not_null(
            pa.table(
                {
                    "order_id": order,
                    "line_no": pa.array(line, pa.int16()),
                    "quantity": RNG.integers(1, 9, len(order)),
                }
            )
        ),
        "parcels": not_null(
            pa.table(
                {
                    "id": ids(200),
                    "order_id": order[at],
                    "line_no": pa.array(line[at], pa.int16()),
                    "weight": numbers(200),
                }
            )
        ),
    }


@pytest.mark.parametrize("also", [[], ["parcels.order_id -> orders.order_id"]])
@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_composite_keys_and_counters(copy, schema_of, orders, also, scale):
    """Lines count up from 1 in each order, and parcels refer to (order, line)."""
    metadata = schema_of(
        {"orders": "order_id", "lines": "order_id, line_no", "parcels": "id"},
        orders,
        [
            *also,
            "lines.order_id -> orders.order_id",
            "parcels.(order_id, line_no) -> lines.(order_id, line_no)",
        ],
    )
    made = copy(metadata, orders, scale)
    lines = made["lines"].to_pandas().groupby("order_id")["line_no"]
    assert (lines.min() == 1).all()
    assert (lines.max() == lines.size()).all()
    assert {n: len(t) for n, t in made.items()} == {
        n: round(len(t) * scale) for n, t in orders.items()
    }


@pytest.mark.parametrize("scale", [0.01, 0.1, 0.35, 1.0, 3.0, 10.0])
def test_one_to_one_with_a_shared_key(copy, schema_of, not_null, scale):
    """A detail table has at most one row for each row of its parent."""
    some = np.sort(RNG.permutation(np.arange(1, 81))[:50])
    tables = {
        "base": not_null(pa.table({"id": ids(80), "x": numbers(80)})),
        "detail": not_null(pa.table({"id": some, "y": numbers(50)})),
    }
    metadata = schema_of({"base": "id", "detail": "id"}, tables, ["detail.id -> base.id"])
    made = copy(metadata, tables, scale)
    assert len(made["detail"]) == max(round(50 * scale), 1)
    assert len(copy(metadata, tables, scale, keep=["base"])["detail"]) == min(
        max(round(50 * scale), 1), 80
    )


@pytest.mark.parametrize("scale", np.round(np.linspace(0.02, 2, 12), 2))
def test_nullable_one_to_one(copy, schema_of, not_null, scale):
    """A unique nullable key repeats no parent, whatever the rounding."""
    null = np.arange(120) % 2 == 0
    partner = np.zeros(120, int)
    partner[~null] = RNG.permutation(np.arange(1, 61))
    tables = {
        "badge": not_null(pa.table({"id": ids(60)})),
        "person": not_null(
            pa.table({"id": ids(120), "badge": pa.array(partner, mask=null)}), "badge"
        ),
    }
    metadata = schema_of(
        {"badge": "id", "person": "id"}, tables, ["person.badge -> badge.id"],
        {"person": ["badge"]},
    )  # fmt: skip
    copy(metadata, tables, float(scale))


@pytest.mark.parametrize("hole", [False, True])
def test_key_to_a_unique_column(copy, schema_of, not_null, hole):
    """Children refer to a unique column that is no primary key, and never to a null in it."""
    codes = [None if hole and i % 3 == 0 else f"K{i:03d}" for i in range(60)]
    used = [c for c in codes if c is not None]
    tables = {
        "item": not_null(pa.table({"id": ids(60), "code": codes}), "code"),
        "sale": not_null(pa.table({"id": ids(200), "code": RNG.choice(used, 200)})),
    }
    metadata = schema_of(
        {"item": "id", "sale": "id"}, tables, ["sale.code -> item.code"], {"item": ["code"]}
    )
    for scale in (0.1, 1.0, 3.0):
        copy(metadata, tables, scale)


def boss_links(made, metadata):
    """Each row's parent in a table that refers to itself."""
    (relation,) = (r for r in metadata.relationships if r.parent == r.child)
    return parent_rows(made, made, relation)


def depth(link):
    """Largest number of steps to a root; fails where there is a cycle."""
    for steps in range(len(link) + 1):
        if np.all(link < 0):
            return steps
        link = np.where(link >= 0, link[np.maximum(link, 0)], -1)
    pytest.fail("a cycle")


@pytest.mark.parametrize("scale", [0.01, 0.1, 1.0, 3.0])
def test_self_reference(copy, schema_of, not_null, scale):
    """A tree of employees stays a tree: no cycle, as many roots, about as deep."""
    boss = [None if i < 3 else int(RNG.integers(max(1, i // 4), i // 2 + 2)) for i in range(150)]
    staff = pa.table({"id": ids(150), "boss": pa.array(boss, pa.int64()), "pay": numbers(150)})
    tables = {"staff": not_null(staff, "boss")}
    metadata = schema_of({"staff": "id"}, tables, ["staff.boss -> staff.id"])
    made = copy(metadata, tables, scale)["staff"]
    link = boss_links(made, metadata)
    real = int(levels(boss_links(tables["staff"], metadata)).max())
    assert depth(np.where(link == np.arange(len(link)), -1, link)) <= real + 1
    if scale >= 1:
        assert made["boss"].null_count == pytest.approx(3 * scale, abs=6)
        assert int(levels(link).max()) >= real - 1


def test_self_reference_that_may_not_be_null(copy, schema_of, not_null):
    """Where roots refer to themselves, synthetic roots do, and nothing else is a cycle."""
    boss = [i + 1 if i < 3 else int(RNG.integers(1, i + 1)) for i in range(150)]
    tables = {"node": not_null(pa.table({"id": ids(150), "up": boss, "x": numbers(150)}))}
    metadata = schema_of({"node": "id"}, tables, ["node.up -> node.id"])
    for scale in (0.1, 1.0, 3.0):
        link = boss_links(copy(metadata, tables, scale)["node"], metadata)
        roots = link == np.arange(len(link))
        assert roots.any()
        depth(np.where(roots, -1, link))


def test_chains(copy, schema_of, not_null):
    """A unique self reference (previous version) makes chains, not trees."""
    before = [None if i % 5 == 0 else i for i in range(150)]
    tables = {"v": not_null(pa.table({"id": ids(150), "prev": before, "x": numbers(150)}), "prev")}
    metadata = schema_of({"v": "id"}, tables, ["v.prev -> v.id"], {"v": ["prev"]})
    for scale in (0.1, 1.0, 3.0):
        made = copy(metadata, tables, scale)["v"]
        depth(boss_links(made, metadata))
        assert made["prev"].null_count < 0.5 * len(made)


@pytest.mark.parametrize("null", [0.0, 0.3])
@pytest.mark.parametrize("unique", [False, True])
def test_cycle_of_two_tables(copy, schema_of, not_null, null, unique):
    """A department has a head who is in a department; with and without a nullable side."""
    head = np.arange(1, 41) if unique else RNG.integers(1, 51, 40)
    tables = {
        "staff": not_null(pa.table({"id": ids(50), "dept": to(40, 50), "x": numbers(50)})),
        "dept": not_null(
            pa.table({"id": ids(40), "head": pa.array(head, mask=RNG.random(40) < null)}),
            *(["head"] if null else []),
        ),
    }
    metadata = schema_of(
        {"staff": "id", "dept": "id"}, tables, ["staff.dept -> dept.id", "dept.head -> staff.id"],
        {"dept": ["head"]} if unique else None,
    )  # fmt: skip
    for scale in (0.1, 0.35, 1.0, 3.0):
        made = copy(metadata, tables, scale)
        assert len(made["staff"]) == round(50 * scale)


def test_cycle_of_three_tables(copy, schema_of, not_null):
    """A ring of three NOT NULL references closes."""
    tables = {
        name: not_null(pa.table({"id": ids(n), "next": to(m, n)}))
        for name, n, m in (("a", 50, 40), ("b", 40, 30), ("c", 30, 50))
    }
    metadata = schema_of(
        {"a": "id", "b": "id", "c": "id"}, tables,
        ["a.next -> b.id", "b.next -> c.id", "c.next -> a.id"],
    )  # fmt: skip
    for scale in (0.1, 1.0, 3.0):
        copy(metadata, tables, scale)


@pytest.fixture
def tenants(not_null):
    """Customers and products of tenants, and orders that join both inside a tenant."""
    of_customer, of_product = RNG.integers(1, 13, 120), np.repeat(np.arange(1, 21), 5)
    at = RNG.integers(0, 120, 400)
    product = [int(RNG.choice(np.flatnonzero(of_product == t))) + 1 for t in of_customer[at]]
    table = pa.table
    return {
        "tenant": not_null(table({"tenant": ids(20), "plan": RNG.choice(["x", "y"], 20)})),
        "customer": not_null(table({"tenant": of_customer, "cid": ids(120), "age": numbers(120)})),
        "product": not_null(table({"tenant": of_product, "pid": ids(100)})),
        "orders": not_null(
            table(
                {
                    "oid": ids(400),
                    "tenant": of_customer[at],
                    "cid": at + 1,
                    "pid": pa.array(product, mask=RNG.random(400) < 0.3),
                    "amount": numbers(400),
                }
            ),
            "pid",
        ),
    }


IN_TENANT = [
    "customer.tenant -> tenant.tenant",
    "product.tenant -> tenant.tenant",
    "orders.(tenant, cid) -> customer.(tenant, cid)",
    "orders.(tenant, pid) -> product.(tenant, pid)",
]


@pytest.mark.parametrize("relations", [IN_TENANT, IN_TENANT[::-1],
                                       [*IN_TENANT, "orders.tenant -> tenant.tenant"]])  # fmt: skip
@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("keep", [[], ["tenant"]])
def test_overlapping_composite_keys(copy, schema_of, tenants, relations, scale, keep):
    """Customer and product of an order are of the same tenant; a null product is no null tenant."""
    keys = {
        "tenant": "tenant",
        "customer": "tenant, cid",
        "product": "tenant, pid",
        "orders": "oid",
    }
    made = copy(schema_of(keys, tenants, relations), tenants, scale, keep=keep)
    assert made["orders"]["pid"].null_count < len(made["orders"])


def test_pairs_inside_a_tenant(copy, schema_of, tenants, not_null):
    """Unique (tenant, customer, product): repairs stay inside the tenant."""
    likes = tenants["orders"].select(["tenant", "cid", "pid"]).to_pandas().dropna()
    likes = pa.Table.from_pandas(likes.drop_duplicates().astype(int), preserve_index=False)
    tables = {**tenants, "likes": not_null(likes)}
    del tables["orders"]
    keys = {"tenant": "tenant", "customer": "tenant, cid", "product": "tenant, pid",
            "likes": "tenant, cid, pid"}  # fmt: skip
    metadata = schema_of(keys, tables, [r.replace("orders", "likes") for r in IN_TENANT])
    for scale in (0.2, 1.0):
        copy(metadata, tables, scale)


def test_self_reference_inside_a_tenant(copy, schema_of, not_null):
    """A boss is of the same tenant, also as part of a composite key."""
    tenant = np.sort(RNG.integers(1, 21, 200))
    boss = [None] * 200
    for i in range(200):
        above = [j for j in range(i) if tenant[j] == tenant[i]]
        if above and RNG.random() < 0.8:
            boss[i] = int(RNG.choice(above)) + 1
    tables = {
        "tenant": not_null(pa.table({"tenant": ids(20)})),
        "staff": not_null(pa.table({"tenant": tenant, "id": ids(200), "boss": boss}), "boss"),
    }
    metadata = schema_of(
        {"tenant": "tenant", "staff": "tenant, id"}, tables,
        ["staff.tenant -> tenant.tenant", "staff.(tenant, boss) -> staff.(tenant, id)"],
    )  # fmt: skip
    for scale in (0.1, 1.0, 3.0):
        made = copy(metadata, tables, scale)["staff"]
        depth(boss_links(made, metadata))


def test_tables_without_relations_or_columns(copy, schema_of, not_null):
    """Isolated tables, and tables of nothing but keys."""
    tables = {
        "alone": not_null(pa.table({"id": ids(5)})),
        "other": pa.table({"x": numbers(9)}),
        "base": not_null(pa.table({"id": ids(20)})),
        "leaf": pa.table({"base": to(20, 60, null=0.1)}),
    }
    metadata = schema_of({"alone": "id", "base": "id"}, tables, ["leaf.base -> base.id"])
    made = copy(metadata, tables, 2.0)
    assert {n: len(t) for n, t in made.items()} == {
        "alone": 10,
        "other": 18,
        "base": 40,
        "leaf": 120,
    }


@pytest.mark.parametrize("parents", [0, 30])
@pytest.mark.parametrize("rows", [0, 40])
@pytest.mark.parametrize("chunks", [0, 1])
def test_empty_tables(copy, schema_of, not_null, parents, rows, chunks):
    """Empty parents, empty children and keys that are all null, in one chunk or none."""
    tables = {
        "base": not_null(pa.table({"id": ids(parents), "x": numbers(parents)})),
        "leaf": not_null(
            pa.table({"id": ids(rows), "base": pa.nulls(rows, pa.int64()), "y": numbers(rows)}),
            "base",
        ),
    }
    if not chunks:
        tables = {
            n: t if len(t) else pa.Table.from_batches([], t.schema) for n, t in tables.items()
        }
    metadata = schema_of({"base": "id", "leaf": "id"}, tables, ["leaf.base -> base.id"])
    made = copy(metadata, tables)
    assert {n: len(t) for n, t in made.items()} == {"base": parents, "leaf": rows}
    assert made["leaf"]["base"].null_count == rows


@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0])
def test_single_rows(copy, schema_of, not_null, scale):
    """One parent with one child, at any scale."""
    tables = {
        "base": not_null(pa.table({"id": ids(1), "x": [1.5]})),
        "leaf": not_null(pa.table({"id": ids(1), "base": ids(1), "word": ["only"]})),
    }
    metadata = schema_of({"base": "id", "leaf": "id"}, tables, ["leaf.base -> base.id"])
    made = copy(metadata, tables, scale)
    assert len(made["leaf"]) == max(round(scale), 1)


UUIDS = pa.ExtensionArray.from_storage(
    pa.uuid(), pa.array([uuid.UUID(int=i * 7919).bytes for i in range(1, 101)], pa.binary(16))
)
CODES = pa.array([f"U{i:05d}" for i in range(100)])


@pytest.mark.parametrize(
    ("parent", "child"),
    [
        (ids(100, pa.int32()), to(100, 300, pa.int16())),
        (ids(100, pa.int64()), to(100, 300, pa.uint8())),
        (ids(100, pa.int8()), to(100, 300, pa.int64())),
        (CODES, CODES.take(pa.array(RNG.integers(0, 100, 300)))),
        (CODES, CODES.take(pa.array(RNG.integers(0, 100, 300))).cast(pa.large_string())),
        (CODES, CODES.take(pa.array(RNG.integers(0, 100, 300))).dictionary_encode()),
        (CODES.dictionary_encode(), CODES.take(pa.array(RNG.integers(0, 100, 300)))),
        (UUIDS, UUIDS.take(pa.array(RNG.integers(0, 100, 300)))),
        (
            pa.array(np.arange(20_000, 20_100), pa.int32()).cast(pa.date32()),
            pa.array(RNG.integers(20_000, 20_100, 300), pa.int32()).cast(pa.date32()),
        ),
    ],
)  # fmt: skip
def test_key_types(copy, schema_of, parent, child):
    """A key and the key it refers to may be of different width, and of any usual type."""
    tables = {
        "base": pa.table({"id": parent}),
        "leaf": pa.table({"base": child, "x": numbers(300)}),
    }
    metadata = schema_of({"base": "id"}, tables, ["leaf.base -> base.id"])
    copy(metadata, tables)


def test_narrow_keys_bound_the_scale(schema_of):
    """A one-byte key cannot hold 300 rows, and the error names it."""
    tables = {"base": pa.table({"id": ids(100, pa.int8())})}
    model = HMASynthesizer(schema_of({"base": "id"}, tables, [])).fit(tables)
    with pytest.raises(
        ValueError, match=r"'base\.id': int8 cannot hold 300 keys. Ask for a smaller"
    ):
        model.sample(3.0)


def test_the_narrow_column_of_two_is_named(schema_of):
    """Where a foreign key is of a narrower type than its key, the error names the foreign key."""
    tables = {
        "base": pa.table({"id": ids(100, pa.int32())}),
        "leaf": pa.table({"base": to(100, 200, pa.int8())}),
    }
    model = HMASynthesizer(schema_of({"base": "id"}, tables, ["leaf.base -> base.id"])).fit(tables)
    message = r"'base\.id': 'leaf\.base', which refers to it and ends at 127, cannot hold 300 keys"
    with pytest.raises(ValueError, match=message):
        model.sample(3.0)


def test_addresses_as_keys_and_their_references(copy, schema_of):
    """An address that is a key reaches nobody, and neither does a foreign key that refers to it."""
    mail = pa.array([f"ann.{i}@corp.test" for i in range(80)])
    tables = {
        "person": pa.table({"mail": mail, "x": numbers(80)}),
        "visit": pa.table({"mail": mail.take(to(79, 300)), "x": numbers(300)}),
    }
    made = copy(schema_of({"person": "mail"}, tables, ["visit.mail -> person.mail"]), tables)
    for table in made.values():
        assert all(m.split("@")[1].startswith("example.") for m in table["mail"].to_pylist())


def test_odd_names_and_field_metadata(copy, tmp_path):
    """Quotes, dots, slashes and umlauts in names; comments of fields and tables stay."""
    odd, ref = 'we"ird col', "$ref"
    base = pa.table({odd: ids(50), "sel ect.x": numbers(50)}).cast(
        pa.schema(
            [
                pa.field(odd, pa.int64(), False, {"comment": "kéy"}),
                pa.field("sel ect.x", pa.float64(), True, {"source_type": "float8"}),
            ],
            {"owner": "sales"},
        )
    )
    leaf = pa.table({"Größe": ids(100), ref: to(50, 100)})
    metadata = Metadata(
        {
            "../a b": Table(
                "../a b",
                {odd: Column(odd, "id", False), "sel ect.x": Column("sel ect.x", "numerical")},
                (odd,),
            ),
            "s.t/u": Table(
                "s.t/u",
                {"Größe": Column("Größe", "id", False), ref: Column(ref, "id")},
                ("Größe",),
            ),
        },
        (Relationship("s.t/u", (ref,), "../a b", (odd,)),),
    )
    tables = {"../a b": base, "s.t/u": leaf}
    made = copy(metadata, tables)
    model = HMASynthesizer(metadata).fit(tables)
    model.save(tmp_path / "deep" / "model")
    assert [p.name for p in tmp_path.iterdir()] == ["deep"]
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["model"]
    again = HMASynthesizer.load(tmp_path / "deep" / "model").sample()
    assert all(again[name].equals(made[name]) for name in made)


def test_dictionaries_in_several_chunks(copy, schema_of):
    """Chunks with dictionaries of their own are one column."""
    chunks = [pa.array(words * 20).dictionary_encode() for words in (["a", "b"], ["c", "a"])]
    tables = {"t": pa.table({"k": pa.chunked_array(chunks), "x": numbers(80)})}
    made = copy(schema_of({}, tables, []), tables)["t"]
    assert set(made["k"].to_pylist()) == {"a", "b", "c"}
