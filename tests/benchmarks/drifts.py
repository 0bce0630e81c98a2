"""Every kind of drift on several data sets: the SQL that makes it, and what has to come of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from places import SHARED

from prefect_synth.flows.demo import build_demo_warehouse
from prefect_synth.flows.demo_schema import TABLES, TYPES

PLANTED = "zyzzyva-4711"


@dataclass(frozen=True)
class Drift:
    """One kind of drift on one data set.

    Args:
        kind: What is told.
        sql: What makes it.
        table: The table, by its name of afterwards.
        column: The column, where one is concerned.
        old: How it was, as it is told.
        new: How it is, as it is told.
        quarantined: What comes of it under the policy `quarantine`.
        looks: What a published table looks like, by policy: `null`, `absent`, `there`, or a text
            for `expected`.
        more: Kinds that are told with it.
    """

    kind: str
    sql: str
    table: str
    column: str | None = None
    old: str | None = None
    new: str | None = None
    quarantined: str = "blocks"
    looks: dict[str, str] = field(default_factory=dict)
    more: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """For the test's name."""
        return f"{self.kind}-{self.table}" + (f".{self.column}" if self.column else "")

    def effect(self, policy: str) -> str:
        """What comes of it."""
        return {"block": "blocks", "evolve": "followed"}.get(policy, self.quarantined)

    def ends(self, policy: str) -> str:
        """How a refresh ends: `Unchanged` where nothing that is published is another one."""
        effect = self.effect(policy)
        if effect == "blocks":
            return "Blocked"
        added = self.kind in ("table_added", "column_added") and effect in ("waits", "left out")
        kept = effect == "kept" and self.kind != "enum_value_added"  # its rows are others
        unseen = self.kind == "default_changed"  # a default is published nowhere
        return "Unchanged" if added or kept or unseen else "Published"


@dataclass(frozen=True)
class DataSet:
    """A data set and its drifts.

    Args:
        load: Fills an empty PostgreSQL database.
        drifts: What may happen to it; all of it may happen at once.
    """

    load: Callable[[str], None]
    drifts: tuple[Drift, ...]


HELD = {"quarantine": "null", "evolve": "there"}
WAITING = {"quarantine": "no table", "evolve": "table"}
LEFT_OUT = {"quarantine": "absent", "evolve": "there"}


def added(table: str) -> Iterator[Drift]:
    """New columns, and a new table."""
    value = f"DEFAULT '{PLANTED}'"
    yield Drift("column_added", f"ALTER TABLE {table} ADD ssn text {value}", table, "ssn",
                new="text", quarantined="held", looks=HELD)  # fmt: skip
    yield Drift("column_added", f"ALTER TABLE {table} ADD token text NOT NULL {value}", table,
                "token", new="text NOT NULL", quarantined="left out", looks=LEFT_OUT)  # fmt: skip
    yield Drift("table_added", "CREATE TABLE vouchers (id int PRIMARY KEY, worth int);"
                "INSERT INTO vouchers SELECT i, i % 50 FROM generate_series(1, 300) i",
                "vouchers", new="2 columns", quarantined="waits",
                looks=WAITING)  # fmt: skip


def tables(gone: str, old: str, new: str) -> Iterator[Drift]:
    """A dropped table, and a renamed one."""
    yield Drift("table_dropped", f"DROP TABLE {gone}", gone, looks={"evolve": "no table"})
    yield Drift("table_renamed", f"ALTER TABLE {old} RENAME TO {new}", new, old=old, new=new,
                quarantined="waits", looks=WAITING)  # fmt: skip


def retyped(
    kind: str, place: str, old: str, new: str, arrow: str, nullable: bool, using: str = ""
) -> Drift:
    """A column of another type."""
    table, column = place.split(".")
    return Drift(
        kind, f"ALTER TABLE {table} ALTER {column} TYPE {new} {using}", table, column, old, new,
        "held" if nullable else "left out",
        {"quarantine": "null" if nullable else "absent", "evolve": f"type {arrow}"},
    )  # fmt: skip


def columns(dropped: tuple[str, str], renamed: tuple[str, str]) -> Iterator[Drift]:
    """A dropped column, and a renamed one that may be NULL."""
    table, column = dropped[0].split(".")
    yield Drift("column_dropped", f"ALTER TABLE {table} DROP {column}", table, column,
                old=dropped[1], looks={"evolve": "absent"})  # fmt: skip
    table, column = renamed[0].split(".")
    yield Drift("column_renamed", f"ALTER TABLE {table} RENAME {column} TO {renamed[1]}", table,
                renamed[1], column, renamed[1], "held", HELD)  # fmt: skip


def nulls(relaxed: str, tightened: str) -> Iterator[Drift]:
    """A column that may be NULL now, and one that may not any more."""
    table, column = relaxed.split(".")
    yield Drift("nullability_changed", f"ALTER TABLE {table} ALTER {column} DROP NOT NULL", table,
                column, "NOT NULL", "nullable", looks={"evolve": "nullable"})  # fmt: skip
    table, column = tightened.split(".")
    yield Drift("nullability_changed", f"ALTER TABLE {table} ALTER {column} SET NOT NULL", table,
                column, "nullable", "NOT NULL", "kept",
                {"quarantine": "nullable", "evolve": "not nullable"})  # fmt: skip


def said(default: str, value: str, comment: str) -> Iterator[Drift]:
    """A default, and a comment: neither is told, since it may quote a value."""
    table, column = default.split(".")
    yield Drift("default_changed", f"ALTER TABLE {table} ALTER {column} SET DEFAULT {value}",
                table, column, None, "a default", "kept")  # fmt: skip
    table, column = comment.split(".")
    yield Drift("comment_changed", f"COMMENT ON COLUMN {comment} IS '{PLANTED}'", table, column,
                quarantined="kept")  # fmt: skip


def keys(
    primary: tuple[str, str], unique: tuple[str, str], foreign: tuple[str, str]
) -> Iterator[Drift]:
    """A primary key that is gone, a unique key that is new, a foreign key that is gone."""
    table, key = primary
    yield Drift("primary_key_changed", f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey", table,
                old=key, looks={"evolve": "no primary key"})  # fmt: skip
    table, key = unique
    yield Drift("unique_key_changed", f"ALTER TABLE {table} ADD UNIQUE ({key})", table, new=key,
                quarantined="kept",
                looks={"quarantine": f"not unique {key}", "evolve": f"unique {key}"})  # fmt: skip
    table, key = foreign
    column = key.split(" ")[0]
    yield Drift("foreign_key_changed",
                f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_fkey", table, old=key,
                looks={"evolve": f"no parent by {column}"})  # fmt: skip


def labelled(place: str, enum: str, label: str, where: str) -> Drift:
    """A new label of an enum that may be NULL, and rows that have it."""
    table, column = place.split(".")
    return Drift(
        "enum_value_added",
        f"ALTER TYPE {enum} ADD VALUE '{label}'; UPDATE {table} SET {column} = '{label}' "
        f"WHERE {where}",
        table, column, None, label, "kept",
        {"quarantine": f"without {label}", "evolve": f"with {label}"},
    )  # fmt: skip


def rows(category: tuple[str, str], moved: tuple[str, str], volume: tuple[str, str, str, str]
         ) -> Iterator[Drift]:  # fmt: skip
    """What the rows alone show; nothing of it can be held back, so `quarantine` blocks."""
    table, column = category[0].split(".")
    yield Drift("category_added", category[1], table, column, new="1 value",
                looks={"evolve": "with novel"},
                more=frozenset({"distribution_moved"}))  # fmt: skip
    table, column = moved[0].split(".")
    yield Drift("distribution_moved", moved[1], table, column, looks={"evolve": "there"},
                more=frozenset({"category_added"}))  # fmt: skip
    table, sql, old, new = volume
    yield Drift("volume_jumped", sql, table, old=old, new=f"{new} rows",
                looks={"evolve": f"rows {new}"},
                more=frozenset({"distribution_moved", "category_added"}))  # fmt: skip


SMALL = """
CREATE TYPE rank AS ENUM ('junior', 'senior');
CREATE TABLE teams (
    team_id int PRIMARY KEY, title varchar(40) NOT NULL, budget smallint, size int NOT NULL
);
CREATE TABLE people (
    person_id int PRIMARY KEY, team_id int NOT NULL REFERENCES teams, rank rank,
    salary numeric(9, 2) NOT NULL, mail varchar(60), city varchar(20), remark text,
    floor integer, level int, desk varchar(9) NOT NULL
);
CREATE TABLE badges (
    badge_id int PRIMARY KEY, person_id int NOT NULL REFERENCES people, kind varchar(10) NOT NULL
);
CREATE TABLE parked (person_id int PRIMARY KEY REFERENCES people, spot int);
CREATE TABLE trips (trip_id int PRIMARY KEY, person_id int NOT NULL REFERENCES people, km int);
INSERT INTO teams SELECT i, 'Team ' || i, i * 7 % 300, 1 + i % 9 FROM generate_series(1, 60) i;
INSERT INTO people SELECT i, 1 + i % 60,
    (CASE WHEN i % 4 = 0 THEN 'senior' ELSE 'junior' END)::rank,
    30000 + (i * 7919) % 50000, 'p' || i || '@corp.test',
    (ARRAY['Ulm', 'Bonn', 'Kiel'])[1 + i % 3], 'none', i % 12, i % 5, 'D' || i % 40
    FROM generate_series(1, 400) i;
INSERT INTO badges SELECT i, 1 + (i * 7) % 400, (ARRAY['day', 'week'])[1 + i % 2]
    FROM generate_series(1, 500) i;
INSERT INTO parked SELECT i * 3, i FROM generate_series(1, 100) i;
INSERT INTO trips SELECT i, 1 + (i * 11) % 400, (i * 37) % 900 FROM generate_series(1, 400) i;
"""

small = DataSet(
    lambda uri: execute(uri, SMALL),
    (
        *added("people"),
        *tables("parked", "trips", "journeys"),
        *columns(("people.remark", "text"), ("people.mail", "e_mail")),
        retyped("type_widened", "teams.budget", "smallint", "integer", "int32", True),
        retyped("type_narrowed", "people.salary", "numeric(9,2)", "numeric(7,2)",
                "decimal128(7, 2)", False),
        retyped("type_changed", "people.floor", "integer", "text", "string", True,
                "USING floor::text"),
        *nulls("people.desk", "people.level"),
        *said("teams.size", "5", "teams.title"),
        *keys(("badges", "badge_id"), ("teams", "title"),
              ("badges", "person_id -> people.person_id")),
        labelled("people.rank", "rank", "chief", "person_id % 5 = 0"),
        *rows(
            ("people.city", "UPDATE people SET city = 'novel' WHERE person_id % 4 = 0"),
            ("teams.size", "UPDATE teams SET size = size + 40"),
            ("badges", "INSERT INTO badges SELECT badge_id + 1000, person_id, kind FROM badges",
             "500", "1,000"),
        ),
    ),
)  # fmt: skip


def load_demo(uri: str) -> None:
    """The demo with sixty households."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "demo.duckdb"
        build_demo_warehouse(file, 60)
        with duckdb.connect(str(file), read_only=True) as demo:
            found = {name: demo.table(name).to_arrow_table() for name in TABLES}
    made = "".join(f"CREATE TABLE {name} ({columns});" for name, columns in TABLES.items())
    execute(uri, TYPES + made)
    fill(uri, found, tuple(TABLES))
    execute(uri, "UPDATE products SET product_category = 'NONE' WHERE product_category IS NULL")


demo = DataSet(
    load_demo,
    (
        *added("households"),
        *tables("coupon_redemptions", "campaign_targets", "campaign_mailings"),
        *columns(("products.package_size", "character varying"),
                 ("households.income", "yearly_income")),
        retyped("type_widened", "baskets.week", "smallint", "integer", "int32", False),
        retyped("type_narrowed", "basket_items.retail_discount", "numeric(10,2)", "numeric(8,2)",
                "decimal128(8, 2)", False),
        retyped("type_changed", "products.manufacturer_id", "integer", "text", "string", False,
                "USING manufacturer_id::text"),
        *nulls("products.department", "products.product_category"),
        *said("baskets.store_id", "1", "campaigns.start_date"),
        *keys(("basket_items", "item_id"), ("campaigns", "campaign_id, start_date"),
              ("basket_items", "product_id -> products.product_id")),
        labelled("households.age", "age_band", "75+", "household_id % 3 = 0"),
        *rows(
            ("products.department",
             "UPDATE products SET department = 'novel' WHERE product_id % 4 = 0"),
            ("basket_items.sales_value", "UPDATE basket_items SET sales_value = sales_value + 50"),
            # of the tables with a parent, few have so many that the jump could not be chance
            ("products", "INSERT INTO products (product_id, manufacturer_id, department, brand, "
             "product_category, product_type) SELECT product_id + 100000000, manufacturer_id, "
             "department, brand, product_category, product_type FROM products", "9,669", "19,338"),
        ),
    ),
)  # fmt: skip

SAKILA = """
ALTER TABLE film DROP CONSTRAINT film_release_year_check, DROP CONSTRAINT film_rating_check;
CREATE TYPE film_rating AS ENUM ('G', 'PG', 'PG-13', 'R', 'NC-17');
ALTER TABLE film ALTER rating TYPE film_rating USING rating::film_rating;
ALTER TABLE rental ADD channel varchar(10);
UPDATE rental SET channel = (ARRAY['shop', 'web', 'phone'])[1 + rental_id % 3];
UPDATE customer SET active = 1 WHERE active IS NULL;
"""


def load_sakila(uri: str) -> None:
    """The shared data set, with an enum and a channel."""
    folder = SHARED / "data" / "sakila"
    execute(uri, (folder / "schema.sql").read_text())
    ddl = (folder / "schema.sql").read_text().splitlines()
    order = tuple(line.split('"')[1] for line in ddl if line.startswith("CREATE TABLE"))
    fill(uri, {name: pq.read_table(folder / f"{name}.parquet") for name in order}, order)
    execute(uri, (folder / "schema_cycles.sql").read_text() + SAKILA)


sakila = DataSet(
    load_sakila,
    (
        *added("customer"),
        *tables("film_category", "film_actor", "film_cast"),
        *columns(("film.description", "text"), ("customer.email", "e_mail")),
        retyped("type_widened", "film.length", "smallint", "integer", "int32", True),
        retyped("type_narrowed", "film.replacement_cost", "numeric(5,2)", "numeric(4,2)",
                "decimal128(4, 2)", False),
        retyped("type_changed", "film.release_year", "integer", "text", "string", True,
                "USING release_year::text"),
        *nulls("address.district", "customer.active"),
        *said("rental.rental_date", "now()", "city.city"),
        *keys(("payment", "payment_id"), ("country", "country"),
              ("payment", "rental_id -> rental.rental_id")),
        labelled("film.rating", "film_rating", "XX", "film_id % 5 = 0"),
        *rows(
            ("rental.channel", "UPDATE rental SET channel = 'novel' WHERE rental_id % 4 = 0"),
            ("payment.amount", "UPDATE payment SET amount = amount + 20"),
            ("inventory", "INSERT INTO inventory SELECT inventory_id + 100000, film_id, store_id, "
             "last_update FROM inventory", "4,581", "9,162"),
        ),
    ),
)  # fmt: skip

DATA_SETS = {"small": small, "demo": demo, "sakila": sakila}


def execute(uri: str, sql: str) -> None:
    """Run statements as the owner, each by itself: a new label must be committed to be used."""
    with psycopg.connect(uri, autocommit=True) as owner:
        lines = (line for line in sql.splitlines() if not line.startswith("--"))
        for statement in "\n".join(lines).split(";"):
            if statement.strip():
                owner.execute(statement)


def fill(uri: str, found: dict[str, pa.Table], order: tuple[str, ...]) -> None:
    """Insert rows, parents first."""
    with adbc.connect(uri) as connection, connection.cursor() as cursor:
        for name in order:
            table = pa.Table.from_arrays(
                [plain(column) for column in found[name].columns], names=found[name].column_names
            )
            cursor.adbc_ingest("incoming", table, "replace")
            cast = ", ".join(
                f'i."{column}"::{kind}' for column, kind in types(cursor, name).items()
            )
            cursor.execute(f'INSERT INTO "{name}" SELECT {cast} FROM incoming i')
        cursor.execute("DROP TABLE incoming")
        connection.commit()


def types(cursor: Any, table: str) -> dict[str, str]:
    """The type of each column, as PostgreSQL writes it."""
    cursor.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = "
        f"'\"{table}\"'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    )
    return dict(cursor.fetchall())


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Labels as texts: the driver does not take dictionaries."""
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
