"""Nothing real reaches the sandbox or Prefect: searched for value by value.

Looked for are every text and date of a learned column that fewer than five people have, and every
unique identifier and full name, in the public report, the manifest, Prefect's database (flow runs,
task runs, states, artifacts, events, logs) and the published tables. So are real values that people
wrote down themselves: the constant of a rule, what a polymorphic foreign key asks for. Comments of
the catalogue are published: they document the schema.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

K = 5
CANARY = "Zyzzyva-4711"
RICHEST, KIND = "9911227.35", "Quagga-0815"
PEOPLE = """
CREATE TABLE people (
    id BIGINT PRIMARY KEY, full_name VARCHAR NOT NULL, email VARCHAR NOT NULL UNIQUE,
    phone VARCHAR, account VARCHAR, town VARCHAR, born DATE, income DOUBLE
);
CREATE TABLE visits (
    id BIGINT PRIMARY KEY, person_id BIGINT NOT NULL REFERENCES people (id),
    reason VARCHAR, contact VARCHAR, on_day DATE
);
CREATE TABLE notes (id BIGINT PRIMARY KEY, about VARCHAR, about_id BIGINT);
CREATE TEMP MACRO dice(a, b, sides) AS (hash(a, b) % sides)::BIGINT;
INSERT INTO people SELECT 7300000000 + i * 7, 'Firstly' || i || ' Lastly' || (i * 3),
    'person.' || i || '@mail.example', '+34 6' || lpad(dice(i, 1, 100000000)::VARCHAR, 8, '0'),
    'ACC-' || lpad(dice(i, 2, 10000000)::VARCHAR, 8, '0'),
    CASE WHEN i % 40 = 0 THEN 'Hamlet ' || i ELSE ['Ulm', 'Bonn', 'Kiel'][1 + i % 3] END,
    DATE '1940-01-01' + dice(i, 3, 25000)::INTEGER, dice(i, 4, 9000000) / 100
    FROM range(400) t(i);
UPDATE people SET town = 'Zyzzyva-4711', full_name = 'Canary Zyzzyva-4711' WHERE id = 7300000070;
UPDATE people SET income = 9911227.35 WHERE id = 7300000077;
COMMENT ON TABLE people IS 'Who comes to see us';
INSERT INTO visits SELECT i, 7300000000 + dice(i, 5, 400) * 7,
    CASE WHEN i % 200 = 0 THEN 'rare reason ' || i ELSE ['check', 'pain', 'letter'][1 + i % 3] END,
    'person.' || dice(i, 5, 400) || '@mail.example', DATE '2020-01-01' + dice(i, 6, 900)::INTEGER
    FROM range(1500) t(i);
INSERT INTO notes SELECT i, CASE WHEN i % 2 = 0 THEN 'Quagga-0815' ELSE 'visit' END,
    CASE WHEN i % 2 = 0 THEN 7300000000 + dice(i, 7, 400) * 7 ELSE dice(i, 8, 1500) END
    FROM range(300) t(i);
"""
RULES = """
relations:
  - notes.about_id -> people.id when about = Quagga-0815
  - notes.about_id -> visits.id when about = visit
tables:
  people: {rules: ['income <= 9911227.35']}
"""
SUITE = {
    "name": "people",
    "expectations": [
        {
            "type": "expect_column_max_to_be_between",
            "kwargs": {"column": "income", "max_value": 1},
            "description": "Nobody earns more than 9911227.35",
            "severity": "warning",
        }
    ],
}

pytestmark = pytest.mark.usefixtures("prefect_url")


def told_apart(rows: list[tuple[Any, Any]]) -> set[str]:
    """Texts and dates that fewer than five people have, long enough not to occur by chance."""
    people: dict[Any, set[Any]] = {}
    for value, person in rows:
        if value is not None:
            people.setdefault(value, set()).add(person)
    rare = [value for value, having in people.items() if len(having) < K]
    return {text for value in rare for text in forms(value) if len(text) >= 6}


def forms(value: Any) -> Iterator[str]:
    """How a value may be written."""
    if isinstance(value, dt.datetime):
        yield from (f"{value:%Y-%m-%d %H:%M}", f"{value:%Y-%m-%dT%H:%M}")
    elif isinstance(value, dt.date):
        yield value.isoformat()
    elif isinstance(value, str):
        yield value


@pytest.fixture(scope="module")
def runs(shop_factory: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """People with planted values, refreshed twice: published, then refused."""
    shop = shop_factory(tmp_path_factory.mktemp("people"))
    shop.warehouse.unlink()
    shop.execute(PEOPLE)
    (shop.folder / "suites").mkdir()
    (shop.folder / "suites" / "people.json").write_text(json.dumps(SUITE))
    shop.configure(
        f"privacy: {{unit: people, quasi_identifiers: {{people: [town, born]}}}}\n{RULES}"
    )
    name, outcome = shop.refresh()
    assert name == "Published", outcome.failures
    shop.configure(
        "privacy: {unit: people}\n"
        f"gates: {{quality: {{min: 1.0, relations: 1.0}}, columns: {{ks: 1.0, tv: 1.0}}}}\n{RULES}"
    )
    name, outcome = shop.refresh()
    assert name == "Rejected"
    return shop, outcome


@pytest.fixture(scope="module")
def refreshed(runs: Any) -> Any:
    """The project."""
    return runs[0]


@pytest.fixture(scope="module")
def secrets(refreshed: Any) -> set[str]:
    """Everything that must not be found."""
    with duckdb.connect(str(refreshed.warehouse), read_only=True) as warehouse:
        found = {CANARY}
        for column in ("full_name", "email", "phone", "account", "town", "born", "id"):
            found |= told_apart(warehouse.execute(f"SELECT {column}, id FROM people").fetchall())
        found |= {str(key) for (key,) in warehouse.execute("SELECT id FROM people").fetchall()}
        for column in ("reason", "contact"):
            sql = f"SELECT {column}, person_id FROM visits"
            found |= told_apart(warehouse.execute(sql).fetchall())
    return found


@pytest.fixture(scope="module")
def written(secrets: set[str]) -> set[str]:
    """The same, and the values that people wrote down."""
    return {*secrets, RICHEST, KIND}


def hits(text: str, secrets: set[str]) -> list[str]:
    """The secrets that stand in a text as words of their own, a few of them."""
    found = [s for s in secrets if s in text]
    return [s for s in found if re.search(rf"(?<!\w){re.escape(s)}(?!\w)", text)][:5]


def test_the_search_would_find_them(refreshed: Any, secrets: set[str]) -> None:
    """There are many, and staged rows, which are private, hold them: the search can fail."""
    assert len(secrets) > 1500
    staged = next((refreshed.staging / "runs").glob("*/real/people/training.parquet"))
    rows = "\n".join(str(list(row.values())) for row in pq.read_table(staged).to_pylist())
    assert len(hits(rows, secrets)) == 5


def test_the_private_report_tells_what_people_wrote_down(refreshed: Any) -> None:
    """Rule and condition are there, so that they could get out."""
    [folder] = (refreshed.staging / "quarantine").iterdir()
    report = (folder / "report.html").read_text()
    assert hits(report, {RICHEST}) == [RICHEST]
    assert f"when about = {KIND}" in report.replace("\n", " ")


def test_the_public_report_and_the_manifest_hold_no_real_value(
    refreshed: Any, written: set[str]
) -> None:
    """What lies in the sandbox besides the tables."""
    [name] = refreshed.published()
    for file in (refreshed.sandbox / "snapshots" / name).glob("*.*"):
        assert hits(file.read_text(), written) == [], file.name


def test_the_published_tables_hold_no_real_identifier(refreshed: Any, secrets: set[str]) -> None:
    """No e-mail, phone, account, name, key or rare text; dates are numbers and come by chance."""
    [name] = refreshed.published()
    dates = {s for s in secrets if re.fullmatch(r"\d{4}-\d\d-\d\d", s)}
    for table in ("people", "visits"):
        rows = pq.read_table(refreshed.sandbox / "snapshots" / name / table)
        text = "\n".join(str(list(row.values())) for row in rows.to_pylist())
        assert hits(text, secrets - dates) == [], table


def test_prefect_holds_no_real_value(refreshed: Any, written: set[str], prefect_home: Path) -> None:
    """Database with runs, states, artifacts, events and logs; and persisted results."""
    for file in prefect_home.rglob("*"):
        if file.is_file() and file.suffix in {".db", ".db-wal", ".json", ".log", ""}:
            assert hits(file.read_bytes().decode("utf-8", "replace"), written) == [], file.name


def test_the_terminal_shows_no_real_value(runs: Any, written: set[str]) -> None:
    """The outcome, which Prefect keeps as well: what failed, and the rules in force."""
    outcome = runs[1]
    assert hits(outcome.model_dump_json(), written) == []
    assert outcome.tables["people"].rules == ("a rule on income",)


def test_a_refused_snapshot_is_kept_for_inspection(refreshed: Any) -> None:
    """Its tables, verdicts and report lie in private staging; the sandbox has none of them."""
    [folder] = (refreshed.staging / "quarantine").iterdir()
    kept = {path.name for path in folder.iterdir()}
    assert kept == {"synthetic", "verdicts", "report.html"}
    assert len(refreshed.published()) == 1
