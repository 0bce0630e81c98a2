"""What a database has already, as SQLAlchemy's inspector tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Integer, inspect
from sqlalchemy.engine.interfaces import TableKey
from sqlalchemy.engine.reflection import Inspector, ObjectKind

from prefect_synth.tasks.databases.existing import Existing, TargetColumn, TargetKey, TargetTable
from prefect_synth.tasks.databases.plan import Place


def reflect(
    connection: Connection, schemas: Iterable[str | None], *, folds_case: bool = False
) -> Existing:
    """The tables of some schemas and all their foreign keys.

    Args:
        connection: The database.
        schemas: Names of the schemas; None is the only one.
        folds_case: Whether names that differ by case only are one.
    """
    inspector = inspect(connection)
    tables: dict[Place, TargetTable] = {}
    keys: list[TargetKey] = []
    for schema in schemas:
        where: dict[str, Any] = {"schema": schema, "kind": ObjectKind.TABLE}
        primary = inspector.get_multi_pk_constraint(**where)
        for at, columns in inspector.get_multi_columns(**where).items():
            place = Place(schema, at[1])
            key = primary.get(at)
            own = tuple(key["constrained_columns"]) if key else ()
            tables[place] = TargetTable(place, {c["name"]: _column(c, own) for c in columns}, own)
        keys += _keys(inspector, schema, where)
    return Existing(tables, tuple(keys), folds_case)


def _column(column: Mapping[str, Any], primary: tuple[str, ...]) -> TargetColumn:
    default = str(column.get("default") or "")
    numbered = (
        bool(column.get("identity"))
        or column.get("autoincrement") is True
        or default.startswith("nextval(")
        or _is_rowid(column, primary)
    )
    return TargetColumn(
        column["name"],
        nullable=bool(column["nullable"]) and column["name"] not in primary,
        has_default=column.get("default") is not None,
        generated=bool(column.get("computed")),
        numbered=numbered,
    )


def _is_rowid(column: Mapping[str, Any], primary: tuple[str, ...]) -> bool:
    """Whether a column is SQLite's INTEGER PRIMARY KEY, which numbers rows unasked."""
    alone = primary == (column["name"],)
    return alone and "primary_key" in column and isinstance(column["type"], Integer)


def _keys(inspector: Inspector, schema: str | None, where: Mapping[str, Any]) -> list[TargetKey]:
    # PostgreSQL's: tell the schema in any case
    told = where if schema is None else {**where, "postgresql_ignore_search_path": True}
    found: Mapping[TableKey, Any] = inspector.get_multi_foreign_keys(**told)
    return [
        TargetKey(
            Place(schema, at[1]),
            tuple(key["constrained_columns"]),
            Place(key["referred_schema"], key["referred_table"]),
            tuple(key["referred_columns"]),
            bool((key.get("options") or {}).get("deferrable")),
        )
        for at, keys in found.items()
        for key in keys
    ]
