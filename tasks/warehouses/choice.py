"""Which tables are read: schemas, and the include and exclude lists of the project file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from prefect_synth.tasks.warehouses.catalogue import Catalogue, CatalogueTable
from prefect_synth.tasks.warehouses.errors import TableNotFound, did_you_mean

Named = Mapping[str, CatalogueTable]


def choose_tables(
    catalogue: Catalogue,
    schemas: Sequence[str] | None = None,
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
) -> dict[str, CatalogueTable]:
    """Table by the name that metadata gives it: `schema.table` where several schemas are read.

    Patterns (`*`, `?`, `[...]`) reach tables; a plain name means that one table or view.

    Raises:
        TableNotFound: A schema is empty, a name fits nothing, or nothing is left.
    """
    wanted = list(schemas) if schemas is not None else [catalogue.default_schema]
    named = {
        table.path if len(wanted) > 1 else table.name: table
        for schema in wanted
        for table in _tables_of(catalogue, schema)
    }
    included = {name for pattern in include for name in _included(pattern, named)}
    excluded = {name for pattern in exclude for name in _fitting(pattern, named, "exclude")}
    chosen = {name: table for name, table in named.items() if name in included - excluded}
    if not chosen:
        raise TableNotFound(
            f"No table of schema {', '.join(wanted)} is left after warehouse.include "
            f"{list(include)} and warehouse.exclude {list(exclude)}. Widen them in synth.yaml."
        )
    return chosen


def _tables_of(catalogue: Catalogue, schema: str) -> list[CatalogueTable]:
    tables = [table for table in catalogue.tables if table.schema == schema]
    if not any(table.readable for table in tables):
        others = {table.schema for table in catalogue.tables if table.readable}
        raise TableNotFound(
            f"Schema '{schema}' has no table that this role can read. Name another schema in "
            f"warehouse.schemas, or grant SELECT. Schemas: {did_you_mean(schema, others)}"
        )
    return tables


def _included(pattern: str, named: Named) -> list[str]:
    found = _fitting(pattern, named, "include")
    unreadable = [named[name] for name in found if not named[name].readable]
    if unreadable:
        raise TableNotFound(unreadable[0].not_readable)
    if not found and pattern != "*":
        raise TableNotFound(
            f"Pattern '{pattern}' in warehouse.include fits no table. "
            f"{did_you_mean(pattern, named)}"
        )
    return found


def _fitting(pattern: str, named: Named, setting: str) -> list[str]:
    """The names that a pattern means. A plain name must exist: a typo could publish a table."""
    if any(sign in pattern for sign in "*?["):
        return [name for name, table in named.items() if _fits(name, table, pattern)]
    exact = [name for name, table in named.items() if pattern in (name, table.path)]
    if not exact:
        raise TableNotFound(
            f"Table '{pattern}' in warehouse.{setting} is not in the warehouse. "
            f"{did_you_mean(pattern, named)}"
        )
    return exact


def _fits(name: str, table: CatalogueTable, pattern: str) -> bool:
    reached = table.listed and table.readable
    return reached and (fnmatchcase(name, pattern) or fnmatchcase(table.path, pattern))
