"""The scaffold: a project file that can be loaded, with the right questions in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_synth.flows.project import load_project
from prefect_synth.flows.scaffold import may_be_reference, scaffold
from prefect_synth.synth.hierarchy.units import people_of
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table

ROWS = {"countries": 200, "customers": 300, "visits": 30_000}


def named(name: str, *extra: str) -> Table:
    """A table with a key and some text columns."""
    columns = {c: Column(c, "id" if c == "id" else "categorical") for c in ("id", *extra)}
    return Table(name, columns, ("id",))


@pytest.fixture
def schema() -> Metadata:
    """Visits refer to a reference table and to people."""
    customers = named("customers", "name", "email").columns | {
        "email": Column("email", "email", pii=True)
    }
    visits = named("visits", "country_id", "customer_id")
    return Metadata(
        {
            "countries": named("countries", "name"),
            "customers": Table("customers", customers, ("id",)),
            "visits": visits,
        },
        (
            Relationship("visits", ("country_id",), "countries", ("id",)),
            Relationship("visits", ("customer_id",), "customers", ("id",)),
        ),
    )


def test_the_scaffold_is_a_complete_project(schema: Metadata, tmp_path: Path) -> None:
    """It can be used as it is; every question is a comment."""
    text = scaffold("shop", "duckdb:///shop.duckdb", "sandbox", schema, ROWS)
    (tmp_path / "synth.yaml").write_text(text)
    assert load_project(tmp_path).tables == {}


def test_the_questions_can_be_answered_by_taking_away_the_comment_signs(
    schema: Metadata, tmp_path: Path
) -> None:
    """What the comments propose is a valid project file too."""
    text = scaffold("shop", "duckdb:///shop.duckdb", "sandbox", schema, ROWS)
    head, tables = text.replace("# privacy:", "privacy:").split("# tables:\n")
    answered = "\n".join(line.removeprefix("#") for line in tables.splitlines())
    (tmp_path / "synth.yaml").write_text(f"{head}tables:\n{answered}\n")
    project = load_project(tmp_path)
    assert project.privacy.unit == "customers"
    assert project.copied() == ("countries",)
    assert project.tables["customers"].columns["email"].pii is True


def test_the_people_are_those_on_whom_most_tables_hang(schema: Metadata) -> None:
    """Staff are people too, but the visits are the customers'."""
    staff = Table("staff", {"id": Column("id", "id"), "name": Column("name", pii=True)}, ("id",))
    assert people_of(schema.with_table(staff), ROWS | {"staff": 9_000}) == "customers"


def test_nobody_is_guessed_where_nobody_is() -> None:
    """A warehouse of things has no unit of privacy."""
    assert people_of(Metadata({"countries": named("countries", "name")}), ROWS) is None


def test_a_copy_is_only_ever_proposed(schema: Metadata) -> None:
    """No real row is published unless a person says so."""
    text = scaffold("shop", "duckdb:///shop.duckdb", "sandbox", schema, ROWS)
    assert [line for line in text.splitlines() if "copy" in line] == [
        "#   countries: {model: copy}"
    ]


@pytest.mark.parametrize(
    ("table", "rows", "expected"),
    [
        ("countries", ROWS, True),
        ("customers", ROWS, False),
        ("visits", ROWS, False),
        ("countries", ROWS | {"visits": 5_000}, False),
        ("countries", ROWS | {"countries": 2_001, "visits": 10**6}, False),
        ("countries", ROWS | {"countries": 0}, False),
    ],
)
def test_a_reference_table_is_small_named_and_referred_to_often(
    schema: Metadata, table: str, rows: dict[str, int], expected: bool
) -> None:
    """People never look like reference data, however few they are."""
    assert may_be_reference(schema.tables[table], schema, rows) is expected


def test_tables_without_relations_are_asked_about() -> None:
    """A catalogue without foreign keys is not taken at its word; only what is there is named."""
    columns = {c: Column(c) for c in ("id", "customer_id", "total")}
    tables = {
        "orders": Table("orders", columns, ("id",)),
        "customer": Table("customer", {"id": Column("id", "id")}, ("id",)),
        "note": Table("note", {"text": Column("text")}),
    }
    text = scaffold("shop", "duckdb:///x", "sandbox", Metadata(tables), dict.fromkeys(tables, 1))
    assert [line for line in text.splitlines() if "->" in line] == [
        "#   - orders.customer_id -> customer.id"
    ]


def test_beginnings_and_ends_are_asked_about() -> None:
    """Dates that are named as a pair are proposed as a rule, in a comment."""
    names = ("start_date", "end_date", "opened_at", "closed_at", "note_date")
    columns = {c: Column(c, "datetime") for c in names}
    text = scaffold("shop", "w", "s", Metadata({"t": Table("t", columns)}), {"t": 10})
    assert "#       - start_date <= end_date\n#       - opened_at <= closed_at\n" in text
    assert "note_date" not in text
