"""Reading PostgreSQL's catalogue: keys by SQLAlchemy's inspector, types by pg_attribute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine.interfaces import TableKey
from sqlalchemy.engine.reflection import Inspector, ObjectKind

from prefect_synth.tasks.warehouses.catalogue import (
    Catalogue,
    CatalogueColumn,
    CatalogueTable,
    ForeignKey,
)
from prefect_synth.tasks.warehouses.postgres_types import SourceType, translate

USER_SCHEMA = (
    "n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' "
    "AND has_schema_privilege(n.oid, 'USAGE')"
)
"""SQL: the schema `n` is neither the system's nor closed to this role."""

# Children by inheritance, partitions among them, show their rows in the parent already; tables of
# an extension (PostGIS' spatial_ref_sys) are nobody's data.
_TABLES = f"""
SELECT c.oid, n.nspname AS schema, c.relname AS name,
       c.relkind IN ('r', 'p')
           AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                           AND d.objid = c.oid AND d.deptype = 'e') AS listed,
       has_any_column_privilege(c.oid, 'SELECT') AS readable,
       obj_description(c.oid, 'pg_class') AS comment
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {USER_SCHEMA}
ORDER BY n.nspname, c.relname
"""

_COLUMNS = f"""
WITH RECURSIVE resolved(oid, base, modifier, required) AS (
    SELECT oid, oid, -1, false FROM pg_type WHERE typtype <> 'd'
  UNION ALL
    SELECT t.oid, r.base, CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE r.modifier END,
           r.required OR t.typnotnull
    FROM pg_type t JOIN resolved r ON r.oid = t.typbasetype WHERE t.typtype = 'd'
)
SELECT a.attrelid AS oid, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS source_type,
       format_type(r.base, CASE WHEN a.atttypmod >= 0 THEN a.atttypmod ELSE r.modifier END)
           AS base_type,
       NOT (a.attnotnull OR r.required) AS nullable, col_description(c.oid, a.attnum) AS comment,
       t.typname AS type, t.typtype AS kind, i.typname AS item, i.typtype AS item_kind,
       CASE WHEN a.atttypmod >= 0 THEN a.atttypmod ELSE r.modifier END AS modifier,
       CASE WHEN t.typtype = 'e' THEN ARRAY(
           SELECT e.enumlabel::text FROM pg_enum e
           WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder
       ) END AS labels,
       a.attidentity <> ''
           OR coalesce(pg_get_expr(d.adbin, d.adrelid), '') LIKE 'nextval(%' AS identity,
       pg_get_expr(d.adbin, d.adrelid) AS default
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN resolved r ON r.oid = a.atttypid
JOIN pg_type t ON t.oid = r.base
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_type i ON i.oid = t.typelem AND i.typarray = t.oid
WHERE a.attnum > 0 AND NOT a.attisdropped AND {USER_SCHEMA}
  AND has_column_privilege(c.oid, a.attnum, 'SELECT')
ORDER BY a.attrelid, a.attnum
"""


def read_catalogue(connection: Connection) -> Catalogue:
    """Everything this role can see, system schemas apart."""
    columns = _read_columns(connection)
    rows = connection.execute(text(_TABLES)).mappings().all()
    keys = _Keys(inspect(connection), {row["schema"] for row in rows if row["readable"]})
    tables = [
        keys.add_to(
            CatalogueTable(
                row["schema"],
                row["name"],
                columns[row["oid"]],
                listed=row["listed"],
                readable=row["readable"],
                comment=row["comment"],
            )
        )
        for row in rows
    ]
    default = connection.execute(text("SELECT coalesce(current_schema(), 'public')")).scalar_one()
    return Catalogue(tuple(tables), default)


def _read_columns(connection: Connection) -> Mapping[int, dict[str, CatalogueColumn]]:
    columns: dict[int, dict[str, CatalogueColumn]] = defaultdict(dict)
    for row in connection.execute(text(_COLUMNS)).mappings():
        item = SourceType(row["item"], row["item_kind"]) if row["item"] else None
        source = SourceType(row["type"], row["kind"], row["modifier"], item)
        columns[row["oid"]][row["name"]] = CatalogueColumn(
            row["name"],
            row["source_type"],
            translate(source),
            nullable=row["nullable"],
            comment=row["comment"],
            categories=tuple(row["labels"]) if row["labels"] is not None else None,
            identity=row["identity"],
            default=row["default"],
            null_type=row["base_type"],
        )
    return columns


class _Keys:
    """The primary, unique and foreign keys of all tables in some schemas."""

    def __init__(self, inspector: Inspector, schemas: Iterable[str]) -> None:
        self._primary: dict[TableKey, Any] = {}
        self._unique: dict[TableKey, Any] = {}
        self._indexes: dict[TableKey, Any] = {}
        self._foreign: dict[TableKey, Any] = {}
        for schema in schemas:
            where: dict[str, Any] = {"schema": schema, "kind": ObjectKind.TABLE}
            self._primary.update(inspector.get_multi_pk_constraint(**where))
            self._unique.update(inspector.get_multi_unique_constraints(**where))
            self._indexes.update(inspector.get_multi_indexes(**where))
            self._foreign.update(
                inspector.get_multi_foreign_keys(**where, postgresql_ignore_search_path=True)
            )

    def add_to(self, table: CatalogueTable) -> CatalogueTable:
        """The table with its keys, as far as this role may read their columns."""
        at: TableKey = (table.schema, table.name)
        primary = tuple((self._primary.get(at) or {}).get("constrained_columns") or ())
        unique = [tuple(key["column_names"]) for key in self._unique.get(at, ())]
        unique += [tuple(i["column_names"]) for i in self._indexes.get(at, ()) if _is_key(i)]
        readable = [k for k in dict.fromkeys(unique) if set(k) <= table.columns.keys()]
        return replace(
            table,
            primary_key=primary if set(primary) <= table.columns.keys() else (),
            unique=tuple(sorted(k for k in readable if k != primary)),
            foreign_keys=self._foreign_keys(table, at),
        )

    def _foreign_keys(self, table: CatalogueTable, at: TableKey) -> tuple[ForeignKey, ...]:
        keys = [
            ForeignKey(
                tuple(key["constrained_columns"]),
                key["referred_schema"],
                key["referred_table"],
                tuple(key["referred_columns"]),
            )
            for key in self._foreign.get(at, ())
        ]
        position = {column: place for place, column in enumerate(table.columns)}
        readable = [key for key in keys if set(key.columns) <= position.keys()]
        return tuple(sorted(readable, key=lambda key: [position[c] for c in key.columns]))


def _is_key(index: Mapping[str, Any]) -> bool:
    """Whether an index makes its plain columns unique over the whole table."""
    whole = not index.get("dialect_options", {}).get("postgresql_where")
    return bool(index["unique"] and whole and not index.get("expressions"))
