"""What metadata accepts, refuses and remembers."""

from __future__ import annotations

import json

import pytest

from prefect_synth.synth.drawing import to_mermaid
from prefect_synth.synth.metadata import Column, Metadata, MetadataError, Relationship, Table
from prefect_synth.synth.sdv import metadata_from_sdv, metadata_to_sdv


def table(name, columns, key="", unique=()):
    """A table in shorthand; its key's parts are joined by a plus."""
    split = [c.strip() for c in columns.split(",")]
    made = {c: Column(c, "id" if c.endswith("id") else "numerical", c != key) for c in split}
    return Table(name, made, tuple(k for k in key.split("+") if k), tuple(unique))


@pytest.fixture
def schema() -> Metadata:
    """Customers, orders with lines, and staff who have a boss."""
    staff = Table(
        "staff",
        {
            "id": Column("id", "id", False, identity=True),
            "boss_id": Column("boss_id", "id"),
            "mail": Column("mail", "email", True, True, source_type="varchar(40)"),
            "since": Column("since", "datetime", datetime_format="%Y-%m-%d", comment="hired"),
            "grade": Column("grade", "categorical", categories=("a", "b")),
            "code": Column("code", "id", regex_format="[A-Z]{3}"),
        },
        ("id",),
        (("mail",), ("grade", "code")),
        comment="who works here",
    )
    return Metadata(
        {
            "staff": staff,
            "line": table("line", "order_id, line_id, price", "order_id+line_id"),
            "parcel": table("parcel", "parcel_id, order_id, line_id", "parcel_id"),
        },
        (
            Relationship("staff", ("boss_id",), "staff", ("id",)),
            Relationship("parcel", ("order_id", "line_id"), "line", ("order_id", "line_id")),
        ),
    )


def test_plain_values_round_trip(schema):
    """The schema comes back from JSON exactly."""
    assert Metadata.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


def test_sdv_round_trip(schema):
    """SDV's form keeps composite keys, the self reference, unique keys, formats and PII."""
    back = metadata_from_sdv(json.dumps(metadata_to_sdv(schema)))
    assert back.relationships == schema.relationships
    for name, known in schema.tables.items():
        assert (back.tables[name].primary_key, back.tables[name].unique) == (
            known.primary_key,
            known.unique,
        )
        for column in known.columns.values():
            found = back.tables[name].columns[column.name]
            assert (found.sdtype, found.is_generated, found.datetime_format) == (
                column.sdtype,
                column.is_generated,
                column.datetime_format,
            )
    assert back.tables["staff"].columns["code"].regex_format == "[A-Z]{3}"


def test_sdv_fakers_become_text():
    """Any Faker function that SDV takes as sdtype is made-up text here."""
    document = {"tables": {"t": {"columns": {"c": {"sdtype": "catch_phrase", "pii": True}}}}}
    column = metadata_from_sdv(document).tables["t"].columns["c"]
    assert (column.sdtype, column.pii) == ("text", True)


def test_sdv_reads_a_file(schema, tmp_path):
    """A path is read like a text."""
    path = tmp_path / "metadata.json"
    path.write_text(json.dumps(metadata_to_sdv(schema)))
    assert metadata_from_sdv(path) == metadata_from_sdv(path.read_text())


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{nonsense", "The metadata '{nonsense' is no JSON"),
        ({"columns": {}}, "the key 'tables' is missing. Its keys are: columns."),
    ],
)
def test_sdv_refusals_name_the_fault(document, message):
    """What is no SDV metadata is refused with its fault."""
    with pytest.raises(MetadataError, match=message):
        metadata_from_sdv(document)


def test_unknown_sdtype_lists_the_known_ones():
    """A wrong sdtype is named with its column and the choices."""
    with pytest.raises(
        MetadataError, match=r"'t\.a' has the unknown sdtype 'float'\. Use one of: .*numerical"
    ):
        Metadata({"t": Table("t", {"a": Column("a", "float")})})


@pytest.mark.parametrize(
    ("key", "unique", "message"),
    [
        ("b", (), "The primary key of table 't' names the column 'b'.*Its columns are: a."),
        ("a", (("c",),), "The unique key of table 't' names the column 'c'"),
    ],
)
def test_keys_must_exist(key, unique, message):
    """A key over a missing column is refused, with the columns there are."""
    with pytest.raises(MetadataError, match=message):
        Metadata({"t": table("t", "a", key, unique)})


@pytest.mark.parametrize(
    ("relation", "message"),
    [
        (Relationship("t", ("a",), "u", ("a",)), r"names the table 'u'.*\(t\)\. Add the table"),
        (Relationship("t", ("z",), "t", ("a",)), "names the column 'z'"),
        (Relationship("t", ("a",), "t", ("y",)), "names the column 'y'"),
        (Relationship("t", ("a", "b"), "t", ("a",)), "has 2 child and 1 parent columns"),
    ],
)
def test_relations_must_exist(relation, message):
    """A relation that names nothing, or compares unlike sides, is refused with the cure."""
    with pytest.raises(MetadataError, match=message):
        Metadata({"t": table("t", "a, b", "a")}, (relation,))


def test_other_versions_are_refused():
    """A document of another version points to SDV's reader."""
    with pytest.raises(MetadataError, match="version None is not known; version 1 is"):
        Metadata.from_dict({"tables": {}})


def test_questions_about_keys(schema):
    """Parents, children and key columns are found; a subset drops what leaves it."""
    assert [str(r) for r in schema.parents("parcel")] == [
        "parcel.(order_id, line_id) -> line.(order_id, line_id)"
    ]
    assert schema.children("staff") == schema.parents("staff")
    assert schema.key_columns("parcel") == {"parcel_id", "order_id", "line_id"}
    assert schema.subset(["parcel", "staff"]).relationships == schema.parents("staff")
    assert schema.with_relationships(schema.relationships) == schema


def test_drawing_shows_keys_and_edges(schema):
    """The diagram has every table, marks keys, and draws a nullable self reference."""
    drawing = to_mermaid(schema)
    assert drawing.startswith("erDiagram\n    staff {\n        id id PK\n        id boss_id FK\n")
    assert "email mail UK" in drawing
    assert '    staff |o--o{ staff : "boss_id"\n' in drawing
    assert '    line |o--o{ parcel : "order_id, line_id"\n' in drawing


def test_drawing_takes_odd_names():
    """Quotes, spaces, leading digits and umlauts become words that Mermaid takes."""
    odd = Table("2nd größe", {'a "b"': Column('a "b"', "id", False)}, ('a "b"',))
    relation = Relationship("2nd größe", ('a "b"',), "2nd größe", ('a "b"',))
    drawing = to_mermaid(Metadata({"2nd größe": odd}, (relation,)))
    assert "    _2nd_gr__e {\n        id a__b_ PK, FK\n" in drawing
    assert drawing.endswith(""": "a 'b'"\n""")


def test_columns_of_a_declared_relationship_become_ids() -> None:
    """A foreign key that only the user knows of is no number to be learned or scored."""
    numbers = {c: Column(c, "numerical") for c in ("id", "customer_id")}
    schema = Metadata(
        {"orders": Table("orders", numbers, ("id",)), "customers": Table("customers", numbers)}
    )
    declared = Relationship("orders", ("customer_id",), "customers", ("id",))
    assert (
        schema.with_relationships([declared]).tables["orders"].columns["customer_id"].sdtype == "id"
    )
