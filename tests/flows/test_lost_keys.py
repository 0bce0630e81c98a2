"""Keys that the warehouse lost: their values are generated until somebody accepts the loss."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from prefect_synth.flows import stepwise
from prefect_synth.flows.cli import app

# codes by which customers are known, and of which each child has few, each of them often
WAREHOUSE = """
CREATE FUNCTION code(kind text, i int) RETURNS text IMMUTABLE LANGUAGE sql
    AS $$ SELECT kind || '-' || substr(md5(kind || i), 1, 12) $$;
CREATE TABLE kept (code text PRIMARY KEY, size int NOT NULL);
CREATE TABLE renamed (code text PRIMARY KEY, weight int NOT NULL, x int, y int, z int);
CREATE TABLE dropped (code text PRIMARY KEY, height int NOT NULL, place text);
CREATE TABLE keyless (code text PRIMARY KEY, tag text NOT NULL UNIQUE, amount int NOT NULL);
INSERT INTO kept SELECT code('kept', i), i % 7 FROM generate_series(1, 12) i;
INSERT INTO renamed SELECT code('renamed', i), i % 5 FROM generate_series(1, 12) i;
INSERT INTO dropped SELECT code('dropped', i), i % 3, 'here' FROM generate_series(1, 12) i;
INSERT INTO keyless SELECT code('keyless', i), code('tag', i), i % 9 FROM generate_series(1, 300) i;
CREATE TABLE orders (
    id int PRIMARY KEY, kept text NOT NULL REFERENCES kept, renamed text REFERENCES renamed,
    dropped text NOT NULL REFERENCES dropped, amount int NOT NULL
);
INSERT INTO orders SELECT i, code('kept', 1 + i % 12), code('renamed', 1 + i % 12),
    code('dropped', 1 + i % 12), i * 7919 % 500 FROM generate_series(1, 600) i;
"""
LOST = """
ALTER TABLE orders DROP CONSTRAINT orders_kept_fkey;
ALTER TABLE renamed RENAME TO called_anew;
DROP TABLE dropped CASCADE;
ALTER TABLE keyless DROP CONSTRAINT keyless_pkey;
ALTER TABLE keyless DROP CONSTRAINT keyless_tag_key;
INSERT INTO keyless SELECT * FROM keyless, generate_series(1, 8);
"""
PROJECT = """
project: shop
warehouse: {{url: '{url}', allow_writable: true}}
sandbox: {{url: sandbox}}
defaults: {{model: copula}}
tables: {{orders: {{columns: {{kept: {{sdtype: categorical, pii: false}}}}}}}}
gates: {{quality: {{min: 0.0, relations: null, dependence: null, c2st: null}}}}
"""


@pytest.fixture
def shop(postgres_database: str, tmp_path: Path) -> Iterator[psycopg.Connection]:
    """A project of five tables, and their owner's connection."""
    (tmp_path / "synth.yaml").write_text(PROJECT.format(url=postgres_database))
    with psycopg.connect(postgres_database, autocommit=True) as owner:
        owner.execute(WAREHOUSE)
        yield owner


def publish(folder: Path) -> dict[str, Any]:
    """Refresh without a server: the published tables, by column."""
    run = stepwise.pull(str(folder))["run_id"]
    for step in (stepwise.train, stepwise.sample, stepwise.validate):
        step(str(folder), run)
    done = stepwise.publish(str(folder), run)
    return {name: pq.read_table(f"{done['url']}/{name}") for name in done["rows_by_table"]}


def keys(owner: psycopg.Connection) -> set[str]:
    """Every real key of every table."""
    kinds = {"kept": 12, "renamed": 12, "dropped": 12, "keyless": 300, "tag": 300}
    asked = "SELECT code(%s, i) FROM generate_series(1, %s) i"
    return {row[0] for kind in kinds.items() for row in owner.execute(asked, kind)}


def run(*arguments: str, folder: Path) -> Any:
    """A command's JSON document."""
    result = CliRunner().invoke(app, [*arguments, "--json", "--project", str(folder)])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def columns(folder: Path) -> dict[str, Any]:
    """What every column means, by its place."""
    tables = run("schema", folder=folder)["metadata"]["tables"]
    return {f"{name}.{c}": is_ for name, t in tables.items() for c, is_ in t["columns"].items()}


def test_no_value_of_a_lost_key_is_published_until_the_loss_is_accepted(
    shop: psycopg.Connection, tmp_path: Path
) -> None:
    """Foreign key dropped, parent renamed, parent dropped, primary and unique key dropped."""
    publish(tmp_path)  # there is no lock file: this is what is accepted
    real = keys(shop)
    shop.execute(LOST.replace("SELECT *", "SELECT code, tag, amount"))
    tables = publish(tmp_path)
    assert set(tables) == {"kept", "keyless", "orders"}
    assert {"kept", "renamed", "dropped"} < set(tables["orders"].column_names)
    for name, table in tables.items():
        for column in table.column_names:
            values = set(table[column].to_pylist())
            assert not values & real, f"{name}.{column}"
    again = tables["orders"]["dropped"]  # as often as in the warehouse, by other keys
    assert len(set(again.to_pylist())) == pytest.approx(12, abs=2)

    marked = {place for place, column in columns(tmp_path).items() if column.get("lost_key")}
    assert marked == {"orders.kept", "orders.renamed", "orders.dropped", "keyless.code",
                      "keyless.tag"}  # fmt: skip
    run("drift", "accept", "keyless", "called_anew", folder=tmp_path)
    marked = {place for place, column in columns(tmp_path).items() if column.get("lost_key")}
    assert marked == {"orders.kept", "orders.dropped"}  # orders.renamed is a key again
    run("drift", "accept", "--all", folder=tmp_path)
    assert columns(tmp_path)["orders.kept"]["sdtype"] == "categorical"


def test_a_key_to_a_table_that_a_person_left_out_is_generated_unless_they_say_otherwise(
    shop: psycopg.Connection, tmp_path: Path
) -> None:
    """Nothing is lost there that somebody could accept: the project file has the last word."""
    run("drift", "accept", "--all", folder=tmp_path)
    run("drift", "accept", "--exclude", "kept", "dropped", folder=tmp_path)
    found = columns(tmp_path)
    assert found["orders.dropped"]["lost_key"]
    assert found["orders.kept"] == {
        "sdtype": "categorical", "nullable": False, "source_type": "text"
    }  # fmt: skip
