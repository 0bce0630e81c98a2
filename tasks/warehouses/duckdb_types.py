"""DuckDB's types, as Arrow has them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from prefect_synth.tasks.warehouses.catalogue import UNSUPPORTED, Translation

_FINITE = "CASE WHEN isfinite({}) THEN {} END"

_SIMPLE: dict[str, Translation] = {
    "BOOLEAN": Translation(pa.bool_(), "boolean"),
    "TINYINT": Translation(pa.int8(), "numerical"),
    "SMALLINT": Translation(pa.int16(), "numerical"),
    "INTEGER": Translation(pa.int32(), "numerical"),
    "BIGINT": Translation(pa.int64(), "numerical"),
    "UTINYINT": Translation(pa.uint8(), "numerical"),
    "USMALLINT": Translation(pa.uint16(), "numerical"),
    "UINTEGER": Translation(pa.uint32(), "numerical"),
    "UBIGINT": Translation(pa.uint64(), "numerical"),
    "HUGEINT": Translation(pa.decimal128(38, 0), "numerical", "CAST({} AS DECIMAL(38, 0))"),
    "UHUGEINT": Translation(pa.decimal128(38, 0), "numerical", "CAST({} AS DECIMAL(38, 0))"),
    "FLOAT": Translation(pa.float32(), "numerical"),
    "DOUBLE": Translation(pa.float64(), "numerical"),
    "VARCHAR": Translation(pa.string(), "categorical"),
    "BLOB": Translation(pa.binary(), "unknown"),
    "UUID": Translation(pa.uuid(), "id"),
    "JSON": Translation(pa.json_(), "unknown"),
    "DATE": Translation(pa.date32(), "datetime", _FINITE),
    "TIME": Translation(pa.time64("us"), "datetime", "CASE WHEN {} < TIME '24:00:00' THEN {} END"),
    "TIME_NS": Translation(pa.time64("ns"), "datetime"),
    "TIMESTAMP": Translation(pa.timestamp("us"), "datetime", _FINITE),
    # Parquet has no seconds
    "TIMESTAMP_S": Translation(pa.timestamp("ms"), "datetime", _FINITE),
    "TIMESTAMP_MS": Translation(pa.timestamp("ms"), "datetime", _FINITE),
    "TIMESTAMP_NS": Translation(pa.timestamp("ns"), "datetime", _FINITE),
    "TIMESTAMP WITH TIME ZONE": Translation(pa.timestamp("us", "UTC"), "datetime", _FINITE),
    # a month has no length in Arrow's durations: 30 days, as both engines count
    "INTERVAL": Translation(pa.duration("us"), "numerical", "epoch_us({})"),
}


def translate(source: Any) -> Translation:
    """How a DuckDB type (`DuckDBPyType`) reaches Arrow."""
    simple = _SIMPLE.get(str(source))
    if simple is not None:
        return simple
    if source.id == "decimal":
        sizes = dict(source.children)
        return Translation(pa.decimal128(sizes["precision"], sizes["scale"]), "numerical")
    if source.id == "enum":
        return Translation(pa.string(), "categorical", "CAST({} AS VARCHAR)")
    if source.id in ("list", "array"):
        return _translate_list(dict(source.children)["child"])
    return UNSUPPORTED


def _translate_list(item: Any) -> Translation:
    """A list of plain values; infinite dates inside it become nulls."""
    if item.id in ("list", "array"):
        return UNSUPPORTED
    inner = translate(item)
    if inner.arrow is None:
        return UNSUPPORTED
    expression = "{}"
    if inner.expression != "{}":
        expression = f"list_transform({{}}, lambda x: {inner.expression.replace('{}', 'x')})"
    elif item.id:
        expression = f"CAST({{}} AS {item}[])"
    return Translation(pa.list_(pa.field("element", inner.arrow)), "unknown", expression)


def labels(source: Any) -> tuple[str, ...] | None:
    """The values that an ENUM declares."""
    return tuple(dict(source.children)["values"]) if source.id == "enum" else None
