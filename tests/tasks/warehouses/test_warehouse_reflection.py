"""What the catalogue says: keys, nullability, comments, enums, schemas, odd names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from prefect_synth.synth.metadata import Relationship
from prefect_synth.tasks.warehouses.errors import TableNotFound
from prefect_synth.tasks.warehouses.warehouse import Warehouse

Build = Callable[[str], Warehouse]

SHOP = """
CREATE TABLE shop (region varchar NOT NULL, no integer NOT NULL, code varchar NOT NULL UNIQUE,
                   PRIMARY KEY (region, no));
CREATE TABLE sale (id bigint PRIMARY KEY, region varchar, shop_no integer, shop_code varchar,
                   amount numeric(8,2) NOT NULL, sold timestamp, UNIQUE (sold, amount),
                   FOREIGN KEY (region, shop_no) REFERENCES shop (region, no),
                   FOREIGN KEY (shop_code) REFERENCES shop (code));
COMMENT ON TABLE sale IS 'what was sold'; COMMENT ON COLUMN sale.amount IS 'with tax';
CREATE VIEW big_sale AS SELECT * FROM sale WHERE amount > 100;
"""


def test_keys_are_reflected(build: Build) -> None:
    """Primary, composite, unique and foreign keys are known, also to a unique key."""
    metadata = build(SHOP).reflect()
    shop, sale = metadata.tables["shop"], metadata.tables["sale"]
    assert (shop.primary_key, shop.unique) == (("region", "no"), (("code",),))
    assert (sale.primary_key, sale.unique) == (("id",), (("sold", "amount"),))
    assert metadata.relationships == (
        Relationship("sale", ("region", "shop_no"), "shop", ("region", "no")),
        Relationship("sale", ("shop_code",), "shop", ("code",)),
    )


def test_columns_are_reflected(build: Build) -> None:
    """Meaning comes from type and key, and nothing is guessed from names."""
    sale = build(SHOP).reflect().tables["sale"]
    assert {name: column.sdtype for name, column in sale.columns.items()} == {
        "id": "id", "region": "id", "shop_no": "id", "shop_code": "id",
        "amount": "numerical", "sold": "datetime",
    }  # fmt: skip
    assert [name for name, column in sale.columns.items() if not column.nullable] == [
        "id",
        "amount",
    ]


def test_comments_are_reflected(build: Build) -> None:
    """Comments of tables and columns are kept."""
    sale = build(SHOP).reflect().tables["sale"]
    assert (sale.comment, sale.columns["amount"].comment) == ("what was sold", "with tax")


def test_views_are_read_only_by_name(build: Build) -> None:
    """A pattern never reaches a view; its name does."""
    warehouse = build(SHOP)
    assert set(warehouse.reflect(include=["*"]).tables) == {"shop", "sale"}
    assert set(warehouse.reflect(include=["big_sale"]).tables) == {"big_sale"}


def test_patterns_choose_tables(build: Build) -> None:
    """Include and exclude take patterns; a relationship needs both of its tables."""
    warehouse = build(SHOP)
    assert set(warehouse.reflect(include=["s*"], exclude=["*le"]).tables) == {"shop"}
    assert warehouse.reflect(include=["sale"]).relationships == ()


def test_an_unknown_table_is_named(build: Build) -> None:
    """A table that is not there is refused, with the nearest name."""
    warehouse = build(SHOP)
    with pytest.raises(TableNotFound, match=r"'sales' in warehouse\.include.*mean 'sale'"):
        warehouse.reflect(include=["sales"])
    with pytest.raises(TableNotFound, match=r"'shops' in warehouse\.exclude.*mean 'shop'"):
        warehouse.reflect(exclude=["shops"])
    with pytest.raises(TableNotFound, match=r"Pattern 'x\*' in warehouse\.include fits no table"):
        warehouse.reflect(include=["x*"])


def test_an_empty_schema_is_named(build: Build) -> None:
    """A schema without tables is refused, with the schemas that have some."""
    warehouse = build("CREATE SCHEMA crm; CREATE TABLE crm.t (a integer); CREATE SCHEMA hollow")
    with pytest.raises(TableNotFound, match=r"Schema 'hollow' has no table.*crm"):
        warehouse.reflect(schemas=["hollow"])
    with pytest.raises(TableNotFound, match=r"Schema '(public|main)' has no table.*crm"):
        warehouse.reflect()


def test_a_name_that_is_gone_is_named(build: Build, tmp_path: Path) -> None:
    """Metadata of another warehouse is refused by table and by column."""
    warehouse = build("CREATE TABLE t (a integer)")
    from prefect_synth.synth.metadata import Column, Metadata, Table

    with pytest.raises(TableNotFound, match=r"Table 'u' is not in the warehouse"):
        warehouse.schemas(Metadata({"u": Table("u", {"a": Column("a")})}))
    with pytest.raises(TableNotFound, match=r"Table 't' has no column 'aa'.*mean 'a'"):
        warehouse.schemas(Metadata({"t": Table("t", {"aa": Column("aa")})}))


def test_several_schemas_have_full_names(build: Build, tmp_path: Path) -> None:
    """Tables are `schema.table` when more than one schema is read, the same name in each."""
    warehouse = build(
        "CREATE SCHEMA crm; CREATE SCHEMA web;"
        "CREATE TABLE crm.person (id integer PRIMARY KEY, boss integer);"
        "CREATE TABLE web.person (id integer PRIMARY KEY); INSERT INTO web.person VALUES (1);"
        "CREATE TABLE web.visit (id integer PRIMARY KEY, who integer REFERENCES web.person (id));"
    )
    metadata = warehouse.reflect(schemas=["crm", "web"])
    assert sorted(metadata.tables) == ["crm.person", "web.person", "web.visit"]
    assert metadata.relationships[0].parent == "web.person"
    with warehouse.snapshot() as snapshot:
        assert (snapshot.count("crm.person"), snapshot.count("web.person")) == (0, 1)


def test_odd_names_are_quoted(build: Build, tmp_path: Path) -> None:
    """Mixed case, reserved words, spaces, quotes and braces are names like others."""
    warehouse = build(
        'CREATE TABLE "Order" ("select" integer PRIMARY KEY, "Größe {}" varchar, "a""b" integer);'
        "INSERT INTO \"Order\" VALUES (1, 'x', 2);"
        'CREATE TABLE "group" ("User Id" integer PRIMARY KEY REFERENCES "Order" ("select"))'
    )
    metadata = warehouse.reflect()
    with warehouse.snapshot() as snapshot:
        snapshot.pull("Order", warehouse.schemas(metadata)["Order"], tmp_path / "o.parquet")
        assert snapshot.orphans(metadata.relationships[0]) == 0
    assert pq.read_table(tmp_path / "o.parquet").to_pylist() == [
        {"select": 1, "Größe {}": "x", 'a"b': 2}
    ]


def test_enums_have_categories(build: Build) -> None:
    """The labels of an enum are the column's categories, in the order of declaration."""
    warehouse = build("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (m mood)")
    column = warehouse.reflect().tables["t"].columns["m"]
    assert (column.sdtype, column.categories) == ("categorical", ("sad", "ok"))


def test_unique_indexes_are_keys(build: Build) -> None:
    """An index that makes plain columns unique is a unique key."""
    sql = "CREATE TABLE t (a integer, b integer); CREATE UNIQUE INDEX i ON t (b, a);"
    assert build(sql).reflect().tables["t"].unique == (("b", "a"),)


def test_partial_indexes_are_no_keys(build_postgres: Build) -> None:
    """An index over some rows or over expressions makes no column unique."""
    sql = (
        "CREATE TABLE t (a int, b text); CREATE UNIQUE INDEX i ON t (a) WHERE a > 1;"
        "CREATE UNIQUE INDEX j ON t (lower(b))"
    )
    assert build_postgres(sql).reflect().tables["t"].unique == ()


def test_partitions_are_one_table(build_postgres: Build, tmp_path: Path) -> None:
    """A partitioned table appears once, with the rows and keys of all partitions."""
    warehouse = build_postgres(
        "CREATE TABLE day (d int PRIMARY KEY) PARTITION BY RANGE (d);"
        "CREATE TABLE day_1 PARTITION OF day FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE day_2 PARTITION OF day FOR VALUES FROM (10) TO (20);"
        "CREATE TABLE visit (id int PRIMARY KEY, d int REFERENCES day);"
        "INSERT INTO day VALUES (1), (11);"
    )
    metadata = warehouse.reflect()
    assert sorted(metadata.tables) == ["day", "visit"]
    assert metadata.relationships == (Relationship("visit", ("d",), "day", ("d",)),)
    with warehouse.snapshot() as snapshot:
        assert snapshot.count("day") == 2


def test_foreign_keys_cross_schemas(build_postgres: Build) -> None:
    """A foreign key into another schema is known when both are read, on any search path."""
    warehouse = build_postgres(
        "CREATE SCHEMA crm; CREATE TABLE crm.person (id int PRIMARY KEY);"
        "CREATE TABLE visit (id int PRIMARY KEY, who int REFERENCES crm.person)"
    )
    assert warehouse.reflect().relationships == ()
    assert warehouse.reflect(schemas=["public", "crm"]).relationships == (
        Relationship("public.visit", ("who",), "crm.person", ("id",)),
    )


def test_generated_and_identity_columns_are_read(build_postgres: Build) -> None:
    """Generated columns are columns like others."""
    sql = (
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int,"
        " b int GENERATED ALWAYS AS (a * 2) STORED)"
    )
    assert list(build_postgres(sql).reflect().tables["t"].columns) == ["id", "a", "b"]


def test_duckdb_keys_are_spelled_as_columns(build_duckdb: Build) -> None:
    """Constraints typed in another case still name the columns as the table has them."""
    metadata = build_duckdb(
        "CREATE TABLE Parent (Id integer, NAME varchar, PRIMARY KEY (ID), UNIQUE (name));"
        "CREATE TABLE child (PID integer, FOREIGN KEY (pid) REFERENCES PARENT (iD))"
    ).reflect()
    assert metadata.tables["Parent"].unique == (("NAME",),)
    assert metadata.relationships == (Relationship("child", ("PID",), "Parent", ("Id",)),)
