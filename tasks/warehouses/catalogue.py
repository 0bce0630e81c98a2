"""What a warehouse's catalogue says, in one form for every engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from prefect_synth.synth.metadata import Column, Metadata, Relationship, Table
from prefect_synth.tasks.warehouses.errors import (
    TableNotFound,
    UnsupportedColumnType,
    did_you_mean,
)


@dataclass(frozen=True)
class Translation:
    """How a source type reaches Arrow.

    Args:
        arrow: The Arrow type; None where there is no exact one.
        sdtype: The best guess that the type alone allows.
        expression: SQL that makes the column readable; `{}` is the quoted column, `{name}` its
            name inside a text.
    """

    arrow: pa.DataType | None
    sdtype: str
    expression: str = "{}"


UNSUPPORTED = Translation(None, "unknown")


@dataclass(frozen=True)
class CatalogueColumn:
    """A column as the catalogue has it.

    Args:
        name: Name in the table.
        source_type: The type as the warehouse writes it.
        translation: How it reaches Arrow.
        nullable: Whether it may hold nulls.
        comment: The catalogue's comment.
        categories: The labels of an enum.
        identity: Whether the database counts its values up.
        default: The default's SQL, which may quote a real value: it stays in this process.
        held: Whether its values are not to be read: it is pulled as nulls.
        null_type: The type that nulls of it are cast to, where `source_type` does not do: a domain
            may refuse nulls, and a type may list labels that must not be told.
    """

    name: str
    source_type: str
    translation: Translation
    nullable: bool = True
    comment: str | None = None
    categories: tuple[str, ...] | None = None
    identity: bool = False
    default: str | None = None
    held: bool = False
    null_type: str | None = None

    def field(self, table: str) -> pa.Field:
        """The Arrow field that the column is pulled as.

        Raises:
            UnsupportedColumnType: The type has no exact Arrow counterpart.
        """
        if self.translation.arrow is None:
            raise UnsupportedColumnType(table, self.name, self.source_type)
        notes = {"comment": self.comment, "source_type": self.source_type}
        return pa.field(
            self.name,
            self.translation.arrow,
            self.nullable,
            metadata={key: value for key, value in notes.items() if value},
        )


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key as the catalogue has it."""

    columns: tuple[str, ...]
    schema: str
    table: str
    referred_columns: tuple[str, ...]


@dataclass(frozen=True)
class CatalogueTable:
    """A table or view as the catalogue has it.

    Args:
        schema: Schema in the warehouse.
        name: Name within the schema.
        columns: Column by name, in order; only those that this role may read.
        listed: Whether patterns reach it. Views, and children of an inherited table, whose rows
            the parent shows already, are read only when they are named.
        readable: Whether this role may read any of it.
        primary_key: Column names, empty where there is none.
        unique: Further unique keys.
        foreign_keys: Foreign keys in the order of their first column.
        comment: The catalogue's comment.
    """

    schema: str
    name: str
    columns: Mapping[str, CatalogueColumn]
    listed: bool = True
    readable: bool = True
    primary_key: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    comment: str | None = None

    @property
    def path(self) -> str:
        """`schema.table`."""
        return f"{self.schema}.{self.name}"

    @property
    def sql(self) -> str:
        """The quoted name, as SQL takes it."""
        return f"{quote(self.schema)}.{quote(self.name)}"

    @property
    def not_readable(self) -> str:
        """The complaint where this role may not read the table."""
        return (
            f"This role may not read table '{self.path}'. "
            f"Run as its owner: GRANT SELECT ON {self.sql} TO <role>;"
        )

    @property
    def held(self) -> frozenset[str]:
        """The columns whose values are not to be read."""
        return frozenset(name for name, column in self.columns.items() if column.held)

    @property
    def order(self) -> tuple[str, ...]:
        """The columns that put its rows in one certain order; empty where there are none."""
        certain = [key for key in self.unique if not any(self.columns[c].nullable for c in key)]
        return self.primary_key or (certain[0] if certain else ())


@dataclass(frozen=True)
class Catalogue:
    """All tables and views of a warehouse, system schemas apart."""

    tables: tuple[CatalogueTable, ...]
    default_schema: str

    def find(self, name: str) -> CatalogueTable:
        """The table that metadata calls `name`: `schema.table`, or a table of the default schema.

        Raises:
            TableNotFound: There is none.
        """
        paths = {table.path: table for table in self.tables}
        bare = [table for table in self.tables if table.name == name]
        default = paths.get(f"{self.default_schema}.{name}")
        found = default or paths.get(name) or (bare[0] if len(bare) == 1 else None)
        if found is None:
            names = [t.name if t.schema == self.default_schema else t.path for t in self.tables]
            raise TableNotFound(
                f"Table '{name}' is not in the warehouse. {did_you_mean(name, names)}"
            )
        if not found.readable:
            raise TableNotFound(found.not_readable)
        return found

    def metadata(self, chosen: Mapping[str, CatalogueTable]) -> Metadata:
        """The meaning of the chosen tables, and the relationships among them."""
        names = {table.path: name for name, table in chosen.items()}
        return Metadata(
            {name: _table(name, table) for name, table in chosen.items()},
            tuple(
                dict.fromkeys(
                    Relationship(name, key.columns, names[path], key.referred_columns)
                    for name, table in chosen.items()
                    for key in table.foreign_keys
                    if (path := f"{key.schema}.{key.table}") in names
                    and set(key.referred_columns) <= chosen[names[path]].columns.keys()
                )
            ),
        )

    def schemas(self, metadata: Metadata) -> dict[str, pa.Schema]:
        """The Arrow schema of each table, with only the columns that `metadata` has.

        Raises:
            TableNotFound: A table or column is gone.
            UnsupportedColumnType: A column has no exact Arrow type.
        """
        return {name: self._schema(table) for name, table in metadata.tables.items()}

    def _schema(self, table: Table) -> pa.Schema:
        known = self.find(table.name).columns
        missing = [column for column in table.columns if column not in known]
        if missing:
            raise TableNotFound(
                f"Table '{table.name}' has no column '{missing[0]}' that this role can read. "
                f"{did_you_mean(missing[0], known)}"
            )
        return pa.schema([known[column].field(table.name) for column in table.columns])


def quote(name: str) -> str:
    """A name as an SQL identifier.

    Example:
        >>> quote("Order")
        '"Order"'
    """
    return '"' + name.replace('"', '""') + '"'


def _table(name: str, table: CatalogueTable) -> Table:
    keys = {*table.primary_key, *(c for key in table.foreign_keys for c in key.columns)}
    return Table(
        name,
        {c.name: _column(c, c.name in keys) for c in table.columns.values()},
        primary_key=table.primary_key,
        unique=table.unique,
        comment=table.comment,
    )


def _column(column: CatalogueColumn, is_key: bool) -> Column:
    sdtype = column.translation.sdtype
    return Column(
        column.name,
        "id" if is_key and sdtype in ("numerical", "categorical") else sdtype,
        nullable=column.nullable,
        categories=column.categories,
        source_type=column.source_type,
        comment=column.comment,
        identity=column.identity,
    )
