"""Row limits choose the same rows everywhere, and leave no key dangling."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.metadata import Metadata, MetadataError, Relationship
from prefect_synth.tasks.warehouses.selection import Selection, plan_selection
from prefect_synth.tasks.warehouses.warehouse import Warehouse

Build = Callable[[str], Warehouse]

RENTALS = """
CREATE TABLE country (id integer PRIMARY KEY);
CREATE TABLE address (id integer PRIMARY KEY, country integer NOT NULL);
CREATE TABLE store (id integer PRIMARY KEY, manager integer NOT NULL, address integer NOT NULL);
CREATE TABLE staff (id integer PRIMARY KEY, store integer NOT NULL, address integer NOT NULL);
CREATE TABLE customer (id integer PRIMARY KEY, store integer NOT NULL, address integer);
CREATE TABLE film (id integer PRIMARY KEY, code varchar NOT NULL UNIQUE);
CREATE TABLE actor (id integer PRIMARY KEY);
CREATE TABLE film_actor (film integer NOT NULL, actor integer NOT NULL, PRIMARY KEY (film, actor));
CREATE TABLE copy (film varchar NOT NULL, no integer NOT NULL, PRIMARY KEY (film, no));
CREATE TABLE rental (id integer PRIMARY KEY, customer integer, film varchar, no integer,
                     staff integer NOT NULL, before integer);
CREATE TABLE payment (id integer PRIMARY KEY, customer integer NOT NULL, rental integer);
CREATE TABLE log (line varchar);
INSERT INTO country SELECT i FROM generate_series(1, 20) AS s(i);
INSERT INTO address SELECT i, 1 + i % 20 FROM generate_series(1, 500) AS s(i);
INSERT INTO store SELECT i, i * 3, i FROM generate_series(1, 30) AS s(i);
INSERT INTO staff SELECT i, 1 + i % 30, i FROM generate_series(1, 100) AS s(i);
INSERT INTO customer SELECT i, 1 + i % 30, CASE WHEN i % 7 > 0 THEN 1 + i % 500 END
    FROM generate_series(1, 400) AS s(i);
INSERT INTO film SELECT i, 'f' || i FROM generate_series(1, 300) AS s(i);
INSERT INTO actor SELECT i FROM generate_series(1, 200) AS s(i);
INSERT INTO film_actor SELECT 1 + i % 300, 1 + i % 199 FROM generate_series(1, 900) AS s(i);
INSERT INTO copy SELECT 'f' || i, 1 FROM generate_series(1, 300) AS s(i);
INSERT INTO rental SELECT i, CASE WHEN i % 11 > 0 THEN 1 + i * 7 % 400 END,
    'f' || (1 + i * 13 % 300), CASE WHEN i % 5 > 0 THEN 1 END, 1 + i % 100,
    CASE WHEN i > 400 AND i % 3 = 0 THEN i - 399 END FROM generate_series(1, 4000) AS s(i);
INSERT INTO payment SELECT i, 1 + i * 7 % 400, CASE WHEN i % 9 > 0 THEN 1 + i * 3 % 4000 END
    FROM generate_series(1, 5000) AS s(i);
INSERT INTO log SELECT CASE WHEN i % 10 > 0 THEN 'line ' || i END
    FROM generate_series(1, 1000) AS s(i);
"""

DECLARED = [
    Relationship("address", ("country",), "country", ("id",)),
    Relationship("store", ("manager",), "staff", ("id",)),
    Relationship("store", ("address",), "address", ("id",)),
    Relationship("staff", ("store",), "store", ("id",)),
    Relationship("staff", ("address",), "address", ("id",)),
    Relationship("customer", ("store",), "store", ("id",)),
    Relationship("customer", ("address",), "address", ("id",)),
    Relationship("film_actor", ("film",), "film", ("id",)),
    Relationship("film_actor", ("actor",), "actor", ("id",)),
    Relationship("copy", ("film",), "film", ("code",)),
    Relationship("rental", ("customer",), "customer", ("id",)),
    Relationship("rental", ("film", "no"), "copy", ("film", "no")),
    Relationship("rental", ("staff",), "staff", ("id",)),
    Relationship("rental", ("before",), "rental", ("id",)),
    Relationship("payment", ("customer",), "customer", ("id",)),
    Relationship("payment", ("rental",), "rental", ("id",)),
]


def described(warehouse: Warehouse) -> Metadata:
    """What is reflected, with the relationships that no catalogue declares."""
    return warehouse.reflect().with_relationships(DECLARED)


def counted(warehouse: Warehouse, metadata: Metadata) -> dict[str, int]:
    """Rows of each table."""
    with warehouse.snapshot() as snapshot:
        return {name: snapshot.count(name) for name in metadata.tables}


def pulled(warehouse: Warehouse, selection: Selection, folder: Path) -> dict[str, pa.Table]:
    """All tables, as far as they are selected."""
    schemas = warehouse.schemas(selection.metadata)
    with warehouse.snapshot() as snapshot:
        for name, schema in schemas.items():
            snapshot.pull(name, schema, folder / f"{name}.parquet", selection=selection)
    return {name: pq.read_table(folder / f"{name}.parquet") for name in schemas}


def dangling(tables: dict[str, pa.Table], r: Relationship) -> int:
    """Child rows whose parent was not pulled."""
    child = tables[r.child].select(r.child_columns).drop_null()
    parent = tables[r.parent].select(r.parent_columns)
    return child.join(parent, list(r.child_columns), list(r.parent_columns), "left anti").num_rows


@pytest.mark.parametrize("root", [None, "customer", "store", "rental", "country", "actor", "log"])
def test_no_key_dangles(build: Build, tmp_path: Path, root: str | None) -> None:
    """From every root, through circles, self references and composite keys, keys resolve."""
    warehouse = build(RENTALS)
    metadata = described(warehouse)
    selection = plan_selection(metadata, counted(warehouse, metadata), fraction=0.05, root=root)
    tables = pulled(warehouse, selection, tmp_path)
    assert {str(r): dangling(tables, r) for r in DECLARED} == {str(r): 0 for r in DECLARED}
    assert 0 < tables["rental"].num_rows < 4000


def test_both_engines_choose_the_same_rows(
    build_duckdb: Build, build_postgres: Build, tmp_path: Path
) -> None:
    """The hash of a key is the same in DuckDB and PostgreSQL."""
    chosen = []
    for warehouse in (build_duckdb(RENTALS), build_postgres(RENTALS)):
        metadata = described(warehouse)
        selection = plan_selection(metadata, counted(warehouse, metadata), rows=20, root="customer")
        tables = pulled(warehouse, selection, tmp_path)
        chosen.append({name: sorted(map(str, t.to_pylist())) for name, t in tables.items()})
    assert chosen[0] == chosen[1]


def test_the_root_has_as_many_rows_as_asked(build_duckdb: Build, tmp_path: Path) -> None:
    """A row limit is exact at a root that nothing else refers to."""
    warehouse = build_duckdb("CREATE TABLE t AS SELECT i AS id FROM range(1000) AS r(i)")
    selection = plan_selection(warehouse.reflect(), {"t": 1000}, rows=17)
    assert pulled(warehouse, selection, tmp_path)["t"].num_rows == 17


def test_children_follow_their_root(build: Build, tmp_path: Path) -> None:
    """All payments of a chosen customer are there, and a larger limit keeps the smaller's rows."""
    warehouse = build(RENTALS)
    metadata = described(warehouse)
    counts = counted(warehouse, metadata)
    few, more = (
        pulled(warehouse, plan_selection(metadata, counts, rows=n, root="customer"), tmp_path)
        for n in (10, 30)
    )
    assert pc.all(pc.is_in(few["payment"]["id"], more["payment"]["id"])).as_py()
    per_customer = few["payment"].group_by("customer").aggregate([("id", "count")])
    assert pc.sum(pc.greater_equal(per_customer["id_count"], 12)).as_py() >= 10


def test_small_lookups_stay_whole(build_duckdb: Build, tmp_path: Path) -> None:
    """A small table outside the root's reach is not cut down to nothing."""
    warehouse = build_duckdb(
        "CREATE TABLE big AS SELECT i AS id FROM range(10000) AS r(i);"
        "CREATE TABLE lookup AS SELECT i AS id FROM range(12) AS r(i)"
    )
    selection = plan_selection(warehouse.reflect(), {"big": 10000, "lookup": 12}, fraction=0.01)
    tables = pulled(warehouse, selection, tmp_path)
    assert {n: t.num_rows for n, t in tables.items()} == {"big": 100, "lookup": 12}


def test_a_limit_above_the_table_reads_everything(build_duckdb: Build) -> None:
    """A limit that cuts nothing asks the warehouse for no closure."""
    metadata = described(build_duckdb(RENTALS))
    selection = plan_selection(metadata, dict.fromkeys(metadata.tables, 50), rows=50)
    assert {rule.kind for rule in selection.rules.values()} == {"all"}


def test_the_root_is_chosen_by_what_hangs_below(build_duckdb: Build) -> None:
    """By default the limit lies on the table below which most rows hang."""
    warehouse = build_duckdb(RENTALS)
    metadata = described(warehouse).subset(["customer", "rental", "payment", "log"])
    selection = plan_selection(metadata, counted(warehouse, metadata), fraction=0.1)
    assert selection.roots == ("customer", "log")


def test_the_fingerprint_tells_selections_apart(build_duckdb: Build) -> None:
    """The same plan has the same fingerprint, another limit another."""
    metadata = described(build_duckdb(RENTALS))
    counts = dict.fromkeys(metadata.tables, 1000)
    prints = [plan_selection(metadata, counts, rows=n).fingerprint for n in (10, 10, 11)]
    assert (prints[0] == prints[1], prints[0] == prints[2]) == (True, False)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({}, "one of the two"),
        ({"rows": 1, "fraction": 0.5}, "one of the two"),
        ({"rows": 0}, "must be at least 1, got 0"),
        ({"fraction": 1.5}, "at most 1, got 1.5"),
        ({"rows": 1, "root": "custmer"}, "root table 'custmer'"),
    ],
)
def test_contradicting_limits_are_refused(
    build_duckdb: Build, limits: dict[str, object], message: str
) -> None:
    """Limits that make no sense are refused with what was found."""
    metadata = build_duckdb("CREATE TABLE t (id integer)").reflect()
    with pytest.raises(MetadataError, match=message):
        plan_selection(metadata, {"t": 1}, **limits)
