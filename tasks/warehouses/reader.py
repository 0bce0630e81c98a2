"""What is the same for every SQL engine: pulling, counting, and looking for orphans."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from prefect_synth.synth.metadata import Relationship
from prefect_synth.tasks.warehouses.casting import cast_batches
from prefect_synth.tasks.warehouses.catalogue import Catalogue, CatalogueTable, quote
from prefect_synth.tasks.warehouses.selection import Selection
from prefect_synth.tasks.warehouses.selection_sql import Chosen, choose_rows
from prefect_synth.tasks.warehouses.staging_writer import write_staged

SAMPLE_SEED = 7
Batches = AbstractContextManager[Iterator[pa.RecordBatch]]


class SqlSnapshot(ABC):
    """A `WarehouseSnapshot` over one primitive: a query gives batches.

    Args:
        catalogue: The warehouse's tables.
        collation: What makes texts compare by bytes.
    """

    def __init__(self, catalogue: Catalogue, collation: str = "") -> None:
        self._catalogue = catalogue
        self._collation = collation

    @abstractmethod
    def _query(self, sql: str, about: str, spill: Path | None = None) -> Batches:
        """Run a query on a connection of its own; `about` names it in errors."""

    def pull(
        self,
        table: str,
        schema: pa.Schema,
        path: Path,
        *,
        selection: Selection | None = None,
        on_batch: Callable[[int], None] | None = None,
    ) -> int:
        """Stream a table to a Parquet file, in the order of its primary key."""
        found = self._catalogue.find(table)
        chosen = self._chosen(selection, table) if selection is not None else Chosen()
        sql = select_columns(found, schema.names, chosen)
        with self._query(sql, f"table '{table}'", path.parent) as batches:
            return write_staged(path, schema, cast_batches(batches, schema, table), on_batch)

    def _chosen(self, selection: Selection, table: str) -> Chosen:
        relations = {name: self._catalogue.find(name).sql for name in selection.metadata.tables}
        held = {name: self._catalogue.find(name).held for name in selection.metadata.tables}
        return choose_rows(selection, table, relations, self._collation, held)

    def count(self, table: str) -> int:
        """The number of rows of a table."""
        return self._number(
            f"SELECT count(*) AS n FROM {self._catalogue.find(table).sql}", f"table '{table}'"
        )

    def sample(self, table: str, schema: pa.Schema, path: Path, rows: int) -> int:
        """Stream a random sample of a table to a Parquet file; returns the table's own rows."""
        found, count = self._catalogue.find(table), self.count(table)
        sql = select_columns(replace(found, primary_key=(), unique=()), schema.names, Chosen())
        if count > rows:
            sql = self._sampled(sql, found, rows / count)
        with self._query(sql, f"a sample of table '{table}'", path.parent) as batches:
            write_staged(path, schema, cast_batches(batches, schema, table), None)
        return count

    @abstractmethod
    def _sampled(self, sql: str, table: CatalogueTable, share: float) -> str:
        """The query `sql` over a share of the table's rows, the same ones every time."""

    def highest(self, table: str, column: str) -> str | None:
        """The largest value of a column as a text; None where it must not be read."""
        if column in self._catalogue.find(table).held:
            return None
        sql = f"SELECT CAST(max({quote(column)}) AS varchar) AS n FROM "
        sql += self._catalogue.find(table).sql
        with self._query(sql, f"column '{table}.{column}'") as batches:
            found = next(batches).column(0)[0].as_py()
        return None if found is None else str(found)

    def orphans(self, relationship: Relationship) -> int:
        """How many child rows refer to no parent (MATCH SIMPLE: nulls refer to nothing)."""
        child = self._catalogue.find(relationship.child).sql
        parent = self._catalogue.find(relationship.parent).sql
        columns = [quote(column) for column in relationship.child_columns]
        pairs = zip(columns, map(quote, relationship.parent_columns), strict=True)
        known = " AND ".join(f"c.{column} IS NOT NULL" for column in columns)
        same = " AND ".join(f"p.{right} = c.{left}" for left, right in pairs)
        if relationship.when is not None:
            column, value = relationship.when
            literal = value.replace("'", "''")
            known += f" AND CAST(c.{quote(column)} AS varchar) = '{literal}'"
        return self._number(
            f"SELECT count(*) AS n FROM {child} AS c WHERE {known} "
            f"AND NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE {same})",
            f"relationship '{relationship}'",
        )

    def _number(self, sql: str, about: str) -> int:
        with self._query(sql, about) as batches:
            return int(next(batches).column(0)[0].as_py())


def select_columns(table: CatalogueTable, columns: list[str], chosen: Chosen) -> str:
    """The query that reads `columns` of the chosen rows, in one certain order where there is one.

    The rows come in the order of the primary key, or of a unique key without nulls, so that the
    same data gives the same file; the warehouse pays for the sort where no index serves it. A held
    column is nulls of its type, so that the warehouse itself does not read its values.
    """
    order = ", ".join(f"t.{quote(column)}" for column in table.order)
    expressions = ", ".join(_expression(table, column) for column in columns)
    # not *: the role may have grants for these columns only
    read = [name for name in columns if name not in table.held]
    needed = ", ".join(map(quote, dict.fromkeys([*read, *table.order])))
    rows = f"SELECT {needed or '1'} FROM {table.sql}{chosen.suffix}"
    source = f"({rows}) AS t" if chosen.where else f"{table.sql} AS t"
    ordered = f" ORDER BY {order}" if order else ""
    return f"{chosen.prefix}SELECT {expressions} FROM {source}{ordered}"


def _expression(table: CatalogueTable, column: str) -> str:
    found = table.columns[column]
    nulls = f"CAST(NULL AS {found.null_type or found.source_type})"
    value = nulls if found.held else f"t.{quote(column)}"
    filled = {"{}": value, "{name}": column.replace("'", "''")}
    translated = found.translation.expression
    sql = re.sub(r"\{(name)?\}", lambda match: filled[match[0]], translated)
    return f"{sql} AS {quote(column)}"
