"""Drift, end to end: a warehouse that moves between refreshes, and what is published of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from prefect_synth.flows.cli import app
from prefect_synth.flows.failures import DRIFT, exit_code_of
from prefect_synth.flows.refresh import refresh
from prefect_synth.tasks.drift.changes import DriftBlockedError
from prefect_synth.tasks.drift.lock import read_lock

pytestmark = pytest.mark.usefixtures("prefect_url")

PLANTED = "zyzzyva-4711"


def table(outcome: Any, name: str) -> pa.Table:
    """A published table, read as anybody would read it."""
    return pq.read_table(f"{outcome.url}/{name}")


def holding(folder: Path, text: str) -> list[str]:
    """Files below a folder that hold a text; the values of Parquet files are looked at."""
    found = []
    for file in (f for f in folder.rglob("*") if f.is_file()):
        seen = file.read_bytes()
        if file.suffix == ".parquet":
            seen += str(pq.read_table(file).to_pydict()).encode()
        if text.encode() in seen:
            found.append(str(file.relative_to(folder)))
    return found


def run(*arguments: str, folder: Path) -> tuple[int, Any]:
    """A command's exit code and its JSON document."""
    result = CliRunner().invoke(app, [*arguments, "--json", "--project", str(folder)])
    return result.exit_code, json.loads(result.stdout)


def test_a_new_column_is_published_as_null_until_it_is_accepted(shop: Any) -> None:
    """No real value of it is staged or published; afterwards it is modelled like any other."""
    shop.refresh()  # with no lock file, what this one sees is what is accepted
    shop.execute(f"ALTER TABLE order_items ADD COLUMN gift VARCHAR DEFAULT '{PLANTED}'")
    shop.execute("CREATE TABLE coupons (id INTEGER PRIMARY KEY); INSERT INTO coupons VALUES (1)")
    name, outcome = shop.refresh()
    assert name == "Published"
    assert (
        table(outcome, "order_items")["gift"].null_count == outcome.tables["order_items"].synthetic
    )
    assert "coupons" not in outcome.tables
    assert holding(shop.staging, PLANTED) + holding(shop.sandbox, PLANTED) == []

    code, drift = run("drift", folder=shop.folder)
    assert (code, drift["held"], drift["waiting"]) == (0, {"order_items": ["gift"]}, ["coupons"])
    assert all(change["since"] for change in drift["changes"])
    code, recorded = run("drift", "accept", "order_items.gift", folder=shop.folder)
    assert (code, recorded["left"]) == (0, ["coupons"])
    assert "prefect deployment run refresh/shop-on-change" in recorded["next"][1]  # starts nothing
    name, outcome = shop.refresh()
    assert set(table(outcome, "order_items")["gift"].to_pylist()) == {PLANTED}


def test_an_accepted_column_is_learned_though_no_row_moved(shop: Any) -> None:
    """A few values among many nulls are no move; models that never saw them are not reused."""
    shop.refresh()
    shop.execute("ALTER TABLE order_items ADD COLUMN gift INTEGER")
    shop.refresh()
    run("drift", "accept", "order_items.gift", folder=shop.folder)
    name, outcome = shop.refresh()  # all of its values are NULL: no row is another one
    assert (name, outcome.reused) == ("Published", None)
    assert outcome.why == "what is accepted of new columns changed since they were trained"


def test_drift_that_blocks_ends_a_refresh_before_anything_is_pulled(shop: Any) -> None:
    """The last good snapshot stays, and the message names the change and the remedy."""
    shop.configure("on_drift: {column_added: block}\n")
    run("drift", "accept", "--all", folder=shop.folder)
    shop.refresh()
    latest, staged = shop.latest(), sorted((shop.staging / "runs").iterdir())
    shop.execute("ALTER TABLE order_items ADD COLUMN gift VARCHAR")
    with pytest.raises(DriftBlockedError, match=r"drift accept order_items\.gift") as found:
        shop.refresh()
    assert exit_code_of(found.value) == DRIFT
    assert (shop.latest(), sorted((shop.staging / "runs").iterdir())) == (latest, staged)
    assert run("drift", folder=shop.folder)[0] == DRIFT


def test_what_is_accepted_or_left_out_for_good_stands_in_the_lock_file(shop: Any) -> None:
    """Who decided what, and when; what does not exist is refused with exit code 2."""
    assert run("drift", "accept", "orders", folder=shop.folder)[0] == 2  # nothing to compare with
    assert run("drift", "accept", "--all", folder=shop.folder)[0] == 0
    shop.execute("ALTER TABLE order_items ADD COLUMN gift VARCHAR; ALTER TABLE products ADD x INT")
    assert run("drift", "accept", "order_items.gfit", folder=shop.folder)[0] == 2
    run("drift", "accept", "order_items.gift", folder=shop.folder)
    run("drift", "accept", "--exclude", "products.x", folder=shop.folder)
    assert run("drift", folder=shop.folder)[1]["changes"] == []
    lock = read_lock(shop.folder / "synth.lock")
    assert lock is not None
    assert [(d.place, d.decision) for d in lock.decisions] == [
        ("order_items.gift", "accepted"),
        ("products.x", "excluded"),
    ]
    assert lock.excluded == ("products.x",)
    code, drawn = run("schema", folder=shop.folder)
    columns = drawn["metadata"]["tables"]
    assert (code, "gift" in columns["order_items"]["columns"]) == (0, True)
    assert "x" not in columns["products"]["columns"]


def test_init_writes_the_lock_file(shop: Any) -> None:
    """From the first day on a new column waits."""
    shop.file.unlink()
    url = f"duckdb:///{shop.warehouse}"
    assert run("init", "--from", url, folder=shop.folder)[0] == 0
    assert run("drift", folder=shop.folder)[1]["baseline"] == "synth.lock"


PEOPLE = """
CREATE TYPE rank AS ENUM ('junior', 'senior');
CREATE TABLE teams (team_id int PRIMARY KEY, name varchar(40) NOT NULL);
CREATE TABLE people (
    person_id int PRIMARY KEY, team_id int NOT NULL REFERENCES teams, rank rank NOT NULL,
    salary numeric(9, 2)
);
INSERT INTO teams SELECT i, 'Team ' || i FROM generate_series(1, 30) i;
INSERT INTO people SELECT i, 1 + i % 30,
    (CASE WHEN i % 4 = 0 THEN 'senior' ELSE 'junior' END)::rank, 30000 + (i * 7919) % 50000
    FROM generate_series(1, 400) i;
"""


TYPES = ("int", "numeric(8, 2)", "boolean", "date", "timestamptz", "interval", "time", "uuid",
         "jsonb", "bytea", "text[]", "double precision")  # fmt: skip


@pytest.fixture
def company(postgres_database: str, tmp_path: Path) -> Iterator[psycopg.Connection]:
    """A project over a PostgreSQL database, and its owner's connection."""
    (tmp_path / "synth.yaml").write_text(
        f"project: company\nwarehouse: {{url: '{postgres_database}', allow_writable: true}}\n"
        "sandbox: {url: sandbox}\n"
    )
    with psycopg.connect(postgres_database, autocommit=True) as owner:
        owner.execute(PEOPLE)
        yield owner


def test_postgres_a_planted_value_of_a_new_column_turns_up_nowhere(
    company: psycopg.Connection, tmp_path: Path
) -> None:
    """`ALTER TABLE ... ADD COLUMN ssn`: NULL, or left out where it must not be NULL."""
    assert run("drift", "accept", "--all", folder=tmp_path)[0] == 0
    company.execute(f"ALTER TABLE people ADD COLUMN ssn text DEFAULT '{PLANTED}'")
    company.execute(f"ALTER TABLE people ADD COLUMN badge text NOT NULL DEFAULT '{PLANTED}'")
    company.execute("ALTER TABLE people ADD COLUMN level rank DEFAULT 'senior'")
    for number, kind in enumerate(TYPES):
        company.execute(f"ALTER TABLE people ADD COLUMN c{number} {kind}")
    company.execute(f"COMMENT ON COLUMN people.ssn IS '{PLANTED}'")
    state = refresh(str(tmp_path), return_state=True)
    outcome = state.result()
    people = table(outcome, "people")
    new = ["ssn", "level", *(f"c{number}" for number in range(len(TYPES)))]
    assert people.column_names == ["person_id", "team_id", "rank", "salary", *new]
    assert {people[name].null_count for name in new} == {len(people)}
    assert holding(tmp_path, PLANTED) == []

    run("drift", "accept", "people.level", folder=tmp_path)
    outcome = refresh(str(tmp_path), return_state=True).result()
    people = table(outcome, "people")
    assert set(people["level"].to_pylist()) == {"senior"}
    assert people["ssn"].null_count == len(people)
    code, drift = run("drift", folder=tmp_path)
    assert (code, drift["held"], drift["left_out"]) == (
        0,
        {"people": sorted(name for name in new if name != "level")},
        {"people": ["badge"]},
    )


NEWS = "INSERT INTO products SELECT 'NEW-' || i, i / 9, 5000 + i FROM range(60) t(i)"


def test_rows_that_moved_are_told_from_a_sample_and_can_block(shop: Any) -> None:
    """Nothing is published until somebody accepts it with `--data`."""
    shop.refresh()
    assert run("drift", "--data", folder=shop.folder)[1]["changes"] == []
    shop.execute(NEWS)
    code, drift = run("drift", "--data", folder=shop.folder)
    found = {(change["kind"], change["table"], change["column"]) for change in drift["changes"]}
    assert code == 0
    assert found >= {
        ("volume_jumped", "products", None),
        ("distribution_moved", "products", "price"),
    }
    shop.configure("on_drift: {volume_jumped: block, distribution_moved: quarantine}\n")
    latest = shop.latest()
    with pytest.raises(DriftBlockedError, match=r"nothing was published.*accept products.*--data"):
        shop.refresh()
    assert shop.latest() == latest
    assert run("drift", "accept", "--all", folder=shop.folder)[0] == 0
    assert run("drift", "--data", folder=shop.folder)[0] == DRIFT
    assert run("drift", "accept", "products", "--data", folder=shop.folder)[0] == 0
    assert run("drift", "--data", folder=shop.folder)[0] == 0  # a refresh asks the same


def test_settings_that_need_what_is_not_accepted_are_refused(shop: Any) -> None:
    """Exit code 2, and the message says how to accept it."""
    run("drift", "accept", "--all", folder=shop.folder)
    shop.execute("ALTER TABLE order_items ADD COLUMN gift INTEGER; CREATE TABLE coupons (id INT)")
    for more, place in (
        ("relations: [order_items.gift -> customers.customer_id]\n", "order_items.gift"),
        ("tables: {coupons: {model: copy}}\n", "coupons"),
    ):
        shop.configure(more)
        code, answer = run("schema", folder=shop.folder)
        assert (code, f"drift accept {place}`" in answer["error"]["message"]) == (2, True)


def test_check_tells_of_drift(shop: Any) -> None:
    """A sentence for each change."""
    run("drift", "accept", "--all", folder=shop.folder)
    shop.execute("ALTER TABLE order_items ADD COLUMN gift INTEGER")
    code, answer = run("check", folder=shop.folder)
    said = "Column 'order_items.gift' is new (INTEGER): it is published as NULL until accepted."
    assert (code, answer["warehouse"]["drift"]) == (0, [said])
