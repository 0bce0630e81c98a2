"""PostgreSQL's types, as Arrow has them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa

from prefect_synth.tasks.warehouses.catalogue import UNSUPPORTED, Translation

_FINITE = "CASE WHEN isfinite({}) THEN {} END"  # the driver lets infinity wrap around
_TEXT = Translation(pa.string(), "categorical")
_AS_TEXT = Translation(pa.string(), "categorical", "CAST({} AS text)")
_JSON = Translation(pa.json_(), "unknown")

_SIMPLE: dict[str, Translation] = {
    "bool": Translation(pa.bool_(), "boolean"),
    "int2": Translation(pa.int16(), "numerical"),
    "int4": Translation(pa.int32(), "numerical"),
    "int8": Translation(pa.int64(), "numerical"),
    "float4": Translation(pa.float32(), "numerical"),
    "float8": Translation(pa.float64(), "numerical"),
    "text": _TEXT,
    "varchar": _TEXT,
    "bpchar": _TEXT,
    "name": _AS_TEXT,
    "char": _AS_TEXT,
    "citext": _AS_TEXT,
    "cidr": _AS_TEXT,
    "macaddr": _AS_TEXT,
    "macaddr8": _AS_TEXT,
    "inet": Translation(pa.string(), "categorical", "abbrev({})"),
    "bytea": Translation(pa.binary(), "unknown"),
    "uuid": Translation(pa.uuid(), "id"),
    "json": _JSON,
    "jsonb": _JSON,
    "date": Translation(pa.date32(), "datetime", _FINITE),
    # 24:00 is a time in PostgreSQL and none in Arrow
    "time": Translation(pa.time64("us"), "datetime", "CASE WHEN {} < TIME '24:00' THEN {} END"),
    "timestamp": Translation(pa.timestamp("us"), "datetime", _FINITE),
    "timestamptz": Translation(pa.timestamp("us", "UTC"), "datetime", _FINITE),
    # a month has no length in Arrow's durations: 30 days, as both engines count
    "interval": Translation(
        pa.duration("us"),
        "numerical",
        "CASE WHEN isfinite({}) THEN CAST(extract(epoch FROM {}) * 1000000 AS bigint) END",
    ),
}

_FLOAT = Translation(pa.float64(), "numerical", "CAST({} AS float8)")
_INFINITE_ITEMS = frozenset({"date", "timestamp", "timestamptz"})
_ONE_DIMENSION = (
    "CASE WHEN array_ndims({}) > 1 "
    "THEN CAST(array_dims({}) || ' column {name} is an array of several dimensions' AS {type})"
    " ELSE {value} END"
)


@dataclass(frozen=True)
class SourceType:
    """A type as pg_type has it, domains resolved.

    Args:
        name: pg_type.typname, as `int4`, `numeric` or an enum's own name.
        kind: pg_type.typtype: b base, e enum, c composite, r range, m multirange.
        modifier: The type modifier, -1 where there is none.
        item: The item's type, for an array.
    """

    name: str
    kind: str = "b"
    modifier: int = -1
    item: SourceType | None = None


def translate(source: SourceType) -> Translation:
    """How a PostgreSQL type reaches Arrow."""
    if source.item is not None:
        return _translate_array(replace(source.item, modifier=source.modifier))
    if source.kind == "e":
        return _AS_TEXT
    if source.name == "numeric":
        return _translate_numeric(source.modifier)
    return _SIMPLE.get(source.name, UNSUPPORTED) if source.kind == "b" else UNSUPPORTED


def _translate_numeric(modifier: int) -> Translation:
    """numeric(p, s) exactly; numeric alone has no bounds, so it becomes float64."""
    if modifier < 0:
        return _FLOAT
    precision, scale = (modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF
    scale = scale - 2048 if scale > 1023 else scale
    # Parquet takes neither a negative scale nor one above the precision
    precision, scale = (precision - scale, 0) if scale < 0 else (max(precision, scale), scale)
    if precision > 76:
        return UNSUPPORTED
    decimal = pa.decimal128 if precision <= 38 else pa.decimal256
    return Translation(decimal(precision, scale), "numerical")


def _translate_array(item: SourceType) -> Translation:
    """An array of plain values; the driver would flatten several dimensions, so they are refused.

    What Arrow cannot hold inside it (infinite dates, numeric NaN) becomes null.
    """
    inner = translate(item)
    if inner.arrow is None or item.name in ("interval", "time", "inet"):
        return UNSUPPORTED
    value, of = "{}", None
    if item.name in _INFINITE_ITEMS:
        value = "array_replace(array_replace({}, 'infinity', NULL), '-infinity', NULL)"
        of = item.name
    elif item.name == "numeric" and item.modifier >= 0:
        value, of = "CAST(array_replace({}, 'NaN', NULL) AS text[])", "text"
    elif item.name == "numeric":
        value, of = "CAST({} AS float8[])", "float8"
    elif inner.expression != "{}":
        value, of = "CAST({} AS text[])", "text"
    guard = _ONE_DIMENSION.replace("{type}", f"{of or item.name}[]").replace("{value}", value)
    return Translation(pa.list_(pa.field("element", inner.arrow)), "unknown", guard)
