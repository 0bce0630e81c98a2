"""What a schema means: tables, columns, keys and relationships.

`Metadata` is the one description that every room shares. It is logical: the exact storage types
travel with the data as an Arrow schema, never here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

PII_SDTYPES = frozenset(
    {
        "name",
        "first_name",
        "last_name",
        "email",
        "phone_number",
        "address",
        "street_address",
        "postcode",
        "ssn",
        "iban",
        "credit_card_number",
        "ipv4_address",
        "ipv6_address",
        "mac_address",
        "user_name",
        "password",
        "company",
        "license_plate",
        "url",
    }
)
"""Sdtypes whose values are generated and never learned."""

SDTYPES = frozenset(
    {"id", "numerical", "categorical", "boolean", "datetime", "text", "unknown"} | PII_SDTYPES
)


class MetadataError(ValueError):
    """The metadata contradicts itself or the data; the message names table, column and cure."""


@dataclass(frozen=True)
class Column:
    """A column's meaning.

    Args:
        name: Name in the warehouse, case kept.
        sdtype: One of `SDTYPES`.
        nullable: Whether the column may hold nulls.
        pii: Whether values identify a person; such values are generated, never learned.
        datetime_format: strftime format where datetimes are stored as text (SDV's key).
        regex_format: Pattern of an id (SDV's key).
        categories: The values that the catalogue itself declares (an enum); public by nature.
        source_type: The warehouse's own name of the type, for people and for DDL.
        comment: The catalogue's comment.
        identity: Whether the database numbers new rows itself (identity, serial, auto-increment).
        lost_key: Whether it belongs to a key that is not in this schema, because it is gone or
            leads to a table that is not read; such values are generated as a key's are.
    """

    name: str
    sdtype: str = "categorical"
    nullable: bool = True
    pii: bool = False
    datetime_format: str | None = None
    regex_format: str | None = None
    categories: tuple[str, ...] | None = None
    source_type: str | None = None
    comment: str | None = None
    identity: bool = False
    lost_key: bool = False

    @property
    def is_personal(self) -> bool:
        """Whether values identify a person."""
        return self.pii or self.sdtype in PII_SDTYPES

    @property
    def is_generated(self) -> bool:
        """Whether values are made up rather than learned, as those of keys always are."""
        return self.is_personal or self.lost_key


@dataclass(frozen=True)
class Table:
    """A table: its columns in order, and its keys.

    Args:
        name: `table`, or `schema.table` where more than one schema is read.
        columns: Column by name, in the table's order.
        primary_key: Column names, empty where there is none.
        unique: Further unique keys, each a tuple of column names.
        sequence_key: Column that names a sequence (SDV's key).
        sequence_index: Column that orders a sequence (SDV's key).
        comment: The catalogue's comment.
    """

    name: str
    columns: Mapping[str, Column]
    primary_key: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    sequence_key: str | None = None
    sequence_index: str | None = None
    comment: str | None = None


@dataclass(frozen=True, order=True)
class Relationship:
    """A foreign key: `child.(child_columns)` refers to `parent.(parent_columns)`.

    Args:
        child: The table that refers.
        child_columns: Its columns.
        parent: The table that is referred to.
        parent_columns: Its columns.
        when: A column of the child and a value: only rows with that value refer to this parent,
            as in `("owner_type", "invoice")`; a polymorphic reference is several of these.
        alone: Whether no other foreign key has the same columns; `Metadata` finds out.
    """

    child: str
    child_columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    when: tuple[str, str] | None = None
    alone: bool = field(default=True, compare=False, repr=False)

    @property
    def name(self) -> str:
        """`orders.customer_id`, or `shipments.(order_id, line_no)`: unique in a schema."""
        columns = ", ".join(self.child_columns)
        name = f"{self.child}.{columns if len(self.child_columns) == 1 else f'({columns})'}"
        return name if self.alone else f"{name} -> {self.parent}{self._condition}"

    def __str__(self) -> str:
        columns = ", ".join(self.parent_columns)
        child = replace(self, alone=True).name
        return (
            f"{child} -> {self.parent}."
            f"{columns if len(self.parent_columns) == 1 else f'({columns})'}{self._condition}"
        )

    @property
    def _condition(self) -> str:
        return "" if self.when is None else f" when {self.when[0]} = {self.when[1]}"


@dataclass(frozen=True)
class Metadata:
    """The schema of one or many tables.

    Args:
        tables: Table by name.
        relationships: Foreign keys; a self reference has the same table on both sides.

    Raises:
        MetadataError: A key or relationship names what does not exist.
    """

    tables: Mapping[str, Table]
    relationships: tuple[Relationship, ...] = field(default=())

    def __post_init__(self) -> None:
        for table in self.tables.values():
            _check_columns(table, table.primary_key, "primary key")
            for key in table.unique:
                _check_columns(table, key, "unique key")
            for column in table.columns.values():
                if column.sdtype not in SDTYPES:
                    raise MetadataError(
                        f"Column '{table.name}.{column.name}' has the unknown sdtype "
                        f"'{column.sdtype}'. Use one of: {', '.join(sorted(SDTYPES))}."
                    )
        for relationship in self.relationships:
            self._check_relationship(relationship)
        object.__setattr__(self, "relationships", _told_apart(self.relationships))

    def _check_relationship(self, relationship: Relationship) -> None:
        for side, columns in (
            (relationship.child, relationship.child_columns + (relationship.when or ())[:1]),
            (relationship.parent, relationship.parent_columns),
        ):
            if side not in self.tables:
                raise MetadataError(
                    f"Relationship '{relationship}' names the table '{side}', which is not among "
                    f"the tables ({', '.join(self.tables)}). Add the table or remove the relation."
                )
            _check_columns(self.tables[side], columns, f"relationship '{relationship}'")
        if len(relationship.child_columns) != len(relationship.parent_columns):
            raise MetadataError(
                f"Relationship '{relationship}' has {len(relationship.child_columns)} child and "
                f"{len(relationship.parent_columns)} parent columns. Give as many on each side."
            )

    def parents(self, table: str) -> tuple[Relationship, ...]:
        """The foreign keys of `table`, in order of declaration."""
        return tuple(r for r in self.relationships if r.child == table)

    def children(self, table: str) -> tuple[Relationship, ...]:
        """The foreign keys that refer to `table`."""
        return tuple(r for r in self.relationships if r.parent == table)

    def foreign_key_columns(self, table: str) -> frozenset[str]:
        """Names of the columns of `table` that belong to any foreign key."""
        return frozenset(c for r in self.parents(table) for c in r.child_columns)

    def key_columns(self, table: str) -> frozenset[str]:
        """Columns of `table` in its primary key or in a foreign key."""
        return self.foreign_key_columns(table) | frozenset(self.tables[table].primary_key)

    def subset(self, tables: Iterable[str]) -> Metadata:
        """The same schema with only `tables`, and the relationships among them."""
        keep = set(tables)
        return Metadata(
            {name: t for name, t in self.tables.items() if name in keep},
            tuple(r for r in self.relationships if r.child in keep and r.parent in keep),
        )

    def with_relationships(self, relationships: Iterable[Relationship]) -> Metadata:
        """The same schema with `relationships` added; the columns of new ones become ids."""
        added = tuple(r for r in relationships if r not in self.relationships)
        keys = {(r.child, c) for r in added for c in r.child_columns}
        tables = {
            name: _with_ids(t, {c for n, c in keys if n == name}) for name, t in self.tables.items()
        }
        return Metadata(tables, tuple(dict.fromkeys((*self.relationships, *added))))

    def with_table(self, table: Table) -> Metadata:
        """The same schema with `table` added or replaced."""
        return replace(self, tables={**self.tables, table.name: table})

    @classmethod
    def from_tables(cls, tables: Mapping[str, pa.Table | Path]) -> Metadata:
        """Infer sdtypes, keys and relationships from Arrow tables or Parquet files."""
        from prefect_synth.synth.inference import infer_metadata

        return infer_metadata(tables)

    @classmethod
    def from_sdv(cls, document: Mapping[str, Any] | Path | str) -> Metadata:
        """Read SDV's multi-table metadata, from a mapping, a file, or a JSON text.

        Raises:
            MetadataError: The document is no SDV metadata, or contradicts itself.
        """
        from prefect_synth.synth.sdv import metadata_from_sdv

        return metadata_from_sdv(document)

    def to_sdv(self) -> dict[str, Any]:
        """The schema in SDV's multi-table form."""
        from prefect_synth.synth.sdv import metadata_to_sdv

        return metadata_to_sdv(self)

    def to_mermaid(self) -> str:
        """The schema as a Mermaid entity-relationship diagram."""
        from prefect_synth.synth.drawing import to_mermaid

        return to_mermaid(self)

    def to_dict(self) -> dict[str, Any]:
        """The schema as plain JSON values; `from_dict` reads it back."""
        from prefect_synth.synth.metadata_document import write_document

        return write_document(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Metadata:
        """Read what `to_dict` wrote.

        Raises:
            MetadataError: The document is of another version or contradicts itself.
        """
        from prefect_synth.synth.metadata_document import read_document

        return read_document(document)


def _told_apart(relationships: tuple[Relationship, ...]) -> tuple[Relationship, ...]:
    """The same foreign keys, each knowing whether another one has the same columns."""
    places = Counter((r.child, r.child_columns) for r in set(relationships))
    return tuple(replace(r, alone=places[r.child, r.child_columns] == 1) for r in relationships)


def _with_ids(table: Table, names: Iterable[str]) -> Table:
    ids = {
        c: replace(table.columns[c], sdtype="id", pii=False) for c in names if c in table.columns
    }
    return replace(table, columns={**table.columns, **ids})


def _check_columns(table: Table, columns: Iterable[str], what: str) -> None:
    missing = [c for c in columns if c not in table.columns]
    if missing:
        raise MetadataError(
            f"The {what} of table '{table.name}' names the column '{missing[0]}', which the table "
            f"does not have. Its columns are: {', '.join(table.columns)}."
        )
