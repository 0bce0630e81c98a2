"""Rules in the project file."""

from __future__ import annotations

import pytest

from prefect_synth.flows.project import Project, ProjectError, load_project
from prefect_synth.flows.schema_settings import apply_settings
from prefect_synth.synth.errors import RuleError
from prefect_synth.synth.metadata import Column, Metadata, Table

HEAD = "project: shop\nwarehouse: {url: 'duckdb:///shop.duckdb'}\nsandbox: {url: sandbox}\n"


def project(tmp_path, *lines: str) -> Project:
    """A project with rules for one table."""
    rules = "".join(f"      - '{line}'\n" for line in lines)
    file = tmp_path / "synth.yaml"
    file.write_text(f"{HEAD}tables:\n  orders:\n    rules:\n{rules}")
    return load_project(file)


@pytest.fixture
def metadata() -> Metadata:
    """Orders of three numbers."""
    columns = {c: Column(c, "numerical") for c in ("total", "quantity", "price")}
    return Metadata({"orders": Table("orders", columns)})


def test_rules_are_read_from_the_project_file(tmp_path, metadata):
    """Each table has its lines."""
    made = project(tmp_path, "total = round(quantity * price, 2)", "price <= total")
    apply_settings(metadata, made)
    assert made.rules() == {"orders": ("total = round(quantity * price, 2)", "price <= total")}


def test_a_line_that_is_no_rule_is_refused_with_its_place(tmp_path):
    """The error names file, line and key."""
    with pytest.raises(ProjectError, match=r"synth.yaml:7.*'total equals price' is no rule"):
        project(tmp_path, "total equals price")


def test_contradictions_are_refused_before_anything_is_read(tmp_path, metadata):
    """Both rules are named."""
    made = project(tmp_path, "price < total", "total < price")
    with pytest.raises(RuleError, match=r"'price < total' and 'total < price'"):
        apply_settings(metadata, made)


def test_an_unknown_column_is_refused_with_the_nearest(tmp_path, metadata):
    """A slip of the pen is answered with what was meant."""
    with pytest.raises(RuleError, match="Did you mean 'price'"):
        apply_settings(metadata, project(tmp_path, "prise <= total"))
