"""The review of a new project: what is personal is found in the rows, and asked about."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from typer.testing import CliRunner

from prefect_synth.flows.cli import app
from prefect_synth.flows.project import load_project

SHARED = Path(
    os.environ.get("PREFECT_SYNTH_SHARED", Path(__file__).resolve().parents[3] / "shared")
)
PEOPLE = """
CREATE TABLE kunden (
    id INTEGER PRIMARY KEY, c1 VARCHAR, c2 VARCHAR, c3 VARCHAR, bemerkung VARCHAR,
    geburtsdatum DATE, geschlecht VARCHAR
);
INSERT INTO kunden SELECT i, 'anna' || i || '@firma.example', '+49 30 ' || (1000000 + 37 * i),
    '10.0.' || i % 250 || '.' || i % 199,
    CASE WHEN i % 20 = 0 THEN 'siehe otto' || i || '@firma.example, bitte' ELSE 'ohne ' || i END,
    DATE '1950-01-01' + (i * 7)::INTEGER, ['f', 'm'][1 + i % 2] FROM range(3000) t(i);
"""


def scaffolded(warehouse: Path, folder: Path) -> str:
    """The project file that `init` writes for a warehouse."""
    command = ["init", "--from", f"duckdb:///{warehouse}", "--project", str(folder)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return (folder / "synth.yaml").read_text()


def answered(text: str) -> dict[str, Any]:
    """The file with every comment sign of its questions taken away."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(("# privacy:", "# tables:")))
    said = [
        line.removeprefix("# ") for line in lines[start:] if line.startswith(("#  ", "# p", "# t"))
    ]
    document: dict[str, Any] = yaml.safe_load("\n".join([*lines[:start], *said]))
    return document


@pytest.fixture
def people(tmp_path: Path) -> str:
    """The project file for people whose columns have names that say nothing."""
    with duckdb.connect(str(tmp_path / "w.duckdb")) as warehouse:
        warehouse.execute(PEOPLE)
    return scaffolded(tmp_path / "w.duckdb", tmp_path / "project")


def test_values_decide_where_names_say_nothing(people: str) -> None:
    """Addresses, phone numbers and nets are found in 2,000 of 3,000 rows."""
    columns = answered(people)["tables"]["kunden"]["columns"]
    assert {name: c["sdtype"] for name, c in columns.items()} == {
        "c1": "email",
        "c2": "phone_number",
        "c3": "ipv4_address",
        "bemerkung": "text",
    }


def test_every_finding_has_its_reason(people: str) -> None:
    """A person reads why, with a share and a number of values."""
    assert "c1: {sdtype: email, pii: true}    # 100% of 2,000 values look like e-mail" in people
    assert "of 2,000 texts hold an e-mail address: better excluded?" in people


def test_no_value_is_written(people: str) -> None:
    """The file holds nothing that stood in a row."""
    assert [v for v in ("@firma", "+49 30", "otto") if v in people] == []


def test_quasi_identifiers_are_asked_for(people: str, tmp_path: Path) -> None:
    """What is kept and tells of a person is named, and the answer is a valid project."""
    document = answered(people)
    quasi = {"kunden": ("geburtsdatum", "geschlecht")}
    (tmp_path / "synth.yaml").write_text(yaml.safe_dump(document))
    assert load_project(tmp_path).privacy.quasi_identifiers == quasi


def test_no_row_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary folder of the review is gone."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    with duckdb.connect(str(tmp_path / "w.duckdb")) as warehouse:
        warehouse.execute(PEOPLE)
    scaffolded(tmp_path / "w.duckdb", tmp_path / "project")
    assert list(place.iterdir()) == []


def test_a_quasi_identifier_must_exist(shop: Any) -> None:
    """A column that is not there is refused, with what is there."""
    shop.configure("privacy: {quasi_identifiers: {customers: [citty]}}\n")
    result = CliRunner().invoke(app, ["check", "--project", str(shop.folder)])
    assert (result.exit_code, "'citty'" in result.output, "city" in result.output) == (
        2,
        True,
        True,
    )


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the data are not here")
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("sakila", {"customer": {"first_name", "last_name", "email"},
                    "address": {"address", "address2", "postal_code", "phone"}}),
        ("chinook", {"customer": {"first_name", "last_name", "email", "phone", "fax", "address",
                                  "postal_code"}}),
    ],
)  # fmt: skip
def test_real_schemas(data: str, expected: dict[str, set[str]], tmp_path: Path) -> None:
    """Personal columns of well-known schemas are found, and no film nor song is personal."""
    with duckdb.connect(str(tmp_path / "w.duckdb")) as warehouse:
        for file in sorted((SHARED / "data" / data).glob("*.parquet")):
            warehouse.execute(f"CREATE TABLE \"{file.stem}\" AS FROM '{file}'")
    tables = answered(scaffolded(tmp_path / "w.duckdb", tmp_path / "project"))["tables"]
    found = {name: set(tables[name]["columns"]) for name in expected}
    assert (found, {"film", "track", "album"} & set(tables)) == (expected, set())
