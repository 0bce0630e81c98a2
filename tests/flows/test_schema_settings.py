"""What the project file adds to a schema, corrects in it and leaves out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from prefect_synth.flows.project import Project, ProjectError
from prefect_synth.flows.schema_settings import apply_settings, guess_personal
from prefect_synth.flows.tables import ColumnSettings
from prefect_synth.synth.hierarchy.hma import HMASynthesizer
from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table

(MARGINALS, _) = ColumnSettings.model_json_schema()["properties"]["marginal"]["anyOf"]
ORDERS = Relationship("orders", ("customer_id",), "customers", ("id",))


@pytest.fixture
def schema() -> Metadata:
    """Customers and their orders, as a catalogue without foreign keys describes them."""
    customers = Table(
        "customers",
        {
            "id": Column("id", "id", nullable=False),
            "email": Column("email", "email", pii=True),
            "city": Column("city"),
        },
        ("id",),
    )
    orders = Table("orders", {"customer_id": Column("customer_id", "id")})
    return Metadata({"customers": customers, "orders": orders})


def project(**more: object) -> Project:
    """A project with some settings."""
    return Project.model_validate(
        {"project": "shop", "warehouse": {"url": "x"}, "sandbox": {"url": "y"}, **more}
    )


def columns(**settings: object) -> Project:
    """A project with settings of columns of customers."""
    return project(tables={"customers": {"columns": settings}})


def test_a_declared_relation_is_added(schema: Metadata) -> None:
    """What the catalogue does not say, the file does."""
    declared = project(relations=["orders.customer_id -> customers.id"])
    assert apply_settings(schema, declared).relationships == (ORDERS,)


def test_a_column_is_left_out(schema: Metadata) -> None:
    """An excluded column is neither read nor published."""
    found = apply_settings(schema, columns(city={"exclude": True}))
    assert list(found.tables["customers"].columns) == ["id", "email"]


def test_a_key_cannot_be_left_out(schema: Metadata) -> None:
    """Without its key, a table would join with nothing."""
    with pytest.raises(ProjectError, match="excludes a column that is part of a key"):
        apply_settings(schema, columns(id={"exclude": True}))


def test_a_person_may_say_that_a_column_is_not_personal(schema: Metadata) -> None:
    """`pii: false` lets the column be learned."""
    found = apply_settings(schema, columns(email={"pii": False}))
    assert not found.tables["customers"].columns["email"].is_generated


def test_a_person_may_say_what_a_column_means(schema: Metadata) -> None:
    """The file has the last word over every guess."""
    found = apply_settings(schema, columns(city={"sdtype": "address"}))
    assert found.tables["customers"].columns["city"].is_generated


def test_an_unknown_table_is_answered_with_the_one_that_was_meant(schema: Metadata) -> None:
    """The message names the place in the file."""
    with pytest.raises(ProjectError) as refused:
        apply_settings(schema, project(tables={"custmers": {"model": "fast"}}))
    assert str(refused.value) == (
        "tables.custmers names a table that was not found in the warehouse. "
        "Did you mean 'customers'?"
    )


def test_an_unknown_column_is_answered_with_the_one_that_was_meant(schema: Metadata) -> None:
    """The message names the place in the file and the table."""
    with pytest.raises(ProjectError, match=r"tables.customers.columns.emial .*'email'\?"):
        apply_settings(schema, columns(emial={"pii": True}))


def test_an_unknown_root_is_answered_with_the_one_that_was_meant(schema: Metadata) -> None:
    """The row limit's root must be a table."""
    sampled = project(warehouse={"url": "x", "sample": {"rows": 5, "root": "customer"}})
    with pytest.raises(ProjectError, match=r"warehouse.sample.root .* Did you mean 'customers'\?"):
        apply_settings(schema, sampled)


def test_an_unknown_unit_of_privacy_is_answered_with_the_one_that_was_meant(
    schema: Metadata,
) -> None:
    """Who the people are must not be a matter of spelling."""
    with pytest.raises(ProjectError, match=r"privacy.unit .* Did you mean 'customers'\?"):
        apply_settings(schema, project(privacy={"unit": "customer"}))


def test_people_are_not_published_as_they_are(schema: Metadata) -> None:
    """A unit of privacy whose real rows would be copied is a contradiction."""
    both = project(privacy={"unit": "customers"}, tables={"customers": {"model": "copy"}})
    with pytest.raises(ProjectError, match="the rows of 'customers' are people"):
        apply_settings(schema, both)


def test_personal_columns_are_guessed_by_name(schema: Metadata) -> None:
    """Before any row is read, `init` can ask about them."""
    guests = Table("guests", {"phone": Column("phone"), "room": Column("room")})
    found = guess_personal(schema.with_table(guests)).tables["guests"].columns
    assert [found["phone"].sdtype, found["room"].sdtype] == ["phone_number", "categorical"]


def test_a_project_without_settings_changes_nothing(schema: Metadata) -> None:
    """What the catalogue says is taken as it is."""
    assert apply_settings(schema, project()) == schema


def test_personal_numbers_are_guessed_by_name(schema: Metadata) -> None:
    """A number is personal where its name is clear, and what counts or keys something is not."""
    names = ("ssn", "phone", "zip_code", "has_phone", "age", "tax_id")
    guests = Table("guests", {n: Column(n, "numerical") for n in names}, ("tax_id",))
    found = guess_personal(schema.with_table(guests)).tables["guests"].columns
    assert [n for n in names if found[n].is_generated] == ["ssn", "phone", "zip_code"]


def test_a_number_that_is_not_personal_is_a_number_again(schema: Metadata) -> None:
    """`pii: false` undoes the guess, and the column is learned as what it is."""
    sizes = Table("customers", {"ssn": Column("ssn", "ssn", pii=True, source_type="BIGINT")})
    found = apply_settings(schema.with_table(sizes), columns(ssn={"pii": False}))
    assert found.tables["customers"].columns["ssn"].sdtype == "numerical"


@pytest.mark.parametrize("marginal", MARGINALS["enum"])
def test_every_marginal_that_the_file_may_name_can_be_used(marginal: str) -> None:
    """What the project file's schema accepts fits a column and samples it."""
    table = Table("bill", {"amount": Column("amount", "numerical", nullable=False)})
    real = pa.table({"amount": np.random.default_rng(1).gamma(3.0, 20.0, 200)})
    chosen = project(tables={"bill": {"columns": {"amount": {"marginal": marginal}}}}).marginals()
    model = HMASynthesizer(Metadata({"bill": table}), marginals=chosen).fit({"bill": real})
    assert np.isfinite(model.sample()["bill"]["amount"].to_numpy()).all()
