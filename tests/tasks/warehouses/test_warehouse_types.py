"""Every type arrives exactly, or is refused by name."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefect_synth.tasks.warehouses.errors import UnrepresentableValue, UnsupportedColumnType
from prefect_synth.tasks.warehouses.warehouse import Warehouse

Build = Callable[[str], Warehouse]
UTC = dt.UTC
A_UUID = "12345678-1234-5678-1234-567812345678"
NOON = dt.datetime(2020, 2, 29, 12, 0, 0, 123456)


def list_of(item: pa.DataType) -> pa.DataType:
    """A list type as it comes back from Parquet."""
    return pa.list_(pa.field("element", item))


POSTGRES = [
    ("smallint", "-7", pa.int16(), -7),
    ("integer", "-70000", pa.int32(), -70000),
    ("bigint", "9007199254740993", pa.int64(), 9007199254740993),
    ("real", "1.5", pa.float32(), 1.5),
    ("double precision", "0.1", pa.float64(), 0.1),
    ("numeric(10,2)", "12345678.90", pa.decimal128(10, 2), Decimal("12345678.90")),
    ("numeric(50,5)", "1.5", pa.decimal256(50, 5), Decimal("1.50000")),
    ("numeric(5,-2)", "12345", pa.decimal128(7, 0), Decimal("12300")),
    ("numeric(3,5)", "0.00123", pa.decimal128(5, 5), Decimal("0.00123")),
    ("numeric(10,2)", "'NaN'", pa.decimal128(10, 2), None),
    ("numeric", "0.1", pa.float64(), 0.1),
    ("boolean", "true", pa.bool_(), True),
    ("text", "'é'", pa.string(), "é"),
    ("varchar(5)", "'abc'", pa.string(), "abc"),
    ("char(3)", "'a'", pa.string(), "a  "),
    ("inet", "'10.0.0.1'", pa.string(), "10.0.0.1"),
    ("date", "'2020-02-29'", pa.date32(), dt.date(2020, 2, 29)),
    ("date", "'infinity'", pa.date32(), None),
    ("time", "'12:00:00.000001'", pa.time64("us"), dt.time(12, 0, 0, 1)),
    ("time", "'24:00'", pa.time64("us"), None),
    ("timestamp", "'2020-02-29 12:00:00.123456'", pa.timestamp("us"), NOON),
    ("timestamp", "'-infinity'", pa.timestamp("us"), None),
    ("timestamptz", "'2020-02-29 13:00:00.123456+01'", pa.timestamp("us", "UTC"),
     NOON.replace(tzinfo=UTC)),
    ("timestamptz", "'infinity'", pa.timestamp("us", "UTC"), None),
    ("interval", "'1 day 0.5 s'", pa.duration("us"), dt.timedelta(days=1, milliseconds=500)),
    ("uuid", f"'{A_UUID}'", pa.uuid(), uuid.UUID(A_UUID)),
    ("json", """'{"a":  1}'""", pa.json_(), '{"a":  1}'),
    ("jsonb", """'{"a":1}'""", pa.json_(), '{"a": 1}'),
    ("bytea", "'\\x00ff'", pa.binary(), b"\x00\xff"),
    ("mood", "'ok'", pa.string(), "ok"),
    ("percentage", "12.5", pa.decimal128(5, 2), Decimal("12.50")),
    ("integer[]", "'{1,NULL}'", list_of(pa.int32()), [1, None]),
    ("text[]", "'{}'", list_of(pa.string()), []),
    ("varchar(3)[]", "'{abc}'", list_of(pa.string()), ["abc"]),
    ("boolean[]", "'{t,f}'", list_of(pa.bool_()), [True, False]),
    ("mood[]", "'{ok}'", list_of(pa.string()), ["ok"]),
    ("uuid[]", f"'{{{A_UUID}}}'", list_of(pa.uuid()), [uuid.UUID(A_UUID)]),
    ("numeric(5,2)[]", "'{1.25,NaN}'", list_of(pa.decimal128(5, 2)), [Decimal("1.25"), None]),
    ("numeric[]", "'{1.25}'", list_of(pa.float64()), [1.25]),
    ("date[]", "'{infinity,2020-02-29}'", list_of(pa.date32()), [None, dt.date(2020, 2, 29)]),
]  # fmt: skip

DUCKDB = [
    ("TINYINT", "-7", pa.int8(), -7),
    ("SMALLINT", "-700", pa.int16(), -700),
    ("INTEGER", "-70000", pa.int32(), -70000),
    ("BIGINT", "9007199254740993", pa.int64(), 9007199254740993),
    ("UTINYINT", "255", pa.uint8(), 255),
    ("USMALLINT", "65535", pa.uint16(), 65535),
    ("UINTEGER", "4294967295", pa.uint32(), 4294967295),
    ("UBIGINT", "18446744073709551615", pa.uint64(), 18446744073709551615),
    ("HUGEINT", "12345678901234567890123", pa.decimal128(38, 0), Decimal(12345678901234567890123)),
    ("FLOAT", "1.5", pa.float32(), 1.5),
    ("DOUBLE", "0.1", pa.float64(), 0.1),
    ("DECIMAL(10,2)", "12345678.90", pa.decimal128(10, 2), Decimal("12345678.90")),
    ("BOOLEAN", "true", pa.bool_(), True),
    ("VARCHAR", "'é'", pa.string(), "é"),
    ("DATE", "'2020-02-29'", pa.date32(), dt.date(2020, 2, 29)),
    ("DATE", "'infinity'", pa.date32(), None),
    ("TIME", "'12:00:00.000001'", pa.time64("us"), dt.time(12, 0, 0, 1)),
    ("TIME", "'24:00:00'", pa.time64("us"), None),
    ("TIMESTAMP", "'2020-02-29 12:00:00.123456'", pa.timestamp("us"), NOON),
    ("TIMESTAMP", "'-infinity'", pa.timestamp("us"), None),
    ("TIMESTAMP_S", "'2020-02-29 12:00:00'", pa.timestamp("ms"), NOON.replace(microsecond=0)),
    ("TIMESTAMP_MS", "'2020-02-29 12:00:00.123'", pa.timestamp("ms"),
     NOON.replace(microsecond=123000)),
    ("TIMESTAMPTZ", "'2020-02-29 13:00:00.123456+01'", pa.timestamp("us", "UTC"),
     NOON.replace(tzinfo=UTC)),
    ("TIMESTAMPTZ", "'infinity'", pa.timestamp("us", "UTC"), None),
    ("INTERVAL", "'1 day 0.5 s'", pa.duration("us"), dt.timedelta(days=1, milliseconds=500)),
    ("UUID", f"'{A_UUID}'", pa.uuid(), uuid.UUID(A_UUID)),
    ("JSON", """'{"a":  1}'""", pa.json_(), '{"a":  1}'),
    ("BLOB", "'\\x00\\xFF'", pa.binary(), b"\x00\xff"),
    ("ENUM('sad', 'ok')", "'ok'", pa.string(), "ok"),
    ("INTEGER[]", "[1, NULL]", list_of(pa.int32()), [1, None]),
    ("VARCHAR[]", "[]", list_of(pa.string()), []),
    ("BOOLEAN[]", "[true, NULL]", list_of(pa.bool_()), [True, None]),
    ("FLOAT[2]", "[1.5, 2.5]", list_of(pa.float32()), [1.5, 2.5]),
    ("UUID[]", f"['{A_UUID}']", list_of(pa.uuid()), [uuid.UUID(A_UUID)]),
    ("DECIMAL(5,2)[]", "[1.25]", list_of(pa.decimal128(5, 2)), [Decimal("1.25")]),
    ("DATE[]", "['infinity', '2020-02-29']", list_of(pa.date32()), [None, dt.date(2020, 2, 29)]),
    ("ENUM('sad', 'ok')[]", "['ok']", list_of(pa.string()), ["ok"]),
]  # fmt: skip

DOMAINS = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN share AS numeric(5,2); CREATE DOMAIN percentage AS share CHECK (VALUE <= 100);
"""


def pulled(warehouse: Warehouse, folder: Path, table: str = "t") -> pa.Table:
    """The table, pulled with the schema that was announced."""
    metadata = warehouse.reflect()
    schema = warehouse.schemas(metadata)[table]
    with warehouse.snapshot() as snapshot:
        snapshot.pull(table, schema, folder / "t.parquet")
    assert pq.read_schema(folder / "t.parquet").equals(schema, check_metadata=True)
    return pq.read_table(folder / "t.parquet")


def check_all(warehouse: Warehouse, folder: Path, cases: list[tuple[str, str, Any, Any]]) -> None:
    """A row of values and a row of nulls come back as they should."""
    table = pulled(warehouse, folder)
    assert table.schema.types == [arrow for _, _, arrow, _ in cases]
    assert [column[0].as_py() for column in table.columns] == [value for *_, value in cases]
    assert [column[1].as_py() for column in table.columns] == [None] * len(cases)


def table_of(cases: list[tuple[str, str, Any, Any]]) -> str:
    """SQL for a table with a row of the cases' values and a row of nulls."""
    columns = ", ".join(f"c{i} {source}" for i, (source, *_) in enumerate(cases))
    values = ", ".join(value for _, value, *_ in cases)
    nulls = ", ".join(["NULL"] * len(cases))
    return f"CREATE TABLE t ({columns}); INSERT INTO t VALUES ({values}), ({nulls});"


def test_postgres_types_are_exact(build_postgres: Build, tmp_path: Path) -> None:
    """PostgreSQL's types keep width, scale, zone and value; what Arrow cannot say is null."""
    check_all(build_postgres(DOMAINS + table_of(POSTGRES)), tmp_path, POSTGRES)


def test_duckdb_types_are_exact(build_duckdb: Build, tmp_path: Path) -> None:
    """DuckDB's types keep width, scale, zone and value; what Arrow cannot say is null."""
    check_all(build_duckdb(table_of(DUCKDB)), tmp_path, DUCKDB)


def test_nanoseconds_are_kept(build_duckdb: Build, tmp_path: Path) -> None:
    """DuckDB's nanoseconds are not rounded."""
    sql = "CREATE TABLE t AS SELECT TIMESTAMP_NS '2020-02-29 12:00:00.123456789' AS at"
    table = pulled(build_duckdb(sql), tmp_path)
    assert table["at"].cast(pa.int64()).to_pylist() == [1582977600123456789]


def test_an_empty_table_has_its_schema(build: Build, tmp_path: Path) -> None:
    """A table without rows gives a file without rows and with all columns."""
    table = pulled(build("CREATE TABLE t (a integer NOT NULL, b varchar)"), tmp_path)
    assert (table.num_rows, table.schema.names) == (0, ["a", "b"])


def test_not_null_comment_and_type_travel(build: Build, tmp_path: Path) -> None:
    """Nullability, comment and source type are part of the file's schema."""
    sql = "CREATE TABLE t (a integer NOT NULL); COMMENT ON COLUMN t.a IS 'the answer'"
    field = pulled(build(sql), tmp_path).schema.field("a")
    assert not field.nullable
    assert field.metadata[b"comment"] == b"the answer"
    assert field.metadata[b"source_type"].lower() == b"integer"


@pytest.mark.parametrize("source", ["int4range", "point", "timetz", "bit(3)", "pair", "xml"])
def test_postgres_refuses_what_it_cannot_copy(build_postgres: Build, source: str) -> None:
    """A type without an Arrow counterpart is refused with table, column, type and cure."""
    warehouse = build_postgres(f"CREATE TYPE pair AS (a int); CREATE TABLE t (c {source})")
    with pytest.raises(UnsupportedColumnType, match=r"Column 't\.c' has the type .*synth\.yaml"):
        warehouse.schemas(warehouse.reflect())


@pytest.mark.parametrize(
    "source", ["STRUCT(a INTEGER)", "MAP(VARCHAR, INTEGER)", "UNION(a INTEGER)", "INTEGER[][]"]
)
def test_duckdb_refuses_what_it_cannot_copy(build_duckdb: Build, source: str) -> None:
    """A nested type is refused with table, column, type and cure."""
    warehouse = build_duckdb(f"CREATE TABLE t (c {source})")
    with pytest.raises(UnsupportedColumnType, match=r"Column 't\.c' has the type .*synth\.yaml"):
        warehouse.schemas(warehouse.reflect())


def test_an_excluded_column_is_not_read(build: Build, tmp_path: Path) -> None:
    """Without its column in the metadata, an unsupported type stands in nobody's way."""
    warehouse = build("CREATE TABLE t (a integer, b time with time zone)")
    table = warehouse.reflect().tables["t"]
    metadata = warehouse.reflect().with_table(replace(table, columns={"a": table.columns["a"]}))
    assert warehouse.schemas(metadata)["t"].names == ["a"]


def test_infinity_in_a_not_null_column_is_refused(build: Build, tmp_path: Path) -> None:
    """Infinity cannot become null where null is forbidden; the column is named."""
    warehouse = build("CREATE TABLE t (a date NOT NULL); INSERT INTO t VALUES ('infinity')")
    with pytest.raises(UnrepresentableValue, match=r"Column 't\.a' is NOT NULL"):
        pulled(warehouse, tmp_path)
    assert not list(tmp_path.glob("t.parquet*"))


def test_arrays_of_several_dimensions_are_refused(build_postgres: Build, tmp_path: Path) -> None:
    """The driver would flatten them without a word."""
    warehouse = build_postgres("CREATE TABLE t (a int[]); INSERT INTO t VALUES ('{{1,2},{3,4}}')")
    with pytest.raises(UnrepresentableValue, match="Column 'a' of table 't' holds an array of sev"):
        pulled(warehouse, tmp_path)
