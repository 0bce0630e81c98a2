"""Suites on disk: what is read, written and refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prefect_synth.expectations.settings import Gates
from prefect_synth.expectations.suite_files import (
    SuiteFileError,
    load_suite,
    read_suite,
    stray_files,
    suite_file,
    write_suite,
)
from prefect_synth.expectations.suite_generate import generate_suite
from prefect_synth.expectations.suite_modules import import_modules
from prefect_synth.expectations.suite_settings import SqlCheck, SuiteSettings


def generated(shop) -> dict:
    """The suite of the customers."""
    table = shop.metadata.tables["customers"]
    return generate_suite(table, shop.metadata, shop.table("customers").schema, Gates())


def test_what_is_written_is_read(shop, tmp_path: Path) -> None:
    """A file holds the suite, whatever its table is called."""
    path = suite_file(tmp_path, "crm/../customers")
    write_suite(path, generated(shop))
    assert path.parent == tmp_path
    assert read_suite(path) == generated(shop)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n"name": }', "line 2, column 9: this is not JSON"),
        ("[]", 'must be an object with a list "expectations"'),
        ('{"expectations": [{"kwargs": {}}]}', 'expectation 1: "type" must name an expectation'),
        ('{"expectations": [{"type": "x"}]}', '"kwargs" must be an object'),
        ('{"expectations": [4]}', 'must be an object with "type" and "kwargs"'),
        (
            '{"expectations": [{"type": "x", "kwargs": {}, "severity": "fatal"}]}',
            '"severity" must be one of critical, warning, info',
        ),
    ],
)
def test_a_broken_file_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    """The message says where, what is allowed, and holds nothing of the file."""
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(SuiteFileError) as error:
        read_suite(path)
    assert str(path) in str(error.value)
    assert said in str(error.value)
    assert "fatal" not in str(error.value)


def test_a_file_that_lags_is_completed_for_the_run(shop, tmp_path: Path) -> None:
    """A column that nobody generated again is covered all the same, and the lag is counted."""
    old = generated(shop)
    of_age = [e for e in old["expectations"] if e["kwargs"].get("column") == "age"]
    kept = [e for e in old["expectations"] if e not in of_age]
    write_suite(suite_file(tmp_path, "customers"), {**old, "expectations": kept})
    table, schema = shop.metadata.tables["customers"], shop.table("customers").schema
    merge = load_suite(tmp_path, table, shop.metadata, schema, Gates())
    assert merge.behind == len(of_age)
    assert all(e in merge.suite["expectations"] for e in of_age)


def test_without_a_file_the_generated_suite_is_no_lag(shop, tmp_path: Path) -> None:
    """A project need not keep suites."""
    table, schema = shop.metadata.tables["customers"], shop.table("customers").schema
    merge = load_suite(tmp_path, table, shop.metadata, schema, Gates())
    assert (merge.suite, merge.behind) == (generated(shop), 0)


def test_files_of_no_table_are_found(tmp_path: Path) -> None:
    """A table that was renamed leaves a file that nobody reads."""
    for name in ("orders", "old"):
        suite_file(tmp_path, name).write_text("{}")
    assert [path.name for path in stray_files(tmp_path, ["orders"])] == ["old.json"]


def test_a_module_beside_the_project_brings_its_expectations(shop, tmp_path: Path) -> None:
    """A class of one's own runs by its name."""
    (tmp_path / "expectations_of_mine.py").write_text(
        "import great_expectations.expectations as gxe\n"
        "class ExpectAgeToBeHuman(gxe.ExpectColumnValuesToBeBetween):\n"
        "    max_value: float = 130\n"
    )
    assert import_modules(["expectations_of_mine"], tmp_path) == []
    own = {"type": "expect_age_to_be_human", "kwargs": {"column": "age"}, "id": "1"}
    suite = {"name": "customers", "expectations": [own]}
    checks = shop.judge("customers", suite=suite).checks
    assert [c.status for c in checks if c.name == own["type"]] == ["passed"]


def test_a_module_that_breaks_is_crashed_by_kind(tmp_path: Path) -> None:
    """What it says may quote anything, so only the kind of the error is told."""
    (tmp_path / "broken_of_mine.py").write_text("raise OSError('s3cret')\n")
    absent, broken = import_modules(["absent_of_mine", "broken_of_mine"], tmp_path)
    assert {absent.status, broken.status} == {"crashed"}
    assert "ModuleNotFoundError" in absent.detail
    assert "OSError" in broken.detail
    assert "s3cret" not in str(broken)


def test_a_check_is_written_as_text_or_with_what_happens() -> None:
    """The short form is the long one that blocks."""
    assert SqlCheck.model_validate("SELECT 1") == SqlCheck(sql="SELECT 1", on_fail="block")


@pytest.mark.parametrize("name", ["../evil", "a b", "a.", ""])
def test_a_module_is_a_name_of_python(name: str) -> None:
    """No path and no option gets into an import."""
    with pytest.raises(ValueError, match="String should match"):
        SuiteSettings(modules=(name,))


def test_a_suite_file_is_ordered_for_diffs(shop, tmp_path: Path) -> None:
    """The same suite is the same text, an argument a line."""
    path = suite_file(tmp_path, "customers")
    write_suite(path, generated(shop))
    first = path.read_text()
    write_suite(path, json.loads(first))
    assert path.read_text() == first
    assert '\n        "column": "income",\n' in first
