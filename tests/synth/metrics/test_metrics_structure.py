"""Schemas, keys and references."""

import pyarrow as pa
import pytest

from prefect_synth.synth.metrics.structure import key_duplicates, orphans, schema_differences

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        ("price", pa.decimal128(8, 2)),
        ("day", pa.date32()),
    ]
)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (SCHEMA, []),
        (SCHEMA.remove(2), ["Column 'day' is missing."]),
        (SCHEMA.append(pa.field("x", pa.int8())), ["Column 'x' is new."]),
        (
            SCHEMA.set(1, pa.field("price", pa.decimal128(9, 2))),
            ["Column 'price' is decimal128(9, 2), not decimal128(8, 2)."],
        ),
        (
            SCHEMA.set(0, pa.field("id", pa.int32())),
            ["Column 'id' is nullable, not not nullable."],
        ),
        (
            pa.schema([SCHEMA.field(i) for i in (1, 0, 2)]),
            ["The columns are in another order: price, id, day for id, price, day."],
        ),
    ],
)
def test_schema_differences_are_said(schema, expected):
    """Each way in which a schema can differ has its sentence, an equal one has none."""
    assert expected == schema_differences(SCHEMA, schema)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [(["a"], 3), (["a", "b"], 1), (["b"], 1), ([], 5)],
)
def test_key_duplicates_count_repeated_rows(columns, expected):
    """Rows that repeat a key are counted, keys with a null are not."""
    table = pa.table({"a": [1, 1, 1, 2, 2, None], "b": [None, 1, None, 3, 3, None]})
    assert expected == key_duplicates(table, columns)


def test_orphans_are_matched_simple():
    """A key that its parent lacks is an orphan; one with any null refers to nothing."""
    child = pa.table({"a": [1, 1, None, 9], "b": ["x", "y", "z", None]})
    parent = pa.table({"c": [1, 2], "d": ["x", "x"]})
    assert orphans(child, ["a", "b"], parent, ["c", "d"]) == 1


def test_orphans_ignore_how_keys_are_stored():
    """Keys of another integer width, or in a dictionary, still match."""
    child = pa.table(
        {"k": pa.array(["x", "y"]).dictionary_encode(), "n": pa.array([1, 2], pa.int16())}
    )
    parent = pa.table({"k": ["x", "y"], "n": [1, 2]})
    assert orphans(child, ["k", "n"], parent, ["k", "n"]) == 0


def test_every_child_of_an_empty_parent_is_an_orphan():
    """Without parents every reference dangles."""
    parent = pa.table({"id": pa.array([], pa.int64())})
    assert orphans(pa.table({"fk": [1, 2, None]}), ["fk"], parent, ["id"]) == 2


def test_empty_tables_have_neither_orphans_nor_duplicates():
    """Tables without a single batch are tables all the same."""
    empty = pa.table({"id": pa.chunked_array([], pa.int64())})
    assert (orphans(empty, ["id"], empty, ["id"]), key_duplicates(empty, ["id"])) == (0, 0)
